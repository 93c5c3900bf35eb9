-- Where money is (P-9): captured = refunded + on its way back + earned + fees + in the inbox.

-- name: balances
-- Earned is what bookings are paid with that take place, less what went back of goodwill. In the inbox is what pays nothing
-- and is not on its way back: it waits for a decision of ours, or for staff. Only set aside is what was not captured.
with refunded as (
    select r.business_id, r.payment_id,
           coalesce(sum(r.amount_minor) filter (where r.state = 'succeeded'), 0) as refunded_minor,
           coalesce(sum(r.amount_minor) filter (where r.state in ('created', 'pending')), 0) as returning_minor
      from refunds r
     where %(business_id)s::uuid is null or r.business_id = %(business_id)s::uuid
     group by r.business_id, r.payment_id
), placed as (
    select p.business_id, coalesce(p.captured_currency, p.currency) as currency, p.is_test, p.captured_minor, p.fee_minor,
           coalesce(r.refunded_minor, 0) as refunded_minor, coalesce(r.returning_minor, 0) as returning_minor,
           p.captured_minor - coalesce(r.refunded_minor + r.returning_minor, 0) as kept_minor,
           p.pays and b.state in ('confirmed', 'completed', 'no_show') as takes_place,
           case when p.state = 'authorized' then p.amount_minor else 0 end as authorized_minor
      from payments p
      join bookings b on b.business_id = p.business_id and b.id = p.booking_id
      left join refunded r on r.business_id = p.business_id and r.payment_id = p.id
     where (%(business_id)s::uuid is null or p.business_id = %(business_id)s::uuid)
       and p.state in ('authorized', 'succeeded')
       and (%(since)s::timestamptz is null or coalesce(p.captured_at, p.created_at) >= %(since)s::timestamptz)
       and (%(until)s::timestamptz is null or coalesce(p.captured_at, p.created_at) < %(until)s::timestamptz)
)
select business_id, currency, is_test, sum(captured_minor)::bigint as captured_minor,
       sum(refunded_minor)::bigint as refunded_minor, sum(returning_minor)::bigint as returning_minor,
       coalesce(sum(kept_minor) filter (where takes_place), 0)::bigint as earned_minor,
       coalesce(sum(fee_minor) filter (where not takes_place), 0)::bigint as fee_minor,
       coalesce(sum(kept_minor - fee_minor) filter (where not takes_place), 0)::bigint as inbox_minor,
       sum(authorized_minor)::bigint as authorized_minor
  from placed
 group by business_id, currency, is_test
 order by business_id, currency, is_test;
