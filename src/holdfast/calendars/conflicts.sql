-- Statements about what people do to our events, and what staff decide about it.

-- name: lock_own_event
select from calendar_events
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   for no key update;

-- name: own_event
-- `same_times` says that the version which the event shows was at the same time as the booking is now; `decided`, that
-- staff have decided about just these times, none for a deleted event, since the event was last written.
select e.state, e.booking_version, e.next_attempt_at is not null as due,
       coalesce(e.leased_until > clock_timestamp(), false) as leased,
       b.version, b.starts_at, b.ends_at,
       coalesce((select p.place from calendar_places(e.business_id, e.booking_id) p
                  where p.calendar_id = e.calendar_id), 'away') as place,
       booking_times_at(e.business_id, e.booking_id, coalesce(%(shown)s::integer, e.booking_version))
           = tstzrange(b.starts_at, b.ends_at) as same_times,
       coalesce(booking_times_at(e.business_id, e.booking_id, coalesce(%(shown)s::integer, e.booking_version))
                = tstzrange(%(starts_at)s::timestamptz, %(ends_at)s::timestamptz), false) as as_written,
       exists (select from calendar_conflicts c
                where c.business_id = e.business_id and c.calendar_id = e.calendar_id and c.booking_id = e.booking_id
                  and c.kind <> 'overlap' and c.state in ('accepted', 'restored', 'ignored')
                  and c.decided_at > coalesce(e.exported_at, '-infinity')
                  and (c.remote_starts_at, c.remote_ends_at)
                      is not distinct from (%(starts_at)s::timestamptz, %(ends_at)s::timestamptz)) as decided,
       exists (select from calendar_conflicts c
                where c.business_id = e.business_id and c.calendar_id = e.calendar_id and c.booking_id = e.booking_id
                  and c.kind <> 'overlap' and c.state = 'ignored' and c.booking_version = b.version
                  and c.decided_at > coalesce(e.exported_at, '-infinity')) as ignored
  from calendar_events e
  join bookings b on b.business_id = e.business_id and b.id = e.booking_id
 where e.business_id = %(business_id)s and e.calendar_id = %(calendar_id)s and e.booking_id = %(booking_id)s;

-- name: open_conflict
select id, kind, remote_starts_at, remote_ends_at
  from calendar_conflicts
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and kind <> 'overlap' and state = 'open';

-- name: raise_conflict
insert into calendar_conflicts (business_id, id, calendar_id, booking_id, kind, booking_version, remote_starts_at,
                                remote_ends_at, remote_etag, item_id)
values (%(business_id)s, %(id)s, %(calendar_id)s, %(booking_id)s, %(kind)s, %(booking_version)s,
        %(starts_at)s::timestamptz, %(ends_at)s::timestamptz, %(etag)s::text, %(item_id)s);

-- name: move_conflict
update calendar_conflicts
   set remote_starts_at = %(starts_at)s, remote_ends_at = %(ends_at)s, remote_etag = %(etag)s::text
 where business_id = %(business_id)s and id = %(id)s;

-- name: pause_event
-- Whoever writes it at this moment has lost the lease, and notes nothing.
update calendar_events
   set state = 'conflict', next_attempt_at = null, lease = null, leased_until = null
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s;

-- name: supersede_conflicts
update calendar_conflicts set state = 'superseded', decided_at = clock_timestamp()
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and kind <> 'overlap' and state = 'open'
returning kind;

-- name: has_open_conflict
select exists (select from calendar_conflicts
                where business_id = %(business_id)s and booking_id = %(booking_id)s and kind = %(kind)s
                  and state = 'open');

-- name: release_event
-- As it was before the conflict, and due.
update calendar_events
   set state = case when booking_version is null then 'wanted' else 'exported' end,
       etag = coalesce(%(etag)s::text, etag), next_attempt_at = clock_timestamp(), failures = 0
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and state = 'conflict';

-- name: event_is_right
-- The event shows this version of the booking.
update calendar_events e
   set state = 'exported', etag = %(etag)s::text, booking_version = b.version, starts_at = b.starts_at,
       ends_at = b.ends_at, exported_at = clock_timestamp(), next_attempt_at = null, failures = 0, error_code = null
  from bookings b
 where b.business_id = e.business_id and b.id = e.booking_id
   and e.business_id = %(business_id)s and e.calendar_id = %(calendar_id)s and e.booking_id = %(booking_id)s
   and e.state = 'conflict' and b.version = %(version)s;

-- name: leave_event
-- Taken for what the booking is, until the booking changes; written, if at all, before this was decided.
update calendar_events e
   set state = 'exported', etag = coalesce(%(etag)s::text, e.etag), booking_version = b.version,
       starts_at = b.starts_at, ends_at = b.ends_at,
       exported_at = coalesce(e.exported_at, to_timestamp(0)), next_attempt_at = null
  from bookings b
 where b.business_id = e.business_id and b.id = e.booking_id
   and e.business_id = %(business_id)s and e.calendar_id = %(calendar_id)s and e.booking_id = %(booking_id)s
   and e.state = 'conflict';

-- name: lock_conflict
select from calendar_conflicts where business_id = %(business_id)s and id = %(id)s for no key update;

-- name: find_conflicts
select c.id, c.calendar_id, c.booking_id, c.kind, c.state, c.item_id, c.raised_at, c.decided_at, c.booking_version,
       c.remote_starts_at, c.remote_ends_at, c.remote_etag,
       b.version, b.state as booking_state, b.starts_at, b.ends_at,
       booking_times_at(c.business_id, c.booking_id, c.booking_version) = tstzrange(b.starts_at, b.ends_at) as current
  from calendar_conflicts c
  join bookings b on b.business_id = c.business_id and b.id = c.booking_id
 where c.business_id = %(business_id)s
   and (%(id)s::uuid is null or c.id = %(id)s::uuid)
   and (%(state)s::text is null or c.state = %(state)s::text)
   and (%(booking_id)s::uuid is null or c.booking_id = %(booking_id)s::uuid)
   and (%(after)s::timestamptz is null or (c.raised_at, c.id) > (%(after)s::timestamptz, %(after_id)s::uuid))
 order by c.raised_at, c.id limit %(limit)s::integer;

-- name: decide_conflict
-- One that was superseded by the very change that it asked for is taken for accepted.
update calendar_conflicts set state = %(state)s, decided_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s
   and state in ('open', case when %(state)s = 'accepted' then 'superseded' end);
