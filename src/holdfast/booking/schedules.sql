-- Schedules: what is asked of them one by one.

-- name: set_capacity
update program_schedules set max_capacity = %(max_capacity)s
 where business_id = %(business_id)s and id = %(id)s and withdrawn is null and taken <= %(max_capacity)s
returning old.max_capacity as before;

-- name: places_taken
select taken from program_schedules where business_id = %(business_id)s and id = %(id)s and withdrawn is null;

-- name: list_schedules
-- A hold that has run out still stands in the counter until it is swept, but takes no place (B-4).
select s.id, s.starts_at as start, s.ends_at as "end", s.max_capacity,
       s.max_capacity - s.taken + coalesce(spent.places, 0) as places_left
  from program_schedules s
  join programs p on p.business_id = s.business_id and p.id = s.program_id and p.active and p.slug = %(slug)s
  left join lateral (select sum(b.party_size)::integer as places from bookings b
                      where b.business_id = s.business_id and b.schedule_id = s.id
                        and b.state in ('held', 'pending_payment')
                        and b.expires_at <= statement_timestamp()) spent on true
 where s.business_id = %(business_id)s and s.starts_at > statement_timestamp() and s.withdrawn is null
   and s.starts_at >= (select coalesce(%(from)s::timestamptz, '-infinity'))
   and s.starts_at < (select coalesce(%(to)s::timestamptz, 'infinity'))
   and s.starts_at > (select coalesce(%(after)s::timestamptz, '-infinity'))
 order by s.starts_at limit %(limit)s;

-- name: program_is_offered
select exists (select from programs where business_id = %(business_id)s and slug = %(slug)s and active);
