-- name: record
-- The version of the log's own counting, for aggregates whose rows count none.
insert into audit_log (business_id, aggregate_id, version, aggregate_type, action, from_state, to_state, actor,
                       actor_id, reason)
select %(business_id)s, %(id)s,
       1 + coalesce((select max(a.version) from audit_log a
                      where a.business_id = %(business_id)s and a.aggregate_id = %(id)s), 0),
       %(type)s, %(action)s, %(from)s::text, %(to)s::text, %(actor)s, %(actor_id)s::uuid, %(reason)s::text
returning version;

-- name: emit
insert into outbox_events (business_id, aggregate_id, version, type, payload)
values (%(business_id)s, %(id)s, %(version)s, %(type)s, %(payload)s::jsonb);
