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

-- name: forget_confirmations
update payments set confirmation = null
 where business_id = %(business_id)s and booking_id = any (%(ids)s::uuid[]);

-- name: messages_about
-- A message is about a payment or a refund, by the provider's id.
select e.id
  from payments p
  join webhook_events e on e.business_id = p.business_id and e.provider = p.provider
                       and e.object_id = p.provider_payment_id
 where p.business_id = %(business_id)s and p.booking_id = any (%(ids)s::uuid[]) and e.processed_at is not null
union
select e.id
  from payments p
  join refunds r on r.business_id = p.business_id and r.payment_id = p.id
  join webhook_events e on e.business_id = p.business_id and e.provider = p.provider
                       and e.object_id = r.provider_refund_id
 where p.business_id = %(business_id)s and p.booking_id = any (%(ids)s::uuid[]) and e.processed_at is not null
 order by 1;

-- name: empty_message
update webhook_events set body = %(body)s where business_id = %(business_id)s and id = %(id)s;
