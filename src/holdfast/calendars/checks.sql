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
