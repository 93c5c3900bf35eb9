-- What looks at all tenants at once: the log of events, what is due, what is forgotten.

-- Numbers what has happened and is not in the log yet, in the order of its time, and puts it on its way to the endpoints
-- that want it. Returns how many events that were, and where the page ended.
create or replace function log_events(
    p_since timestamptz, p_after_at timestamptz, p_after_id uuid, p_limit integer
) returns table (found bigint, last_at timestamptz, last_id uuid)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- One after the other: a number is seen only when those before it are.
    perform pg_advisory_xact_lock(hashtextextended('holdfast log_events', 0));
    return query
    with page as materialized (
        select e.business_id, e.id, e.aggregate_id, e.version, e.type, e.occurred_at
          from outbox_events e
         where e.occurred_at >= p_since
           and (p_after_at is null or (e.occurred_at, e.id) > (p_after_at, p_after_id))
           and not exists (select from event_log l where l.business_id = e.business_id
                                                     and l.aggregate_id = e.aggregate_id and l.version = e.version)
         order by e.occurred_at, e.id limit p_limit
    ), counted as materialized (
        select b.business_id, coalesce((select max(l.number) from event_log l where l.business_id = b.business_id), 0)
                              as last_number
          from (select distinct p.business_id from page p) b
    ), numbered as materialized (
        select p.*, c.last_number + row_number() over (partition by p.business_id order by p.occurred_at, p.id) as number
          from page p join counted c on c.business_id = p.business_id
    ), logged as (
        insert into event_log (business_id, number, aggregate_id, version)
        select n.business_id, n.number, n.aggregate_id, n.version from numbered n
    ), wanting as materialized (
        -- Whoever disables one meanwhile finds what is on its way to it.
        select w.business_id, w.id, w.types from webhook_endpoints w
         where w.state = 'active' and w.business_id in (select c.business_id from counted c)
         order by w.business_id, w.id
           for share
    ), told as (
        insert into webhook_deliveries (business_id, endpoint_id, event_number, type, next_attempt_at)
        select n.business_id, w.id, n.number, n.type, statement_timestamp()
          from numbered n
          join wanting w on w.business_id = n.business_id and (w.types is null or n.type = any (w.types))
    )
    select count(*), max(n.occurred_at), (array_agg(n.id order by n.occurred_at desc, n.id desc))[1] from numbered n;
end $$;

-- What is due, that which has waited longest first; of one endpoint so many at most, and of one that fails a single one,
-- behind all that is likelier to arrive: many that let connections hang leave room for others.
create or replace function webhook_deliveries_due(p_limit integer, p_of_one integer)
returns table (business_id uuid, id uuid, endpoint_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select d.business_id, d.id, d.endpoint_id
      from webhook_endpoints e
     cross join lateral (select w.business_id, w.id, w.endpoint_id, w.next_attempt_at
                           from webhook_deliveries w
                          where w.business_id = e.business_id and w.endpoint_id = e.id and w.state = 'pending'
                            and w.next_attempt_at <= statement_timestamp()
                          order by w.next_attempt_at
                          limit case when e.failing_since is null then p_of_one else 1 end) d
     where e.state = 'active'
     order by e.failing_since is not null, d.next_attempt_at, d.id limit p_limit
$$;

-- Forgets what came of deliveries that ended so many days ago, up to so many; returns how many.
create or replace function forget_webhook_deliveries(p_days integer, p_limit integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_count integer;
begin
    delete from webhook_deliveries w
     using (select d.business_id, d.id from webhook_deliveries d
             where d.ended_at < statement_timestamp() - make_interval(days => p_days)
             order by d.ended_at limit p_limit) old
     where w.business_id = old.business_id and w.id = old.id;
    get diagnostics v_count = row_count;
    return v_count;
end $$;

-- Forgets the secrets that sign no more; returns how many.
create or replace function forget_former_webhook_secrets() returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_count integer;
begin
    update webhook_endpoints set former_secret = null, former_until = null where former_until < statement_timestamp();
    get diagnostics v_count = row_count;
    return v_count;
end $$;

create or replace function webhook_figures()
returns table (pending bigint, oldest_seconds float8, failing bigint, disabled bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select (select count(*) from webhook_deliveries d where d.state = 'pending'),
           (select coalesce(extract(epoch from statement_timestamp() - min(d.queued_at)), 0)::float8
              from webhook_deliveries d where d.state = 'pending'),
           count(*) filter (where e.state = 'active' and e.failing_since is not null),
           count(*) filter (where e.state = 'disabled' and e.reason <> 'staff')
      from webhook_endpoints e
$$;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace
                and p.proname in ('log_events', 'webhook_deliveries_due', 'forget_webhook_deliveries',
                                  'forget_former_webhook_secrets', 'webhook_figures')
    loop
        execute format('alter function %s owner to holdfast_admission', f);
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to holdfast_app', f);
    end loop;
end $$;
