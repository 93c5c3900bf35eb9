-- What staff who set something up are told of what is booked.

-- name: booked_ahead
-- What is to come with a resource: appointments, and groups of which places are taken.
select distinct 'appointment' as kind, b.id, b.starts_at as start, b.ends_at as "end", v.name
  from claims c
  join bookings b on b.business_id = c.business_id and b.id = c.booking_id
  join services v on v.business_id = b.business_id and v.id = b.service_id
 where c.business_id = %(business_id)s and c.resource_id = %(resource_id)s
   and upper(c.during) > clock_timestamp() and b.state in ('confirmed', 'pending_payment')
   and b.starts_at > clock_timestamp()
union all
select distinct 'schedule', s.id, s.starts_at, s.ends_at, p.name
  from claims c
  join program_schedules s on s.business_id = c.business_id and s.id = c.schedule_id and s.taken > 0
  join programs p on p.business_id = s.business_id and p.id = s.program_id
 where c.business_id = %(business_id)s and c.resource_id = %(resource_id)s
   and upper(c.during) > clock_timestamp() and s.starts_at > clock_timestamp()
 order by 3, 2;

-- name: appointments_ahead
-- How much of each service is booked and has not begun.
select service_id, count(*)::integer as appointments from bookings
 where business_id = %(business_id)s and service_id is not null and state in ('confirmed', 'pending_payment')
   and starts_at > clock_timestamp()
 group by service_id;

-- name: schedules_ahead
-- One row more than a page has tells whether there is another.
select s.id, s.starts_at as start, s.ends_at as "end", s.max_capacity, s.taken, s.rule_capacity is null as by_hand,
       s.withdrawn is not null as removed
  from program_schedules s
 where s.business_id = %(business_id)s and s.program_id = %(program_id)s
   and s.starts_at > clock_timestamp()
   -- One that was made and removed by hand is nobody's business any more.
   and (s.withdrawn is null or (s.withdrawn = 'staff' and s.rule_capacity is not null))
   and (s.starts_at, s.id) > ((select coalesce(%(after)s::timestamptz, '-infinity')),
                              (select coalesce(%(after_id)s::uuid, '00000000-0000-0000-0000-000000000000')))
 order by s.starts_at, s.id limit %(limit)s;

-- name: programs_ahead
-- Of each program the coming schedules, their places, and how many of those are taken.
select program_id, count(*)::integer as schedules, sum(max_capacity)::integer as places, sum(taken)::integer as taken,
       min(starts_at) as next
  from program_schedules
 where business_id = %(business_id)s and starts_at > clock_timestamp() and withdrawn is null
 group by program_id;

-- name: sources_of
-- Calendar files that have brought closed days of a resource.
select source, count(*)::integer as days, min(day) as first, max(day) as last
  from availability_overrides
 where business_id = %(business_id)s and resource_id = %(resource_id)s and source is not null
 group by source order by source;

-- name: places_of_schedule
select max_capacity from program_schedules
 where business_id = %(business_id)s and program_id = %(program_id)s and id = %(id)s and withdrawn is null;

-- name: is_removed
select withdrawn is not null from program_schedules
 where business_id = %(business_id)s and program_id = %(program_id)s and id = %(id)s
   and (withdrawn is null or (withdrawn = 'staff' and rule_capacity is not null));
