-- Statements of payments.

-- name: booked
-- What of a booking decides about its money.
select b.id, b.state, b.due_minor, b.currency, b.expires_at, b.refund_percent, b.locale, clock_timestamp() as now
  from bookings b where b.business_id = %(business_id)s and b.id = %(id)s;

-- name: add_payment
insert into payments (business_id, id, booking_id, attempt, provider, account, account_id, is_test, provider_key,
                      provider_payment_id, state, amount_minor, currency, confirmation)
values (%(business_id)s, %(id)s, %(booking_id)s, %(attempt)s, %(provider)s, %(account)s, %(account_id)s, %(is_test)s,
        %(provider_key)s, %(provider_payment_id)s::text,
        case when %(provider_payment_id)s::text is null then 'created' else 'pending' end,
        %(amount_minor)s, %(currency)s, %(confirmation)s);

-- name: find_payments
-- One by its id, or all of a booking, the latest first.
select p.business_id, p.id, p.booking_id, p.attempt, p.provider, p.account, p.account_id, p.is_test, p.provider_key,
       p.provider_payment_id, p.state, p.amount_minor, p.currency, p.captured_minor, p.captured_currency, p.captured_at,
       p.refunded_minor, given.back_minor as given_back_minor, given.returned, p.pays, p.fee_minor, p.settled_for, p.confirmation,
       p.wanted, p.create_sent_at, p.capture_key, p.capture_sent_at, p.cancel_key, p.cancel_sent_at, p.reason,
       p.mismatch, p.failures, p.error_code, p.lease, p.created_at, p.changed_at, p.checked_at, clock_timestamp() as now
  from payments p
 cross join lateral (select coalesce(sum(r.amount_minor) filter (where r.state <> 'refused'), 0)::bigint as back_minor,
                            count(*) > 0 as returned
                       from refunds r where r.business_id = p.business_id and r.payment_id = p.id) given
 where p.business_id = %(business_id)s
   and (p.id = %(id)s::uuid or p.booking_id = %(booking_id)s::uuid)
 order by p.attempt desc;

-- name: payment_of_object
select p.id from payments p
 where p.business_id = %(business_id)s and p.provider = %(provider)s and p.provider_payment_id = %(remote_id)s;

-- name: lock_payment
select p.id from payments p where p.business_id = %(business_id)s and p.id = %(id)s for update;

-- name: lease_payment
-- Whoever dies is replaced when the lease ends: until somebody says otherwise it is due then.
update payments p
   set lease = %(lease)s, leased_until = lease.ends_at, next_attempt_at = lease.ends_at, changed_at = clock_timestamp()
  from (select clock_timestamp() + make_interval(secs => %(seconds)s::float8) as ends_at) lease
 where p.business_id = %(business_id)s and p.id = %(id)s
   and (p.leased_until is null or p.leased_until <= clock_timestamp())
returning p.id;

-- name: call_payment
-- Whoever has the lease finds that it is not due when his lease ends, but sooner: somebody has called.
update payments set next_attempt_at = least(next_attempt_at, clock_timestamp())
 where business_id = %(business_id)s and id = %(id)s;

-- name: send_create
-- Once, however often it is asked for after that, and only for a booking that still waits.
update payments p set create_sent_at = clock_timestamp(), changed_at = clock_timestamp()
 where p.business_id = %(business_id)s and p.id = %(id)s and p.lease = %(lease)s and p.create_sent_at is null
   and exists (select from bookings b
                where b.business_id = p.business_id and b.id = p.booking_id and b.state = 'pending_payment'
                  and b.expires_at > clock_timestamp());

-- name: write_payment
update payments
   set provider_payment_id = %(provider_payment_id)s::text, state = %(state)s, captured_minor = %(captured_minor)s,
       captured_currency = %(captured_currency)s::text, captured_at = %(captured_at)s::timestamptz, pays = %(pays)s,
       settled_for = %(settled_for)s::text, confirmation = %(confirmation)s,
       wanted = %(wanted)s::text, capture_key = %(capture_key)s::text,
       capture_sent_at = %(capture_sent_at)s::timestamptz, cancel_key = %(cancel_key)s::text,
       cancel_sent_at = %(cancel_sent_at)s::timestamptz, reason = %(reason)s::text, mismatch = %(mismatch)s::text,
       checked_at = %(checked_at)s::timestamptz, changed_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s;

-- name: keep_lease
-- As long as the next call can take. That somebody has called stays to be seen.
update payments p
   set leased_until = longer.ends_at,
       next_attempt_at = case when p.next_attempt_at is distinct from p.leased_until then p.next_attempt_at
                              else longer.ends_at end
  from (select clock_timestamp() + make_interval(secs => %(seconds)s::float8) as ends_at) longer
 where p.business_id = %(business_id)s and p.id = %(id)s and p.lease = %(lease)s;

-- name: let_go
-- Until when nothing is to be done; null: nothing is open. Not after somebody has called in the meantime.
update payments
   set lease = null, leased_until = null, failures = 0, error_code = null,
       next_attempt_at = case when next_attempt_at is distinct from leased_until then next_attempt_at
                              else clock_timestamp() + make_interval(secs => %(seconds)s::float8) end
 where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s
returning old.next_attempt_at is distinct from old.leased_until as called;

-- name: note_failure
update payments
   set lease = null, leased_until = null, failures = failures + 1, error_code = %(error_code)s,
       next_attempt_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8), changed_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s;

-- name: count_refunded
-- The fee is what was taken less all that goes back, or is owed by the terms though the provider has refused to send it.
update payments p
   set refunded_minor = least(p.captured_minor, given.back_minor),
       fee_minor = case when p.settled_for is null then 0
                        else greatest(0, p.captured_minor - given.not_kept_minor
                                         - case when given.by_terms then 0 else coalesce(refused.owed_minor, 0) end) end,
       changed_at = clock_timestamp()
  from (select coalesce(sum(r.amount_minor) filter (where r.state = 'succeeded'), 0)::bigint as back_minor,
               coalesce(sum(r.amount_minor) filter (where r.state <> 'refused'), 0)::bigint as not_kept_minor,
               coalesce(bool_or(r.cause = 'policy' and r.state <> 'refused'), false) as by_terms
          from refunds r where r.business_id = %(business_id)s and r.payment_id = %(id)s) given
  left join lateral (select r.amount_minor as owed_minor from refunds r
                      where r.business_id = %(business_id)s and r.payment_id = %(id)s and r.cause = 'policy'
                      order by r.number desc limit 1) refused on true
 where p.business_id = %(business_id)s and p.id = %(id)s;

-- name: payments_due
select business_id, id, is_refund from money_due(%(limit)s::integer, %(of_one)s::integer);

-- name: payment_figures
select figure, provider, state, value from payment_figures();
