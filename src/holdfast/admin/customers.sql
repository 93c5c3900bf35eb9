-- What is kept of one person, who is found by a blind index.

-- name: bookings_of
-- The newest first; not what never came further than a hold.
select b.id from bookings b
 where b.business_id = %(business_id)s
   and (b.email_index = %(email)s::bytea or b.phone_index = %(phone)s::bytea)
   and b.state not in ('held', 'expired', 'released')
 order by b.starts_at desc, b.id desc limit %(limit)s;

-- name: leads_of
-- One that was merged stands for the one that is left.
select distinct coalesce(l.merged_into, l.id) as id
  from lead_identities i
  join leads l on l.business_id = i.business_id and l.id = i.lead_id
 where i.business_id = %(business_id)s
   and (i.kind, i.value_index) in (('email', %(email)s::bytea), ('phone', %(phone)s::bytea));

-- name: questions_of
select id, status, created_at from ugc_items
 where business_id = %(business_id)s and email_index = %(email)s::bytea order by created_at desc, id limit %(limit)s;

-- name: payments_of
select id, booking_id, state as status, amount_minor, currency, captured_minor,
       coalesce(captured_currency, currency) as captured_currency, refunded_minor, is_test, created_at
  from payments
 where business_id = %(business_id)s and booking_id = any (%(ids)s::uuid[])
 order by created_at desc, id desc;
