-- What `holdfast verify` reads to recompute the hashes of the audit log.

-- name: audit_keys
select business_id, wrapped from tenant_keys where purpose = 'audit';

-- name: businesses_with_chains
select distinct business_id from audit_heads order by business_id;

-- name: chained_entries
-- The time as the hash has it, since not every time that the database can hold is one in Python.
select business_id, aggregate_id, version, aggregate_type, action, from_state, to_state, actor, actor_id, reason_id,
       timestamptz_send(occurred_at) as occurred_at, previous_mac, mac
  from audit_log where mac is not null;

-- name: heads
select business_id, aggregate_id, version, entry_mac, mac from audit_heads;
