-- Money: attempts to pay a booking, refunds, and what providers have told.
-- depends: 0005_privacy, 0303_booking

create table payments (
    business_id uuid not null references businesses (id),
    id uuid not null,
    booking_id uuid not null,
    -- From 1: one payment for each attempt to pay a booking.
    attempt integer not null,
    provider text not null,
    -- Whose money: shop or account at the provider, and whether it is play money.
    account text not null,
    is_test boolean not null default false,
    -- Stored before the provider is called, so that a repeated call is the same one.
    provider_key text not null,
    -- Known once the provider has answered, or told of it by itself.
    provider_payment_id text,
    state text not null default 'created',
    amount_minor bigint not null,
    currency text not null,
    captured_minor bigint not null default 0,
    refunded_minor bigint not null default 0,
    created_at timestamptz not null default clock_timestamp(),
    captured_at timestamptz,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint payments_booking foreign key (business_id, booking_id) references bookings (business_id, id),
    constraint payments_attempt unique (business_id, booking_id, attempt),
    constraint payments_provider_payment_id unique (business_id, provider, provider_payment_id),
    constraint payments_provider_key unique (business_id, provider, provider_key),
    constraint payments_provider_known check (provider in ('yookassa', 'stripe')),
    constraint payments_state_known check (state in ('created', 'pending', 'authorized', 'succeeded', 'cancelled')),
    constraint payments_attempt_positive check (attempt > 0),
    constraint payments_key_length check (length(provider_key) between 1 and 64),
    constraint payments_provider_payment_id_length check (length(provider_payment_id) between 1 and 255),
    constraint payments_account_length check (length(account) between 1 and 255),
    constraint payments_amount_positive check (amount_minor > 0),
    constraint payments_currency_shape check (currency ~ '^[A-Z]{3}$'),
    constraint payments_captured_bounded check (captured_minor between 0 and amount_minor),
    constraint payments_refunded_bounded check (refunded_minor between 0 and captured_minor),
    constraint payments_succeeded_captured check (state <> 'succeeded' or (captured_minor > 0 and captured_at is not null))
);
create index payments_unsettled on payments (business_id, changed_at) where state in ('created', 'pending', 'authorized');

create table refunds (
    business_id uuid not null references businesses (id),
    id uuid not null,
    payment_id uuid not null,
    -- What it is given back for.
    cause text not null,
    provider_key text not null,
    provider_refund_id text,
    state text not null default 'created',
    amount_minor bigint not null,
    currency text not null,
    created_at timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint refunds_payment foreign key (business_id, payment_id) references payments (business_id, id),
    constraint refunds_provider_key unique (business_id, provider_key),
    constraint refunds_provider_refund_id unique (business_id, payment_id, provider_refund_id),
    constraint refunds_cause_known check (cause in ('policy', 'goodwill', 'late', 'duplicate', 'mismatch')),
    constraint refunds_state_known check (state in ('created', 'pending', 'succeeded', 'refused')),
    constraint refunds_key_length check (length(provider_key) between 1 and 64),
    constraint refunds_provider_refund_id_length check (length(provider_refund_id) between 1 and 255),
    constraint refunds_amount_positive check (amount_minor > 0),
    constraint refunds_currency_shape check (currency ~ '^[A-Z]{3}$')
);
create index refunds_unsettled on refunds (business_id, changed_at) where state in ('created', 'pending');

-- What a provider has told, as it came; written before it is answered, and acted upon once.
create table webhook_events (
    business_id uuid not null references businesses (id),
    id uuid not null,
    provider text not null,
    -- The provider's id of the event; of one that has none, its type and object.
    event_id text not null,
    type text not null,
    -- Payment or refund of the provider that it is about.
    object_id text not null,
    body envelope not null,
    received_at timestamptz not null default clock_timestamp(),
    processed_at timestamptz,
    primary key (business_id, id),
    constraint webhook_events_event_id unique (business_id, provider, event_id),
    constraint webhook_events_provider_known check (provider in ('yookassa', 'stripe')),
    constraint webhook_events_event_id_length check (length(event_id) between 1 and 255),
    constraint webhook_events_type_length check (length(type) between 1 and 100),
    constraint webhook_events_object_id_length check (length(object_id) between 1 and 255)
);
create index webhook_events_unprocessed on webhook_events (business_id, received_at) where processed_at is null;

-- Accounting rows stay: nobody deletes them.
grant select, insert, update on payments, refunds, webhook_events to holdfast_app;
select isolate('payments');
select isolate('refunds');
select isolate('webhook_events');
