-- A capacity is carried into claims and services by triggers: a cluster spread by tenant refuses keys that do it.
-- depends: 0391_former_resources

-- Runs as the owner of the schema, as what a foreign key does by itself.
create function carry_capacity() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update claims set capacity = new.capacity
     where business_id = old.business_id and resource_id = old.id and capacity = old.capacity;
    update services set max_simultaneous_bookings = new.capacity
     where business_id = old.business_id and pool_id = old.id and max_simultaneous_bookings = old.capacity;
    return null;
end $$;

-- Triggers fire in the order of their names: this one before those of the foreign keys, which begin with RI_.
create trigger "A_carry_capacity" after update of capacity on resources
    for each row when (old.capacity is distinct from new.capacity) execute function carry_capacity();

alter table claims
    -- squawk-ignore ban-drop-constraint
    drop constraint claims_resource,
    add constraint claims_resource foreign key (business_id, resource_id, capacity)
        references resources (business_id, id, capacity) not valid;

alter table services
    -- squawk-ignore ban-drop-constraint
    drop constraint services_pool,
    add constraint services_pool foreign key (business_id, pool_id, max_simultaneous_bookings)
        references resources (business_id, id, capacity) not valid;
