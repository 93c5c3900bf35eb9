-- What the doctor asks a database, which may be anybody's and in any state.

-- name: server
select current_setting('server_version_num')::integer as version, current_setting('server_version') as version_text,
       current_setting('server_encoding') as encoding, current_database() as database,
       pg_database_size(current_database()) as size_bytes,
       pg_backend_pid() as backend, current_user as role, r.rolsuper or r.rolbypassrls as sees_all,
       (select array_agg(extname::text) from pg_extension) as extensions
  from pg_roles r where r.rolname = current_user;

-- name: settings
-- What durability and connections depend on.
select name, setting from pg_settings
 where name in ('fsync', 'full_page_writes', 'synchronous_commit', 'max_connections', 'reserved_connections',
                'superuser_reserved_connections');

-- name: connections
select count(*) from pg_stat_activity where backend_type = 'client backend';

-- name: clock
select extract(epoch from clock_timestamp())::float8;

-- name: roles
-- A role that may do what the owner may is not held back by being another one.
select rolname as name, rolcanlogin as logs_in, rolsuper as is_super, rolbypassrls as bypasses,
       rolcreaterole or rolcreatedb as creates,
       rolname <> 'holdfast_owner' and to_regrole('holdfast_owner') is not null
           and pg_has_role(oid, to_regrole('holdfast_owner'), 'usage') as owns
  from pg_roles where rolname in ('holdfast_owner', 'holdfast_admission', 'holdfast_app');

-- name: swept_seconds_ago
select extract(epoch from clock_timestamp() - finished_at)::float8 from heartbeats where job = 'cleanup-reservations';

-- name: plain_contacts
select count(*) from bookings where contact_plain;

-- name: zones
-- Each zone that somebody's opening hours or programs are in.
select timezone as zone, 'business ' || slug as place from businesses
union all
select r.timezone, 'resource ' || r.slug || ' of ' || b.slug from resources r join businesses b on b.id = r.business_id
 where r.timezone is not null
union all
select p.timezone, 'program ' || p.slug || ' of ' || b.slug from programs p join businesses b on b.id = p.business_id
 where p.timezone is not null
order by 1, 2;

-- name: coming_bookings
-- Each booking that will take place, with the zones of its place and of its client, and when its time was agreed on:
-- at the last move, or else when it was first held. The place is the first thing that the service requires.
select b.id, business.slug as business, b.starts_at, b.timezone as client_zone,
       coalesce(program.timezone, place.timezone, business.timezone) as zone,
       coalesce(moved.at, b.held_at) as agreed_at
  from bookings b
  join businesses business on business.id = b.business_id
  left join program_schedules s on s.business_id = b.business_id and s.id = b.schedule_id
  left join programs program on program.business_id = b.business_id and program.id = s.program_id
  left join lateral (
      select r.timezone from claims c
        join service_resources needed on needed.business_id = c.business_id and needed.service_id = b.service_id
                                     and needed.resource_id = c.resource_id
        join resources r on r.business_id = c.business_id and r.id = c.resource_id
       where c.business_id = b.business_id and c.booking_id = b.id
       order by needed.requirement limit 1
  ) place on b.service_id is not null
  left join lateral (
      select max(a.occurred_at) as at from audit_log a
       where a.business_id = b.business_id and a.aggregate_id = b.id and a.action = 'reschedule'
  ) moved on true
 where b.starts_at > now() and b.state in ('held', 'pending_payment', 'confirmed')
   and (b.state <> 'held' or b.expires_at > now())
 order by b.starts_at, b.id;

-- name: zone_records
-- In order of time, of the zones that are asked for.
select zone, in_force_from, tzdata_version, changes from zone_records
 where zone = any (%(zones)s::text[]) order by zone, in_force_from;

-- name: calendar_connections
select business_id, id from calendar_connections order by created_at, id;

-- name: calendar_channels
-- Of each calendar the one that ends last; the provider tells of its beginning at once.
select distinct on (calendar_id) calendar_id,
       last_message_at is null and created_at < now() - make_interval(secs => %(seconds)s) as silent
  from calendar_channels where expires_at > now() and remote_resource is not null
 order by calendar_id, expires_at desc;

-- name: unpayable_offerings
select b.id as business_id, b.slug, count(*)::int as offerings
  from businesses b
  join (select business_id from services where active and payment_policy = 'prepay' and price_minor > 0
        union all
        select business_id from programs where active and payment_policy = 'prepay' and price_minor > 0) offered
    on offered.business_id = b.id
 where not exists (select from payment_accounts a where a.business_id = b.id and a.active)
 group by b.id, b.slug order by b.slug;

-- name: payment_accounts
-- Those that take new payments, or have some to bring to their end.
select a.business_id, a.id,
       exists (select from payments p
                where p.business_id = a.business_id and p.account_id = a.id
                  and p.state in ('authorized', 'succeeded', 'cancelled')
                  and p.changed_at < now() - make_interval(secs => %(seconds)s))
       and not exists (select from webhook_events e
                        where e.business_id = a.business_id and e.provider = a.provider
                          and e.received_at >= a.created_at) as silent
  from payment_accounts a
 where a.active
    or exists (select from payments p
                where p.business_id = a.business_id and p.account_id = a.id and p.next_attempt_at is not null)
 order by a.created_at, a.id;
