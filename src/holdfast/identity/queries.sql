-- Statements about businesses and the keys of their staff.

-- name: put_business
-- Locks the row also when there is nothing to change, so that two imports of one business run one after the other.
-- Zone, currency and name are part of what requests are checked against, so they raise the catalog version, too.
insert into businesses (slug, name, timezone, currency, locale)
values (%(slug)s, %(name)s, %(timezone)s, %(currency)s, %(locale)s)
on conflict (slug) do update
   set name = excluded.name, timezone = excluded.timezone, currency = excluded.currency, locale = excluded.locale,
       catalog_version = businesses.catalog_version + 1
 where (businesses.name, businesses.timezone, businesses.currency, businesses.locale)
       is distinct from (excluded.name, excluded.timezone, excluded.currency, excluded.locale);

-- name: business_by_slug
select id, slug, name, timezone, currency, locale, catalog_version from businesses where slug = %(slug)s;

-- name: business_by_id
select id, slug, name, timezone, currency, locale, catalog_version from businesses where id = %(id)s;

-- name: lock_business
select id, slug, name, timezone, currency, locale, catalog_version from businesses where id = %(id)s
   for no key update;

-- name: two_businesses
select id, slug, name, timezone, currency, locale, catalog_version from businesses order by id limit 2;

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
select business_id, role, secret_hash, revoked_at,
       (last_used_at < statement_timestamp() - interval '1 minute') is not false as unnoted
  from api_keys where id = %(id)s;

-- name: note_use
-- Asked again here, so that of many calls at once one writes.
update api_keys set last_used_at = statement_timestamp()
 where business_id = %(business_id)s and id = %(id)s
   and (last_used_at < statement_timestamp() - interval '1 minute') is not false;

-- name: revoke_key
update api_keys set revoked_at = statement_timestamp()
 where business_id = %(business_id)s and id = %(id)s and revoked_at is null;
