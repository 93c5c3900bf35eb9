-- What is asked of an embedded PostgreSQL that was restored or converted.

-- name: last_change_replayed
select pg_last_xact_replay_timestamp();

-- name: outdated_extensions
select name from pg_available_extensions where installed_version <> default_version;
