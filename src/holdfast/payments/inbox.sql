-- Statements of the inbox of what providers tell.

-- name: webhook_entrance
select business_id, account_id, webhook_secrets
  from webhook_entrance(%(business_id)s::uuid, %(slug)s::text, %(provider)s::text);

-- name: hear_batch
select batch.key::uuid, hear_events(batch.key::uuid, batch.value)::text
  from jsonb_each(%(batch)s::jsonb) batch;

-- name: events_due
select business_id, array_agg(id) as ids
  from events_due(%(apart)s::boolean, %(limit)s::integer)
 group by business_id;

-- name: lock_due_events
select e.id, e.provider, e.failures, known.payment_id
  from (select w.* from webhook_events w
         where w.business_id = %(business_id)s and w.id = any(%(ids)s::uuid[]) and w.processed_at is null
           and w.next_attempt_at <= clock_timestamp()
         order by w.id for update skip locked) e
  left join lateral (
       select p.id as payment_id from payments p
        where p.business_id = e.business_id and p.provider = e.provider
          and p.provider_payment_id = case when e.is_refund then e.remote_payment_id else e.object_id end
        union all
       select r.payment_id from refunds r
         join payments p on p.business_id = r.business_id and p.id = r.payment_id and p.provider = e.provider
        where e.is_refund and r.business_id = e.business_id and r.provider_refund_id = e.object_id
        limit 1) known on true
 order by e.id;

-- name: call_payments
-- In one order, whoever does the same.
update payments p set next_attempt_at = least(p.next_attempt_at, clock_timestamp())
  from (select o.id from payments o
         where o.business_id = %(business_id)s and o.id = any(%(ids)s::uuid[]) order by o.id for update) told_of
 where p.business_id = %(business_id)s and p.id = told_of.id;

-- name: call_refunds
update refunds set next_attempt_at = least(next_attempt_at, clock_timestamp())
 where business_id = %(business_id)s and payment_id = any(%(ids)s::uuid[]) and state in ('created', 'pending');

-- name: finish_events
update webhook_events set processed_at = clock_timestamp(), outcome = %(outcome)s::text, error_code = null
 where business_id = %(business_id)s and id = any(%(ids)s::uuid[]);

-- name: put_events_off
update webhook_events set next_attempt_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
 where business_id = %(business_id)s and id = any(%(ids)s::uuid[]) and processed_at is null;

-- name: set_apart
update webhook_events set outcome = %(outcome)s::text
 where business_id = %(business_id)s and id = any(%(ids)s::uuid[]);

-- name: claim_event
update webhook_events set next_attempt_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
 where business_id = %(business_id)s and id = %(id)s and processed_at is null and next_attempt_at <= clock_timestamp()
returning provider, object_id, is_refund, failures, next_attempt_at as claim;

-- name: lock_claimed_event
select clock_timestamp() - received_at > interval '1 day' as is_old
  from webhook_events
 where business_id = %(business_id)s and id = %(id)s and processed_at is null and next_attempt_at = %(claim)s
   for update;

-- name: fail_event
update webhook_events
   set failures = failures + 1, error_code = %(error_code)s::text,
       next_attempt_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
 where business_id = %(business_id)s and id = %(id)s;

-- name: events_to_replay
select e.id, e.provider, e.type, e.outcome, e.failures
  from webhook_events e
 where e.business_id = %(business_id)s
   and (%(id)s::uuid is null or e.id = %(id)s)
   and (%(provider)s::text is null or e.provider = %(provider)s)
   and case when %(since)s::timestamptz is not null then e.received_at >= %(since)s
            else %(id)s::uuid is not null or e.processed_at is null end
 order by e.received_at, e.id
   for update;

-- name: replay_events
update webhook_events
   set processed_at = null, outcome = null, failures = 0, error_code = null, next_attempt_at = clock_timestamp()
 where business_id = %(business_id)s and id = any(%(ids)s::uuid[]);

-- name: forget_event_bodies
select forget_event_bodies(%(days)s::integer, %(limit)s::integer);
