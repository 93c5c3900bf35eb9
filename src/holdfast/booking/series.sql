-- Statements of series. Their changes lock bookings as everybody does; the row of a series is written last.

-- name: admit_occurrences
select admit(%(business_id)s::uuid, %(requests)s::jsonb)::text;

-- name: lock_limited_resources
select r.id from resources r
 where r.business_id = %(business_id)s and r.id = any(%(ids)s::uuid[])
   and (r.capacity > 1 or r.daily_limit is not null)
 order by r.id for no key update;

-- name: write_series
with made as (
    insert into booking_series (business_id, id) values (%(business_id)s, %(id)s)
)
insert into series_bookings (business_id, series_id, position, booking_id)
select %(business_id)s, %(id)s, of_series.position, of_series.booking_id
  from unnest(%(bookings)s::uuid[]) with ordinality of_series (booking_id, position);

-- name: find_series
select id, token_nonce from booking_series where business_id = %(business_id)s and id = %(id)s;

-- name: find_series_of
select s.id, s.token_nonce
  from series_bookings o
  join booking_series s on s.business_id = o.business_id and s.id = o.series_id
 where o.business_id = %(business_id)s and o.booking_id = %(booking_id)s;

-- name: sign_series
-- The first nonce stays, so that a repeated commit answers with the same token.
update booking_series set token_nonce = coalesce(token_nonce, %(nonce)s::bytea)
 where business_id = %(business_id)s and id = %(id)s
returning token_nonce;

-- name: booking_ids
select booking_id from series_bookings
 where business_id = %(business_id)s and series_id = %(id)s order by position;

-- name: bookings_of_series
-- As find_booking, for all bookings of a series in their order.
select b.business_id, b.id, b.service_id, b.schedule_id, b.starts_at, b.ends_at, b.party_size, b.state, b.version,
       b.held_at, b.expires_at, b.price_minor, b.currency, b.timezone, b.locale,
       b.guest_email, b.guest_phone, b.guest_name, b.token_nonce, clock_timestamp() as now,
       array(select distinct c.resource_id from claims c
              join resources r on r.business_id = c.business_id and r.id = c.resource_id and r.kind <> 'pool'
             where c.business_id = b.business_id and c.booking_id = b.id order by 1) as resource_ids,
       coalesce(s.cancel_notice_minutes, p.cancel_notice_minutes) as cancel_notice_minutes,
       coalesce(s.hold_minutes, p.hold_minutes) as hold_minutes
  from series_bookings o
  join bookings b on b.business_id = o.business_id and b.id = o.booking_id
  left join services s on s.business_id = b.business_id and s.id = b.service_id
  left join program_schedules g on g.business_id = b.business_id and g.id = b.schedule_id
  left join programs p on p.business_id = g.business_id and p.id = g.program_id
 where o.business_id = %(business_id)s and o.series_id = %(id)s
 order by o.position;

-- name: lock_bookings
select lock_bookings(%(business_id)s::uuid, %(ids)s::uuid[]);

-- name: commit_holds
select commit_reservations(%(business_id)s::uuid, %(requests)s::jsonb)::text;

-- name: release_holds
-- Guarded like the commit, by state and clock.
update bookings set state = 'released', version = version + 1
 where business_id = %(business_id)s and id = any(%(ids)s::uuid[])
   and state = 'held' and expires_at > clock_timestamp()
returning id;

-- name: cancel_appointments
update bookings set state = 'cancelled', version = version + 1
 where business_id = %(business_id)s and id = any(%(ids)s::uuid[]) and state = 'confirmed';

-- name: free_places_of
delete from claims where business_id = %(business_id)s and booking_id = any(%(ids)s::uuid[]);

-- name: record_cancellations
select record_changes(%(business_id)s::uuid, %(ids)s::uuid[], 'cancel', 'confirmed', 'client', %(reason)s::text,
                      'AppointmentCancelled');
