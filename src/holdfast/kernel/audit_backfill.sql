-- name: entries_to_chain
select aggregate_id, version, mac is null as is_loose, reason is not null as has_reason
  from audit_log
 where business_id = %(business_id)s and (aggregate_id, version) > (%(after)s::uuid, %(after_version)s::integer)
   and (mac is null or reason is not null)
 order by aggregate_id, version limit %(limit)s;

-- name: chain_audit
select chain_audit(%(business_id)s::uuid, %(id)s::uuid, %(key)s::bytea);

-- name: plain_reason
select reason_id, reason from audit_log
 where business_id = %(business_id)s and aggregate_id = %(id)s and version = %(version)s::integer;

-- name: take_reason
select take_audit_reason(%(business_id)s::uuid, %(id)s::uuid, %(version)s::integer);

-- name: count_entries_to_chain
select count(*) from audit_log where business_id = %(business_id)s and (mac is null or reason is not null);
