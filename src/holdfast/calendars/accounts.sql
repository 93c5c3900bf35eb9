-- Statements about accounts at providers: connected, chosen from, disconnected, shown.

-- name: resource_exists
select exists (select from resources where business_id = %(business_id)s and id = %(id)s);

-- name: connection_of_account
select id, state from calendar_connections
 where business_id = %(business_id)s and resource_id = %(resource_id)s and provider = %(provider)s
   and account_index = %(account_index)s
   for no key update;

-- name: add_connection
-- Nothing, when somebody connects the same account at this moment: then there is one to be found.
insert into calendar_connections (business_id, id, resource_id, provider, account_index)
values (%(business_id)s, %(id)s, %(resource_id)s, %(provider)s, %(account_index)s)
on conflict on constraint calendar_connections_once do nothing
returning id;

-- name: open_connection
update calendar_connections
   set account = %(account)s::bytea, address = %(address)s::bytea, password = %(password)s::bytea,
       state = 'connected', error_code = null, connected_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s;

-- name: add_calendar
insert into calendars (business_id, id, connection_id, resource_id, remote_id, remote_id_index, name, timezone, access,
                       blocks, exports)
values (%(business_id)s, %(id)s, %(connection_id)s, %(resource_id)s, %(remote_id)s, %(remote_id_index)s, %(name)s,
        %(timezone)s::text, %(access)s, %(blocks)s, %(exports)s);

-- name: describe_calendar
-- In another zone days without times are other times: everything is read anew, and whoever reads now has lost the lease.
update calendars
   set name = %(name)s, timezone = %(timezone)s::text, access = %(access)s, exports = exports and %(access)s = 'write',
       sync_point = case when timezone is distinct from %(timezone)s::text then null else sync_point end,
       lease = case when timezone is distinct from %(timezone)s::text then null else lease end,
       leased_until = case when timezone is distinct from %(timezone)s::text then null else leased_until end
 where business_id = %(business_id)s and id = %(id)s;

-- name: forget_unused_calendars
-- What the provider does not list any more and nobody has chosen; of what was chosen the next look tells.
delete from calendars
 where business_id = %(business_id)s and connection_id = %(connection_id)s and not (blocks or exports)
   and remote_id_index <> all (%(listed)s::bytea[]);

-- name: choose_calendar
-- Whoever looks at it, and knows only what it was for before, has lost the lease; what was seen for another purpose is
-- seen anew.
update calendars
   set blocks = %(blocks)s, exports = %(exports)s, sync_point = null, window_ends_at = null, lease = null,
       leased_until = null, events_seen = null, failures = 0, error_code = null, next_sync_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s;

-- name: look_now
-- One that is being looked at is looked at again afterwards.
update calendars k
   set next_sync_at = clock_timestamp(), failures = case when %(forgiven)s then 0 else failures end,
       error_code = case when %(forgiven)s then null else error_code end
 where k.business_id = %(business_id)s and (k.blocks or k.exports)
   and k.connection_id = any (%(connection_ids)s::uuid[]);

-- name: items_of_connection
-- What the inbox asks about a connection and its calendars, and about bookings in them; not where another connection
-- asks the same.
select i.kind, i.subject_id
  from attention_items i
 where i.business_id = %(business_id)s and i.resolved_at is null
   and (i.subject_id = %(id)s
        or exists (select from calendars k
                    where k.business_id = i.business_id and k.connection_id = %(id)s
                      and (k.id = i.subject_id or k.id::text = i.details ->> 'calendar')))
   and not exists (select from calendar_conflicts f
                     join calendars k on k.business_id = f.business_id and k.id = f.calendar_id
                    where f.business_id = i.business_id and f.item_id = i.id and f.state = 'open'
                      and k.connection_id <> %(id)s);

-- name: delete_connection
delete from calendar_connections where business_id = %(business_id)s and id = %(id)s;

-- name: events_to_come
-- Not those that another connection of the same calendar stands for as well.
select k.id as calendar_id, e.event_id, e.etag
  from calendar_events e
  join calendars k on k.business_id = e.business_id and k.id = e.calendar_id
 where e.business_id = %(business_id)s and k.connection_id = %(connection_id)s
   and e.state in ('exported', 'conflict') and e.ends_at > clock_timestamp()
   and not exists (select from calendars o
                     join calendar_places(e.business_id, e.booking_id) p on p.calendar_id = o.id
                    where o.business_id = k.business_id and o.remote_id_index = k.remote_id_index
                      and o.connection_id <> k.connection_id and p.place = 'there')
 order by e.starts_at, e.event_id;

-- name: account_is_shared
select exists (select from calendar_connections mine
                 join calendar_connections other
                   on other.business_id = mine.business_id and other.provider = mine.provider
                      and other.account_index = mine.account_index and other.id <> mine.id
                where mine.business_id = %(business_id)s and mine.id = %(id)s);

-- name: add_authorization
insert into calendar_authorizations (business_id, id, resource_id, state_hash, verifier, redirect_uri, actor_id, expires_at)
values (%(business_id)s, %(id)s, %(resource_id)s, %(state_hash)s, %(verifier)s, %(redirect_uri)s, %(actor_id)s,
        clock_timestamp() + make_interval(mins => %(minutes)s));

-- name: forget_authorizations
delete from calendar_authorizations where business_id = %(business_id)s and expires_at <= clock_timestamp();

-- name: take_authorization
delete from calendar_authorizations
 where business_id = %(business_id)s and state_hash = %(state_hash)s and actor_id = %(actor_id)s
returning id, resource_id, verifier, redirect_uri, expires_at > clock_timestamp() as in_time;

-- name: overview
select c.id, c.resource_id, c.provider, c.state, c.account, c.address, c.error_code, c.created_at, c.connected_at,
       (select count(*) from calendar_events e
          join calendars k on k.business_id = e.business_id and k.id = e.calendar_id
         where e.business_id = c.business_id and k.connection_id = c.id and e.next_attempt_at is not null
       ) as exports_waiting
  from calendar_connections c
 where c.business_id = %(business_id)s
   and (%(at)s::timestamptz is null or (c.created_at, c.id) > (%(at)s::timestamptz, %(last)s::uuid))
 order by c.created_at, c.id
 limit %(limit)s;

-- name: calendars_in_overview
select k.id, k.connection_id, k.name, k.timezone, k.access, k.blocks, k.exports, k.next_sync_at, k.last_attempt_at,
       k.last_success_at, k.failures, k.error_code, k.events_seen,
       extract(epoch from statement_timestamp() - k.last_success_at)::float8 as lag_seconds,
       extract(epoch from statement_timestamp() - coalesce(k.last_success_at, c.connected_at))::float8 as unknown_seconds,
       (select max(h.expires_at) from calendar_channels h
         where h.business_id = k.business_id and h.calendar_id = k.id and h.remote_resource is not null
           and h.expires_at > statement_timestamp()) as told_until
  from calendars k
  join calendar_connections c on c.business_id = k.business_id and c.id = k.connection_id
 where k.business_id = %(business_id)s and k.connection_id = any (%(connection_ids)s::uuid[])
 order by k.id;

-- name: calendar_figures
select provider, connected, needs_reconnect, stopped, lag_seconds, last_success, exports_waiting, oldest_export_seconds
  from calendar_figures();
