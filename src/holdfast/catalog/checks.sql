-- What must be true of resources, services and programs, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: pools_carry_the_limit_of_their_service
-- Invariant 1: the limit of simultaneous bookings of a service is the capacity of its pool, or nothing keeps it. The
-- ids are the service and its pool.
select v.business_id, array_remove(array[v.id::text, v.pool_id::text], null) as ids,
       concat('service ', v.id, ' allows ', coalesce(v.max_simultaneous_bookings::text, 'any number of'),
              ' simultaneous bookings, but ',
              case when v.pool_id is null then 'has no pool'
                   else concat('its pool ', v.pool_id, ' has a capacity of ', r.capacity) end) as problem
  from services v
  left join resources r on r.business_id = v.business_id and r.id = v.pool_id
 where (v.pool_id is null) <> (v.max_simultaneous_bookings is null)
    or v.max_simultaneous_bookings <> r.capacity;

-- name: catalog_refers_to_its_own_business
-- Invariant 9: what services, programs and schedules refer to exists in their own business, and that exists too. The
-- ids are the row that refers (of a row without an id the other side of it) and the row that it refers to.
with referring as (
    select v.business_id, 'service' as source, v.id::text as id, 'resource' as kind, v.pool_id as target_id
      from services v where v.pool_id is not null
    union all
    select s.business_id, 'requirement of a service', s.resource_id::text, 'service', s.service_id
      from service_resources s
    union all
    select s.business_id, 'requirement of service', s.service_id::text, 'resource', s.resource_id
      from service_resources s
    union all
    select p.business_id, 'weekly rule', concat('weekday ', p.weekday, ' at ', p.starts), 'program', p.program_id
      from program_rules p
    union all
    select p.business_id, 'requirement of a program', p.resource_id::text, 'program', p.program_id
      from program_resources p
    union all
    select p.business_id, 'requirement of program', p.program_id::text, 'resource', p.resource_id
      from program_resources p
    union all
    select s.business_id, 'schedule', s.id::text, 'program', s.program_id from program_schedules s
    union all
    select r.business_id, 'resource', r.id::text, 'business', r.business_id from resources r
    union all
    select v.business_id, 'service', v.id::text, 'business', v.business_id from services v
    union all
    select p.business_id, 'program', p.id::text, 'business', p.business_id from programs p
), targets as (
    select 'resource' as kind, r.business_id, r.id from resources r
    union all
    select 'service', v.business_id, v.id from services v
    union all
    select 'program', p.business_id, p.id from programs p
    union all
    select 'business', b.id, b.id from businesses b
), strays as materialized (
    select r.* from referring r
     where not exists (select from targets t
                        where t.kind = r.kind and t.business_id = r.business_id and t.id = r.target_id)
)
select s.business_id, array[s.id, s.target_id::text] as ids,
       concat(s.source, ' ', s.id, ' refers to ', s.kind, ' ', s.target_id, ', which ',
              case when t.id is null then 'does not exist'
                   else concat('belongs to business ', t.business_id) end) as problem
  from strays s
  left join targets t on t.kind = s.kind and t.id = s.target_id;
