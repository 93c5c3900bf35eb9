-- Quizzes and rituals, their versions and their runs.

-- name: add_definition
insert into interactive_definitions (business_id, id, kind, slug, locale)
values (%(business_id)s, %(id)s, %(kind)s, %(slug)s, %(locale)s);

-- name: add_version
insert into interactive_versions (business_id, definition_id, number, definition, created_by)
select %(business_id)s, %(id)s,
       1 + coalesce((select max(v.number) from interactive_versions v
                      where v.business_id = %(business_id)s and v.definition_id = %(id)s), 0),
       %(definition)s::jsonb, %(actor_id)s::uuid
returning number;

-- name: lock_definition
select id from interactive_definitions where business_id = %(business_id)s and id = %(id)s for no key update;

-- name: read_definition
select d.id, d.kind, d.slug, d.locale, d.state as status, d.version, v.number as definition_version,
       d.published_version, v.definition, d.created_at, d.updated_at
  from interactive_definitions d
  join interactive_versions v on v.business_id = d.business_id and v.definition_id = d.id
 where d.business_id = %(business_id)s and d.id = %(id)s
 order by v.number desc limit 1;

-- name: list_definitions
select d.id, d.kind, d.slug, d.locale, d.state as status, d.version, v.number as definition_version,
       d.published_version, v.title, d.created_at, d.updated_at
  from interactive_definitions d
  cross join lateral (select v.number, v.definition ->> 'title' as title from interactive_versions v
                       where v.business_id = d.business_id and v.definition_id = d.id
                       order by v.number desc limit 1) v
 where d.business_id = %(business_id)s
   and (%(kind)s::text is null or d.kind = %(kind)s)
   and (%(state)s::text is null or d.state = %(state)s)
   and (%(after)s::timestamptz is null or (d.created_at, d.id) < (%(after)s, %(after_id)s::uuid))
 order by d.created_at desc, d.id desc limit %(limit)s;

-- name: read_version
select v.number, v.definition, v.created_at
  from interactive_versions v
 where v.business_id = %(business_id)s and v.definition_id = %(id)s and v.number = %(number)s;

-- name: touch_definition
update interactive_definitions set version = version + 1, updated_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s;

-- name: move_definition
update interactive_definitions
   set state = %(state)s::text, version = version + 1, updated_at = clock_timestamp(),
       published_version = case when %(state)s::text = 'published' then %(number)s::integer end
 where business_id = %(business_id)s and id = %(id)s;

-- name: published_definition
select d.id, d.slug, d.locale, v.number, v.definition
  from interactive_definitions d
  join interactive_versions v on v.business_id = d.business_id and v.definition_id = d.id
                             and v.number = d.published_version
 where d.business_id = %(business_id)s and d.slug = %(slug)s and d.state = 'published';

-- name: start_run
-- In one statement, so that no run begins of what has just been archived.
insert into interactive_runs (business_id, id, definition_id, version_number)
select d.business_id, %(id)s, d.id, d.published_version
  from interactive_definitions d
 where d.business_id = %(business_id)s and d.slug = %(slug)s and d.state = 'published'
returning id, started_at, version_number;

-- name: lock_run
-- With the definition that it was begun with, whatever has become of that since.
select r.id, r.started_at, r.finished_at, r.duration_seconds, r.result_level, v.definition
  from interactive_runs r
  join interactive_definitions d on d.business_id = r.business_id and d.id = r.definition_id
  join interactive_versions v on v.business_id = r.business_id and v.definition_id = r.definition_id
                             and v.number = r.version_number
 where r.business_id = %(business_id)s and r.id = %(id)s and d.slug = %(slug)s
   for no key update of r;

-- name: finish_run
update interactive_runs
   set finished_at = clock_timestamp(), completed = true, result_level = %(level)s::text,
       duration_seconds = greatest(0, least(2147483647, extract(epoch from clock_timestamp() - started_at)))::integer
 where business_id = %(business_id)s and id = %(id)s
returning finished_at, duration_seconds;

-- name: runs_by_day
-- Runs count for the day on which they began, in UTC.
select (r.started_at at time zone 'UTC')::date as day, r.result_level as level, count(*) as starts,
       count(*) filter (where r.completed) as completions,
       coalesce(sum(r.duration_seconds), 0)::bigint as seconds
  from interactive_runs r
 where r.business_id = %(business_id)s and r.definition_id = %(id)s
   and r.started_at >= %(from)s::timestamptz and r.started_at < %(to)s::timestamptz
 group by 1, 2 order by 1, 2;
