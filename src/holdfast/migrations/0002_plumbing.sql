-- What every capability writes in the transaction of its own change: audit entries, events, keys of requests.
-- depends: 0001_identity

-- No foreign key to businesses: these rows are written on the path of admission, beside a row that has one.

create table audit_log (
    business_id uuid not null,
    aggregate_id uuid not null,
    -- The version of the aggregate that this change made: one entry a version, refused twice by the key.
    version integer not null,
    aggregate_type text not null,
    action text not null,
    from_state text,
    to_state text,
    actor text not null,
    reason text,
    occurred_at timestamptz not null default clock_timestamp(),
    primary key (business_id, aggregate_id, version)
);

create table outbox_events (
    business_id uuid not null,
    aggregate_id uuid not null,
    version integer not null,
    id uuid not null default uuidv7(),
    type text not null,
    payload jsonb not null default '{}',
    occurred_at timestamptz not null default clock_timestamp(),
    primary key (business_id, aggregate_id, version)
);

-- One key space for every operation of a business (B-9). The answer is kept as it was given, so that a repeated
-- request hears the same words, whatever became of the booking.
create table idempotency_keys (
    business_id uuid not null,
    key text not null,
    operation text not null,
    request_hash text not null,
    booking_id uuid,
    answer jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, key),
    constraint idempotency_keys_length check (length(key) between 1 and 200)
);
create index idempotency_keys_age on idempotency_keys (created_at);

-- When each periodic job last finished; health reads it.
create table heartbeats (
    job text primary key,
    finished_at timestamptz not null
);

-- The audit log is append-only for the application: no update, no delete.
grant select, insert on audit_log to holdfast_app, holdfast_admission;
grant select, insert on outbox_events to holdfast_app, holdfast_admission;
grant select, insert, delete on idempotency_keys to holdfast_app, holdfast_admission;
grant select, insert, update on heartbeats to holdfast_app, holdfast_admission;
