-- Statements of messages.

-- name: begin_message_feed
select read_until, statement_timestamp() as now from message_feed;

-- name: end_message_feed
update message_feed set read_until = greatest(read_until, %(read_until)s::timestamptz);

-- name: queue_messages
select found, last_at, last_id, too_old
  from queue_messages(%(since)s::timestamptz, %(at)s::timestamptz, %(last)s::uuid, %(limit)s::integer, %(mail)s::boolean);

-- name: queue_reminders
select queue_reminders(%(hours)s::integer, %(most)s::integer, %(limit)s::integer, %(mail)s::boolean);

-- name: messages_due
select business_id, id from messages_due(%(limit)s::integer, %(of_one)s::integer);

-- name: messages_left
select business_id, id from messages_left(%(seconds)s::integer, %(limit)s::integer);

-- name: forget_messages
select forget_messages(%(days)s::integer, %(limit)s::integer);

-- name: business_of_message
select business_of_message(%(id)s::uuid);

-- name: message_figures
select queued, oldest_seconds, going from message_figures();

-- name: message
select business_id, id, kind, booking_id, request_id, user_id, version, starts_at, state, reason, attempts, give_up_at,
       locale, recipient, content, clock_timestamp() as now
  from messages where business_id = %(business_id)s and id = %(id)s;

-- name: lock_queued
-- Who finds it locked leaves it to whoever was first.
select from messages
 where business_id = %(business_id)s and id = %(id)s and state = 'queued' and next_attempt_at <= clock_timestamp()
   for update skip locked;

-- name: lock_message
select from messages where business_id = %(business_id)s and id = %(id)s for update;

-- name: begin_sending
update messages
   set state = 'sending', sending_since = clock_timestamp(), next_attempt_at = null, attempts = attempts + 1,
       locale = %(locale)s, recipient = %(recipient)s::bytea, recipient_index = %(recipient_index)s::bytea,
       content = %(content)s::bytea
 where business_id = %(business_id)s and id = %(id)s and state = 'queued'
returning attempts;

-- name: was_sent
-- Also of one that was given up for unknown meanwhile, by somebody who could not know better.
update messages
   set state = 'sent', reason = null, sending_since = null, sent_at = clock_timestamp(), ended_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s and attempts = %(attempt)s and state in ('sending', 'unknown');

-- name: put_off
update messages
   set state = 'queued', reason = %(reason)s, sending_since = null,
       next_attempt_at = least(clock_timestamp() + make_interval(secs => %(seconds)s::float8), give_up_at)
 where business_id = %(business_id)s and id = %(id)s and attempts = %(attempt)s and state = 'sending';

-- name: postpone
update messages
   set next_attempt_at = clock_timestamp() + make_interval(secs => %(seconds)s)
 where business_id = %(business_id)s and id = %(id)s and state = 'queued';

-- name: end_message
update messages
   set state = %(state)s, reason = %(reason)s, sending_since = null, next_attempt_at = null,
       ended_at = coalesce(ended_at, clock_timestamp())
 where business_id = %(business_id)s and id = %(id)s and state = any (%(states)s::text[]);

-- name: covered
-- The bookings of which a message tells, one or those of a series, in order of id.
select m.booking_id from messages m
 where m.business_id = %(business_id)s and (m.id = %(id)s or m.told_with = %(id)s) and m.booking_id is not null
 order by m.booking_id;

-- name: events_beside
-- What has happened to a booking before and after a version of it, of what is told to clients.
select exists (select from outbox_events e
                where e.business_id = %(business_id)s and e.aggregate_id = %(id)s and e.version > %(version)s
                  and e.type = any (%(types)s::text[])) as later,
       exists (select from outbox_events e
                where e.business_id = %(business_id)s and e.aggregate_id = %(id)s and e.version < %(version)s
                  and e.type = 'AppointmentCancelled') as cancelled_before,
       (select (e.payload ->> 'previousStart')::timestamptz from outbox_events e
         where e.business_id = %(business_id)s and e.aggregate_id = %(id)s and e.version = %(version)s) as former_start,
       (select e.type from outbox_events e
         where e.business_id = %(business_id)s and e.aggregate_id = %(id)s and e.version = %(version)s) as type;

-- name: names_about
-- What bookings are of, and with whom they are or were.
select b.id, coalesce(s.name, p.name) as title,
       array(select r.name from resources r
              where r.business_id = b.business_id and r.kind = 'practitioner'
                and (r.id = any (b.former_resource_ids)
                     or exists (select from claims c where c.business_id = b.business_id and c.resource_id = r.id
                                   and c.booking_id = b.id)
                     or exists (select from claims c where c.business_id = b.business_id and c.resource_id = r.id
                                   and c.schedule_id = b.schedule_id))
              order by r.name, r.id) as practitioners
  from bookings b
  left join services s on s.business_id = b.business_id and s.id = b.service_id
  left join program_schedules o on o.business_id = b.business_id and o.id = b.schedule_id
  left join programs p on p.business_id = o.business_id and p.id = o.program_id
 where b.business_id = %(business_id)s and b.id = any (%(ids)s::uuid[]);

-- name: was_paid
select exists (select from payments p
                where p.business_id = %(business_id)s and p.booking_id = %(id)s and p.pays and p.captured_minor > 0);

-- name: add_written
-- A message that was written when it was asked for.
insert into messages (business_id, id, kind, occasion, user_id, next_attempt_at, give_up_at, locale, recipient,
                      recipient_index, content)
values (%(business_id)s, %(id)s, %(kind)s, %(id)s, %(user_id)s, clock_timestamp(),
        clock_timestamp() + make_interval(hours => %(hours)s), %(locale)s, %(recipient)s, %(recipient_index)s,
        %(content)s);

-- name: lately_written
select count(*) from messages
 where business_id = %(business_id)s and user_id = %(user_id)s and kind = %(kind)s
   and occurred_at > clock_timestamp() - make_interval(secs => %(seconds)s);

-- name: lock_user
select from users where business_id = %(business_id)s and id = %(user_id)s for no key update;

-- name: messages_of_booking
select id, kind, state, reason, attempts, locale, occurred_at, sent_at, ended_at,
       case when state = 'queued' then next_attempt_at end as next_attempt_at
  from messages where business_id = %(business_id)s and booking_id = %(booking_id)s
 order by occurred_at, id;
