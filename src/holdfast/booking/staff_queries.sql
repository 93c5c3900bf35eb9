-- Statements of what staff do.

-- name: changes_since
-- `start` is where the booking was after the change, as its event tells.
select a.version, a.action, a.actor, k.name, u.id as user_id, u.name as user_name, a.occurred_at as at, a.from_state as from_status, a.to_state as to_status,
       (e.payload ->> 'start')::timestamptz as start
  from audit_log a
  join outbox_events e on e.business_id = a.business_id and e.aggregate_id = a.aggregate_id and e.version = a.version
  left join api_keys k on k.business_id = a.business_id and k.id = a.actor_id
  left join users u on u.business_id = a.business_id and u.id = a.actor_id
 where a.business_id = %(business_id)s and a.aggregate_id = %(id)s and a.aggregate_type = 'booking'
   and a.version > %(version)s::integer
 order by a.version;

-- name: book_by_staff
select book_by_staff(%(business_id)s::uuid, %(request)s::jsonb, %(ignores_busy)s::boolean, %(actor_id)s::uuid,
                     %(reason_id)s::uuid)::text;

-- name: set_outcome
update bookings set state = %(state)s, version = version + 1
 where business_id = %(business_id)s and id = %(id)s and state <> %(state)s
   and state in ('confirmed', 'completed', 'no_show') and starts_at <= clock_timestamp();

-- name: refund_appointment
update bookings b
   set state = 'refunded', version = version + 1,
       -- What was cancelled goes back as it was decided then.
       refund_percent = case when b.state = 'cancelled' then b.refund_percent when b.due_minor is not null then 100 end,
       former_resource_ids = case when b.state = 'cancelled' then b.former_resource_ids
                                  else array(select distinct c.resource_id from claims c
                                              where c.business_id = b.business_id and c.booking_id = b.id
                                              order by 1) end
 where business_id = %(business_id)s and id = %(id)s and state in ('confirmed', 'cancelled');

-- name: list_appointments
-- Claims of what was given back are gone: under a resource only those that take it, or took it to their end, are found.
select b.business_id, b.id, b.service_id, b.schedule_id, b.starts_at, b.ends_at, b.party_size, b.state, b.version,
       b.held_at, b.expires_at, b.price_minor, b.currency, b.timezone, b.locale,
       b.contact, b.guest_email, b.guest_phone, b.guest_name, b.note is not null as has_note, b.token_nonce,
       b.due_minor, b.refund_terms, b.refund_percent, b.refund_most_percent,
       clock_timestamp() as now,
       array(select distinct c.resource_id from claims c
              join resources r on r.business_id = c.business_id and r.id = c.resource_id and r.kind <> 'pool'
             where c.business_id = b.business_id and c.booking_id = b.id order by 1) as resource_ids,
       0 as cancel_notice_minutes, 0 as hold_minutes
  from bookings b
 where b.business_id = %(business_id)s and b.state not in ('held', 'expired', 'released')
   and b.starts_at >= (select coalesce(%(from)s::timestamptz, '-infinity'))
   and b.starts_at < (select coalesce(%(to)s::timestamptz, 'infinity'))
   and (b.starts_at, b.id) > ((select coalesce(%(after)s::timestamptz, '-infinity')),
                              (select coalesce(%(after_id)s::uuid, '00000000-0000-0000-0000-000000000000')))
   and (%(states)s::text[] is null or b.state = any (%(states)s::text[]))
   and (%(service_id)s::uuid is null or b.service_id = %(service_id)s::uuid)
   and (%(schedule_id)s::uuid is null or b.schedule_id = %(schedule_id)s::uuid)
   and (%(program_id)s::uuid is null or exists (
           select from program_schedules s
            where s.business_id = b.business_id and s.id = b.schedule_id and s.program_id = %(program_id)s::uuid))
   and (%(resource_id)s::uuid is null or exists (
           select from claims c
            where c.business_id = b.business_id and c.resource_id = %(resource_id)s::uuid
              and (c.booking_id = b.id or c.schedule_id = b.schedule_id)))
 order by b.starts_at, b.id limit %(limit)s;

-- name: appointments_of
-- The same for one contact, whose bookings are found first: by its blind index, and to the letter where an earlier release
-- has left it in plain text.
select b.id
  from (select e.id from bookings e
         where e.business_id = %(business_id)s and e.email_index = %(email_index)s::bytea
        union all
        select p.id from bookings p
         where p.business_id = %(business_id)s and p.phone_index = %(phone_index)s::bytea
        union all
        select o.id from bookings o
         where o.business_id = %(business_id)s and o.contact_plain and %(contact)s::text in (o.guest_email, o.guest_phone)
       ) found
  join bookings b on b.business_id = %(business_id)s and b.id = found.id
 where b.state not in ('held', 'expired', 'released')
   and b.starts_at >= (select coalesce(%(from)s::timestamptz, '-infinity'))
   and b.starts_at < (select coalesce(%(to)s::timestamptz, 'infinity'))
   and (b.starts_at, b.id) > ((select coalesce(%(after)s::timestamptz, '-infinity')),
                              (select coalesce(%(after_id)s::uuid, '00000000-0000-0000-0000-000000000000')))
   and (%(states)s::text[] is null or b.state = any (%(states)s::text[]))
   and (%(service_id)s::uuid is null or b.service_id = %(service_id)s::uuid)
   and (%(schedule_id)s::uuid is null or b.schedule_id = %(schedule_id)s::uuid)
   and (%(program_id)s::uuid is null or exists (
           select from program_schedules s
            where s.business_id = b.business_id and s.id = b.schedule_id and s.program_id = %(program_id)s::uuid))
   and (%(resource_id)s::uuid is null or exists (
           select from claims c
            where c.business_id = b.business_id and c.resource_id = %(resource_id)s::uuid
              and (c.booking_id = b.id or c.schedule_id = b.schedule_id)))
 order by b.starts_at, b.id limit %(limit)s;

-- name: put_note
update bookings set note = %(note)s::bytea, version = version + 1
 where business_id = %(business_id)s and id = %(id)s;

-- name: lock_note
select note from bookings where business_id = %(business_id)s and id = %(id)s for no key update;

-- name: resource
select id, slug, name, kind, capacity from resources where business_id = %(business_id)s and id = %(id)s;

-- name: add_block
insert into blocks (business_id, id, resource_id, during, reason_id)
values (%(business_id)s, %(id)s, %(resource_id)s, tstzrange(%(from)s, %(to)s), %(reason_id)s);

-- name: take_resource_for_block
select take_whole_resource(%(business_id)s::uuid, %(resource_id)s::uuid,
                           tstzrange(%(from)s::timestamptz, %(to)s::timestamptz), null, %(id)s::uuid);

-- name: taken_by
select kind, id, starts_at as start, ends_at as "end"
  from taken_by(%(business_id)s::uuid, %(resource_id)s::uuid, %(from)s::timestamptz, %(to)s::timestamptz, %(id)s::uuid);

-- name: block
select id, resource_id, lower(during) as start, upper(during) as "end" from blocks
 where business_id = %(business_id)s and id = %(id)s;

-- name: lock_resource
select id from resources where business_id = %(business_id)s and id = %(resource_id)s for no key update;

-- name: drop_block_claims
delete from claims where business_id = %(business_id)s and block_id = %(id)s;

-- name: drop_block
delete from blocks where business_id = %(business_id)s and id = %(id)s;

-- name: schedule
select s.id, s.starts_at as start, s.ends_at as "end", s.max_capacity, s.max_capacity - s.taken as places_left
  from program_schedules s where s.business_id = %(business_id)s and s.id = %(id)s;
