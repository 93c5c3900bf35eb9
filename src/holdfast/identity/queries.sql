-- Statements about businesses and the keys of their staff.

-- name: add_business
-- No row when somebody else has the slug, whoever that is.
insert into businesses (id, slug, name, timezone, currency, locale)
values (%(id)s, %(slug)s, %(name)s, %(timezone)s, %(currency)s, %(locale)s)
on conflict (slug) do nothing
returning id, slug, name, timezone, currency, locale, catalog_version;

-- name: raise_catalog_version
update businesses set catalog_version = catalog_version + 1 where id = %(id)s;

-- name: change_business
-- Zone, currency and name are part of what requests are checked against, so they raise the catalog version, too.
update businesses
   set name = %(name)s, timezone = %(timezone)s, currency = %(currency)s, locale = %(locale)s,
       catalog_version = catalog_version + 1
 where id = %(id)s
   and (name, timezone, currency, locale)
       is distinct from (%(name)s::text, %(timezone)s::text, %(currency)s::text, %(locale)s::text);

-- name: business_by_slug
select id, slug, name, timezone, currency, locale, catalog_version from business_by_slug(%(slug)s::text);

-- name: business_by_id
select id, slug, name, timezone, currency, locale, catalog_version from business_by_id(%(id)s::uuid);

-- name: own_business
select id, slug, name, timezone, currency, locale, catalog_version from businesses where id = %(id)s;

-- name: lock_business
select id, slug, name, timezone, currency, locale, catalog_version from businesses where id = %(id)s
   for no key update;

-- name: only_business
select id, slug, name, timezone, currency, locale, catalog_version from only_business();

-- name: any_business
select any_business();

-- name: await_setup
-- One at a time: whoever comes second finds what the first one has made.
select pg_advisory_xact_lock(hashtextextended('holdfast setup', 0));

-- name: has_staff
-- Whoever was of staff once: a deactivated one may have been left on purpose.
select exists (select from users u
                 join user_roles r on r.business_id = u.business_id and r.user_id = u.id and r.role <> 'client'
                where u.business_id = %(business_id)s);

-- name: add_key
insert into api_keys (business_id, id, role, name, secret_hash)
values (%(business_id)s, %(id)s, %(role)s, %(name)s, %(hash)s)
returning id, role, name, created_at, last_used_at, revoked_at;

-- name: keys_of
select id, role, name, created_at, last_used_at, revoked_at from api_keys
 where business_id = %(business_id)s order by created_at, id;

-- name: find_key
select id, role, name, created_at, last_used_at, revoked_at from api_keys
 where business_id = %(business_id)s and id = %(id)s;

-- name: key_by_id
-- The one question about keys that is asked before the business is known.
select business_id, role, secret_hash, is_revoked, is_unnoted from api_key_by_id(%(id)s::uuid);

-- name: note_use
-- Asked again here, so that of many calls at once one writes.
update api_keys set last_used_at = statement_timestamp()
 where business_id = %(business_id)s and id = %(id)s
   and (last_used_at < statement_timestamp() - interval '1 minute') is not false;

-- name: revoke_key
update api_keys set revoked_at = statement_timestamp()
 where business_id = %(business_id)s and id = %(id)s and revoked_at is null;

-- name: is_staff
select exists (select from api_keys where business_id = %(business_id)s and id = %(id)s and revoked_at is null)
    or exists (select from users u
                 join user_roles r on r.business_id = u.business_id and r.user_id = u.id and r.role <> 'client'
                where u.business_id = %(business_id)s and u.id = %(id)s and u.deactivated_at is null);

-- name: names_of_staff
select u.id, u.name as sealed, null as name from users u
 where u.business_id = %(business_id)s and u.id = any (%(ids)s::uuid[])
union all
select k.id, null, k.name from api_keys k where k.business_id = %(business_id)s and k.id = any (%(ids)s::uuid[]);
