-- What must be true of external calendars, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: calendars_refer_to_their_own_business
-- Invariant 9: what is known of calendars refers to rows of its own business. The ids are the row that refers, of an
-- event the one in the calendar, of a feed its resource, and the row that it refers to.
with referring as (
    select r.business_id, 'connection' as source, r.id::text as id, target.kind, target.id as target_id
      from calendar_connections r, lateral (values ('business', r.business_id), ('resource', r.resource_id)) target (kind, id)
    union all
    select r.business_id, 'calendar', r.id::text, target.kind, target.id
      from calendars r, lateral (values ('business', r.business_id), ('connection', r.connection_id),
                                        ('resource', r.resource_id)) target (kind, id)
    union all
    select r.business_id, 'channel', r.id::text, target.kind, target.id
      from calendar_channels r, lateral (values ('business', r.business_id), ('calendar', r.calendar_id)) target (kind, id)
    union all
    select r.business_id, 'busy interval', r.id::text, 'calendar', r.calendar_id
      from calendar_busy_intervals r where r.calendar_id is not null
    union all
    select r.business_id, 'event', r.event_id, target.kind, target.id
      from calendar_events r, lateral (values ('business', r.business_id), ('calendar', r.calendar_id),
                                              ('booking', r.booking_id)) target (kind, id)
    union all
    select r.business_id, 'conflict', r.id::text, target.kind, target.id
      from calendar_conflicts r, lateral (values ('business', r.business_id), ('calendar', r.calendar_id),
                                                 ('booking', r.booking_id), ('item', r.item_id)) target (kind, id)
    union all
    select r.business_id, 'authorization', r.id::text, target.kind, target.id
      from calendar_authorizations r,
           lateral (values ('business', r.business_id), ('resource', r.resource_id)) target (kind, id)
    union all
    select r.business_id, 'feed', r.resource_id::text, target.kind, target.id
      from calendar_feeds r, lateral (values ('business', r.business_id), ('resource', r.resource_id)) target (kind, id)
), targets as (
    select 'business' as kind, b.id as business_id, b.id from businesses b
    union all
    select 'resource', t.business_id, t.id from resources t
    union all
    select 'connection', t.business_id, t.id from calendar_connections t
    union all
    select 'calendar', t.business_id, t.id from calendars t
    union all
    select 'item', t.business_id, t.id from attention_items t
    union all
    select 'booking', t.business_id, t.id from bookings t
), strays as materialized (
    select r.* from referring r
     where not exists (select from targets t
                        where t.kind = r.kind and t.business_id = r.business_id and t.id = r.target_id)
)
select s.business_id, array[s.id, s.target_id::text] as ids,
       concat(s.source, ' ', s.id, ' refers to ', s.kind, ' ', s.target_id, ', which ',
              case when t.id is null then 'does not exist'
                   else concat('belongs to business ', t.business_id) end) as problem
  from strays s
  left join targets t on t.kind = s.kind and t.id = s.target_id;

-- name: appointments_are_in_their_calendars
-- Invariant 6: of each appointment to come there is one event in each calendar that it belongs to, as it is in its last
-- version, and none elsewhere, or that is due, or staff have to decide. What has happened within ten minutes before the
-- exporter last looked may not be seen yet. The ids are the calendar and the booking.
with pairs as (
    select k.business_id, k.id as calendar_id, c.booking_id
      from calendars k
      join resources r on r.business_id = k.business_id and r.id = k.resource_id and r.kind <> 'pool'
      join claims c on c.business_id = k.business_id and c.resource_id = k.resource_id and c.booking_id is not null
     where k.exports
    union
    select e.business_id, e.calendar_id, e.booking_id from calendar_events e
), placed as (
    select p.*, b.version, b.starts_at, b.ends_at, k.exports, k.access = 'write' as writable,
           b.state in ('confirmed', 'completed', 'no_show') and b.service_id is not null as live,
           exists (select from claims c where c.business_id = p.business_id and c.booking_id = p.booking_id) as takes,
           exists (select from claims c where c.business_id = p.business_id and c.booking_id = p.booking_id
                      and c.resource_id = k.resource_id) as takes_this,
           exists (select from outbox_events o, calendar_export_feed f
                    where o.business_id = p.business_id and o.aggregate_id = p.booking_id
                      and o.occurred_at >= f.read_until - interval '10 minutes') as fresh,
           exists (select from calendar_conflicts c
                    where c.business_id = p.business_id and c.calendar_id = p.calendar_id
                      and c.booking_id = p.booking_id and c.kind <> 'overlap' and c.state = 'open') as undecided
      from pairs p
      join bookings b on b.business_id = p.business_id and b.id = p.booking_id
      join calendars k on k.business_id = p.business_id and k.id = p.calendar_id
), judged as (
    select p.business_id, p.calendar_id, p.booking_id,
           case when p.undecided is distinct from coalesce(e.state = 'conflict', false)
                then 'waits for a decision that nobody is asked for, or is exported while staff have to decide'
                when p.fresh or e.next_attempt_at is not null then null
                when p.live and p.takes_this and p.exports and e.booking_id is null and p.ends_at > statement_timestamp()
                then 'is not there'
                when p.live and p.takes_this and p.exports and e.state in ('wanted', 'removed') then 'is not there'
                when p.live and p.takes_this and p.exports and e.state = 'exported'
                     and (e.booking_version, e.starts_at, e.ends_at)
                         is distinct from (p.version, p.starts_at, p.ends_at)
                then concat('is as it was in version ', e.booking_version)
                when p.writable and e.state in ('wanted', 'exported', 'conflict')
                     and (not p.live
                          or p.takes and not p.takes_this
                          or p.takes_this and not p.exports and p.ends_at > statement_timestamp())
                then 'is there still' end as problem
      from placed p
      left join calendar_events e on e.business_id = p.business_id and e.calendar_id = p.calendar_id
                                 and e.booking_id = p.booking_id
)
select j.business_id, array[j.calendar_id::text, j.booking_id::text] as ids,
       concat('the event of booking ', j.booking_id, ' in calendar ', j.calendar_id, ' ', j.problem) as problem
  from judged j
 where j.problem is not null;

-- name: calendars_tell_of_whose_they_are
-- Invariant 9: a calendar refers to the resource of its connection, and its busy time to that as well; it is there while the
-- calendar blocks time. The ids are the calendar, and the connection or the busy interval.
select k.business_id, array[k.id::text, c.id::text] as ids,
       concat('calendar ', k.id, ' tells of resource ', k.resource_id, ', and its connection of resource ', c.resource_id)
           as problem
  from calendars k
  join calendar_connections c on c.business_id = k.business_id and c.id = k.connection_id
 where c.resource_id <> k.resource_id
union all
select k.business_id, array[k.id::text, b.id::text],
       concat('busy interval ', b.id, ' of calendar ', k.id,
              case when k.blocks then ' takes another resource than its calendar tells of'
                   else ' is there, though the calendar blocks no time' end)
  from calendars k
  join calendar_busy_intervals b on b.business_id = k.business_id and b.calendar_id = k.id
 where b.resource_id <> k.resource_id or not k.blocks;
