-- Secret addresses under which the appointments of a resource are read.

-- name: has_calendar
-- A pool only counts; nobody looks into its calendar.
select exists (select from resources where business_id = %(business_id)s and id = %(id)s and kind <> 'pool');

-- name: put_feed
-- Whatever the address was before, it is none any more.
insert into calendar_feeds as known (business_id, resource_id, token_hash)
values (%(business_id)s, %(id)s, %(token_hash)s)
on conflict (business_id, resource_id) do update
   set token_hash = excluded.token_hash, created_at = excluded.created_at
returning created_at, xmax <> 0 as is_another;

-- name: drop_feed
delete from calendar_feeds where business_id = %(business_id)s and resource_id = %(id)s;

-- name: feed
select created_at from calendar_feeds where business_id = %(business_id)s and resource_id = %(id)s;

-- name: feed_of
select business_id, resource_id from calendar_feed_of(%(token_hash)s::bytea);

-- name: resource
select name from resources where business_id = %(business_id)s and id = %(id)s;

-- name: appointments
select booking_id, version, starts_at, ends_at, confirmed_at, title
  from appointments_taking(%(business_id)s::uuid, %(id)s::uuid, clock_timestamp() - %(back)s::interval, %(limit)s::integer);
