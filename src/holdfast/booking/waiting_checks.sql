-- What must be true of who waits and of intake forms, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: waiting_and_intake_refer_to_their_own_business
-- Invariant 9: what requests of the waitlist and intake forms refer to exists in their own business. The ids are the row
-- that refers and the row that it refers to.
with referring as (
    select r.business_id, 'request' as source, r.id::text as id, target.kind, target.id as target_id
      from waitlist_requests r, lateral (values ('business', r.business_id), ('service', r.service_id), ('schedule', r.schedule_id), ('booking', r.offered_booking_id)) target (kind, id)
     where target.id is not null
    union all
    select r.business_id, 'intake form' as source, r.id::text as id, target.kind, target.id as target_id
      from intake_forms r, lateral (values ('business', r.business_id), ('booking', r.booking_id)) target (kind, id)
     where target.id is not null
), targets as (
    select 'business' as kind, b.id as business_id, b.id from businesses b
    union all
    select 'service', t.business_id, t.id from services t
    union all
    select 'schedule', t.business_id, t.id from program_schedules t
    union all
    select 'booking', t.business_id, t.id from bookings t
), strays as materialized (
    select r.* from referring r
     where not exists (select from targets t
                        where t.kind = r.kind and t.business_id = r.business_id and t.id = r.target_id)
)
select s.business_id, array[s.id, s.target_id::text] as ids,
       concat(s.source, ' ', s.id, ' refers to ', s.kind, ' ', s.target_id, ', which ',
              case when t.id is null then 'does not exist'
                   else concat('belongs to business ', t.business_id) end) as problem
  from strays s
  left join targets t on t.kind = s.kind and t.id = s.target_id;
