-- What pages show of bookings beside the bookings themselves.

-- name: names
-- Of services, of whom and what they take, and of programs; pools are nobody.
select id, slug, name, kind, active
  from (select s.id, s.slug, s.name, 'service' as kind, s.active from services s where s.business_id = %(business_id)s
        union all
        select r.id, r.slug, r.name, r.kind, r.active from resources r
         where r.business_id = %(business_id)s and r.kind <> 'pool'
        union all
        select p.id, p.slug, p.name, 'program', p.active from programs p where p.business_id = %(business_id)s) named
 order by name, id;

-- name: programs_of
-- Of which program schedules are.
select id, program_id from program_schedules
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[]);

-- name: series_of
select booking_id, series_id from series_bookings
 where business_id = %(business_id)s and booking_id = any (%(ids)s::uuid[]);

-- name: exports_of
-- Where an appointment stands in calendars, or is to.
select e.calendar_id, k.name, e.state, e.next_attempt_at, e.exported_at, e.error_code
  from calendar_events e
  join calendars k on k.business_id = e.business_id and k.id = e.calendar_id
 where e.business_id = %(business_id)s and e.booking_id = %(id)s
 order by e.calendar_id;

-- name: has_intake
select exists (select from intake_forms where business_id = %(business_id)s and booking_id = %(id)s);
