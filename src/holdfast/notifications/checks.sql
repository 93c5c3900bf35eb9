-- What must be true of messages, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: messages_refer_to_their_own_business
-- Invariant 9: what a message is about, and its business, exist in it. The ids are the message and what it refers to.
with referring as (
    select m.business_id, m.id, target.kind, target.id as target_id
      from messages m
     cross join lateral (values ('business', m.business_id), ('booking', m.booking_id), ('request', m.request_id),
                                ('user', m.user_id), ('message', m.told_with)) target (kind, id)
     where target.id is not null
), targets as (
    select 'business' as kind, b.id as business_id, b.id from businesses b
    union all
    select 'booking', t.business_id, t.id from bookings t
    union all
    select 'request', t.business_id, t.id from waitlist_requests t
    union all
    select 'user', t.business_id, t.id from users t
    union all
    select 'message', t.business_id, t.id from messages t
), strays as materialized (
    select r.* from referring r
     where not exists (select from targets t
                        where t.kind = r.kind and t.business_id = r.business_id and t.id = r.target_id)
)
select s.business_id, array[s.id::text, s.target_id::text] as ids,
       concat('message ', s.id, ' refers to ', s.kind, ' ', s.target_id, ', which ',
              case when t.id is null then 'does not exist'
                   else concat('belongs to business ', t.business_id) end) as problem
  from strays s
  left join targets t on t.kind = s.kind and t.id = s.target_id;

-- name: everything_is_told_once
-- W-2: what has happened has one message of each kind; the index that keeps it so may be damaged. The id is the event.
select m.business_id, array[m.occasion::text] as ids,
       concat(count(*), ' messages of kind ', m.kind, ' tell of ', m.occasion) as problem
  from messages m
 group by m.business_id, m.occasion, m.kind
having count(*) > 1;

-- name: nothing_is_left_untold
-- W-2: whatever the feed has read of what clients are told has its message. The id is the event.
select e.business_id, array[e.id::text] as ids,
       concat('event ', e.id, ' (', e.type, ') was read, and there is no message of it') as problem
  from outbox_events e
  join message_feed f on e.occurred_at > f.begun_at and e.occurred_at < f.read_until - interval '10 minutes'
 where e.type in ('AppointmentConfirmed', 'AppointmentRescheduled', 'AppointmentCancelled', 'AppointmentRefunded',
                  'WaitlistOffered')
   and not exists (select from messages m where m.business_id = e.business_id and m.occasion = e.id);

-- name: what_ended_was_begun
-- W-2: a message that was taken on, or may have been, went to somebody; and what is told with another waits for nothing.
-- The id is the message.
select m.business_id, array[m.id::text] as ids,
       concat('message ', m.id, ' is ', m.state, ' after ', m.attempts, ' attempts',
              case when m.told_with is not null then ', though another tells it' end) as problem
  from messages m
 where (m.state in ('sending', 'sent', 'unknown') and m.attempts = 0)
    or (m.told_with is not null and m.state <> 'suppressed');
