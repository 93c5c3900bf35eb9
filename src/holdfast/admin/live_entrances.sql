-- What the follower of the outbox asks: of several tenants at once, and nothing but what kind of thing has changed. Replaced
-- as a whole by each `holdfast migrate`.

-- What has happened at these businesses in the last seconds, the latest first.
create or replace function facts_lately(p_businesses uuid[], p_seconds integer, p_limit integer)
returns table (business_id uuid, id uuid, aggregate_id uuid, type text)
language sql stable security definer set search_path = public, pg_temp as $$
    select e.business_id, e.id, e.aggregate_id, e.type
      from outbox_events e
     where e.occurred_at >= statement_timestamp() - make_interval(secs => p_seconds)
       and e.business_id = any (p_businesses)
     order by e.occurred_at desc, e.id desc
     limit p_limit
$$;

alter function facts_lately(uuid[], integer, integer) owner to holdfast_admission;
revoke all on function facts_lately(uuid[], integer, integer) from public;
grant execute on function facts_lately(uuid[], integer, integer) to holdfast_app;
