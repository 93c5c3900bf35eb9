-- Accounts at payment providers; what has been asked of them for a payment or a refund, and when they are asked next.
-- depends: 0601_payments, 0302_availability, 0316_isolation, 0013_attention

-- Until this release nothing writes these tables: no constraint and no index below meets a row.

create table payment_accounts (
    business_id uuid not null references businesses (id),
    id uuid not null,
    provider text not null,
    -- The shop at YooKassa, the account at Stripe: as the provider calls it.
    account text not null,
    -- Whether it takes play money, as the provider says.
    is_test boolean not null,
    -- What we prove ourselves with, and the secrets by which the provider's messages are known, newest first, as JSON.
    secret envelope not null,
    webhook_secrets envelope,
    -- What a page of Stripe's is opened with; public.
    publishable_key text,
    -- Where the provider is, if it is not where the server's settings say: one of those that the settings allow.
    api_url text,
    -- New payments are made with it. One that is not any more stays, to give back what it has taken.
    active boolean not null default true,
    created_at timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint payment_accounts_account unique (business_id, provider, account),
    constraint payment_accounts_provider_known check (provider in ('yookassa', 'stripe')),
    constraint payment_accounts_account_length check (length(account) between 1 and 255),
    constraint payment_accounts_publishable_key_length check (length(publishable_key) between 1 and 255),
    constraint payment_accounts_api_url_length check (length(api_url) between 1 and 500)
);
create unique index payment_accounts_one_active on payment_accounts (business_id) where active;

-- What is offered depends on whether it can be paid.
create trigger raise_catalog_version after insert on payment_accounts
    referencing new table as changed for each statement execute function raise_catalog_version();
create trigger raise_catalog_version_again after update on payment_accounts
    referencing new table as changed for each statement execute function raise_catalog_version();

alter table payments
    -- The account that it is asked of, and that gives it back.
    add column account_id uuid,
    -- It is this payment that the booking is confirmed by; at most one of a booking.
    add column pays boolean not null default false,
    -- Of what was captured, so much is kept for a booking that does not take place.
    add column fee_minor bigint not null default 0,
    -- Where the client pays, and what a page of Stripe's needs for it, as JSON: whoever has it can see the payment.
    add column confirmation envelope,
    -- What has been decided and is still to be done at the provider.
    add column wanted text,
    -- The key of each call, stored before it is made, and when it was first made with that key.
    add column create_sent_at timestamptz,
    add column capture_key text,
    add column capture_sent_at timestamptz,
    add column cancel_key text,
    add column cancel_sent_at timestamptz,
    -- Why it was cancelled or has failed, in the provider's word.
    add column reason text,
    -- What of it is not as it was asked for: such a payment confirms nothing.
    add column mismatch text,
    -- When provider and booking are looked at next; null: nothing is open.
    add column next_attempt_at timestamptz default now(),
    add column failures integer not null default 0,
    add column error_code text,
    -- Who is at it, until when: a worker that dies is replaced.
    add column lease uuid,
    add column leased_until timestamptz,
    -- When the provider was last heard about it.
    add column checked_at timestamptz;
-- squawk-ignore ban-drop-constraint
alter table payments drop constraint payments_state_known;
alter table payments
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_state_known
        check (state in ('created', 'pending', 'authorized', 'succeeded', 'cancelled', 'failed')),
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_wanted_known check (wanted in ('capture', 'cancel')),
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_mismatch_known check (mismatch in ('amount', 'currency', 'mode', 'account', 'booking')),
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_paying check (not pays or (state = 'succeeded' and captured_minor = amount_minor
                                                       and mismatch is null)),
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_fee_bounded check (fee_minor between 0 and captured_minor),
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_keys_length check (length(capture_key) <= 64 and length(cancel_key) <= 64),
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_reason_shape check (reason ~ '^[a-z][a-z0-9_]{0,63}$'),
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_error_code_shape check (error_code ~ '^[a-z][a-z0-9_]{0,63}$'),
    -- squawk-ignore constraint-missing-not-valid,adding-foreign-key-constraint
    add constraint payments_account foreign key (business_id, account_id)
        references payment_accounts (business_id, id);
-- squawk-ignore require-concurrent-index-creation
create unique index payments_one_pays on payments (business_id, booking_id) where pays;
-- squawk-ignore require-concurrent-index-creation
create index payments_due on payments (next_attempt_at) where next_attempt_at is not null;
-- squawk-ignore require-concurrent-index-creation
create index payments_by_account on payments (business_id, account_id, created_at);

