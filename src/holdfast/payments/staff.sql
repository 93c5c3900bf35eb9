-- What staff are shown of money.

-- name: payments_listed
-- Newest first. One, where an id is given.
select p.id, p.booking_id, p.attempt, p.provider, p.account_id, p.is_test, p.state as status, p.provider_payment_id,
       p.amount_minor, p.currency, p.captured_minor, coalesce(p.captured_currency, p.currency) as captured_currency,
       p.refunded_minor, coalesce(r.returning_minor, 0)::bigint as returning_minor, p.fee_minor, p.pays, p.mismatch,
       p.reason, p.error_code, p.created_at, p.captured_at, p.checked_at, p.next_attempt_at
  from payments p
  left join lateral (select sum(r.amount_minor) as returning_minor from refunds r
                      where r.business_id = p.business_id and r.payment_id = p.id
                        and r.state in ('created', 'pending')) r on true
 where p.business_id = %(business_id)s
   and (%(id)s::uuid is null or p.id = %(id)s::uuid)
   and (%(booking_id)s::uuid is null or p.booking_id = %(booking_id)s::uuid)
   and (%(states)s::text[] is null or p.state = any (%(states)s::text[]))
   and (%(provider)s::text is null or p.provider = %(provider)s::text)
   and (%(since)s::timestamptz is null or p.created_at >= %(since)s::timestamptz)
   and (%(until)s::timestamptz is null or p.created_at < %(until)s::timestamptz)
   and (%(after)s::timestamptz is null or (p.created_at, p.id) < (%(after)s::timestamptz, %(after_id)s::uuid))
 order by p.created_at desc, p.id desc
 limit %(limit)s::integer;

-- name: refunds_listed
select r.id, r.payment_id, r.number, r.cause, r.state as status, r.amount_minor, r.currency, r.provider_refund_id,
       r.reason, r.error_code, r.created_at, r.next_attempt_at
  from refunds r
 where r.business_id = %(business_id)s and (r.payment_id = %(payment_id)s::uuid or r.id = %(id)s::uuid)
 order by r.number;

-- name: events_listed
-- Of the payment and of its refunds, in the order in which they were heard; found by the objects that they are about.
with objects as (
    select p.business_id, p.provider, p.provider_payment_id as id from payments p
     where p.business_id = %(business_id)s and p.id = %(payment_id)s
    union all
    select p.business_id, p.provider, r.provider_refund_id
      from payments p
      join refunds r on r.business_id = p.business_id and r.payment_id = p.id
     where p.business_id = %(business_id)s and p.id = %(payment_id)s
)
select e.id, e.type, e.received_at, e.times_heard, e.processed_at, e.outcome, e.error_code
  from objects o
  join webhook_events e on e.business_id = o.business_id and e.provider = o.provider and e.object_id = o.id
 order by e.received_at, e.id;
