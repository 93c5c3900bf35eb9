-- What can be booked and who or what is occupied by it: resources, services, programs, schedules.
-- depends: 0001_identity

create table resources (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    slug text not null,
    name text not null,
    kind text not null,
    -- Places at one moment. The upper bound keeps a manual block, which takes every place, affordable.
    capacity integer not null,
    daily_limit integer,
    timezone text,
    always_open boolean not null default false,
    active boolean not null default true,
    primary key (business_id, id),
    constraint resources_slug unique (business_id, slug),
    -- The target of the foreign key by which every claim carries the capacity that bounds its seat.
    constraint resources_capacity unique (business_id, id, capacity),
    constraint resources_kind_known check (kind in ('practitioner', 'room', 'pool')),
    constraint resources_capacity_range check (capacity between 1 and 1000),
    constraint resources_daily_limit_range check (daily_limit between 1 and 1000),
    constraint resources_slug_shape check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 80)
);

create table services (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    slug text not null,
    name text not null,
    duration_minutes integer not null,
    buffer_before_minutes integer not null default 0,
    buffer_after_minutes integer not null default 0,
    -- Null: slots follow each other at the distance of the duration.
    slot_step_minutes integer,
    price_minor bigint not null default 0,
    payment_policy text not null default 'none',
    hold_minutes integer not null default 15,
    min_notice_minutes integer not null default 0,
    max_horizon_days integer not null default 90,
    cancel_notice_minutes integer not null default 0,
    -- The pool that bounds simultaneous bookings. The foreign key keeps the two numbers equal.
    max_simultaneous_bookings integer,
    pool_id uuid,
    active boolean not null default true,
    primary key (business_id, id),
    constraint services_slug unique (business_id, slug),
    constraint services_pool foreign key (business_id, pool_id, max_simultaneous_bookings)
        references resources (business_id, id, capacity) on update cascade,
    constraint services_pool_whole check ((pool_id is null) = (max_simultaneous_bookings is null)),
    constraint services_duration_range check (duration_minutes between 1 and 10080),
    constraint services_buffers_range check (
        buffer_before_minutes between 0 and 1440 and buffer_after_minutes between 0 and 1440
    ),
    constraint services_step_range check (slot_step_minutes between 1 and 1440),
    constraint services_price_range check (price_minor between 0 and 1000000000000),
    constraint services_payment_policy_known check (payment_policy in ('none', 'on_site', 'prepay')),
    constraint services_hold_range check (hold_minutes between 1 and 1440),
    constraint services_notice_range check (
        min_notice_minutes between 0 and 525600 and cancel_notice_minutes between 0 and 525600
    ),
    constraint services_horizon_range check (max_horizon_days between 1 and 730)
);
create index services_pool_resource on services (business_id, pool_id);

-- A booking takes one resource of each requirement. Requirement 1 leads: its opening hours set the grid of slots.
create table service_resources (
    business_id uuid not null,
    service_id uuid not null,
    requirement smallint not null,
    resource_id uuid not null,
    -- A resource meets one requirement of a service: otherwise the order of choosing would decide what fits.
    primary key (business_id, service_id, resource_id),
    constraint service_resources_service foreign key (business_id, service_id)
        references services (business_id, id) on delete cascade,
    constraint service_resources_resource foreign key (business_id, resource_id)
        references resources (business_id, id),
    constraint service_resources_requirement_range check (requirement between 1 and 10)
);
create index service_resources_resource on service_resources (business_id, resource_id);

create table programs (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    slug text not null,
    name text not null,
    duration_minutes integer not null,
    max_capacity integer not null,
    price_minor bigint not null default 0,
    payment_policy text not null default 'none',
    hold_minutes integer not null default 15,
    cancel_notice_minutes integer not null default 0,
    timezone text,
    active boolean not null default true,
    primary key (business_id, id),
    constraint programs_slug unique (business_id, slug),
    constraint programs_duration_range check (duration_minutes between 1 and 10080),
    constraint programs_capacity_range check (max_capacity between 1 and 1000000),
    constraint programs_price_range check (price_minor between 0 and 1000000000000),
    constraint programs_payment_policy_known check (payment_policy in ('none', 'on_site', 'prepay')),
    constraint programs_hold_range check (hold_minutes between 1 and 1440),
    constraint programs_notice_range check (cancel_notice_minutes between 0 and 525600)
);

-- The weekly rule by which a program's schedules are laid out ahead.
create table program_rules (
    business_id uuid not null,
    program_id uuid not null,
    weekday smallint not null,
    starts time not null,
    primary key (business_id, program_id, weekday, starts),
    constraint program_rules_program foreign key (business_id, program_id)
        references programs (business_id, id) on delete cascade,
    constraint program_rules_weekday_range check (weekday between 0 and 6)
);

create table program_resources (
    business_id uuid not null,
    program_id uuid not null,
    resource_id uuid not null,
    primary key (business_id, program_id, resource_id),
    constraint program_resources_program foreign key (business_id, program_id)
        references programs (business_id, id) on delete cascade,
    constraint program_resources_resource foreign key (business_id, resource_id)
        references resources (business_id, id)
);
create index program_resources_resource on program_resources (business_id, resource_id);

create table program_schedules (
    business_id uuid not null,
    id uuid not null default uuidv7(),
    program_id uuid not null,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    max_capacity integer not null,
    -- Kept by the database from the rows of bookings (0303_booking.sql); nothing else may write it.
    taken integer not null default 0,
    primary key (business_id, id),
    constraint program_schedules_program foreign key (business_id, program_id)
        references programs (business_id, id),
    constraint program_schedules_start unique (business_id, program_id, starts_at),
    constraint program_schedules_capacity check (taken between 0 and max_capacity),
    constraint program_schedules_capacity_range check (max_capacity between 1 and 1000000),
    constraint program_schedules_times check (
        starts_at < ends_at and isfinite(starts_at) and isfinite(ends_at)
    )
);
create index program_schedules_id on program_schedules (id);
create index services_id on services (id);

grant select, insert, update, delete on
    resources, services, service_resources, programs, program_rules, program_resources, program_schedules
    to holdfast_app;
grant select on services, service_resources, programs to holdfast_admission;
grant select, update on resources, program_schedules to holdfast_admission;
