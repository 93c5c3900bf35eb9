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

-- name: find_entries
-- The newest first, along the index by time. One bound at each end: of two bounds of one column the planner expects so
-- few rows that it would rather read and sort the log of the whole business.
select aggregate_type as kind, aggregate_id, version, action, from_state, to_state, actor, actor_id, reason_id,
       occurred_at as at
  from audit_log
 where business_id = %(business_id)s
   and (occurred_at, aggregate_id) < ((select coalesce(%(before)s::timestamptz, 'infinity')),
                                      (select coalesce(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')))
   and occurred_at >= (select coalesce(%(since)s::timestamptz, '-infinity'))
   and (%(kind)s::text is null or aggregate_type = %(kind)s::text)
   and (%(action)s::text is null or action = %(action)s::text)
   and (%(actor)s::text is null or actor = %(actor)s::text)
   and (%(actor_id)s::uuid is null or actor_id = %(actor_id)s::uuid)
 order by occurred_at desc, aggregate_id desc limit %(limit)s::integer;

-- name: entries_of
-- Along the primary key: the history of one thing.
select aggregate_type as kind, aggregate_id, version, action, from_state, to_state, actor, actor_id, reason_id,
       occurred_at as at
  from audit_log
 where business_id = %(business_id)s and aggregate_id = %(aggregate_id)s
   and (occurred_at, aggregate_id) < ((select coalesce(%(before)s::timestamptz, 'infinity')),
                                      (select coalesce(%(before_id)s::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff')))
   and occurred_at >= (select coalesce(%(since)s::timestamptz, '-infinity'))
   and (%(kind)s::text is null or aggregate_type = %(kind)s::text)
   and (%(action)s::text is null or action = %(action)s::text)
   and (%(actor)s::text is null or actor = %(actor)s::text)
   and (%(actor_id)s::uuid is null or actor_id = %(actor_id)s::uuid)
 order by occurred_at desc, version desc limit %(limit)s::integer;

-- name: find_entry
select aggregate_type as kind, aggregate_id, version, action, from_state, to_state, actor, actor_id, reason_id,
       occurred_at as at
  from audit_log
 where business_id = %(business_id)s and aggregate_id = %(aggregate_id)s and version = %(version)s;
