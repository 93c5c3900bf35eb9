-- Statements of the booking capability; the functions that they call are in admission.sql.

-- name: admit_batch
select batch.key::uuid, admit(batch.key::uuid, batch.value, %(repeated)s::boolean)::text
  from jsonb_each(%(batch)s::jsonb) batch;

-- name: commit_batch
select batch.key::uuid, commit_reservations(batch.key::uuid, batch.value)::text
  from jsonb_each(%(batch)s::jsonb) batch;

-- name: expire_holds
select expire_holds(%(business_id)s::uuid, %(limit)s::integer);

-- name: businesses_with_spent_holds
select business_id from businesses_with_spent_holds() business_id;

-- name: overdue
-- Whose payment has not come in time, the longest overdue first.
select id from bookings
 where business_id = %(business_id)s and state = 'pending_payment' and expires_at <= clock_timestamp()
 order by expires_at limit %(limit)s;

-- name: end_unpaid
select end_unpaid(%(business_id)s::uuid, %(ids)s::uuid[], %(chain_keys)s::bytea[], %(early)s::boolean);

-- name: businesses_with_unpaid
select business_id from businesses_with_unpaid() business_id;

-- name: keep_for_capture
update bookings set expires_at = clock_timestamp() + interval '10 minutes', version = version + 1
 where business_id = %(business_id)s and id = %(id)s and state = 'pending_payment'
   and expires_at < clock_timestamp() + interval '10 minutes';

-- name: confirm_paid
update bookings set state = 'confirmed', confirmed_at = clock_timestamp(), version = version + 1
 where business_id = %(business_id)s and id = %(id)s and state = 'pending_payment';

-- name: service_slug
-- Null for a place in a group.
select (select s.slug from services s where s.business_id = b.business_id and s.id = b.service_id)
  from bookings b where b.business_id = %(business_id)s and b.id = %(id)s;

-- name: limits_of_former_places
select r.id, b.starts_at, coalesce(r.timezone, owner.timezone) as timezone
  from bookings b
  join businesses owner on owner.id = b.business_id
 cross join lateral unnest(b.former_resource_ids) former (id)
  join resources r on r.business_id = b.business_id and r.id = former.id and r.daily_limit is not null
 where b.business_id = %(business_id)s and b.id = %(id)s;

-- name: readmit
select readmit_booking(%(business_id)s::uuid, %(id)s::uuid, %(days)s::jsonb, %(chain_key)s::bytea);

-- name: locate
select business_id from locate(array[%(id)s::uuid]) limit 1;

-- name: occupation
select occupation(%(business_id)s::uuid, %(resources)s::uuid[], %(limited)s::uuid[],
                  %(from)s::timestamptz, %(to)s::timestamptz, %(without)s::uuid)::text;

-- name: find_key
select operation, request_hash, answer, await_replication() from idempotency_keys
 where business_id = %(business_id)s and key = %(key)s;

-- name: write_key
insert into idempotency_keys (business_id, key, operation, request_hash, booking_id, answer)
values (%(business_id)s, %(key)s, %(operation)s, %(hash)s, %(booking_id)s, %(answer)s::jsonb);

-- name: forget_keys
select forget_keys(%(limit)s::integer);

-- name: find_bookings
select b.business_id, b.id, b.service_id, b.schedule_id, b.starts_at, b.ends_at, b.party_size, b.state, b.version,
       b.held_at, b.expires_at, b.price_minor, b.currency, b.timezone, b.locale,
       b.contact, b.guest_email, b.guest_phone, b.guest_name, b.note is not null as has_note, b.token_nonce,
       b.due_minor, b.refund_terms, b.refund_percent, b.refund_most_percent,
       clock_timestamp() as now,
       array(select distinct c.resource_id from claims c
              join resources r on r.business_id = c.business_id and r.id = c.resource_id and r.kind <> 'pool'
             where c.business_id = b.business_id and c.booking_id = b.id order by 1) as resource_ids,
       coalesce(s.cancel_notice_minutes, p.cancel_notice_minutes) as cancel_notice_minutes,
       coalesce(s.hold_minutes, p.hold_minutes) as hold_minutes
  from bookings b
  left join services s on s.business_id = b.business_id and s.id = b.service_id
  left join program_schedules o on o.business_id = b.business_id and o.id = b.schedule_id
  left join programs p on p.business_id = o.business_id and p.id = o.program_id
 where b.business_id = %(business_id)s and b.id = any(%(ids)s::uuid[]);

-- name: lock_booking
select lock_bookings(%(business_id)s::uuid, array[%(id)s::uuid]);

-- name: hold_still
-- Readers do not keep each other waiting; whoever forgets the person does.
select id from bookings where business_id = %(business_id)s and id = %(id)s for share;

-- name: former_resources
select former_resource_ids from bookings where business_id = %(business_id)s and id = %(id)s;

-- name: extend_hold
update bookings
   set expires_at = least(greatest(expires_at, clock_timestamp() + make_interval(secs => %(ttl)s::integer)),
                          held_at + interval '24 hours'),
       version = version + 1
 where business_id = %(business_id)s and id = %(id)s and state = 'held' and expires_at > clock_timestamp()
   and expires_at < held_at + interval '24 hours';

