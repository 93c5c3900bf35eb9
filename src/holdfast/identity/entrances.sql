-- How a call finds the business for which it is, before it is bound to it: each function answers one exact question with
-- what anybody may know, or what proves a caller. They run as holdfast_admission and are replaced as a whole by each
-- `holdfast migrate`.

create or replace function business_by_slug(p_slug text) returns table (
    id uuid, slug text, name text, timezone text, currency text, locale text, catalog_version bigint
)
language sql stable security definer set search_path = public, pg_temp as $$
    select b.id, b.slug, b.name, b.timezone, b.currency, b.locale, b.catalog_version
      from businesses b where b.slug = p_slug
$$;

create or replace function business_by_id(p_business_id uuid) returns table (
    id uuid, slug text, name text, timezone text, currency text, locale text, catalog_version bigint
)
language sql stable security definer set search_path = public, pg_temp as $$
    select b.id, b.slug, b.name, b.timezone, b.currency, b.locale, b.catalog_version
      from businesses b where b.id = p_business_id
$$;

-- No row when there are several: nobody learns of a tenant whom they cannot name.
create or replace function only_business() returns table (
    id uuid, slug text, name text, timezone text, currency text, locale text, catalog_version bigint
)
language sql stable security definer set search_path = public, pg_temp as $$
    select b.id, b.slug, b.name, b.timezone, b.currency, b.locale, b.catalog_version
      from businesses b where (select count(*) from (select from businesses limit 2) counted) = 1
$$;

-- Whether there is any business: a server without one is set up by whoever runs it.
create or replace function any_business() returns boolean
language sql stable security definer set search_path = public, pg_temp as $$
    select exists (select from businesses)
$$;

-- Whose key it is, and what proves it; without its name.
create or replace function api_key_by_id(p_id uuid) returns table (
    business_id uuid, role text, secret_hash bytea, is_revoked boolean, is_unnoted boolean
)
language sql stable security definer set search_path = public, pg_temp as $$
    select k.business_id, k.role, k.secret_hash, k.revoked_at is not null,
           (k.last_used_at < statement_timestamp() - interval '1 minute') is not false
      from api_keys k where k.id = p_id
$$;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace
                and p.proname in ('business_by_slug', 'business_by_id', 'only_business', 'any_business', 'api_key_by_id')
    loop
        execute format('alter function %s owner to holdfast_admission', f);
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to holdfast_app', f);
    end loop;
end $$;
