-- Statements by which appointments become events.

-- name: begin_export_feed
select read_until, statement_timestamp() as now from calendar_export_feed;

-- name: bookings_to_export
select business_id, booking_id, id, occurred_at
  from bookings_to_export(%(since)s::timestamptz, %(at)s::timestamptz, %(last)s::uuid, %(limit)s::integer);

-- name: end_export_feed
update calendar_export_feed set read_until = greatest(read_until, %(read_until)s::timestamptz);

-- name: events_amiss
select calendar_id, place, state from calendar_events_amiss(%(business_id)s::uuid, %(booking_id)s::uuid)
 order by calendar_id;

-- name: want_event
insert into calendar_events as known (business_id, calendar_id, booking_id, event_id, next_attempt_at)
values (%(business_id)s, %(calendar_id)s, %(booking_id)s, %(event_id)s, clock_timestamp())
on conflict (business_id, calendar_id, booking_id)
do update set next_attempt_at = coalesce(known.next_attempt_at, clock_timestamp()), failures = 0;

-- name: bookings_amiss
-- Of one calendar: those to come that are to be in it, and those that are in it, in the order in which they were made.
select wanted.id
  from calendars k
 cross join lateral (select bookings_to_come(k.business_id, k.resource_id) as id
                      union
                     select e.booking_id from calendar_events e
                      where e.business_id = k.business_id and e.calendar_id = k.id) wanted
 where k.business_id = %(business_id)s and k.id = %(calendar_id)s
   and exists (select from calendar_events_amiss(k.business_id, wanted.id) a where a.calendar_id = k.id)
 order by wanted.id;

-- name: resume_exports
-- All by as much as makes the last of them due, so that they keep their order.
with owed as (
    select greatest(max(w.next_attempt_at) - clock_timestamp(), interval '0') as ahead
      from calendar_events w
      join calendars c on c.business_id = w.business_id and c.id = w.calendar_id
     where w.business_id = %(business_id)s and c.connection_id = %(connection_id)s
)
update calendar_events e
   set next_attempt_at = e.next_attempt_at - owed.ahead, failures = 0
  from calendars k, owed
 where k.business_id = e.business_id and k.id = e.calendar_id and k.connection_id = %(connection_id)s
   and e.business_id = %(business_id)s and e.next_attempt_at is not null;

-- name: exports_due
select business_id, connection_id, calendar_id, booking_id from exports_due(%(limit)s::integer, %(of_one)s::integer);

-- name: lease_event
update calendar_events
   set lease = %(lease)s, leased_until = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and next_attempt_at <= clock_timestamp() and (leased_until is null or leased_until <= clock_timestamp())
returning new.state, new.etag, new.failures, new.error_code, old.lease is not null as interrupted;

-- name: booking_to_export
select b.version, b.starts_at, b.ends_at, z.timezone, coalesce(s.name, '') as title,
       coalesce((select p.place from calendar_places(b.business_id, b.id) p where p.calendar_id = %(calendar_id)s),
                'away') as place
  from bookings b
  join businesses z on z.id = b.business_id
  left join services s on s.business_id = b.business_id and s.id = b.service_id
 where b.business_id = %(business_id)s and b.id = %(booking_id)s;

-- name: holds_lease
select from calendar_events
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and lease = %(lease)s
   for no key update;

-- name: note_exported
-- What has changed meanwhile stays due.
update calendar_events e
   set state = 'exported', etag = %(etag)s::text, booking_version = %(version)s, starts_at = %(starts_at)s,
       ends_at = %(ends_at)s, exported_at = clock_timestamp(), failures = 0, error_code = null,
       lease = null, leased_until = null,
       next_attempt_at = case when b.version <> %(version)s then clock_timestamp() end
  from bookings b
 where b.business_id = e.business_id and b.id = e.booking_id
   and e.business_id = %(business_id)s and e.calendar_id = %(calendar_id)s and e.booking_id = %(booking_id)s
   and e.lease = %(lease)s;

-- name: note_removed
update calendar_events e
   set state = 'removed', etag = null, booking_version = %(version)s, exported_at = clock_timestamp(), failures = 0,
       error_code = null, lease = null, leased_until = null,
       next_attempt_at = case when b.version <> %(version)s then clock_timestamp() end
  from bookings b
 where b.business_id = e.business_id and b.id = e.booking_id
   and e.business_id = %(business_id)s and e.calendar_id = %(calendar_id)s and e.booking_id = %(booking_id)s
   and e.lease = %(lease)s;

-- name: note_nothing
update calendar_events
   set failures = 0, error_code = null, lease = null, leased_until = null, next_attempt_at = null
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and lease = %(lease)s;

-- name: note_failed
update calendar_events
   set failures = failures + 1, error_code = %(error_code)s, lease = null, leased_until = null,
       next_attempt_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and lease = %(lease)s;

-- name: give_back
-- It stays due as it was.
update calendar_events set lease = null, leased_until = null
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and lease = %(lease)s;

-- name: let_go
-- Anybody may take it up, and sees that what was begun may have been done.
update calendar_events set leased_until = clock_timestamp()
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and lease = %(lease)s;

-- name: postpone_exports
-- Whoever asks for patience asks it for all that a connection owes.
update calendar_events e
   set next_attempt_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
  from calendars k
 where k.business_id = e.business_id and k.id = e.calendar_id and k.connection_id = %(connection_id)s
   and e.business_id = %(business_id)s
   and e.next_attempt_at <= clock_timestamp() + make_interval(secs => %(seconds)s::float8) and e.lease is null;

-- name: want_removed
-- It stands for a booking that does not belong there, and nobody remembers that it was written.
insert into calendar_events as known (business_id, calendar_id, booking_id, event_id, state, next_attempt_at)
values (%(business_id)s, %(calendar_id)s, %(booking_id)s, %(event_id)s, 'removed', clock_timestamp())
on conflict (business_id, calendar_id, booking_id)
do update set next_attempt_at = coalesce(known.next_attempt_at, clock_timestamp());

-- name: calendars_to_reconcile
select business_id, calendar_id from calendars_to_reconcile(%(limit)s::integer);

-- name: begin_reconciliation
-- Whoever comes second finds that its turn is over.
update calendars set next_reconciliation_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
 where business_id = %(business_id)s and id = %(calendar_id)s and exports
   and next_reconciliation_at <= clock_timestamp();

-- name: put_off_reconciliation
update calendars set next_reconciliation_at = clock_timestamp() + make_interval(secs => %(seconds)s::float8)
 where business_id = %(business_id)s and id = %(calendar_id)s and exports;

-- name: bookings_compared
-- Those whose events were seen, and those whose events should have been.
select b.id, b.version, b.starts_at, b.ends_at, p.place, e.state
  from (select unnest(%(ids)s::uuid[]) as id
        union
        select w.booking_id from calendar_events w
         where w.business_id = %(business_id)s and w.calendar_id = %(calendar_id)s
           and w.state = 'exported' and w.next_attempt_at is null
           and w.starts_at < %(end)s::timestamptz and w.ends_at > %(start)s::timestamptz) compared
  join bookings b on b.business_id = %(business_id)s and b.id = compared.id
  left join calendar_events e on e.business_id = b.business_id and e.calendar_id = %(calendar_id)s
                             and e.booking_id = b.id
 cross join lateral (select o.place from calendar_places(b.business_id, b.id) o
                      where o.calendar_id = %(calendar_id)s) p
 order by b.id;
