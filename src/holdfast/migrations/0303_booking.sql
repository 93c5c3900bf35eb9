-- Bookings and the places that they take. The constraints below are the referee of the whole product:
-- whatever code or console writes, a place is never sold twice.
-- depends: 0302_availability, 0002_plumbing

-- One row from hold to outcome, so that no copying opens a gap between reservation and appointment.
create table bookings (
    business_id uuid not null,
    id uuid not null,
    service_id uuid,
    schedule_id uuid,
    starts_at timestamptz not null,
    ends_at timestamptz not null,
    party_size integer not null,
    state text not null,
    version integer not null default 1,
    held_at timestamptz not null,
    -- Until when the hold lives; kept after the commit, when it no longer matters.
    expires_at timestamptz,
    confirmed_at timestamptz,
    price_minor bigint not null,
    currency text not null,
    timezone text,
    locale text,
    guest_email text,
    guest_phone text,
    guest_name text,
    -- A new nonce revokes the cancellation token, which is derived from it with a key outside the database (B-11).
    token_nonce bytea,
    primary key (business_id, id),
    constraint bookings_service foreign key (business_id, service_id) references services (business_id, id),
    constraint bookings_schedule foreign key (business_id, schedule_id)
        references program_schedules (business_id, id),
    constraint bookings_one_offering check (num_nonnulls(service_id, schedule_id) = 1),
    constraint bookings_times check (starts_at < ends_at and isfinite(starts_at) and isfinite(ends_at)),
    constraint bookings_party_size_range check (party_size between 1 and 1000000),
    constraint bookings_version_positive check (version > 0),
    constraint bookings_price_range check (price_minor >= 0),
    constraint bookings_hold_ends check (state <> 'held' or (expires_at is not null and isfinite(expires_at))),
    constraint bookings_state_known check (state in (
        'held', 'pending_payment', 'confirmed', 'completed', 'no_show', 'cancelled', 'refunded', 'expired', 'released'
    ))
);
create index bookings_id on bookings (id);
create index idx_reservations_expiry on bookings (expires_at) where state = 'held';
create index idx_reservations_slot on bookings (business_id, service_id, starts_at, ends_at)
    where state = 'held' and service_id is not null;
create index idx_appointments_slot on bookings (business_id, service_id, starts_at, ends_at)
    where state = 'confirmed' and service_id is not null;
create index bookings_by_schedule on bookings (business_id, schedule_id, state) where schedule_id is not null;

-- The table of transitions, once in SQL; a test compares it with the one in booking/states.py.
create function booking_may_become(p_from text, p_to text) returns boolean
language sql immutable parallel safe as $$
    select (p_from, p_to) in (
        ('held', 'confirmed'), ('held', 'pending_payment'), ('held', 'expired'), ('held', 'released'),
        ('pending_payment', 'confirmed'), ('pending_payment', 'expired'), ('pending_payment', 'cancelled'),
        ('confirmed', 'completed'), ('confirmed', 'no_show'), ('confirmed', 'cancelled'), ('confirmed', 'refunded'),
        ('completed', 'no_show'), ('no_show', 'completed'),
        ('cancelled', 'refunded'),
        ('expired', 'confirmed')
    )
$$;

create function booking_occupies(p_state text) returns boolean
language sql immutable parallel safe as $$
    select p_state in ('held', 'pending_payment', 'confirmed', 'completed', 'no_show')
$$;

create function guard_booking_change() returns trigger
language plpgsql as $$
begin
    if new.version <> old.version + 1 then
        raise exception 'a change of booking % must raise its version by one', old.id
            using errcode = 'check_violation', constraint = 'bookings_version_step';
    end if;
    if new.state <> old.state and not booking_may_become(old.state, new.state) then
        raise exception 'booking % cannot go from % to %', old.id, old.state, new.state
            using errcode = 'check_violation', constraint = 'bookings_transition';
    end if;
    return new;
end $$;
create trigger guard_change before update on bookings
    for each row execute function guard_booking_change();

-- A schedule's counter follows the rows of bookings in the same statement that changes them (B-2).
-- Counter by counter in order of id, as admission locks them, and each by its key, whatever the planner believes.
create function count_schedule_places() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    change record;
begin
    if tg_op = 'INSERT' then
        for change in
            select n.business_id, n.schedule_id, sum(n.party_size)::integer as places from new_rows n
             where n.schedule_id is not null and booking_occupies(n.state) group by 1, 2 order by 1, 2
        loop
            update program_schedules s set taken = s.taken + change.places
             where s.business_id = change.business_id and s.id = change.schedule_id;
        end loop;
    elsif tg_op = 'DELETE' then
        for change in
            select o.business_id, o.schedule_id, sum(o.party_size)::integer as places from old_rows o
             where o.schedule_id is not null and booking_occupies(o.state) group by 1, 2 order by 1, 2
        loop
            update program_schedules s set taken = s.taken - change.places
             where s.business_id = change.business_id and s.id = change.schedule_id;
        end loop;
    else
        for change in
            select r.business_id, r.schedule_id, sum(r.places)::integer as places
              from (select n.business_id, n.schedule_id, n.party_size as places from new_rows n
                     where n.schedule_id is not null and booking_occupies(n.state)
                    union all
                    select o.business_id, o.schedule_id, -o.party_size from old_rows o
                     where o.schedule_id is not null and booking_occupies(o.state)) r
             group by 1, 2 having sum(r.places) <> 0 order by 1, 2
        loop
            update program_schedules s set taken = s.taken + change.places
             where s.business_id = change.business_id and s.id = change.schedule_id;
        end loop;
    end if;
    return null;
