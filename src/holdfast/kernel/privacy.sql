-- name: act_for
select set_config('holdfast.business', %(business_id)s, true);

-- name: tenant_keys
-- How soon each is in use is told on the clock of the database, as an interval: clocks of servers differ.
select purpose, generation, wrapped, refresh_seconds,
       greatest(0, extract(epoch from active_from - clock_timestamp()))::float8 as active_in_seconds
  from tenant_keys where business_id = %(business_id)s;

-- name: any_tenant_key
select business_id, purpose, generation, wrapped from tenant_keys limit 1;

-- name: add_tenant_key
-- The first to make a key of a tenant wins; the others take his. A second generation clashes instead.
insert into tenant_keys (business_id, purpose, generation, wrapped, active_from, refresh_seconds)
values (%(business_id)s, %(purpose)s, %(generation)s::integer, %(wrapped)s,
        clock_timestamp() + make_interval(secs => %(active_in)s::float8), %(refresh_seconds)s::integer)
on conflict (business_id, purpose, generation) do nothing;

-- name: tell_refresh
update tenant_keys set refresh_seconds = %(refresh_seconds)s::integer
 where business_id = %(business_id)s and purpose = 'data' and refresh_seconds < %(refresh_seconds)s::integer;

-- name: lock_data_keys
-- Whoever tells their time just now has told it when this returns, and whoever tells it later sees what is made under it.
select refresh_seconds from tenant_keys
 where business_id = %(business_id)s and purpose = 'data' order by generation for no key update;
