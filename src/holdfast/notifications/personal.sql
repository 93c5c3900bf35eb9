-- Statements about the messages to a person.

-- name: messages_to
select business_id, id, kind, booking_id, request_id, user_id, version, starts_at, state, reason, attempts, give_up_at,
       locale, recipient, content, clock_timestamp() as now
  from messages
 where business_id = %(business_id)s and recipient_index = %(email)s::bytea and recipient is not null
 order by occurred_at, id;

-- name: silence
-- What is being sent at this moment is said to its end.
update messages
   set state = 'suppressed', reason = 'forgotten', next_attempt_at = null, ended_at = clock_timestamp()
 where business_id = %(business_id)s and state = 'queued'
   and (booking_id = any (%(ids)s::uuid[]) or recipient_index = %(email)s::bytea
        or request_id in (select r.id from waitlist_requests r
                           where r.business_id = %(business_id)s and r.contact_email_index = %(email)s::bytea));

-- name: forget_messages_to
update messages set recipient = null, recipient_index = null, content = null
 where business_id = %(business_id)s and recipient is not null
   and (recipient_index = %(email)s::bytea or booking_id = any (%(ids)s::uuid[]));
