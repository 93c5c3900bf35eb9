-- name: record
-- The version of the log's own counting, for aggregates whose rows count none.
select append_audit(%(business_id)s::uuid, %(type)s::text, %(action)s::text, %(from)s::text, %(actor)s::text,
                    %(actor_id)s::uuid, %(reason_id)s::uuid, array[%(id)s::uuid], array[null::integer],
                    array[%(to)s::text], array[%(key)s::bytea]);

-- name: keep_reason
insert into audit_reasons (business_id, id, body) values (%(business_id)s, %(id)s, %(body)s);

-- name: find_reason
select body from audit_reasons where business_id = %(business_id)s and id = %(id)s;

-- name: reasons_of
select r.id, r.body from audit_log a
  join audit_reasons r on r.business_id = a.business_id and r.id = a.reason_id
 where a.business_id = %(business_id)s and a.aggregate_id = %(id)s order by a.version;

-- name: forget_reasons
delete from audit_reasons r
 where r.business_id = %(business_id)s
   and r.id in (select a.reason_id from audit_log a
                 where a.business_id = %(business_id)s and a.aggregate_id = %(id)s);

-- name: emit
insert into outbox_events (business_id, aggregate_id, version, type, payload)
values (%(business_id)s, %(id)s, %(version)s, %(type)s, %(payload)s::jsonb);
