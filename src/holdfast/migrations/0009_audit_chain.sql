-- What shows that the audit log was edited: a chain of keyed hashes for each aggregate, with a head; and reasons, which
-- somebody wrote freely, as ciphertext (D-5, D-7).
-- depends: 0006_isolation, 0008_backfills

-- To go back to the release before, drop the trigger audit_log_reason_sealed and the constraint audit_log_chained, and
-- grant insert on audit_log to holdfast_app again; reasons that were sealed stay so.

-- Why somebody did something. The row goes when its person is erased; the entry in the log stays.
create table audit_reasons (
    business_id uuid not null references businesses (id),
    id uuid not null,
    body envelope not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id)
);
select isolate('audit_reasons');
grant select, insert, update, delete on audit_reasons to holdfast_app;

-- How far each chain reaches: a cut tail shows here. No foreign key, like the log itself.
create table audit_heads (
    business_id uuid not null,
    aggregate_id uuid not null,
    version integer not null,
    -- The hash of the last entry.
    entry_mac bytea not null,
    -- Over the two above, so that a head can be moved by nobody who has no key.
    mac bytea not null,
    primary key (business_id, aggregate_id),
    constraint audit_heads_mac_length check (octet_length(entry_mac) = 32 and octet_length(mac) = 32)
);
select isolate('audit_heads');
grant select, insert, update on audit_heads to holdfast_admission;
grant select on audit_heads to holdfast_app;

-- Without foreign key: an erased reason leaves its entry behind.
alter table audit_log add column reason_id uuid;
-- The hash of the entry before, null for the first; and that of this one, over all its columns and the head before it.
alter table audit_log add column previous_mac bytea;
alter table audit_log add column mac bytea;
-- Entries of the release before have none until the backfill comes to them; nothing new is without.
alter table audit_log add constraint audit_log_chained
    check (mac is not null and octet_length(mac) = 32 and (previous_mac is null or octet_length(previous_mac) = 32))
    not valid;

-- A trigger, since a CHECK would refuse to chain the entries of the release before, which have a reason still.
create function refuse_plain_reason() returns trigger
language plpgsql set search_path = public, pg_temp as $$
begin
    raise exception 'a reason is stored sealed, in audit_reasons'
        using errcode = 'check_violation', constraint = 'audit_log_reason_sealed';
end $$;
create trigger audit_log_reason_sealed before insert or update of reason on audit_log
    for each row when (new.reason is not null) execute function refuse_plain_reason();

-- Entries are written by append_audit() alone (kernel/audit_chain.sql).
revoke insert on audit_log from holdfast_app;

insert into backfills (name) values ('audit-chain');
