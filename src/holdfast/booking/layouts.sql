-- Laying out: the schedules that the rules of programs ask for.

-- name: clock
select clock_timestamp();

-- name: coming_schedules
select s.id, s.program_id, s.starts_at, s.ends_at, s.max_capacity, s.rule_capacity, s.withdrawn,
       array(select distinct c.resource_id from claims c
              where c.business_id = s.business_id and c.schedule_id = s.id order by 1) as resource_ids
  from program_schedules s
 where s.business_id = %(business_id)s and s.program_id = any (%(programs)s::uuid[])
   and s.starts_at > %(now)s::timestamptz
 order by s.starts_at, s.id;

-- name: closed_days
-- What is always open is never closed, whatever its overrides say.
select o.resource_id, o.day, coalesce(r.timezone, b.timezone) as timezone
  from availability_overrides o
  join resources r on r.business_id = o.business_id and r.id = o.resource_id and not r.always_open
  join businesses b on b.id = o.business_id
 where o.business_id = %(business_id)s and o.resource_id = any (%(resources)s::uuid[])
   and o.day >= %(first_day)s::date and o.opens is null;

-- name: which_are_free
-- Those that have begun meanwhile are nobody's business any more.
select id, taken = 0 as free from program_schedules
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[]) and starts_at > clock_timestamp();

-- name: follow_capacity
-- The capacity of its program, for schedules that have the one that the rule gave them and no more places taken.
update program_schedules s set max_capacity = p.max_capacity, rule_capacity = p.max_capacity
  from programs p
 where s.business_id = %(business_id)s and s.id = any (%(ids)s::uuid[])
   and p.business_id = s.business_id and p.id = s.program_id
   and s.max_capacity = s.rule_capacity and s.taken <= p.max_capacity
returning s.id;

-- name: lock_resources
select id from resources where business_id = %(business_id)s and id = any (%(ids)s::uuid[])
 order by id for no key update;

-- name: expire_holds
-- A hold that has run out must not keep a schedule from its room (B-4). The limit is out of reach: all of them.
select expire_holds(%(business_id)s::uuid, 1000000);

-- name: occupied
select n, resource_id, kind
  from occupied_among(%(business_id)s::uuid, %(numbers)s::integer[], %(resources)s::uuid[], %(starts)s::timestamptz[],
                      %(ends)s::timestamptz[]);

-- name: add_schedules
-- One that was withdrawn because the rule did not mean it comes back; one that staff removed does not.
insert into program_schedules as s (business_id, program_id, starts_at, ends_at, max_capacity, rule_capacity)
select %(business_id)s, p.id, wish.starts_at, wish.ends_at, p.max_capacity, p.max_capacity
  from unnest(%(programs)s::uuid[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
       as wish (program_id, starts_at, ends_at)
  join programs p on p.business_id = %(business_id)s and p.id = wish.program_id
 order by wish.starts_at, p.id
on conflict on constraint program_schedules_start do update
   set withdrawn = null, ends_at = excluded.ends_at, max_capacity = excluded.max_capacity,
       rule_capacity = excluded.rule_capacity
 where s.withdrawn = 'rule'
returning s.id, s.program_id, s.starts_at;

-- name: add_by_hand
-- No layout touches one without a capacity of the rule.
insert into program_schedules as s (business_id, program_id, starts_at, ends_at, max_capacity, rule_capacity)
values (%(business_id)s, %(program_id)s, %(start)s, %(end)s, %(max_capacity)s, null)
on conflict on constraint program_schedules_start do update
   set withdrawn = null, ends_at = excluded.ends_at, max_capacity = excluded.max_capacity, rule_capacity = null
 where s.withdrawn is not null
returning s.id;

-- name: take_resource
-- Schedules that do not get every place of the resource; the places that they did get are theirs until they are
-- withdrawn. Asked in the order in which they are given.
select refused.id from (
    select s.id, wish.rank,
           take_whole_resource(s.business_id, %(resource_id)s::uuid, tstzrange(s.starts_at, s.ends_at), s.id, null)
               as taken
      from unnest(%(ids)s::uuid[]) with ordinality as wish (id, rank)
      join program_schedules s on s.business_id = %(business_id)s and s.id = wish.id
     order by wish.rank
) refused
 where not refused.taken order by refused.rank;

-- name: forget_deviations
delete from schedule_deviations d
 where d.business_id = %(business_id)s and d.program_id = any (%(among)s::uuid[])
   and (d.program_id, d.starts_at) not in (
       select found.* from unnest(%(programs)s::uuid[], %(starts)s::timestamptz[]) found);

-- name: note_deviations
-- Those that were not there, or were of another kind.
insert into schedule_deviations as d (business_id, program_id, starts_at, kind, resource_id)
select %(business_id)s, found.*
  from unnest(%(programs)s::uuid[], %(starts)s::timestamptz[], %(kinds)s::text[], %(resources)s::uuid[]) found
on conflict on constraint schedule_deviations_pkey do update
   set kind = excluded.kind, resource_id = excluded.resource_id, noticed_at = clock_timestamp()
 where (d.kind, d.resource_id) is distinct from (excluded.kind, excluded.resource_id)
returning program_id, starts_at;

-- name: deviations
select d.program_id, p.slug as program_slug, d.starts_at as start, d.kind, d.resource_id
  from schedule_deviations d
  join programs p on p.business_id = d.business_id and p.id = d.program_id
 where d.business_id = %(business_id)s and d.starts_at > clock_timestamp()
 order by d.starts_at, p.slug;
