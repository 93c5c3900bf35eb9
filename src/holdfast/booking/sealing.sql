-- Statements of the backfill that seals contacts.

-- name: lock_plain
-- In order of ids, as everybody locks bookings.
select id, guest_email, guest_phone, guest_name from bookings
 where business_id = %(business_id)s and contact_plain and id > %(after)s
 order by id limit %(limit)s for no key update;

-- name: seal_plain
update bookings b
   set contact = decode(s.contact, 'hex'), email_index = decode(s.email_index, 'hex'),
       phone_index = decode(s.phone_index, 'hex'), contact_plain = false,
       guest_email = null, guest_phone = null, guest_name = null
  from jsonb_to_recordset(%(sealed)s::jsonb) as s (id uuid, contact text, email_index text, phone_index text)
 where b.business_id = %(business_id)s and b.id = s.id and b.contact_plain;

-- name: count_plain
select count(*) from bookings where business_id = %(business_id)s and contact_plain;

-- name: plain_block_reasons
select id, reason from blocks
 where business_id = %(business_id)s and id > %(after)s::uuid and reason is not null
 order by id limit %(limit)s for update;

-- name: seal_block_reason
update blocks set reason = null, reason_id = %(reason_id)s where business_id = %(business_id)s and id = %(id)s;

-- name: count_plain_block_reasons
select count(*) from blocks where business_id = %(business_id)s and reason is not null;
