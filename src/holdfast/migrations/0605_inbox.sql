-- The inbox of what providers tell: which payment a refund is of, and a body that is forgotten in time.
-- depends: 0602_taking_payments

alter table webhook_events
    -- What it is about is a refund; and the provider's id of the payment that it is of, where that is told.
    add column is_refund boolean not null default false,
    add column remote_payment_id text,
    -- What is written down is forgotten; that it was told, and what became of it, stays.
    -- squawk-ignore ban-drop-not-null
    alter column body drop not null,
    -- squawk-ignore constraint-missing-not-valid
    add constraint webhook_events_remote_payment_id_length check (length(remote_payment_id) between 1 and 255);
-- squawk-ignore require-concurrent-index-creation
create index webhook_events_to_forget on webhook_events (processed_at) where body is not null;
-- squawk-ignore require-concurrent-index-creation
create index refunds_by_remote on refunds (business_id, provider_refund_id);

-- For the function that forgets across tenants.
grant update (body) on webhook_events to holdfast_admission;
