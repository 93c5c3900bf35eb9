-- name: record
select record_events(%(events)s::jsonb);
