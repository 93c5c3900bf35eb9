-- What must be true of the history of bookings: audit entries, events and keys, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.
-- The transitions are written out instead of asking booking_may_become(), which a damaged database may have lost.

-- name: history_has_no_gap
-- Invariant 3: the versions of a booking's audit entries follow each other by one. The ids are the booking and the
-- version of the entry that does not follow.
select business_id, array[aggregate_id::text, version::text] as ids,
       concat('the history of booking ', aggregate_id, ' goes from version ', previous, ' to ', version) as problem
  from (select a.business_id, a.aggregate_id, a.version,
               lag(a.version::bigint) over (partition by a.business_id, a.aggregate_id order by a.version) as previous
          from audit_log a
         where a.aggregate_type = 'booking') entries
 where version <> previous + 1;

-- name: history_follows_the_transitions
-- Invariant 3: a history begins when a booking is made at once (version 1, from nothing) or committed (from held),
-- each entry begins where the one before it ended, and each change of state is a transition. The ids are the booking
-- and the version of the entry.
select business_id, array[aggregate_id::text, version::text] as ids,
       concat('version ', version, ' of booking ', aggregate_id, ' goes from ', coalesce(from_state, 'nothing'),
              ' to ', coalesce(to_state, 'nothing'),
              case when previous is null then ' as the first entry of its history'
                   else concat(' after version ', previous, ' ended in ', coalesce(previous_state, 'nothing')) end
       ) as problem
  from (select a.business_id, a.aggregate_id, a.version, a.from_state, a.to_state,
               lag(a.version::bigint) over of_booking as previous, lag(a.to_state) over of_booking as previous_state
          from audit_log a
         where a.aggregate_type = 'booking'
        window of_booking as (partition by a.business_id, a.aggregate_id order by a.version)) entries
 where case
           when previous is null then
               (from_state is null and version = 1 or from_state = 'held' and version > 1)
               and to_state in ('confirmed', 'pending_payment')
           else
               -- After a gap, which history_has_no_gap tells, nobody knows where the entry began.
               (from_state = previous_state or version <> previous + 1)
               and (from_state = to_state
                    or (from_state, to_state) in (
                        ('held', 'confirmed'), ('held', 'pending_payment'), ('held', 'expired'), ('held', 'released'),
                        ('pending_payment', 'confirmed'), ('pending_payment', 'expired'),
                        ('pending_payment', 'cancelled'),
                        ('confirmed', 'completed'), ('confirmed', 'no_show'), ('confirmed', 'cancelled'),
                        ('confirmed', 'refunded'),
                        ('completed', 'no_show'), ('no_show', 'completed'),
                        ('cancelled', 'refunded'),
                        ('expired', 'confirmed')))
       end is not true;

-- name: history_ends_at_the_booking
-- Invariant 3: the last audit entry of a booking has its version and its state.
with histories as (
    select a.business_id, a.aggregate_id, max(a.version) as version
      from audit_log a
     where a.aggregate_type = 'booking'
     group by a.business_id, a.aggregate_id
)
select b.business_id, array[b.id::text] as ids,
       concat('booking ', b.id, ' is ', b.state, ' at version ', b.version, ', but its history ends with ',
              a.to_state, ' at version ', h.version) as problem
  from histories h
  join bookings b on b.business_id = h.business_id and b.id = h.aggregate_id
  join audit_log a on a.business_id = h.business_id and a.aggregate_id = h.aggregate_id and a.version = h.version
                  and a.aggregate_type = 'booking'
 where b.version <> h.version or b.state is distinct from a.to_state;

-- name: appointments_have_a_history
-- Invariant 3: whatever was committed has audit entries. An expired booking may have been a mere hold, which has
-- none, or an appointment whose payment never came.
select b.business_id, array[b.id::text] as ids,
       concat('booking ', b.id, ' is ', b.state, ' at version ', b.version, ', but has no history') as problem
  from bookings b
 where (b.state not in ('held', 'released', 'expired') or b.confirmed_at is not null or b.refund_terms is not null)
   and not exists (select from audit_log a
                    where a.business_id = b.business_id and a.aggregate_id = b.id and a.aggregate_type = 'booking');

-- name: histories_have_a_booking
-- Invariant 3: no audit entry speaks of a booking that is not there. An appointment that was acknowledged and then
-- deleted shows here.
select a.business_id, array[a.aggregate_id::text] as ids,
       concat('booking ', a.aggregate_id, ' has a history of ', count(*), ' entries up to version ', max(a.version),
              ', but does not exist in this business') as problem
  from audit_log a
 where a.aggregate_type = 'booking'
   and not exists (select from bookings b where b.business_id = a.business_id and b.id = a.aggregate_id)
 group by a.business_id, a.aggregate_id;

-- name: keys_point_to_their_booking
-- Invariant 4: the booking that a key stands for exists in the same business (invariant 9 as well), and is the one
-- that the kept answer names. The ids are the key and the booking.
select k.business_id, array[k.key, k.booking_id::text] as ids,
       concat('key ', k.key, ' of operation ', k.operation, ' stands for booking ', k.booking_id,
              case when b.id is null then ', which does not exist in this business'
                   else concat(', but its answer names ', k.answer ->> 'id') end) as problem
  from idempotency_keys k
  left join bookings b on b.business_id = k.business_id and b.id = k.booking_id
 where k.booking_id is not null
   and (b.id is null
        or k.operation in ('reserve', 'book') and k.answer ? 'id'
           and k.answer ->> 'id' is distinct from k.booking_id::text);

-- name: bookings_are_the_effect_of_one_key
-- Invariant 4: no two requests, each with a key of its own, made one and the same booking. The ids are the booking
-- and the keys.
select k.business_id, array[k.booking_id::text] || array_agg(k.key order by k.key) as ids,
       concat('booking ', k.booking_id, ' is the effect of ', count(*), ' keys') as problem
  from idempotency_keys k
 where k.booking_id is not null and k.operation in ('reserve', 'book')
 group by k.business_id, k.booking_id
having count(*) > 1;

-- name: changes_and_events_match
-- Invariant 6: each audit entry of a booking has one outbox event, and each event of a booking an audit entry. The
-- ids are the booking and the version.
with recorded as (
    select business_id, aggregate_id, version, sum(change) as changes, sum(event) as events,
           bool_or(is_of_appointment) as is_of_appointment
      from (select a.business_id, a.aggregate_id, a.version, 1 as change, 0 as event, true as is_of_appointment
              from audit_log a where a.aggregate_type = 'booking'
            union all
            select e.business_id, e.aggregate_id, e.version, 0, 1, starts_with(e.type, 'Appointment')
              from outbox_events e) records
     group by business_id, aggregate_id, version
    having sum(event) <> 1 or sum(change) = 0
)
select r.business_id, array[r.aggregate_id::text, r.version::text] as ids,
       concat('version ', r.version, ' of booking ', r.aggregate_id, ' has ', r.changes, ' audit entries and ', r.events,
              ' events') as problem
  from recorded r
  left join bookings b on b.business_id = r.business_id and b.id = r.aggregate_id
 where r.is_of_appointment or b.id is not null;
