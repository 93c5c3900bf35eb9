-- What row-level security would hide, or make slow, and the servers need: what jobs and monitors ask of all tenants at
-- once, and reads of what overlaps a range. `&&` may not look at rows before a policy has, so that under one it finds
-- them by no index; so the latter look themselves whether the tenant is the one of the transaction. These functions run as
-- holdfast_admission and are replaced as a whole by each `holdfast migrate`.

-- Whose schedules the worker lays out.
create or replace function businesses_with_programs() returns setof uuid
language sql stable security definer set search_path = public, pg_temp as $$
    select distinct business_id from programs order by business_id
$$;

-- Who has somebody that waits or considers an offer, in order of id from a position on, so many at a time. From business to
-- business: of each only the first row is read.
create or replace function businesses_waited_for(p_after uuid, p_limit integer) returns setof uuid
language sql stable security definer set search_path = public, pg_temp as $$
    with recursive found as (
        (select r.business_id, 1 as n from waitlist_requests r
          where r.state in ('waiting', 'offered') and (p_after is null or r.business_id > p_after)
          order by r.business_id limit 1)
        union all
        select (select r.business_id from waitlist_requests r
                 where r.state in ('waiting', 'offered') and r.business_id > f.business_id
                 order by r.business_id limit 1), f.n + 1
          from found f where f.business_id is not null and f.n < p_limit
    )
    select business_id from found where business_id is not null
$$;

-- Keys are kept for 90 days, those of the guard for a day (B-9, B-10); oldest first, so many at a time. Returns how many.
create or replace function forget_keys(p_limit integer) returns bigint
language sql security definer set search_path = public, pg_temp as $$
    with forgotten as (
        delete from idempotency_keys
         where (business_id, key) in (
             select business_id, key from idempotency_keys
              where created_at < statement_timestamp()
                                 - case when operation = 'guard' then interval '1 day' else interval '90 days' end
              order by created_at limit p_limit)
        returning 1
    )
    select count(*) from forgotten
$$;

-- Counts of all tenants together, for health and metrics: no tenant is told from another. It has got more of them since,
-- and a function keeps the columns of its answer unless it is dropped.
drop function if exists hold_figures();
create function hold_figures(
    out active bigint, out spent bigint, out oldest_seconds float8, out sweep_lag_seconds float8,
    out awaiting bigint, out unpaid bigint, out deviations bigint,
    out held bigint, out confirmed bigint, out expired bigint, out released bigint
)
language sql stable security definer set search_path = public, pg_temp as $$
    select (select count(*) from bookings where state = 'held' and expires_at > statement_timestamp()),
           (select count(*) from bookings where state = 'held' and expires_at <= statement_timestamp()),
           (select extract(epoch from statement_timestamp() - min(held_at))::float8 from bookings where state = 'held'),
           (select greatest(coalesce(extract(epoch from statement_timestamp() - min(expires_at)), 0), 0)::float8
              from bookings where state = 'held'),
           (select count(*) from bookings where state = 'pending_payment' and expires_at > statement_timestamp()),
           (select count(*) from bookings where state = 'pending_payment' and expires_at <= statement_timestamp()),
           (select count(*) from schedule_deviations where kind <> 'closed' and starts_at > statement_timestamp()),
           made.*
      from (select lpad(to_hex((extract(epoch from statement_timestamp() - interval '24 hours') * 1000)::bigint),
                        12, '0') as hex) since,
           -- Ids grow with time (UUID version 7), so their index finds the bookings of the last day.
           lateral (select count(*), count(confirmed_at), count(*) filter (where state = 'expired'),
                           count(*) filter (where state = 'released') from bookings
                     where id >= (substr(hex, 1, 8) || '-' || substr(hex, 9) || '-7000-8000-000000000000')::uuid) made
$$;

-- What occupies a resource in a range, but for one block; a hold that has run out occupies nothing (B-4).
create or replace function taken_by(
    p_business_id uuid, p_resource_id uuid, p_from timestamptz, p_to timestamptz, p_without uuid
) returns table (kind text, id uuid, starts_at timestamptz, ends_at timestamptz)
language sql stable security definer set search_path = public, pg_temp as $$
    select distinct case when c.block_id is not null then 'block' when c.schedule_id is not null then 'schedule'
                         when b.state = 'held' then 'reservation' else 'appointment' end,
           coalesce(c.booking_id, c.schedule_id, c.block_id),
           coalesce(b.starts_at, s.starts_at, lower(k.during)),
           coalesce(b.ends_at, s.ends_at, upper(k.during))
      from claims c
      left join bookings b on b.business_id = c.business_id and b.id = c.booking_id
      left join program_schedules s on s.business_id = c.business_id and s.id = c.schedule_id
      left join blocks k on k.business_id = c.business_id and k.id = c.block_id
     where c.business_id = p_business_id and c.resource_id = p_resource_id
       and p_business_id = current_business()
       and c.during && tstzrange(p_from, p_to)
       and c.block_id is distinct from p_without
       and not (b.id is not null and b.state in ('held', 'pending_payment') and b.expires_at <= clock_timestamp())
     order by 3, 2 limit 100
$$;

-- The first resource of each wish that somebody has at that time, and whether a claim or an outside calendar says so.
-- The arrays run in parallel: the number of the wish, a resource that it needs, its time.
create or replace function occupied_among(
    p_business_id uuid, p_numbers integer[], p_resources uuid[], p_starts timestamptz[], p_ends timestamptz[]
) returns table (n integer, resource_id uuid, kind text)
language sql stable security definer set search_path = public, pg_temp as $$
    select distinct on (wish.n) wish.n, wish.resource_id, found.kind
      from unnest(p_numbers, p_resources, p_starts, p_ends) as wish (n, resource_id, starts_at, ends_at)
     cross join lateral (
            (select 'taken' as kind from claims c
              where c.business_id = p_business_id and c.resource_id = wish.resource_id
                and c.during && tstzrange(wish.starts_at, wish.ends_at) limit 1)
            union all
            (select 'busy' from calendar_busy_intervals i
              where i.business_id = p_business_id and i.resource_id = wish.resource_id
                and i.during && tstzrange(wish.starts_at, wish.ends_at) limit 1)) found
     where p_business_id = current_business()
     order by wish.n, wish.resource_id, found.kind desc
$$;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace
                and p.proname in ('businesses_with_programs', 'businesses_waited_for', 'forget_keys', 'hold_figures',
                                  'taken_by', 'occupied_among')
    loop
        execute format('alter function %s owner to holdfast_admission', f);
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to holdfast_app', f);
    end loop;
end $$;
