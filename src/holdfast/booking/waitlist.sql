-- The waitlist: who waits for a service within a window, or for places of a schedule.

-- name: service_waited_for
select s.payment_policy = 'prepay' and s.price_minor > 0
       and not exists (select from payment_accounts a where a.business_id = s.business_id and a.active) as cannot_be_paid
  from services s
 where s.business_id = %(business_id)s and s.id = %(id)s and s.active;

-- name: schedule_waited_for
select s.max_capacity, s.starts_at <= clock_timestamp() as has_started
  from program_schedules s
  join programs p on p.business_id = s.business_id and p.id = s.program_id
 where s.business_id = %(business_id)s and s.id = %(id)s and p.active and s.withdrawn is null;

-- name: is_to_come
select %(at)s::timestamptz > clock_timestamp();

-- name: wait
-- The id is made from wish and contact: asked again it is the same request, and one that has ended begins anew.
insert into waitlist_requests as known (
    business_id, id, service_id, schedule_id, wanted, party_size, contact_email, contact_email_index,
    contact_phone, contact_phone_index, contact_name, timezone, locale
) values (
    %(business_id)s, %(id)s, %(service_id)s::uuid, %(schedule_id)s::uuid,
    case when %(service_id)s::uuid is not null then tstzrange(%(from)s::timestamptz, %(to)s::timestamptz) end,
    %(party)s, %(email)s, %(email_index)s, %(phone)s::bytea, %(phone_index)s::bytea, %(name)s::bytea,
    %(timezone)s::text, %(locale)s::text
)
on conflict (business_id, id) do update
   set state = 'waiting', offered_booking_id = null, created_at = excluded.created_at,
       contact_name = excluded.contact_name, timezone = excluded.timezone, locale = excluded.locale
 where known.state in ('withdrawn', 'passed');

-- name: withdraw
update waitlist_requests set state = 'withdrawn'
 where business_id = %(business_id)s and id = %(id)s and state = 'waiting';

-- name: request
select id, state, service_id, schedule_id, lower(wanted) as wanted_from, upper(wanted) as wanted_to, party_size,
       contact_email, contact_phone, contact_name, timezone, locale, created_at
  from waitlist_requests where business_id = %(business_id)s and id = %(id)s;

-- name: requests
select id, state, service_id, schedule_id, lower(wanted) as wanted_from, upper(wanted) as wanted_to, party_size,
       contact_email, contact_phone, contact_name, timezone, locale, created_at
  from waitlist_requests
 where business_id = %(business_id)s
   and (created_at, id) > ((select coalesce(%(after)s::timestamptz, '-infinity')),
                           (select coalesce(%(after_id)s::uuid, '00000000-0000-0000-0000-000000000000')))
   and (%(state)s::text is null or state = %(state)s::text)
   and (%(service_id)s::uuid is null or service_id = %(service_id)s::uuid)
   and (%(schedule_id)s::uuid is null or schedule_id = %(schedule_id)s::uuid)
 order by created_at, id limit %(limit)s;
