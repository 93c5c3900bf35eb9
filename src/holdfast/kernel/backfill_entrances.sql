-- What the worker asks of all tenants when it goes through their rows (kernel/backfills.py). Runs as holdfast_admission
-- and is replaced as a whole by each `holdfast migrate`.

-- A business and the one behind it, in order of ids: the first two at or behind an id.
create or replace function businesses_from(p_id uuid) returns setof uuid
language sql stable security definer set search_path = public, pg_temp as $$
    select b.id from businesses b where b.id >= p_id order by b.id limit 2
$$;
alter function businesses_from(uuid) owner to holdfast_admission;
revoke all on function businesses_from(uuid) from public;
grant execute on function businesses_from(uuid) to holdfast_app;
