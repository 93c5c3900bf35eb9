-- name: pending_backfills
select name, done, total, started_at is not null as started,
       coalesce(extract(epoch from clock_timestamp() - coalesce(advanced_at, declared_at)), 0)::float8 as still_seconds
  from backfills where finished_at is null order by declared_at, name;

-- name: claim_backfill
-- One worker at a time: the others pass over the locked row. No row when it is done, locked, or to rest a while.
select position, started_at is not null as started from backfills
 where name = %(name)s and finished_at is null and resumes_at <= clock_timestamp()
   for update skip locked;

-- name: begin_backfill
update backfills set started_at = clock_timestamp(), total = %(total)s where name = %(name)s;

-- name: advance_backfill
update backfills
   set position = %(position)s::jsonb, done = done + %(rows)s, advanced_at = clock_timestamp(),
       resumes_at = clock_timestamp() + make_interval(secs => %(pause_seconds)s::float8)
 where name = %(name)s
returning done, total;

-- name: finish_backfill
update backfills set finished_at = clock_timestamp() where name = %(name)s;

-- name: rest_seconds
select greatest(0, extract(epoch from resumes_at - clock_timestamp()))::float8
  from backfills where name = %(name)s and finished_at is null;

-- name: backfill_figures
select name, done, coalesce(total, 0) as total, finished_at is null as pending from backfills order by name;

-- name: businesses_from
select business_id from businesses_from(%(id)s::uuid) business_id;
