-- Statements of refunds.

-- name: find_refunds
-- One by its id, or all of a payment in the order in which they were asked for.
select r.business_id, r.id, r.payment_id, r.number, r.cause, r.provider_key, r.provider_refund_id, r.state,
       r.amount_minor, r.currency, r.sent_at, r.reason, r.failures, r.error_code, r.lease, r.created_at, r.changed_at,
       clock_timestamp() as now
  from refunds r
 where r.business_id = %(business_id)s and (r.id = %(id)s::uuid or r.payment_id = %(payment_id)s::uuid)
 order by r.number;

-- name: add_refund
insert into refunds (business_id, id, payment_id, number, cause, provider_key, provider_refund_id, state, amount_minor,
                     currency, next_attempt_at)
values (%(business_id)s, %(id)s, %(payment_id)s, %(number)s, %(cause)s, %(provider_key)s, %(provider_refund_id)s::text,
        %(state)s, %(amount_minor)s, %(currency)s,
        case when %(state)s::text in ('created', 'pending') then clock_timestamp() end);

-- name: lock_refund
select r.id from refunds r where r.business_id = %(business_id)s and r.id = %(id)s for update;

-- name: lease_refund
update refunds r
   set lease = %(lease)s, leased_until = lease.ends_at, next_attempt_at = lease.ends_at
  from (select clock_timestamp() + make_interval(secs => %(seconds)s::float8) as ends_at) lease
 where r.business_id = %(business_id)s and r.id = %(id)s and r.state in ('created', 'pending')
   and (r.leased_until is null or r.leased_until <= clock_timestamp())
returning r.id;

-- name: call_refund
update refunds set next_attempt_at = least(next_attempt_at, clock_timestamp())
 where business_id = %(business_id)s and id = %(id)s and state in ('created', 'pending');

-- name: send_refund
update refunds set sent_at = coalesce(sent_at, clock_timestamp())
 where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s and state = 'created'
   and provider_refund_id is null;

-- name: renew_refund
-- The key is made of the number: what was never made is asked for anew.
update refunds
   set number = %(number)s, provider_key = %(provider_key)s, sent_at = null, changed_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s and state = 'created' and provider_refund_id is null;

-- name: write_refund
update refunds
   set provider_refund_id = %(provider_refund_id)s::text, state = %(state)s, reason = %(reason)s::text,
       changed_at = clock_timestamp(),
       next_attempt_at = case when %(state)s::text in ('created', 'pending') then next_attempt_at end
 where business_id = %(business_id)s and id = %(id)s;

-- name: let_go_of_refund
update refunds
   set lease = null, leased_until = null, failures = 0, error_code = null,
       next_attempt_at = case when state not in ('created', 'pending') then null
                              when next_attempt_at is distinct from leased_until then next_attempt_at
                              else clock_timestamp() + make_interval(secs => %(seconds)s::float8) end
 where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s;

-- name: note_refund_failure
update refunds
   set lease = null, leased_until = null, failures = failures + 1, error_code = %(error_code)s,
       next_attempt_at = case when state in ('created', 'pending')
                              then clock_timestamp() + make_interval(secs => %(seconds)s::float8) end
 where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s;
