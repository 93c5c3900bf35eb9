-- Items of the inbox that settle themselves, and what the exporter of calendars reads across tenants.
-- depends: 0702_connected_calendars, 0013_attention

-- What is resolved by nobody has settled itself: its cause is gone. Every row that there is keeps to this as well.
-- squawk-ignore ban-drop-constraint
alter table attention_items drop constraint attention_items_resolved_by_somebody;
-- squawk-ignore constraint-missing-not-valid
alter table attention_items add constraint attention_items_resolver_of_resolved
    check (resolved_by is null or resolved_at is not null);

-- squawk-ignore require-concurrent-index-creation
create index calendars_reconciled on calendars (next_reconciliation_at) where exports;

grant select (business_id, id, state) on calendar_connections to holdfast_admission;
grant select on calendar_conflicts to holdfast_admission;
