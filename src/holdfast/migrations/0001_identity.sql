-- Businesses: the tenants. Every other table of a tenant carries business_id first in its keys.
-- depends: nothing

create table businesses (
    id uuid primary key default uuidv7(),
    slug text not null,
    name text not null,
    timezone text not null,
    currency text not null,
    locale text not null default 'en',
    -- Raised by triggers whenever services, resources, rules or programs change. Admission compares it with the
    -- version that a request was checked against, so that no process admits by rules that have changed elsewhere.
    catalog_version bigint not null default 1,
    created_at timestamptz not null default now(),
    constraint businesses_slug unique (slug),
    constraint businesses_slug_shape check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 63),
    constraint businesses_currency_shape check (currency ~ '^[A-Z]{3}$')
);

grant select, insert, update on businesses to holdfast_app;
grant select on businesses to holdfast_admission;
