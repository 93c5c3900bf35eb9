-- Statements about resources, services and programs. Every write to their tables raises the catalog version of the
-- business, so each statement writes only what differs.

-- name: resources_of
select id, slug, name, kind, capacity, daily_limit, timezone, always_open, active
  from resources where business_id = %(business_id)s order by id;

-- name: find_resource
-- Compared before it is written, since even an upsert without effect locks the row, for which admission would wait.
select id, (name, kind, daily_limit, timezone, always_open, active)
           is distinct from (%(name)s::text, %(kind)s::text, %(daily_limit)s::integer, %(timezone)s::text,
                             %(always_open)s::boolean, true) as differs
  from resources where business_id = %(business_id)s and slug = %(slug)s;

-- name: put_resource
-- The capacity of a resource that exists is changed by change_capacity only, which seats its claims anew.
insert into resources (business_id, slug, name, kind, capacity, daily_limit, timezone, always_open)
values (%(business_id)s, %(slug)s, %(name)s, %(kind)s, %(capacity)s, %(daily_limit)s, %(timezone)s, %(always_open)s)
on conflict on constraint resources_slug do update
   set name = excluded.name, kind = excluded.kind, daily_limit = excluded.daily_limit, timezone = excluded.timezone,
       always_open = excluded.always_open, active = true
returning id;

-- name: capacity
select capacity from resources where business_id = %(business_id)s and id = %(id)s;

-- name: expire_holds
-- A hold that has run out must not keep a capacity up (B-4). The limit is out of reach: all of them.
select expire_holds(%(business_id)s, 1000000);

-- name: change_capacity
select change_capacity(%(business_id)s, %(id)s, %(capacity)s);

-- name: deactivate_resources
update resources set active = false
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[]) and active;

-- name: services_of
-- The two arrays run in parallel: the numbers of the requirements, and what can meet each.
select s.id, s.slug, s.name, s.duration_minutes, s.buffer_before_minutes, s.buffer_after_minutes,
       s.slot_step_minutes, s.price_minor, s.payment_policy, s.payment_minutes, s.refund_terms, s.hold_minutes,
       s.min_notice_minutes, s.max_horizon_days, s.cancel_notice_minutes, s.max_simultaneous_bookings, s.pool_id,
       s.active,
       coalesce(needed.numbers, '{}') as numbers, coalesce(needed.resource_ids, '{}') as resource_ids
  from services s
  left join (select service_id, array_agg(requirement order by requirement, resource_id) as numbers,
                    array_agg(resource_id order by requirement, resource_id) as resource_ids
               from service_resources where business_id = %(business_id)s group by service_id) needed
    on needed.service_id = s.id
 where s.business_id = %(business_id)s order by s.id;

-- name: service_id
select id from services where business_id = %(business_id)s and slug = %(slug)s;

-- name: put_service
insert into services (business_id, slug, name, duration_minutes, buffer_before_minutes, buffer_after_minutes,
                      slot_step_minutes, price_minor, payment_policy, payment_minutes, refund_terms, hold_minutes,
                      min_notice_minutes, max_horizon_days, cancel_notice_minutes, max_simultaneous_bookings, pool_id)
values (%(business_id)s, %(slug)s, %(name)s, %(duration_minutes)s, %(buffer_before_minutes)s,
        %(buffer_after_minutes)s, %(slot_step_minutes)s, %(price_minor)s, %(payment_policy)s, %(payment_minutes)s,
        %(refund_terms)s, %(hold_minutes)s, %(min_notice_minutes)s, %(max_horizon_days)s,
        %(cancel_notice_minutes)s, %(max_simultaneous_bookings)s, %(pool_id)s)
on conflict on constraint services_slug do update
   set name = excluded.name, duration_minutes = excluded.duration_minutes,
       buffer_before_minutes = excluded.buffer_before_minutes, buffer_after_minutes = excluded.buffer_after_minutes,
       slot_step_minutes = excluded.slot_step_minutes, price_minor = excluded.price_minor,
       payment_policy = excluded.payment_policy, payment_minutes = excluded.payment_minutes,
       refund_terms = excluded.refund_terms, hold_minutes = excluded.hold_minutes,
       min_notice_minutes = excluded.min_notice_minutes, max_horizon_days = excluded.max_horizon_days,
       cancel_notice_minutes = excluded.cancel_notice_minutes,
       max_simultaneous_bookings = excluded.max_simultaneous_bookings, pool_id = excluded.pool_id, active = true
 where (services.name, services.duration_minutes, services.buffer_before_minutes, services.buffer_after_minutes,
        services.slot_step_minutes, services.price_minor, services.payment_policy, services.payment_minutes,
        services.refund_terms, services.hold_minutes, services.min_notice_minutes, services.max_horizon_days,
        services.cancel_notice_minutes, services.max_simultaneous_bookings, services.pool_id, services.active)
       is distinct from
       (excluded.name, excluded.duration_minutes, excluded.buffer_before_minutes, excluded.buffer_after_minutes,
        excluded.slot_step_minutes, excluded.price_minor, excluded.payment_policy, excluded.payment_minutes,
        excluded.refund_terms, excluded.hold_minutes, excluded.min_notice_minutes, excluded.max_horizon_days,
        excluded.cancel_notice_minutes, excluded.max_simultaneous_bookings, excluded.pool_id, true);

