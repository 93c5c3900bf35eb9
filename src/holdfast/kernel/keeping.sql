-- What is asked of an embedded PostgreSQL that is kept, was restored or converted.

-- name: archiver
-- A failure counts until something was kept again.
select current_setting('archive_mode') <> 'off' as keeps,
       coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false) as fails
  from pg_stat_archiver;

-- name: last_change_replayed
select pg_last_xact_replay_timestamp();

-- name: outdated_extensions
select name from pg_available_extensions where installed_version <> default_version;
