-- Schedules: the occurrences of programs, laid out ahead.

-- name: clock
select clock_timestamp();

-- name: add_schedules
insert into program_schedules (business_id, program_id, starts_at, ends_at, max_capacity)
select %(business_id)s, %(program_id)s, begins, begins + make_interval(mins => %(duration_minutes)s::integer),
       %(max_capacity)s
  from unnest(%(starts)s::timestamptz[]) begins order by begins
on conflict on constraint program_schedules_start do nothing
returning id;

-- name: expire_holds
-- A hold that has run out must not keep a schedule from its room (B-4). The limit is out of reach: all of them.
select expire_holds(%(business_id)s::uuid, 1000000);

-- name: take_resource
-- Schedules that do not get every place of the resource; the places that they did get are theirs until they are
-- dropped.
select refused.id, refused.starts_at from (
    select s.id, s.starts_at,
           take_whole_resource(s.business_id, %(resource_id)s::uuid, tstzrange(s.starts_at, s.ends_at), s.id, null)
               as taken
      from program_schedules s
     where s.business_id = %(business_id)s and s.id = any (%(ids)s::uuid[])
     order by s.starts_at
) refused
 where not refused.taken order by refused.starts_at;

-- name: drop_claims
delete from claims where business_id = %(business_id)s and schedule_id = any (%(ids)s::uuid[]);

-- name: drop_schedules
delete from program_schedules where business_id = %(business_id)s and id = any (%(ids)s::uuid[]);

-- name: lock_schedules
-- For update, in order of id, as all locks of schedules: nobody books what is about to be withdrawn.
select id, starts_at from program_schedules
 where business_id = %(business_id)s and program_id = %(program_id)s and starts_at = any (%(starts)s::timestamptz[])
   and starts_at > clock_timestamp()
 order by id for update;

-- name: unbooked
select s.id from program_schedules s
 where s.business_id = %(business_id)s and s.id = any (%(ids)s::uuid[])
   and not exists (select from bookings b where b.business_id = s.business_id and b.schedule_id = s.id);

-- name: lock_schedules_of_capacity
select id from program_schedules
 where business_id = %(business_id)s and program_id = %(program_id)s and max_capacity = %(before)s
   and starts_at > clock_timestamp()
 order by id for no key update;

-- name: last_schedule
select max(starts_at) from program_schedules
 where business_id = %(business_id)s and program_id = %(program_id)s;

-- name: set_schedule_capacity
update program_schedules set max_capacity = %(max_capacity)s
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[]) and taken <= %(max_capacity)s
returning id;

-- name: places_taken
select taken from program_schedules where business_id = %(business_id)s and id = %(id)s;

-- name: list_schedules
-- A hold that has run out still stands in the counter until it is swept, but takes no place (B-4).
select s.id, s.starts_at as start, s.ends_at as "end", s.max_capacity,
       s.max_capacity - s.taken + coalesce(spent.places, 0) as places_left
  from program_schedules s
  join programs p on p.business_id = s.business_id and p.id = s.program_id and p.active and p.slug = %(slug)s
  left join lateral (select sum(b.party_size)::integer as places from bookings b
                      where b.business_id = s.business_id and b.schedule_id = s.id
                        and b.state = 'held' and b.expires_at <= statement_timestamp()) spent on true
 where s.business_id = %(business_id)s and s.starts_at > statement_timestamp()
   and s.starts_at >= coalesce(%(from)s::timestamptz, '-infinity')
   and s.starts_at < coalesce(%(to)s::timestamptz, 'infinity')
   and s.starts_at > coalesce(%(after)s::timestamptz, '-infinity')
 order by s.starts_at limit %(limit)s;

-- name: program_is_offered
select exists (select from programs where business_id = %(business_id)s and slug = %(slug)s and active);