-- name: release_hold
-- Guarded like the commit, by state and clock: one of the two wins.
update bookings set state = 'released', version = version + 1
 where business_id = %(business_id)s and id = %(id)s and state = 'held' and expires_at > clock_timestamp();

-- name: cancel_appointment
update bookings b
   set state = 'cancelled', version = version + 1, refund_percent = %(refund_percent)s::smallint,
       former_resource_ids = array(select distinct c.resource_id from claims c
                                    where c.business_id = b.business_id and c.booking_id = b.id order by 1)
 where business_id = %(business_id)s and id = %(id)s and state in ('confirmed', 'pending_payment');

-- name: money_of
-- Of the payment that pays a booking: what was taken, and what goes back of it, by its terms and for other reasons. And
-- whether a provider has refused to give something back that nobody has tried anew.
select coalesce(max(p.captured_minor), 0) as captured,
       coalesce(sum(r.amount_minor) filter (where r.state <> 'refused' and r.cause <> 'policy'), 0)::bigint as given,
       coalesce(sum(r.amount_minor) filter (where r.state <> 'refused' and r.cause = 'policy'), 0)::bigint
           as given_by_terms,
       exists (select from payments any_payment
                 join refunds no on no.business_id = any_payment.business_id and no.payment_id = any_payment.id
                where any_payment.business_id = %(business_id)s and any_payment.booking_id = %(id)s
                  and no.state = 'refused'
                  and not exists (select from refunds again
                                   where again.business_id = no.business_id and again.payment_id = no.payment_id
                                     and again.cause = no.cause and again.number > no.number)) as refused
  from payments p
  left join refunds r on r.business_id = p.business_id and r.payment_id = p.id
 where p.business_id = %(business_id)s and p.booking_id = %(id)s and p.pays;

-- name: change_contact
update bookings
   set contact = %(contact)s::bytea, email_index = %(email_index)s::bytea, phone_index = %(phone_index)s::bytea,
       contact_plain = false, guest_email = null, guest_phone = null, guest_name = null,
       timezone = coalesce(%(timezone)s::text, timezone), locale = coalesce(%(locale)s::text, locale),
       version = version + 1
 where business_id = %(business_id)s and id = %(id)s and state = 'confirmed';

-- name: free_places
delete from claims where business_id = %(business_id)s and booking_id = %(id)s;

-- name: record_change
select record_changes(%(business_id)s::uuid, array[%(id)s::uuid], array[%(chain_key)s::bytea], %(action)s::text,
                      %(from_state)s::text, %(actor)s::text, %(reason_id)s::uuid, %(event)s::text, '{}',
                      %(actor_id)s::uuid);

-- name: move_booking
select move_booking(%(business_id)s::uuid, %(id)s::uuid, %(expected_version)s::integer, %(request)s::jsonb,
                    %(actor)s::text, %(reason_id)s::uuid, %(actor_id)s::uuid)::text;

-- name: find_schedule
select s.id, s.program_id, s.starts_at, s.ends_at, s.max_capacity, p.active and s.withdrawn is null as active,
       s.max_capacity - s.taken
       + coalesce((select sum(b.party_size) from bookings b
                    where b.business_id = s.business_id and b.schedule_id = s.id
                      and b.state in ('held', 'pending_payment')
                      and b.expires_at <= statement_timestamp()), 0)::integer as places_left
  from program_schedules s
  join programs p on p.business_id = s.business_id and p.id = s.program_id
 where s.business_id = %(business_id)s and s.id = %(id)s;

-- name: beat
insert into heartbeats (job, finished_at, runs, items) values (%(job)s, clock_timestamp(), 1, %(items)s)
on conflict (job) do update set finished_at = excluded.finished_at, runs = heartbeats.runs + 1,
                                items = heartbeats.items + excluded.items;

-- name: reservation_health
select f.active, f.spent as expired_not_cleaned, f.oldest_seconds, f.held as held_last_day,
       f.confirmed as confirmed_last_day, f.awaiting as awaiting_payment, f.unpaid as unpaid_not_ended,
       f.deviations as schedule_deviations,
       (select extract(epoch from statement_timestamp() - finished_at)::float8 from heartbeats
         where job = 'cleanup-reservations') as cleanup_age_seconds,
       (select extract(epoch from statement_timestamp() - finished_at)::float8 from heartbeats
         where job = 'lay-out-schedules') as layout_age_seconds
  from hold_figures() f;

-- name: hold_figures
select active, spent, sweep_lag_seconds, awaiting, unpaid, deviations, held, confirmed, expired, released
  from hold_figures();

-- name: job_figures
select job, extract(epoch from statement_timestamp() - finished_at)::float8 as age_seconds, runs, items
  from heartbeats order by job;

-- name: businesses_with_programs
select business_id from businesses_with_programs() business_id;

-- name: clock
select clock_timestamp();

-- name: clock_epoch
select extract(epoch from clock_timestamp())::float8;
