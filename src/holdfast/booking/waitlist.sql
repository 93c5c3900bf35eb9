-- The waitlist: who waits for a service within a window, or for places of a schedule, and what they are offered.

-- name: service_waited_for
-- `largest` is the party that fits when nobody else comes; null: any, since nothing of it is taken by places.
select (select min(need.capacity)
          from (select max(r.capacity) as capacity from service_resources n
                  join resources r on r.business_id = n.business_id and r.id = n.resource_id and r.active
                 where n.business_id = s.business_id and n.service_id = s.id group by n.requirement) need
         where need.capacity > 1) as largest,
       s.payment_policy = 'prepay' and s.price_minor > 0
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
-- The id is made from wish and contact: asked again it is the same request, and one that has ended begins anew, at the end
-- of the line.
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
 where known.state in ('withdrawn', 'passed')
    or known.state = 'accepted'
       and exists (select from bookings b
                    where b.business_id = known.business_id and b.id = known.offered_booking_id
                      and b.state in ('cancelled', 'refunded', 'expired'));

-- name: lock_request
select state, offered_booking_id from waitlist_requests
 where business_id = %(business_id)s and id = %(id)s for update;

-- name: withdraw
update waitlist_requests set state = 'withdrawn'
 where business_id = %(business_id)s and id = %(id)s and state in ('waiting', 'offered');

-- name: lock_offers
select lock_bookings(%(business_id)s::uuid, %(ids)s::uuid[]);

-- name: settle_offers
-- The bookings are locked too: a commit that was in time may be about to end.
with ended as materialized (
    select r.id, offer_stands(r.state, b.state, b.expires_at, b.token_nonce, clock_timestamp()) as stands
      from waitlist_requests r
      join bookings b on b.business_id = r.business_id and b.id = r.offered_booking_id
     where r.business_id = %(business_id)s and r.state = 'offered'
       and (%(id)s::uuid is null or r.id = %(id)s::uuid)
       and offer_stands(r.state, b.state, b.expires_at, b.token_nonce, statement_timestamp()) <> 'offered'
     order by r.offered_booking_id limit %(limit)s
     for update of r for share of b
)
update waitlist_requests w set state = e.stands
  from ended e
 where w.business_id = %(business_id)s and w.id = e.id and e.stands <> 'offered'
returning w.id, w.state, w.service_id, w.schedule_id, w.offered_booking_id;

-- name: pass_over
-- What has begun, or is offered no more, comes to nobody; nor does a window that is over.
update waitlist_requests w set state = 'passed'
 where w.business_id = %(business_id)s and w.state = 'waiting'
   and w.id in (
       select r.id from waitlist_requests r
         left join program_schedules s on s.business_id = r.business_id and s.id = r.schedule_id
        where r.business_id = %(business_id)s and r.state = 'waiting'
          and (upper(r.wanted) <= clock_timestamp() or s.starts_at <= clock_timestamp() or s.withdrawn is not null)
        order by r.created_at, r.id limit %(limit)s for update of r skip locked)
returning w.id, w.state, w.service_id, w.schedule_id, w.offered_booking_id;

-- name: next_version
select coalesce(max(version), 0) + 1 from outbox_events
 where business_id = %(business_id)s and aggregate_id = %(id)s;

-- name: request
select r.id, offer_stands(r.state, b.state, b.expires_at, b.token_nonce, statement_timestamp()) as state,
       r.service_id, r.schedule_id, lower(r.wanted) as wanted_from, upper(r.wanted) as wanted_to, r.party_size,
       r.contact_email, r.contact_phone, r.contact_name, r.timezone, r.locale, r.created_at,
       b.id as booking_id, b.starts_at, b.ends_at, b.expires_at
  from waitlist_requests r
  left join bookings b on b.business_id = r.business_id and b.id = r.offered_booking_id
 where r.business_id = %(business_id)s and r.id = %(id)s;

-- name: requests
select r.id, s.state, r.service_id, r.schedule_id, lower(r.wanted) as wanted_from, upper(r.wanted) as wanted_to,
       r.party_size, r.contact_email, r.contact_phone, r.contact_name, r.timezone, r.locale, r.created_at,
       b.id as booking_id, b.starts_at, b.ends_at, b.expires_at
  from waitlist_requests r
  left join bookings b on b.business_id = r.business_id and b.id = r.offered_booking_id
 cross join lateral (select offer_stands(r.state, b.state, b.expires_at, b.token_nonce, statement_timestamp())) s (state)
 where r.business_id = %(business_id)s
   and (r.created_at, r.id) > ((select coalesce(%(after)s::timestamptz, '-infinity')),
                               (select coalesce(%(after_id)s::uuid, '00000000-0000-0000-0000-000000000000')))
   and (%(state)s::text is null or s.state = %(state)s::text)
   and (%(service_id)s::uuid is null or r.service_id = %(service_id)s::uuid)
   and (%(schedule_id)s::uuid is null or r.schedule_id = %(schedule_id)s::uuid)
 order by r.created_at, r.id limit %(limit)s;
