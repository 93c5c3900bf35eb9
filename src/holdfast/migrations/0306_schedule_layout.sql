-- What laying out has to remember: which schedules come from a rule, which were withdrawn, where the two differ.
-- depends: 0303_booking

-- The capacity that the program's rule gave to a schedule; null for one that was made by hand, which no rule touches.
alter table program_schedules add column rule_capacity integer;
update program_schedules s set rule_capacity = p.max_capacity
  from programs p where p.business_id = s.business_id and p.id = s.program_id;

-- A schedule that is offered no more, yet has bookings in its history, or must not be laid out anew:
-- withdrawn because the rule means it no more, or by staff.
-- The second check is the referee of a reservation that meets a withdrawal: one of the two fails. Both hold for every
-- row that is there, since the column is new, so they are checked without reading the bookings of anybody.
alter table program_schedules add column withdrawn text
    constraint program_schedules_withdrawn_known check (withdrawn in ('rule', 'staff'))
    constraint program_schedules_withdrawn_free check (withdrawn is null or taken = 0);

-- Where the coming schedules of a program differ from its rule, as the last layout found it.
create table schedule_deviations (
    business_id uuid not null,
    program_id uuid not null,
    starts_at timestamptz not null,
    kind text not null,
    resource_id uuid,
    noticed_at timestamptz not null default clock_timestamp(),
    primary key (business_id, program_id, starts_at),
    constraint schedule_deviations_program foreign key (business_id, program_id)
        references programs (business_id, id) on delete cascade,
    constraint schedule_deviations_resource foreign key (business_id, resource_id)
        references resources (business_id, id) on delete cascade,
    constraint schedule_deviations_kind_known check (kind in ('closed', 'taken', 'busy', 'booked', 'crowded')),
    -- Not laid out because of a resource, or laid out otherwise because of its bookings.
    constraint schedule_deviations_whose check ((resource_id is null) = (kind in ('booked', 'crowded')))
);
create index schedule_deviations_by_resource on schedule_deviations (business_id, resource_id)
    where resource_id is not null;
grant select, insert, update, delete on schedule_deviations to holdfast_app;
