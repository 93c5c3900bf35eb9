-- What the worker asks of the calendars of all tenants at once, whose a message of a provider is, and which bookings
-- overlap ranges, which under a policy no index finds. The functions run as holdfast_admission and are replaced as a
-- whole by each `holdfast migrate`.

-- Calendars at which somebody has to look now, and nobody does; those that have waited longest first.
create or replace function calendars_due(p_limit integer) returns table (business_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select k.business_id, k.id
      from calendars k
      join calendar_connections c on c.business_id = k.business_id and c.id = k.connection_id
     where (k.blocks or k.exports)
       and k.next_sync_at <= statement_timestamp()
       and (k.leased_until is null or k.leased_until <= statement_timestamp())
       and c.state = 'connected'
     order by k.next_sync_at
     limit p_limit
$$;

-- Calendars of Google without a channel that lasts long enough, or with one more than they need. A channel is replaced
-- when a quarter of its time is left, at most half a day; a job that runs every ten minutes has two tries at least.
create or replace function calendars_to_watch(p_limit integer)
returns table (business_id uuid, id uuid, lasts boolean)
language sql volatile security definer set search_path = public, pg_temp as $$
    select k.business_id, k.id, channels.lasts
      from calendars k
      join calendar_connections c on c.business_id = k.business_id and c.id = k.connection_id
     cross join lateral (
            select count(*) filter (where h.remote_resource is not null) as granted,
                   coalesce(bool_or(h.expires_at - statement_timestamp()
                                    > greatest(interval '20 minutes',
                                               least(interval '12 hours', (h.expires_at - h.created_at) / 4))),
                            false) as lasts
              from calendar_channels h where h.business_id = k.business_id and h.calendar_id = k.id) channels
     where (k.blocks or k.exports) and k.access <> 'free_busy'
       and c.state = 'connected' and c.provider = 'google'
       and (not channels.lasts or channels.granted > 1)
     -- Those that cannot be watched for long keep no other from its turn.
     order by random()
     limit p_limit
$$;

-- Whose channel it is, and what proves who tells.
create or replace function channel_by_id(p_id uuid) returns table (
    business_id uuid, calendar_id uuid, token_hash bytea
)
language sql stable security definer set search_path = public, pg_temp as $$
    select h.business_id, h.calendar_id, h.token_hash from calendar_channels h where h.id = p_id
$$;

-- Bookings of services to come that are over a time of an event. The arrays run in parallel: key and time of an event.
create or replace function bookings_under(
    p_business_id uuid, p_resource_id uuid, p_keys bytea[], p_starts timestamptz[], p_ends timestamptz[]
) returns table (event_key bytea, starts_at timestamptz, ends_at timestamptz, booking_id uuid, version integer)
language sql stable security definer set search_path = public, pg_temp as $$
    select distinct event.event_key, event.starts_at, event.ends_at, b.id, b.version
      from unnest(p_keys, p_starts, p_ends) as event (event_key, starts_at, ends_at)
     cross join lateral (
            select c.booking_id from claims c
             where c.business_id = p_business_id and c.resource_id = p_resource_id and c.booking_id is not null
               and c.during && tstzrange(event.starts_at, event.ends_at) offset 0) taken
      join bookings b on b.business_id = p_business_id and b.id = taken.booking_id
     where p_business_id = current_business()
       and event.ends_at > statement_timestamp() and b.ends_at > statement_timestamp()
       and (b.state = 'confirmed'
            or b.state in ('held', 'pending_payment') and b.expires_at > statement_timestamp())
     order by b.id, event.starts_at, event.event_key
$$;

-- Bookings of services that have a resource now or later.
create or replace function bookings_to_come(p_business_id uuid, p_resource_id uuid) returns setof uuid
language sql stable security definer set search_path = public, pg_temp as $$
    select c.booking_id from claims c
     where c.business_id = p_business_id and c.resource_id = p_resource_id and c.booking_id is not null
       and p_business_id = current_business() and c.during && tstzrange(statement_timestamp(), null)
$$;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace
                and p.proname in ('calendars_due', 'calendars_to_watch', 'channel_by_id', 'bookings_under',
                                  'bookings_to_come')
    loop
        execute format('alter function %s owner to holdfast_admission', f);
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to holdfast_app', f);
    end loop;
end $$;
