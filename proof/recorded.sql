-- What the database holds of the business of a proof. Statements of proof/recorded.py; they run as an administrative role.

-- name: read_at
select extract(epoch from clock_timestamp())::double precision;

-- name: keys
select key, operation, booking_id::text from idempotency_keys
 where business_id = %(business)s and operation <> 'guard';

-- name: bookings
select id::text, service_id::text, schedule_id::text, extract(epoch from starts_at)::bigint,
       extract(epoch from ends_at)::bigint, party_size, state, version, due_minor
  from bookings where business_id = %(business)s;

-- name: claims
select booking_id::text, resource_id::text, extract(epoch from lower(during))::bigint,
       extract(epoch from upper(during))::bigint, count(*)::integer
  from claims where business_id = %(business)s and booking_id is not null
 group by booking_id, resource_id, during;

-- name: payments
select p.booking_id::text, p.provider_payment_id, p.captured_minor, p.refunded_minor,
       p.next_attempt_at is not null
       or exists (select from refunds r where r.business_id = p.business_id and r.payment_id = p.id
                     and r.state in ('created', 'pending')),
       exists (select from attention_items i where i.business_id = p.business_id and i.subject_id = p.id)
  from payments p where p.business_id = %(business)s;
