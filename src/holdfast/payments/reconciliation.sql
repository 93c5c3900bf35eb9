-- Statements by which an account is compared with its provider.

-- name: accounts_to_compare
select business_id, account_id from accounts_to_compare(%(limit)s);

-- name: know_account
-- What was listed before counts as seen; at first nothing was.
insert into payment_reconciliations (business_id, id, account_id, listed_until)
values (%(business_id)s, %(id)s, %(account_id)s, clock_timestamp() - make_interval(secs => %(back_seconds)s::float8))
on conflict (business_id, account_id) do nothing;

-- name: begin_comparison
update payment_reconciliations
   set lease = %(lease)s, leased_until = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
 where business_id = %(business_id)s and account_id = %(account_id)s
   and (leased_until is null or leased_until <= clock_timestamp())
   and (next_at <= clock_timestamp() or %(at_once)s::boolean)
returning listed_until, failures, clock_timestamp() as begun_at;

-- name: stay_at_comparison
update payment_reconciliations
   set leased_until = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
 where business_id = %(business_id)s and account_id = %(account_id)s and lease = %(lease)s;

-- name: end_comparison
update payment_reconciliations
   set listed_until = %(begun_at)s, next_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8),
       mended = mended + %(mended)s, finished_at = clock_timestamp(), failures = 0, error_code = null,
       lease = null, leased_until = null
 where business_id = %(business_id)s and account_id = %(account_id)s and lease = %(lease)s;

-- name: break_off_comparison
update payment_reconciliations
   set next_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8), mended = mended + %(mended)s,
       failures = failures + 1, error_code = %(error_code)s, lease = null, leased_until = null
 where business_id = %(business_id)s and account_id = %(account_id)s and lease = %(lease)s;

-- name: give_comparison_back
update payment_reconciliations set lease = null, leased_until = null
 where business_id = %(business_id)s and account_id = %(account_id)s and lease = %(lease)s;

-- name: payments_compared
-- What is on its way back is told apart from what has gone.
select p.id, p.booking_id, p.provider_payment_id, p.state, p.captured_minor,
       coalesce(r.succeeded, 0)::bigint as refunded_minor, coalesce(r.open, 0)::bigint as returning_minor
  from payments p
  left join lateral (select sum(r.amount_minor) filter (where r.state = 'succeeded') as succeeded,
                            sum(r.amount_minor) filter (where r.state in ('created', 'pending')) as open
                       from refunds r where r.business_id = p.business_id and r.payment_id = p.id) r on true
 where p.business_id = %(business_id)s and p.provider = %(provider)s
   and p.provider_payment_id = any (%(remote_ids)s::text[]);

-- name: refunds_compared
select r.id, r.payment_id, r.provider_refund_id, r.state
  from refunds r
 where r.business_id = %(business_id)s and r.payment_id = any (%(payment_ids)s::uuid[]);

-- name: call_listed_refund
update refunds set next_attempt_at = least(next_attempt_at, clock_timestamp())
 where business_id = %(business_id)s and id = %(id)s and state in ('created', 'pending');

-- name: was_seen_to
select exists (select from attention_items
                where business_id = %(business_id)s and kind = %(kind)s and subject_id = %(subject_id)s
                  and resolved_by is not null);

-- name: call_forgotten_payments
update payments set next_attempt_at = clock_timestamp()
 where business_id = %(business_id)s and account_id = %(account_id)s and next_attempt_at is null
   and (state in ('created', 'pending', 'authorized') or wanted is not null);

-- name: call_forgotten_refunds
update refunds r set next_attempt_at = clock_timestamp()
  from payments p
 where r.business_id = %(business_id)s and p.business_id = r.business_id and p.id = r.payment_id
   and p.account_id = %(account_id)s and r.state in ('created', 'pending') and r.next_attempt_at is null;
