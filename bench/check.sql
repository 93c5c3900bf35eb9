-- What the database says of what a run was promised. Statements of bench/check.py.

-- name: keys
select key, booking_id::text from idempotency_keys
 where business_id = %(business)s and starts_with(key, %(prefix)s);

-- name: bookings
-- Found by id alone: one that has gone to another business is found there.
select id::text, business_id::text, service_id::text, schedule_id::text, extract(epoch from starts_at)::bigint,
       extract(epoch from ends_at)::bigint, party_size, state
  from bookings where id = any (%(ids)s::uuid[]);

-- name: claims
select booking_id::text, resource_id::text, extract(epoch from lower(during))::bigint,
       extract(epoch from upper(during))::bigint
  from claims where booking_id = any (%(ids)s::uuid[]);

-- name: schedules
select s.id::text, s.taken, (select coalesce(sum(b.party_size), 0) from bookings b
                              where b.business_id = s.business_id and b.schedule_id = s.id
                                and b.state in ('held', 'confirmed'))
  from program_schedules s where s.id = any (%(ids)s::uuid[]);

-- name: live_bookings
select count(*) from bookings where business_id = %(business)s and state <> 'completed';
