-- Statements of the calendar of staff.

-- name: schedule_window
select kind, id, resource_id, starts_at, ends_at, taken_from, taken_to, state, version, left_seconds, party_size, places,
       offering_id, contact, guest_email, guest_phone, guest_name, has_note
  from schedule_window(%(business_id)s::uuid, %(resources)s::uuid[], %(from)s::timestamptz, %(to)s::timestamptz,
                       %(ended)s::boolean);

-- name: block_shown
select id, resource_id, lower(during) as starts_at, upper(during) as ends_at, reason_id from blocks
 where business_id = %(business_id)s and id = %(id)s;

-- name: group_shown
select g.id, g.program_id, g.starts_at, g.ends_at, g.taken, g.max_capacity, p.name
  from program_schedules g join programs p on p.business_id = g.business_id and p.id = g.program_id
 where g.business_id = %(business_id)s and g.id = %(id)s;
