-- What monitors ask of the calendars of all tenants. The function runs as holdfast_admission and is replaced as a whole
-- by each `holdfast migrate`.

-- By provider. A calendar in use that was never seen has been waiting since its connection was made; the calendars of a
-- connection that waits for its owner count as well, since nothing of them is seen. It tells more than it once did, which
-- no replacement may.
drop function if exists calendar_figures();
create function calendar_figures() returns table (
    provider text, connected bigint, needs_reconnect bigint, stopped bigint, lag_seconds float8, last_success float8,
    exports_waiting bigint, oldest_export_seconds float8
)
language sql stable security definer set search_path = public, pg_temp as $$
    select c.provider, count(*) filter (where c.state = 'connected'),
           count(*) filter (where c.state = 'needs_reconnect'), count(*) filter (where c.state = 'stopped'),
           extract(epoch from statement_timestamp() - min(seen.oldest))::float8,
           extract(epoch from max(seen.newest))::float8, coalesce(sum(waiting.events), 0)::bigint,
           coalesce(extract(epoch from statement_timestamp() - min(waiting.oldest)), 0)::float8
      from calendar_connections c
     cross join lateral (
            select min(coalesce(k.last_success_at, c.created_at)) as oldest, max(k.last_success_at) as newest
              from calendars k
             where k.business_id = c.business_id and k.connection_id = c.id and (k.blocks or k.exports)) seen
     cross join lateral (
            select count(*) as events,
                   min(e.next_attempt_at) filter (where e.next_attempt_at <= statement_timestamp()) as oldest
              from calendars k
              join calendar_events e on e.business_id = k.business_id and e.calendar_id = k.id
             where k.business_id = c.business_id and k.connection_id = c.id and e.next_attempt_at is not null) waiting
     group by c.provider
$$;

alter function calendar_figures owner to holdfast_admission;
revoke all on function calendar_figures from public;
grant execute on function calendar_figures to holdfast_app;
