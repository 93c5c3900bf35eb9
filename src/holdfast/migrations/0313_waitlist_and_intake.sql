-- Who waits for a place, and what clients confide before they come.
-- depends: 0005_privacy, 0303_booking

create table waitlist_requests (
    business_id uuid not null references businesses (id),
    id uuid not null,
    -- What is waited for: a service within a window, or places of a full schedule.
    service_id uuid,
    schedule_id uuid,
    wanted tstzrange,
    party_size integer not null,
    state text not null default 'waiting',
    -- The hold that was offered last: never two offers for one place.
    offered_booking_id uuid,
    contact_email envelope not null,
    contact_email_index blind_index not null,
    contact_phone envelope,
    contact_phone_index blind_index,
    contact_name envelope,
    timezone text,
    locale text,
    -- Whoever asked first is asked first.
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint waitlist_requests_service foreign key (business_id, service_id) references services (business_id, id),
    constraint waitlist_requests_schedule foreign key (business_id, schedule_id)
        references program_schedules (business_id, id),
    constraint waitlist_requests_offer foreign key (business_id, offered_booking_id)
        references bookings (business_id, id),
    constraint waitlist_requests_one_offering check (
        num_nonnulls(service_id, schedule_id) = 1 and (wanted is not null) = (service_id is not null)
    ),
    constraint waitlist_requests_bounded check (
        not isempty(wanted) and not lower_inf(wanted) and not upper_inf(wanted)
        and isfinite(lower(wanted)) and isfinite(upper(wanted))
    ),
    constraint waitlist_requests_party_size_range check (party_size between 1 and 1000000),
    constraint waitlist_requests_state_known check (state in ('waiting', 'offered', 'accepted', 'withdrawn', 'passed')),
    constraint waitlist_requests_offer_named check (
        case when state in ('offered', 'accepted') then offered_booking_id is not null else true end
    ),
    constraint waitlist_requests_phone_found check ((contact_phone is null) = (contact_phone_index is null))
);
create unique index waitlist_requests_one_offer on waitlist_requests (business_id, offered_booking_id);
create index waitlist_requests_by_service on waitlist_requests (business_id, service_id, state, created_at);
create index waitlist_requests_by_schedule on waitlist_requests (business_id, schedule_id, state, created_at);
create index waitlist_requests_by_email on waitlist_requests (business_id, contact_email_index);
create index waitlist_requests_by_phone on waitlist_requests (business_id, contact_phone_index);

create table intake_forms (
    business_id uuid not null references businesses (id),
    id uuid not null,
    booking_id uuid not null,
    -- The answers as one JSON object.
    answers envelope not null,
    submitted_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint intake_forms_booking foreign key (business_id, booking_id) references bookings (business_id, id),
    -- Given again, it takes the place of the one before.
    constraint intake_forms_one_a_booking unique (business_id, booking_id)
);

-- Deleted when a person is forgotten.
grant select, insert, update, delete on waitlist_requests, intake_forms to holdfast_app;
select isolate('waitlist_requests');
select isolate('intake_forms');
