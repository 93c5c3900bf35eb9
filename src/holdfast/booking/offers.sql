-- Offers: what is free is held for whoever has waited longest of those who fit.

-- name: businesses_waited_for
select business_id from businesses_waited_for(%(after)s::uuid, %(limit)s::integer) business_id;

-- name: take_turn
-- One worker at a time offers places of a business: another would decide by what was free before, wait for the row that
-- this one has locked, and find the place taken.
select pg_try_advisory_xact_lock(hashtextextended('waitlist ' || %(business_id)s::text, 0));

-- name: next_for_schedules
-- Who is first in line of those who fit into a schedule that can be joined, and for how long it still can. Places of holds
-- that have run out are free (B-4).
with waited_for as materialized (
    select distinct r.schedule_id as id from waitlist_requests r
     where r.business_id = %(business_id)s and r.state = 'waiting'
       and r.schedule_id <> all (%(refused)s::uuid[])
), open as materialized (
    select s.id, floor(extract(epoch from s.starts_at - clock_timestamp()))::integer as seconds_left, left_over.places
      from waited_for w
      join program_schedules s on s.business_id = %(business_id)s and s.id = w.id
      join programs p on p.business_id = s.business_id and p.id = s.program_id
     cross join lateral (
         select s.max_capacity - s.taken
                + coalesce((select sum(b.party_size) from bookings b
                             where b.business_id = s.business_id and b.schedule_id = s.id
                               and b.state = 'held' and b.expires_at <= statement_timestamp()), 0) as places) left_over
     where p.active and s.withdrawn is null and left_over.places > 0
       and s.starts_at > clock_timestamp() + make_interval(secs => %(least)s)
)
select r.id, r.service_id, r.schedule_id, r.party_size, r.timezone, o.seconds_left
  from open o
  join waitlist_requests r on r.business_id = %(business_id)s and r.schedule_id = o.id
 where r.state = 'waiting' and r.party_size <= o.places
 order by r.created_at, r.id limit 1
   for update of r;

-- name: services_waited_for
select r.service_id, array_agg(distinct r.party_size) as parties, range_agg(r.wanted) as windows,
       extract(epoch from statement_timestamp())::float8 as now,
       (select catalog_version from businesses where id = %(business_id)s) as catalog
  from waitlist_requests r
 where r.business_id = %(business_id)s and r.state = 'waiting' and r.service_id is not null
 group by r.service_id;

-- name: next_for_slots
-- Who is first in line of those for whom a slot is free: the arrays run in parallel, and tell when slots are free for a
-- party.
select r.id, r.service_id, r.schedule_id, r.party_size, r.timezone,
       lower(r.wanted) as wanted_from, upper(r.wanted) as wanted_to
  from unnest(%(services)s::uuid[], %(parties)s::integer[], %(starts)s::text[]) free (service_id, party_size, starts)
  join waitlist_requests r
    on r.business_id = %(business_id)s and r.service_id = free.service_id and r.party_size = free.party_size
 where r.state = 'waiting'
   and exists (select from unnest(free.starts::tstzmultirange) as slots (span)
                where lower(slots.span) >= lower(r.wanted) and lower(slots.span) < upper(r.wanted))
 order by r.created_at, r.id limit 1
   for update of r;

-- name: admit
select admit(%(business_id)s::uuid, %(requests)s::jsonb)::text;

-- name: offer
update waitlist_requests set state = 'offered', offered_booking_id = %(booking_id)s
 where business_id = %(business_id)s and id = %(id)s;