-- A payment goes one way. What has failed may turn out to have come to be after all.
create function payment_may_become(p_from text, p_to text) returns boolean
language sql immutable parallel safe as $$
    select (p_from, p_to) in (
        ('created', 'pending'), ('created', 'authorized'), ('created', 'succeeded'), ('created', 'cancelled'),
        ('created', 'failed'),
        ('pending', 'authorized'), ('pending', 'succeeded'), ('pending', 'cancelled'),
        ('authorized', 'succeeded'), ('authorized', 'cancelled'),
        ('failed', 'pending'), ('failed', 'authorized'), ('failed', 'succeeded'), ('failed', 'cancelled')
    )
$$;
create function guard_payment_change() returns trigger
language plpgsql as $$
begin
    if new.state <> old.state and not payment_may_become(old.state, new.state) then
        raise exception 'payment % cannot go from % to %', old.id, old.state, new.state
            using errcode = 'check_violation', constraint = 'payments_transition';
    end if;
    if new.amount_minor <> old.amount_minor or new.currency <> old.currency or new.booking_id <> old.booking_id
       or new.captured_minor < old.captured_minor or new.refunded_minor < old.refunded_minor then
        raise exception 'money of payment % is taken back in the books', old.id
            using errcode = 'check_violation', constraint = 'payments_money_stays';
    end if;
    return new;
end $$;
-- After: what is impossible by itself is refused by its own name.
create trigger guard_change after update on payments for each row execute function guard_payment_change();

alter table refunds
    -- From 1, within the payment: the key is made of it.
    add column number integer not null default 1,
    add column sent_at timestamptz,
    -- Why the provider refuses, in its word.
    add column reason text,
    add column next_attempt_at timestamptz default now(),
    add column failures integer not null default 0,
    add column error_code text,
    add column lease uuid,
    add column leased_until timestamptz,
    -- squawk-ignore constraint-missing-not-valid
    add constraint refunds_reason_shape check (reason ~ '^[a-z][a-z0-9_]{0,63}$'),
    -- squawk-ignore constraint-missing-not-valid
    add constraint refunds_error_code_shape check (error_code ~ '^[a-z][a-z0-9_]{0,63}$'),
    -- squawk-ignore constraint-missing-not-valid
    add constraint refunds_number_positive check (number > 0);
-- squawk-ignore require-concurrent-index-creation
create unique index refunds_number on refunds (business_id, payment_id, number);
-- What follows by itself from what has become of a booking follows once; one that was refused may be tried anew.
-- squawk-ignore require-concurrent-index-creation
create unique index refunds_once on refunds (business_id, payment_id, cause) where cause <> 'goodwill' and state <> 'refused';
-- squawk-ignore require-concurrent-index-creation
create index refunds_due on refunds (next_attempt_at) where next_attempt_at is not null;

alter table webhook_events
    -- Heard so often under another id of the event.
    add column times_heard integer not null default 1,
    -- What became of it, in a word.
    add column outcome text,
    add column failures integer not null default 0,
    add column next_attempt_at timestamptz default now(),
    add column error_code text,
    -- squawk-ignore constraint-missing-not-valid
    add constraint webhook_events_outcome_shape check (outcome ~ '^[a-z][a-z0-9_]{0,63}$'),
    -- squawk-ignore constraint-missing-not-valid
    add constraint webhook_events_error_code_shape check (error_code ~ '^[a-z][a-z0-9_]{0,63}$');
-- One fact, under however many ids it is told.
-- squawk-ignore require-concurrent-index-creation
create unique index webhook_events_fact on webhook_events (business_id, provider, object_id, type);
-- squawk-ignore require-concurrent-index-creation
create index webhook_events_due on webhook_events (next_attempt_at) where processed_at is null;

-- How far the reconciler has compared an account with the provider's own list.
create table payment_reconciliations (
    business_id uuid not null,
    id uuid not null,
    account_id uuid not null,
    listed_until timestamptz not null,
    next_at timestamptz not null default clock_timestamp(),
    failures integer not null default 0,
    error_code text,
    mended bigint not null default 0,
    finished_at timestamptz,
    lease uuid,
    leased_until timestamptz,
    primary key (business_id, id),
    constraint payment_reconciliations_account foreign key (business_id, account_id)
        references payment_accounts (business_id, id),
    constraint payment_reconciliations_once unique (business_id, account_id),
    constraint payment_reconciliations_error_code_shape check (error_code ~ '^[a-z][a-z0-9_]{0,63}$')
);
create index payment_reconciliations_due on payment_reconciliations (next_at);

grant select, insert, update on payment_accounts, payment_reconciliations to holdfast_app;
-- For the functions that find across tenants what is due, and whether a booking is paid.
grant select on payment_accounts, payments, refunds, webhook_events, payment_reconciliations to holdfast_admission;
select isolate('payment_accounts');
select isolate('payment_reconciliations');
