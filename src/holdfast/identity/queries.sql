-- Statements about businesses.

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