-- name: drop_requirements
delete from service_resources kept
 where kept.business_id = %(business_id)s and kept.service_id = %(service_id)s
   and not exists (select from unnest(%(numbers)s::smallint[], %(resource_ids)s::uuid[]) wanted (number, resource_id)
                    where wanted.number = kept.requirement and wanted.resource_id = kept.resource_id);

-- name: add_requirements
insert into service_resources (business_id, service_id, requirement, resource_id)
select %(business_id)s, %(service_id)s, wanted.number, wanted.resource_id
  from unnest(%(numbers)s::smallint[], %(resource_ids)s::uuid[]) wanted (number, resource_id)
 where not exists (select from service_resources kept
                    where kept.business_id = %(business_id)s and kept.service_id = %(service_id)s
                      and kept.requirement = wanted.number and kept.resource_id = wanted.resource_id);

-- name: pools_of
select pool_id from services
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[]) and pool_id is not null;

-- name: deactivate_services
update services set active = false
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[]) and active;

-- name: programs_of
-- The arrays of weekdays and starts run in parallel.
select p.id, p.slug, p.name, p.duration_minutes, p.max_capacity, p.price_minor, p.payment_policy, p.payment_minutes,
       p.refund_terms, p.hold_minutes, p.cancel_notice_minutes, p.timezone, p.active,
       coalesce(rule.weekdays, '{}') as weekdays, coalesce(rule.starts, '{}') as starts,
       coalesce(used.resource_ids, '{}') as resource_ids
  from programs p
  left join (select program_id, array_agg(weekday order by weekday, starts) as weekdays,
                    array_agg(starts order by weekday, starts) as starts
               from program_rules where business_id = %(business_id)s group by program_id) rule
    on rule.program_id = p.id
  left join (select program_id, array_agg(resource_id order by resource_id) as resource_ids
               from program_resources where business_id = %(business_id)s group by program_id) used
    on used.program_id = p.id
 where p.business_id = %(business_id)s order by p.id;

-- name: program_id
select id from programs where business_id = %(business_id)s and slug = %(slug)s;

-- name: put_program
insert into programs (business_id, slug, name, duration_minutes, max_capacity, price_minor, payment_policy,
                      payment_minutes, refund_terms, hold_minutes, cancel_notice_minutes, timezone)
values (%(business_id)s, %(slug)s, %(name)s, %(duration_minutes)s, %(max_capacity)s, %(price_minor)s,
        %(payment_policy)s, %(payment_minutes)s, %(refund_terms)s, %(hold_minutes)s, %(cancel_notice_minutes)s,
        %(timezone)s)
on conflict on constraint programs_slug do update
   set name = excluded.name, duration_minutes = excluded.duration_minutes, max_capacity = excluded.max_capacity,
       price_minor = excluded.price_minor, payment_policy = excluded.payment_policy,
       payment_minutes = excluded.payment_minutes, refund_terms = excluded.refund_terms,
       hold_minutes = excluded.hold_minutes, cancel_notice_minutes = excluded.cancel_notice_minutes,
       timezone = excluded.timezone, active = true
 where (programs.name, programs.duration_minutes, programs.max_capacity, programs.price_minor,
        programs.payment_policy, programs.payment_minutes, programs.refund_terms, programs.hold_minutes,
        programs.cancel_notice_minutes, programs.timezone, programs.active)
       is distinct from
       (excluded.name, excluded.duration_minutes, excluded.max_capacity, excluded.price_minor,
        excluded.payment_policy, excluded.payment_minutes, excluded.refund_terms, excluded.hold_minutes,
        excluded.cancel_notice_minutes, excluded.timezone, true);

-- name: drop_program_rules
delete from program_rules kept
 where kept.business_id = %(business_id)s and kept.program_id = %(program_id)s
   and not exists (select from unnest(%(weekdays)s::smallint[], %(starts)s::time[]) wanted (weekday, starts)
                    where wanted.weekday = kept.weekday and wanted.starts = kept.starts);

-- name: add_program_rules
insert into program_rules (business_id, program_id, weekday, starts)
select %(business_id)s, %(program_id)s, wanted.weekday, wanted.starts
  from unnest(%(weekdays)s::smallint[], %(starts)s::time[]) wanted (weekday, starts)
on conflict do nothing;

-- name: drop_program_resources
delete from program_resources
 where business_id = %(business_id)s and program_id = %(program_id)s
   and resource_id <> all (%(resource_ids)s::uuid[]);

-- name: add_program_resources
insert into program_resources (business_id, program_id, resource_id)
select %(business_id)s, %(program_id)s, resource_id from unnest(%(resource_ids)s::uuid[]) resource_id
on conflict do nothing;

-- name: deactivate_programs
update programs set active = false
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[]) and active;
