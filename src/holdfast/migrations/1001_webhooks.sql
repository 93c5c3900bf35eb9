-- What other programs are told: all that has happened, numbered, and to whom each of it is sent.
-- depends: 0902_sent_messages, 0702_connected_calendars, 0005_privacy, 0002_plumbing

-- The events of a business in an order that stays: whoever has read up to a number has missed nothing before it. An
-- event may be committed later than others whose time is after its own, so its time is no such order.
create table event_log (
    business_id uuid not null,
    number bigint not null,
    -- Of the event, which is never deleted: a reference would write every event a second time.
    aggregate_id uuid not null,
    version integer not null,
    primary key (business_id, number),
    constraint event_log_once unique (business_id, aggregate_id, version),
    constraint event_log_number_positive check (number > 0)
);
grant select on event_log to holdfast_app;
grant select, insert on event_log to holdfast_admission;
select isolate('event_log');

-- How far the outbox was read for the log; one row for all businesses. The log begins here.
create table event_feed (
    one boolean primary key default true,
    begun_at timestamptz not null default clock_timestamp(),
    read_until timestamptz not null default clock_timestamp(),
    constraint event_feed_one check (one)
);
insert into event_feed default values;
grant select, update on event_feed to holdfast_app;

-- Where a business has what happens told to.
create table webhook_endpoints (
    business_id uuid not null references businesses (id),
    id uuid not null,
    name text not null,
    -- May have a secret in it.
    url envelope not null,
    -- Which events; null for every one, also of kinds that there are not yet.
    types text[],
    state text not null default 'active',
    -- Why nothing is sent any more: a word.
    reason text,
    secret envelope not null,
    -- Signs as well for a while, so that a receiver can change over without missing anything.
    former_secret envelope,
    former_until timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    -- Since when no attempt has succeeded, and when one last has, to the minute.
    failing_since timestamptz,
    last_success_at timestamptz,
    primary key (business_id, id),
    constraint webhook_endpoints_name_length check (length(name) between 1 and 200),
    constraint webhook_endpoints_types_some check (cardinality(types) between 1 and 100),
    constraint webhook_endpoints_state_known check (state in ('active', 'disabled')),
    constraint webhook_endpoints_reason_when_disabled check ((state = 'disabled') = (reason is not null)),
    constraint webhook_endpoints_reason_known check (reason in ('staff', 'failing', 'gone')),
    constraint webhook_endpoints_former_until check ((former_secret is null) = (former_until is null))
);
grant select, insert, update, delete on webhook_endpoints to holdfast_app;
grant select on webhook_endpoints to holdfast_admission;
-- Whoever finds out to whom an event goes holds endpoints as they are until that is written down; PostgreSQL asks for
-- the right to change something.
grant update (former_secret, former_until) on webhook_endpoints to holdfast_admission;
select isolate('webhook_endpoints');

-- An event on its way to an endpoint, or what has become of that.
create table webhook_deliveries (
    business_id uuid not null,
    id uuid not null default uuidv7(),
    endpoint_id uuid not null,
    -- None for a trial, which tells of nothing that has happened.
    event_number bigint,
    type text not null,
    state text not null default 'pending',
    created_at timestamptz not null default clock_timestamp(),
    -- Since when it is tried: anew when it is replayed.
    queued_at timestamptz not null default clock_timestamp(),
    -- While somebody is at it, the end of their lease: whoever dies over it leaves it to the next one.
    next_attempt_at timestamptz,
    -- All that ever were: the number of an attempt fences it off from those after it.
    attempts integer not null default 0,
    -- In a row, since it is tried.
    failures integer not null default 0,
    last_attempt_at timestamptz,
    -- What the last one came to: the status that was answered, and a word where it failed.
    last_status integer,
    reason text,
    ended_at timestamptz,
    primary key (business_id, id),
    constraint webhook_deliveries_once unique (business_id, endpoint_id, event_number),
    constraint webhook_deliveries_endpoint foreign key (business_id, endpoint_id)
        references webhook_endpoints (business_id, id) on delete cascade,
    constraint webhook_deliveries_event foreign key (business_id, event_number) references event_log (business_id, number),
    constraint webhook_deliveries_state_known check (state in ('pending', 'delivered', 'failed')),
    constraint webhook_deliveries_due_while_pending check ((state = 'pending') = (next_attempt_at is not null)),
    constraint webhook_deliveries_ended check ((state = 'pending') = (ended_at is null)),
    constraint webhook_deliveries_attempts_positive check (attempts >= 0 and failures >= 0),
    constraint webhook_deliveries_reason_shape check (reason ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint webhook_deliveries_reason_when_failed check (state <> 'failed' or reason is not null)
);
create index webhook_deliveries_due on webhook_deliveries (business_id, endpoint_id, next_attempt_at)
    where state = 'pending';
create index webhook_deliveries_in_order on webhook_deliveries (business_id, endpoint_id, created_at, id);
create index webhook_deliveries_by_event on webhook_deliveries (business_id, event_number)
    where event_number is not null;
create index webhook_deliveries_to_forget on webhook_deliveries (ended_at) where ended_at is not null;
grant select, insert, update on webhook_deliveries to holdfast_app;
grant select, insert, delete on webhook_deliveries to holdfast_admission;
select isolate('webhook_deliveries');
