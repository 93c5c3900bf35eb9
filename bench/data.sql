-- The business that is measured, and its past. Statements of bench/data.py; they run as an administrative role.

-- name: business
insert into businesses (slug, name, timezone, currency) values ('bench', 'Bench', 'UTC', 'EUR') returning id;

-- name: resources
insert into resources (business_id, slug, name, kind, capacity, always_open)
select %(business)s, %(slug)s || '-' || n, %(slug)s || ' ' || n, 'practitioner', 1, %(always_open)s
  from generate_series(1, %(count)s::integer) n
returning id;

-- name: service
-- Holds outlive the run: that nothing expires in between keeps the count of places simple.
insert into services (business_id, slug, name, duration_minutes, hold_minutes, max_horizon_days)
values (%(business)s, %(slug)s, %(slug)s, %(minutes)s, 1440, 730)
returning id;

-- name: service_resources
insert into service_resources (business_id, service_id, requirement, resource_id)
select %(business)s, %(service)s, 1, id from unnest(%(resources)s::uuid[]) id;

-- name: opening_hours
insert into availability_rules (business_id, resource_id, weekday, opens, closes)
select %(business)s, id, weekday, '09:00', '21:00'
  from unnest(%(resources)s::uuid[]) id, generate_series(0, 6) weekday;

-- name: program
insert into programs (business_id, slug, name, duration_minutes, max_capacity, hold_minutes)
values (%(business)s, 'lecture', 'Lecture', 60, 1000000, 1440)
returning id;

-- name: schedule
insert into program_schedules (business_id, program_id, starts_at, ends_at, max_capacity)
values (%(business)s, %(program)s, %(start)s, %(start)s + interval '1 hour', 1000000)
returning id;

-- name: past
-- One booking a day and resource, counted back from the day before yesterday; ids as old as the bookings.
create temp table past on commit drop as
select uuidv7(starts_at - interval '3 days' - now()) as id, resource_id, service_id, starts_at,
       starts_at + make_interval(mins => %(minutes)s::integer) as ends_at, starts_at - interval '3 days' as held_at,
       n
  from (select n, (%(resources)s::uuid[])[1 + n %% cardinality(%(resources)s::uuid[])] as resource_id,
               date_trunc('day', now(), 'UTC') - make_interval(days => 2 + n / cardinality(%(resources)s::uuid[]))
               + interval '9 hours' + make_interval(mins => %(minutes)s::integer * (n %% 14)) as starts_at
          from generate_series(%(from)s::integer, %(to)s::integer - 1) n) numbered
  join service_resources s using (resource_id);

-- name: past_bookings
insert into bookings (business_id, id, service_id, starts_at, ends_at, party_size, state, version, held_at, expires_at,
                      confirmed_at, price_minor, currency, contact, email_index, token_nonce)
select %(business)s, id, service_id, starts_at, ends_at, 1, 'completed', 3, held_at, held_at + interval '15 minutes',
       held_at + interval '2 minutes', 0, 'EUR',
       -- As long as an envelope with an e-mail address and a name; nobody opens it.
       '\x6866653100000001' || sha256(n::text::bytea) || sha256(n::text::bytea) || decode(md5(n::text), 'hex'),
       decode(md5(n::text), 'hex'), decode(md5(n::text), 'hex')
  from past order by id;

-- name: past_claims
insert into claims (business_id, resource_id, capacity, seat, during, booking_id)
select %(business)s, resource_id, 1, 1, tstzrange(starts_at, ends_at), id from past order by id;

-- name: past_keys
insert into idempotency_keys (business_id, key, operation, request_hash, booking_id, answer, created_at)
select %(business)s, 'past-' || gen_random_uuid(), 'reserve', repeat(md5(n::text), 2), id,
       jsonb_build_object('id', id, 'state', 'held', 'expires', held_at + interval '15 minutes', 'starts', starts_at,
                          'ends', ends_at, 'party', 1, 'resources', jsonb_build_array(resource_id)),
       held_at
  from past order by id;

-- name: past_audit
-- Hashes as long as those of a chain; nobody has their key.
insert into audit_log (business_id, aggregate_id, version, aggregate_type, action, from_state, to_state, actor,
                       occurred_at, previous_mac, mac)
select %(business)s, id, version, 'booking', action, from_state, to_state, actor, occurred_at,
       case when version > 2 then sha256(uuid_send(id) || int4send(version - 1)) end,
       sha256(uuid_send(id) || int4send(version))
  from past, lateral (values (2, 'commit', 'held', 'confirmed', 'client', held_at + interval '2 minutes'),
                             (3, 'outcome', 'confirmed', 'completed', 'staff', ends_at))
                 entry (version, action, from_state, to_state, actor, occurred_at)
 order by id;

-- name: past_heads
insert into audit_heads (business_id, aggregate_id, version, entry_mac, mac)
select %(business)s, id, 3, sha256(uuid_send(id) || int4send(3)), sha256(uuid_send(id)) from past order by id;

-- name: past_events
insert into outbox_events (business_id, aggregate_id, version, type, payload, occurred_at)
select %(business)s, id, version, type,
       jsonb_build_object('bookingId', id, 'status', status, 'serviceId', service_id, 'scheduleId', null,
                          'start', starts_at, 'end', ends_at, 'partySize', 1), occurred_at
  from past, lateral (values (2, 'AppointmentConfirmed', 'confirmed', held_at + interval '2 minutes'),
                             (3, 'AppointmentOutcomeRecorded', 'completed', ends_at))
                 event (version, type, status, occurred_at)
 order by id;

-- name: payments
-- Attempts to pay a booking, all given up: the provider is asked about each of which it tells.
insert into payments (business_id, id, booking_id, attempt, provider, account, account_id, is_test, provider_key,
                      provider_payment_id, state, amount_minor, currency, next_attempt_at)
select %(business)s, uuidv7(), booking.id, coalesce(booking.attempts, 0) + n, 'stripe', 'acct_bench', account.id, true,
       %(prefix)s || '-' || n, 'pi_' || %(prefix)s || '_' || lpad((n - 1)::text, 8, '0'), 'cancelled', 100, 'RUB', null
  from (select b.id, (select max(p.attempt) from payments p where p.booking_id = b.id) as attempts
          from bookings b where b.business_id = %(business)s order by b.id limit 1) booking,
       (select a.id from payment_accounts a where a.business_id = %(business)s) account,
       generate_series(1, %(count)s) n;
