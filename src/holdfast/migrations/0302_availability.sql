-- When resources are open, and when an outside calendar says that they are busy.
-- depends: 0301_catalog

-- Wall times of the resource's zone; they become instants in Python only (A-5).
create table availability_rules (
    business_id uuid not null,
    id uuid not null default uuidv7(),
    resource_id uuid not null,
    weekday smallint not null,
    opens time not null,
    -- Not after `opens`: the window runs overnight into the next day; 00:00 is the end of the day.
    closes time not null,
    valid_from date,
    valid_until date,
    primary key (business_id, id),
    constraint availability_rules_resource foreign key (business_id, resource_id)
        references resources (business_id, id) on delete cascade,
    constraint availability_rules_weekday_range check (weekday between 0 and 6),
    constraint availability_rules_validity check (valid_from <= valid_until)
);
create index availability_rules_by_resource on availability_rules (business_id, resource_id);

-- What differs on a date: other hours, or closed when both times are null.
create table availability_overrides (
    business_id uuid not null,
    id uuid not null default uuidv7(),
    resource_id uuid not null,
    day date not null,
    opens time,
    closes time,
    primary key (business_id, id),
    constraint availability_overrides_resource foreign key (business_id, resource_id)
        references resources (business_id, id) on delete cascade,
    constraint availability_overrides_both check ((opens is null) = (closes is null))
);
create index availability_overrides_by_resource on availability_overrides (business_id, resource_id, day);

-- Time blocked by an external calendar; mirrored, never ours.
create table calendar_busy_intervals (
    business_id uuid not null,
    id uuid not null default uuidv7(),
    resource_id uuid not null,
    during tstzrange not null,
    source text not null,
    primary key (business_id, id),
    constraint calendar_busy_intervals_resource foreign key (business_id, resource_id)
        references resources (business_id, id) on delete cascade,
    constraint calendar_busy_intervals_bounded check (
        not isempty(during) and not lower_inf(during) and not upper_inf(during)
        and isfinite(lower(during)) and isfinite(upper(during))
    )
);
create index calendar_busy_intervals_time on calendar_busy_intervals using gist (business_id, resource_id, during);

grant select, insert, update, delete on
    availability_rules, availability_overrides, calendar_busy_intervals to holdfast_app;
grant select on calendar_busy_intervals to holdfast_admission;

-- Every change of what admission is checked against raises the catalog version of its business, once a statement.
create function raise_catalog_version() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update businesses set catalog_version = catalog_version + 1
     where id in (select changed.business_id from changed);
    return null;
end $$;

do $$
declare
    watched text;
begin
    foreach watched in array array[
        'resources', 'services', 'service_resources', 'programs', 'program_rules', 'program_resources',
        'availability_rules', 'availability_overrides'
    ] loop
        execute format('create trigger catalog_inserted after insert on %I referencing new table as changed
                        for each statement execute function raise_catalog_version()', watched);
        execute format('create trigger catalog_updated after update on %I referencing new table as changed
                        for each statement execute function raise_catalog_version()', watched);
        execute format('create trigger catalog_deleted after delete on %I referencing old table as changed
                        for each statement execute function raise_catalog_version()', watched);
    end loop;
end $$;
