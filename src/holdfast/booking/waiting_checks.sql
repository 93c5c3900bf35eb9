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

-- name: offers_are_settled
-- W-1: what has become of an offer is written down within five minutes: that it was committed, or that its time is over.
-- The ids are the request and the booking.
select r.business_id, array[r.id::text, r.offered_booking_id::text] as ids,
       concat('request ', r.id, ' is offered booking ', r.offered_booking_id, ', which is ', b.state, ' since ',
              coalesce(b.confirmed_at, b.expires_at, b.held_at)) as problem
  from waitlist_requests r
  join bookings b on b.business_id = r.business_id and b.id = r.offered_booking_id
 where r.state = 'offered' and coalesce(b.confirmed_at, b.expires_at, b.held_at) < now() - interval '5 minutes';

-- name: offers_are_of_what_was_wanted
-- W-1: what is offered, and still held, is what was asked for: the service within the window, or the schedule, for the
-- whole party. The ids are the request and the booking.
select r.business_id, array[r.id::text, r.offered_booking_id::text] as ids,
       concat('request ', r.id, ' is offered booking ', r.offered_booking_id, ', which is not what it asks for') as problem
  from waitlist_requests r
  join bookings b on b.business_id = r.business_id and b.id = r.offered_booking_id
 where r.state = 'offered' and b.state = 'held'
   and (b.service_id is distinct from r.service_id or b.schedule_id is distinct from r.schedule_id
        or b.party_size <> r.party_size or not coalesce(r.wanted @> b.starts_at, true));

-- name: places_are_offered_once
-- W-1: no booking is offered to two who wait. The ids are the booking and the requests.
select r.business_id, array[r.offered_booking_id::text] || array_agg(r.id::text order by r.id) as ids,
       concat('booking ', r.offered_booking_id, ' is offered to ', count(*), ' who wait') as problem
  from waitlist_requests r
 where r.offered_booking_id is not null
 group by r.business_id, r.offered_booking_id
having count(*) > 1;

-- name: accepted_offers_were_committed
-- W-1: whoever has accepted an offer has an appointment, or had one. The ids are the request and the booking.
select r.business_id, array[r.id::text, r.offered_booking_id::text] as ids,
       concat('request ', r.id, ' has accepted booking ', r.offered_booking_id, ', which is ', b.state) as problem
  from waitlist_requests r
  join bookings b on b.business_id = r.business_id and b.id = r.offered_booking_id
 where r.state = 'accepted'
   and (b.state in ('held', 'released') or b.state = 'expired' and b.token_nonce is null);

-- name: open_offers_are_named
-- W-1: whoever is offered a place, or has accepted one, has one. The id is the request.
select r.business_id, array[r.id::text] as ids, concat('request ', r.id, ' is ', r.state, ' without a booking') as problem
  from waitlist_requests r
 where r.state in ('offered', 'accepted') and r.offered_booking_id is null;
