-- What happens, in facts that are about nobody (D-6).
-- depends: 0013_attention, 0303_booking

-- No foreign key to businesses: events come from the path of admission, whose bookings have one.
create table analytics_events (
    business_id uuid not null,
    id uuid not null,
    name text not null,
    properties jsonb not null,
    -- How often it happened just so within the second.
    times integer not null,
    occurred_at timestamptz not null,
    primary key (business_id, id),
    -- The names that the code declares, compared by a test.
    constraint analytics_events_declared check (name in (
        'booking_slots_viewed', 'booking_slot_selected', 'booking_details_submitted', 'booking_confirmed',
        'booking_conflict'
    )),
    constraint analytics_events_technical check (is_technical(properties)),
    constraint analytics_events_times_positive check (times > 0)
);
create index analytics_events_by_name on analytics_events (business_id, name, occurred_at);

grant select on analytics_events to holdfast_app;
-- Through record_events only.
grant select, insert on analytics_events to holdfast_admission;
select isolate('analytics_events');
