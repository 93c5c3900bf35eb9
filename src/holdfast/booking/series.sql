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
update bookings b
   set state = 'cancelled', version = version + 1,
       former_resource_ids = array(select distinct c.resource_id from claims c
                                    where c.business_id = b.business_id and c.booking_id = b.id order by 1)
 where business_id = %(business_id)s and id = any(%(ids)s::uuid[]) and state = 'confirmed';

-- name: free_places_of
delete from claims where business_id = %(business_id)s and booking_id = any(%(ids)s::uuid[]);

-- name: record_cancellations
select record_changes(%(business_id)s::uuid, %(ids)s::uuid[], %(chain_keys)s::bytea[], 'cancel', 'confirmed', 'client',
                      %(reason_id)s::uuid, 'AppointmentCancelled');
