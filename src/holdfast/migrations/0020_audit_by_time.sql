-- Owners read the audit log from the newest entry on.
-- depends: 0009_audit_chain

-- Entries are written in the order of their time, so each goes to the end of its business' part of the index. It is
-- built while nothing is written: there is no release before.
-- squawk-ignore require-concurrent-index-creation
create index audit_log_by_time on audit_log (business_id, occurred_at, aggregate_id);