end $$;
create trigger count_inserted after insert on bookings referencing new table as new_rows
    for each statement execute function count_schedule_places();
create trigger count_updated after update on bookings referencing old table as old_rows new table as new_rows
    for each statement execute function count_schedule_places();
create trigger count_deleted after delete on bookings referencing old table as old_rows
    for each statement execute function count_schedule_places();

-- Only the triggers above may move a counter: a statement of anybody else would part it from its bookings.
create function guard_schedule_counter() returns trigger
language plpgsql as $$
begin
    if pg_trigger_depth() < 2 and new.taken is distinct from (case when tg_op = 'UPDATE' then old.taken else 0 end) then
        raise exception 'the places taken of schedule % are counted from its bookings', new.id
            using errcode = 'check_violation', constraint = 'program_schedules_counted';
    end if;
    return new;
end $$;
create trigger guard_counter before insert or update on program_schedules
    for each row execute function guard_schedule_counter();

-- Time that staff keep free of bookings; it takes every place of its resource.
create table blocks (
    business_id uuid not null,
    id uuid not null default uuidv7(),
    resource_id uuid not null,
    during tstzrange not null,
    reason text,
    created_at timestamptz not null default now(),
    primary key (business_id, id),
    constraint blocks_resource foreign key (business_id, resource_id) references resources (business_id, id),
    constraint blocks_bounded check (
        not isempty(during) and not lower_inf(during) and not upper_inf(during)
        and isfinite(lower(during)) and isfinite(upper(during))
    )
);
create index blocks_by_resource on blocks (business_id, resource_id);

-- A resource's places taken for a time range, buffers included. A place is a seat: 1 to capacity.
-- claims_no_overlap is the only unique or exclusion constraint that a normal insert can hit, so that a swallowed
-- conflict has one meaning only.
create table claims (
    business_id uuid not null,
    id bigint generated always as identity,
    resource_id uuid not null,
    capacity integer not null,
    seat integer not null,
    during tstzrange not null,
    booking_id uuid,
    schedule_id uuid,
    block_id uuid,
    primary key (business_id, resource_id, id),
    constraint claims_no_overlap exclude using gist (
        business_id with =, resource_id with =, seat with =, during with &&
    ),
    -- Carries the capacity into this row, because a CHECK cannot read another table.
    constraint claims_resource foreign key (business_id, resource_id, capacity)
        references resources (business_id, id, capacity) on update cascade,
    constraint claims_seat_exists check (seat between 1 and capacity),
    constraint claims_one_owner check (num_nonnulls(booking_id, schedule_id, block_id) = 1),
    -- An exclusion constraint lets empty ranges through; upper_inf does not see 'infinity', and isfinite of a bound
    -- that is absent is null, which a CHECK takes for yes.
    constraint claims_bounded check (
        not isempty(during) and lower_inc(during) and not upper_inc(during)
        and not lower_inf(during) and not upper_inf(during)
        and isfinite(lower(during)) and isfinite(upper(during))
    ),
    -- Deferred: claims are taken before their bookings are written, so that losers write neither.
    constraint claims_booking foreign key (business_id, booking_id)
        references bookings (business_id, id) deferrable initially deferred,
    constraint claims_schedule foreign key (business_id, schedule_id)
        references program_schedules (business_id, id) deferrable initially deferred,
    constraint claims_block foreign key (business_id, block_id)
        references blocks (business_id, id) deferrable initially deferred
);
create index claims_by_booking on claims (business_id, booking_id) where booking_id is not null;
create index claims_by_schedule on claims (business_id, schedule_id) where schedule_id is not null;
create index claims_by_block on claims (business_id, block_id) where block_id is not null;

grant select, insert, update, delete on bookings, claims, blocks to holdfast_app, holdfast_admission;

create view reservations with (security_invoker = true) as
    select business_id, id, service_id, schedule_id, starts_at as start_at_utc, ends_at as end_at_utc,
           party_size, state as status, expires_at, version
      from bookings where state in ('held', 'expired', 'released');

create view appointments with (security_invoker = true) as
    select business_id, id, service_id, schedule_id, starts_at as start_at_utc, ends_at as end_at_utc,
           party_size, state as status, confirmed_at, price_minor, currency, version
      from bookings where state not in ('held', 'expired', 'released');

grant select on reservations, appointments to holdfast_app;
