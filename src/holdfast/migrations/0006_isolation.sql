-- The wall between tenants around the tables that stood before it: those of identity and plumbing (D-9).
-- depends: 0005_privacy

-- To go back to the release before, whose servers do not say for whom they ask, disable row-level security on each
-- isolated table; the rows are untouched by it.

-- The tenants themselves: what finds one by its name stands in identity/entrances.sql.
alter table businesses enable row level security;
alter table businesses force row level security;
create policy tenant on businesses using (id = current_business()) with check (id = current_business());

select isolate('api_keys');
select isolate('audit_log');
select isolate('outbox_events');
select isolate('idempotency_keys');

-- To find whose key a call shows.
grant select (business_id, id, role, secret_hash, last_used_at, revoked_at) on api_keys to holdfast_admission;
