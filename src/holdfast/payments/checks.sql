-- What must be true of payments, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: payments_refer_to_their_own_business
-- Invariant 9: what payments, refunds and events of providers refer to exists in their own business. The ids are the row
-- that refers and the row that it refers to.
with referring as (
    select r.business_id, 'payment' as source, r.id::text as id, target.kind, target.id as target_id
      from payments r, lateral (values ('business', r.business_id), ('booking', r.booking_id),
                                       ('payment account', r.account_id)) target (kind, id)
     where target.id is not null
    union all
    select r.business_id, 'payment account' as source, r.id::text as id, target.kind, target.id as target_id
      from payment_accounts r, lateral (values ('business', r.business_id)) target (kind, id)
    union all
    select r.business_id, 'reconciliation' as source, r.id::text as id, target.kind, target.id as target_id
      from payment_reconciliations r, lateral (values ('payment account', r.account_id)) target (kind, id)
    union all
    select r.business_id, 'refund' as source, r.id::text as id, target.kind, target.id as target_id
      from refunds r, lateral (values ('business', r.business_id), ('payment', r.payment_id)) target (kind, id)
     where target.id is not null
    union all
    select r.business_id, 'event of a provider' as source, r.id::text as id, target.kind, target.id as target_id
      from webhook_events r, lateral (values ('business', r.business_id)) target (kind, id)
     where target.id is not null
), targets as (
    select 'business' as kind, b.id as business_id, b.id from businesses b
    union all
    select 'booking', t.business_id, t.id from bookings t
    union all
    select 'payment account', t.business_id, t.id from payment_accounts t
    union all
    select 'payment', t.business_id, t.id from payments t
), strays as materialized (
    select r.* from referring r
     where not exists (select from targets t
                        where t.kind = r.kind and t.business_id = r.business_id and t.id = r.target_id)
)
select s.business_id, array[s.id, s.target_id::text] as ids,
       concat(s.source, ' ', s.id, ' refers to ', s.kind, ' ', s.target_id, ', which ',
              case when t.id is null then 'does not exist'
                   else concat('belongs to business ', t.business_id) end) as problem
  from strays s
  left join targets t on t.kind = s.kind and t.id = s.target_id;

-- name: refunds_do_not_exceed_their_payment
-- Invariant 5: what is given back of a payment, or is on its way back, is in the currency and no more than was captured.
-- The id is the payment.
select p.business_id, array[p.id::text] as ids,
       concat('payment ', p.id, ' captured ', p.captured_minor, ' ', coalesce(p.captured_currency, p.currency), ', and its refunds come to ',
              sum(r.amount_minor), ' ', string_agg(distinct r.currency, ', ')) as problem
  from payments p
  join refunds r on r.business_id = p.business_id and r.payment_id = p.id and r.state <> 'refused'
 group by p.business_id, p.id, p.captured_minor, p.currency, p.captured_currency
having sum(r.amount_minor) > p.captured_minor or bool_or(r.currency <> coalesce(p.captured_currency, p.currency));
