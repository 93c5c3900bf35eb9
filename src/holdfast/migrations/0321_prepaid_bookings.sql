-- What has to be paid before a booking is confirmed, for how long its place waits for that, and what a cancellation
-- gives back.
-- depends: 0320_waitlist_calls, 0310_staff

-- [{"hoursBefore": 24, "percent": 100}, ...]: whoever cancels so many hours before the start gets so much back.
create function refund_terms_are_sound(p_terms jsonb) returns boolean
language sql immutable parallel safe as $$
    select jsonb_typeof(p_terms) = 'array' and not exists (
        select from jsonb_array_elements(p_terms) term (it)
         where jsonb_typeof(it) <> 'object'
            or coalesce(jsonb_typeof(it -> 'hoursBefore') <> 'number' or (it ->> 'hoursBefore') !~ '^[0-9]{1,4}$', true)
            or coalesce(jsonb_typeof(it -> 'percent') <> 'number' or (it ->> 'percent') !~ '^([0-9]{1,2}|100)$', true))
$$;

-- No row breaks these: each has the default.
alter table services
    add column payment_minutes integer not null default 30,
    add column refund_terms jsonb not null default '[]',
    -- squawk-ignore constraint-missing-not-valid
    add constraint services_payment_range check (payment_minutes between 5 and 1440),
    -- squawk-ignore constraint-missing-not-valid
    add constraint services_refund_terms_sound check (refund_terms_are_sound(refund_terms));
alter table programs
    add column payment_minutes integer not null default 30,
    add column refund_terms jsonb not null default '[]',
    -- squawk-ignore constraint-missing-not-valid
    add constraint programs_payment_range check (payment_minutes between 5 and 1440),
    -- squawk-ignore constraint-missing-not-valid
    add constraint programs_refund_terms_sound check (refund_terms_are_sound(refund_terms));

alter table bookings
    -- Has to be paid before it is confirmed; null: nothing has to be.
    add column due_minor bigint,
    -- As its service or program had them when it was committed: what the client has agreed to.
    add column refund_terms jsonb,
    -- How much of what was paid goes back; decided when it was cancelled or refunded.
    add column refund_percent smallint,
    add constraint bookings_due_positive check (due_minor > 0) not valid,
    add constraint bookings_refund_percent_range check (refund_percent between 0 and 100) not valid,
    -- The place waits for the payment until expires_at.
    add constraint bookings_payment_awaited check (
        case when state = 'pending_payment' then due_minor is not null and expires_at is not null else true end
    ) not valid;
