-- Statements about the payments of a person, whose they are through their bookings.

-- name: payments_of
select p.id, p.booking_id, p.provider, p.provider_payment_id, p.state, p.amount_minor, p.captured_minor,
       p.refunded_minor, p.fee_minor, p.currency, p.created_at, p.captured_at
  from payments p
  join bookings b on b.business_id = p.business_id and b.id = p.booking_id
 where p.business_id = %(business_id)s
   and (b.email_index = %(email)s::bytea or b.phone_index = %(phone)s::bytea)
 order by p.created_at, p.id;

-- name: refunds_of
select r.id, r.payment_id, r.state, r.cause, r.amount_minor, r.created_at
  from refunds r
 where r.business_id = %(business_id)s and r.payment_id = any (%(ids)s::uuid[])
 order by r.created_at, r.id;

-- name: forget_messages
-- What was told of a payment or a refund, by the provider's id; nobody acts upon the text, so that it is all the same
-- whether somebody has yet. Before the payments: that is the order in which the inbox locks them.
with objects as (
    select p.provider, p.provider_payment_id as object_id from payments p
     where p.business_id = %(business_id)s and p.booking_id = any (%(ids)s::uuid[])
    union
    select p.provider, r.provider_refund_id from payments p
      join refunds r on r.business_id = p.business_id and r.payment_id = p.id
     where p.business_id = %(business_id)s and p.booking_id = any (%(ids)s::uuid[])
), told as (
    select e.id from webhook_events e
      join objects o on o.provider = e.provider and o.object_id = e.object_id
     where e.business_id = %(business_id)s and e.body is not null
     order by e.id for no key update of e
)
update webhook_events w set body = null from told where w.business_id = %(business_id)s and w.id = told.id;

-- name: forget_confirmations
update payments set confirmation = null
 where business_id = %(business_id)s and booking_id = any (%(ids)s::uuid[]);
