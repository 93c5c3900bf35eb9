-- Statements about looks at calendars. Whoever looks holds the lease; what comes late finds that it has lost it.

-- name: claim
-- Nobody waits for who was faster. While a look lasts the next one is due at the end of its lease: should the worker die,
-- and so that a message that comes meanwhile can be told by its earlier time. Calendars of which nothing but busy time is
-- seen are asked for together.
with asked as (
    select connection_id, access from calendars where business_id = %(business_id)s and id = %(id)s
), free as (
    select k.id
      from asked
      join calendars k on k.business_id = %(business_id)s and k.connection_id = asked.connection_id
                      and (k.id = %(id)s or asked.access = 'free_busy' and k.access = 'free_busy')
     where (k.blocks or k.exports) and (k.leased_until is null or k.leased_until <= statement_timestamp())
       and exists (select from calendar_connections c
                    where c.business_id = %(business_id)s and c.id = k.connection_id and c.state = 'connected')
     order by k.id for no key update of k skip locked
)
update calendars k
   set lease = %(lease)s, leased_until = statement_timestamp() + make_interval(secs => %(seconds)s),
       next_sync_at = statement_timestamp() + make_interval(secs => %(seconds)s),
       last_attempt_at = statement_timestamp(), events_seen = null
  from free
 where k.business_id = %(business_id)s and k.id = free.id
returning k.id, k.tentative_blocks,
          coalesce(k.timezone,
                   (select r.timezone from resources r where r.business_id = k.business_id and r.id = k.resource_id),
                   (select b.timezone from businesses b where b.id = k.business_id)) as timezone;

-- name: renew
update calendars
   set leased_until = statement_timestamp() + make_interval(secs => %(seconds)s), events_seen = %(seen)s,
       next_sync_at = case when next_sync_at = leased_until
                           then statement_timestamp() + make_interval(secs => %(seconds)s) else next_sync_at end
 where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s;

-- name: hold
select from calendars where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s for no key update;

-- name: succeed
-- What is known is as old as the beginning of the look. A message that came after it asks for another one.
update calendars
   set sync_point = case when %(keeps_point)s then sync_point else %(sync_point)s::bytea end,
       window_ends_at = %(window_ends_at)s, tentative_blocks = %(tentative_blocks)s,
       timezone = coalesce(%(timezone)s::text, timezone),
       lease = null, leased_until = null, last_success_at = last_attempt_at, failures = 0, error_code = null,
       events_seen = null,
       next_sync_at = case when next_sync_at = leased_until
                           then clock_timestamp() + make_interval(secs => %(wait)s) else next_sync_at end
 where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s;

-- name: fail
update calendars
   set lease = null, leased_until = null, failures = failures + 1, error_code = %(error_code)s, events_seen = null,
       next_sync_at = clock_timestamp() + make_interval(secs => %(wait)s)
 where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s;

-- name: give_back
-- Without a look: nothing is known that was not known before.
update calendars
   set lease = null, leased_until = null, events_seen = null,
       next_sync_at = clock_timestamp() + make_interval(secs => %(wait)s)
 where business_id = %(business_id)s and id = %(id)s and lease = %(lease)s;

-- name: nudge
-- Not sooner than a calendar that fails may be asked again, unless somebody is asking right now.
update calendars
   set next_sync_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s
   and next_sync_at > clock_timestamp() and (failures = 0 or lease is not null);

-- name: calendars_due
select * from calendars_due(%(limit)s::integer);

-- name: own_events
-- Which of these are of bookings of ours: by what was exported, and by what is written into the event itself.
select b.id
  from bookings b
 where b.business_id = %(business_id)s and b.id = any (%(booking_ids)s::uuid[])
   and (b.id = any (%(marked)s::uuid[])
        or exists (select from calendar_events e where e.business_id = %(business_id)s and e.booking_id = b.id));
