-- name: any_plain
select exists (select from bookings b where b.business_id = %(business_id)s and b.contact_plain
                  and num_nonnulls(b.guest_email, b.guest_phone, b.guest_name) > 0)
    -- Reasons that are not sealed yet; asked only while the backfill that seals them is at it.
    or case when exists (select from backfills f where f.name = 'audit-chain' and f.finished_at is null)
            then exists (select from audit_log a where a.business_id = %(business_id)s and a.reason is not null)
            else false end;

-- name: expected
select b.id from bookings b
 where b.business_id = %(business_id)s
   and (b.email_index = %(email)s::bytea or b.phone_index = %(phone)s::bytea)
   and b.state in ('confirmed', 'pending_payment') and b.ends_at > clock_timestamp()
 order by b.starts_at;

-- name: bookings_of
select b.id, b.note, f.id as intake_id, f.answers as intake
  from bookings b
  left join intake_forms f on f.business_id = b.business_id and f.booking_id = b.id
 where b.business_id = %(business_id)s
   and (b.email_index = %(email)s::bytea or b.phone_index = %(phone)s::bytea)
 order by b.starts_at, b.id;

-- name: lock_bookings_of
-- In order of id, as whoever locks several does. An appointment that was made since `expected` stays: somebody comes.
select b.id from bookings b
 where b.business_id = %(business_id)s
   and (b.email_index = %(email)s::bytea or b.phone_index = %(phone)s::bytea)
   and not (b.state in ('confirmed', 'pending_payment') and b.ends_at > clock_timestamp())
 order by b.id for no key update;

-- name: forget_contact
-- A new nonce makes the token void.
update bookings
   set contact = null, email_index = null, phone_index = null, note = null, timezone = null, locale = null,
       token_nonce = case when token_nonce is not null then %(nonce)s::bytea end, version = version + 1
 where business_id = %(business_id)s and id = %(id)s;

-- name: forget_series
-- The token of a series opens each of its appointments.
update booking_series s set token_nonce = %(nonce)s::bytea
 where s.business_id = %(business_id)s and s.token_nonce is not null
   and s.id in (select o.series_id from series_bookings o
                 where o.business_id = %(business_id)s and o.booking_id = any(%(ids)s::uuid[]));

-- name: forget_intake
delete from intake_forms where business_id = %(business_id)s and booking_id = %(id)s;

-- name: waits_of
select r.id, offer_stands(r.state, b.state, b.expires_at, b.token_nonce, statement_timestamp()) as state,
       r.service_id, r.schedule_id, lower(r.wanted) as wanted_from, upper(r.wanted) as wanted_to, r.party_size,
       r.contact_email, r.contact_phone, r.contact_name, r.timezone, r.locale, r.created_at,
       b.id as booking_id, b.starts_at, b.ends_at, b.expires_at
  from waitlist_requests r
  left join bookings b on b.business_id = r.business_id and b.id = r.offered_booking_id
 where r.business_id = %(business_id)s
   and (r.contact_email_index = %(email)s::bytea or r.contact_phone_index = %(phone)s::bytea)
 order by r.created_at, r.id;

-- name: lock_offered_to
select offered_booking_id as offered from waitlist_requests
 where business_id = %(business_id)s and state = 'offered'
   and (contact_email_index = %(email)s::bytea or contact_phone_index = %(phone)s::bytea)
 order by id for update;

-- name: forget_waits
delete from waitlist_requests
 where business_id = %(business_id)s
   and (contact_email_index = %(email)s::bytea or contact_phone_index = %(phone)s::bytea);
