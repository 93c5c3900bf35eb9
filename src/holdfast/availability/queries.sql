-- Statements about opening hours and what differs from them. Every write to these tables raises the catalog version
-- of the business.

-- name: takes_payments
-- Whether what has to be paid beforehand can be: an account is there to be paid to.
select exists (select from payment_accounts where business_id = %(business_id)s and active);

-- name: rules_of
select resource_id, weekday, opens, closes, valid_from, valid_until
  from availability_rules where business_id = %(business_id)s
 order by resource_id, weekday, opens, closes, valid_from nulls first, valid_until;

-- name: rules_of_resource
select weekday, opens, closes, valid_from, valid_until
  from availability_rules where business_id = %(business_id)s and resource_id = %(resource_id)s;

-- name: drop_rules
delete from availability_rules where business_id = %(business_id)s and resource_id = %(resource_id)s;

-- name: add_rules
insert into availability_rules (business_id, resource_id, weekday, opens, closes, valid_from, valid_until)
select %(business_id)s, %(resource_id)s, wanted.*
  from unnest(%(weekdays)s::smallint[], %(opens)s::time[], %(closes)s::time[],
              %(valid_from)s::date[], %(valid_until)s::date[]) wanted;

-- name: overrides_of
-- Those of every source: on a day for which one says closed it is closed.
select resource_id, day, opens, closes
  from availability_overrides where business_id = %(business_id)s
 order by resource_id, day, opens nulls first, closes;

-- name: overrides_of_source
select resource_id, day, opens, closes
  from availability_overrides
 where business_id = %(business_id)s and source is not distinct from %(source)s::text
 order by resource_id, day, opens nulls first, closes;

-- name: overrides_of_resource
select day, opens, closes
  from availability_overrides
 where business_id = %(business_id)s and resource_id = %(resource_id)s
   and source is not distinct from %(source)s::text;

-- name: drop_overrides
delete from availability_overrides
 where business_id = %(business_id)s and resource_id = %(resource_id)s
   and source is not distinct from %(source)s::text;

-- name: add_overrides
insert into availability_overrides (business_id, resource_id, source, day, opens, closes)
select %(business_id)s, %(resource_id)s, %(source)s::text, wanted.*
  from unnest(%(days)s::date[], %(opens)s::time[], %(closes)s::time[]) wanted;

-- name: drop_busy
-- What the source says no longer.
delete from calendar_busy_intervals kept
 where kept.business_id = %(business_id)s and kept.resource_id = %(resource_id)s and kept.source = %(source)s
   and not exists (select from unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) wanted (starts, ends)
                    where tstzrange(wanted.starts, wanted.ends) = kept.during);

-- name: add_busy
insert into calendar_busy_intervals (business_id, resource_id, source, during)
select %(business_id)s, %(resource_id)s, %(source)s, tstzrange(wanted.starts, wanted.ends)
  from unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[]) wanted (starts, ends)
 where not exists (select from calendar_busy_intervals kept
                    where kept.business_id = %(business_id)s and kept.resource_id = %(resource_id)s
                      and kept.source = %(source)s and kept.during = tstzrange(wanted.starts, wanted.ends));

-- name: lock_zone_records
-- Processes that start together wait for each other, and see with their next statement what the other wrote.
select pg_advisory_xact_lock(hashtextextended('zone_records', 0));

-- name: record_zones
-- Only the zones that are no longer as they were when last written.
insert into zone_records (zone, tzdata_version, changes)
select given.zone, %(version)s, given.changes
  from jsonb_to_recordset(%(zones)s::jsonb) as given (zone text, changes jsonb)
 where not exists (select from (select distinct on (r.zone) r.zone, r.changes from zone_records r
                                 order by r.zone, r.in_force_from desc) latest
                    where latest.zone = given.zone and latest.changes = given.changes);

-- name: looks
-- A calendar that was never looked at is as old as its connection.
select k.resource_id, min(coalesce(k.last_success_at, c.connected_at)) as seen_at,
       extract(epoch from clock_timestamp() - min(coalesce(k.last_success_at, c.connected_at)))::float8 as age_seconds
  from calendars k
  join calendar_connections c on c.business_id = k.business_id and c.id = k.connection_id
 where k.business_id = %(business_id)s and k.blocks
 group by k.resource_id;

-- name: drop_event_times
-- Times that events of a calendar do not have any more.
delete from calendar_busy_intervals kept
 where kept.business_id = %(business_id)s and kept.calendar_id = %(calendar_id)s
   and kept.event_key = any (%(named)s::bytea[])
   and not exists (select from unnest(%(keys)s::bytea[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
                            wanted (event_key, starts, ends)
                    where wanted.event_key = kept.event_key and tstzrange(wanted.starts, wanted.ends) = kept.during);

-- name: add_event_times
insert into calendar_busy_intervals as added (business_id, resource_id, source, during, calendar_id, event_key)
select %(business_id)s, %(resource_id)s, 'calendar', tstzrange(wanted.starts, wanted.ends), %(calendar_id)s,
       wanted.event_key
  from unnest(%(keys)s::bytea[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]) wanted (event_key, starts, ends)
 where not exists (select from calendar_busy_intervals kept
                    where kept.business_id = %(business_id)s and kept.calendar_id = %(calendar_id)s
                      and kept.event_key = wanted.event_key and kept.during = tstzrange(wanted.starts, wanted.ends))
returning added.event_key, lower(added.during) as starts_at, upper(added.during) as ends_at;

-- name: drop_other_events
delete from calendar_busy_intervals kept
 where kept.business_id = %(business_id)s and kept.calendar_id = %(calendar_id)s
   and not exists (select from unnest(%(keys)s::bytea[]) seen (event_key) where seen.event_key = kept.event_key);
