-- The rows that were there before are found to be as the keys say.
-- depends: 0392_capacity_followers

alter table claims validate constraint claims_resource;
alter table services validate constraint services_pool;
