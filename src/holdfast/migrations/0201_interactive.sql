-- Quizzes and rituals: definitions in versions, and runs of them as aggregates, without answers and without a person.
-- depends: 0005_privacy

create table interactive_definitions (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    kind text not null,
    slug text not null,
    locale text not null,
    state text not null default 'draft',
    -- Raised by each change, so that nobody overwrites what he has not seen.
    version integer not null default 1,
    -- The version that new runs are of.
    published_version integer,
    created_at timestamptz not null default clock_timestamp(),
    updated_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint interactive_definitions_slug unique (business_id, slug),
    constraint interactive_definitions_kind_known check (kind in ('quiz', 'ritual')),
    constraint interactive_definitions_slug_shape check (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(slug) <= 120),
    constraint interactive_definitions_locale_shape check (
        locale ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$' and length(locale) <= 35
    ),
    constraint interactive_definitions_state_known check (state in ('draft', 'published', 'archived')),
    constraint interactive_definitions_published_whole check ((state = 'published') = (published_version is not null))
);
create index interactive_definitions_made on interactive_definitions (business_id, created_at, id);

-- Each is a row, which nobody changes afterwards: a run means the same for ever.
create table interactive_versions (
    business_id uuid not null,
    definition_id uuid not null,
    number integer not null,
    -- What interactive/shapes.py has checked: questions, options with points and levels, or steps.
    definition jsonb not null,
    created_at timestamptz not null default clock_timestamp(),
    created_by uuid,
    primary key (business_id, definition_id, number),
    constraint interactive_versions_definition foreign key (business_id, definition_id)
        references interactive_definitions (business_id, id),
    constraint interactive_versions_number_range check (number >= 1),
    constraint interactive_versions_kind check (
        jsonb_typeof(definition) = 'object' and definition ->> 'kind' in ('quiz', 'ritual')
    )
);
alter table interactive_definitions add constraint interactive_definitions_published_version
    foreign key (business_id, id, published_version) references interactive_versions (business_id, definition_id, number);

create table interactive_runs (
    business_id uuid not null,
    id uuid not null default uuidv7(),
    definition_id uuid not null,
    version_number integer not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    duration_seconds integer,
    -- Of a quiz, the level of its result; a ritual has none.
    result_level text,
    completed boolean not null default false,
    primary key (business_id, id),
    constraint interactive_runs_version foreign key (business_id, definition_id, version_number)
        references interactive_versions (business_id, definition_id, number),
    constraint interactive_runs_finished_whole check (
        completed = (finished_at is not null) and completed = (duration_seconds is not null)
        and (completed or result_level is null)
    ),
    constraint interactive_runs_duration_range check (duration_seconds >= 0),
    -- A name of a level, where nobody could write an answer.
    constraint interactive_runs_result_level_shape check (
        result_level ~ '^[a-z0-9]+(-[a-z0-9]+)*$' and length(result_level) <= 40
    )
);
create index interactive_runs_started on interactive_runs (business_id, definition_id, started_at);

-- What TRANSITIONS of interactive/states.py says; a test compares the two.
create function interactive_may_become(p_before text, p_after text) returns boolean
language sql immutable parallel safe as $$
    select (p_before, p_after) in (('draft', 'published'), ('published', 'archived'), ('archived', 'published'))
$$;

create function guard_interactive_change() returns trigger
language plpgsql as $$
begin
    if new.version is distinct from old.version + 1 then
        raise exception 'a change of an interactive raises its version by one'
            using errcode = 'check_violation', constraint = 'interactive_definitions_version_step';
    end if;
    if new.state <> old.state and not interactive_may_become(old.state, new.state) then
        raise exception 'an interactive does not become % after %', new.state, old.state
            using errcode = 'check_violation', constraint = 'interactive_definitions_transition';
    end if;
    return new;
end $$;

create trigger guard_interactive_change before update on interactive_definitions
    for each row execute function guard_interactive_change();

create function guard_run_change() returns trigger
language plpgsql as $$
begin
    if old.completed or (new.definition_id, new.version_number, new.started_at)
                        is distinct from (old.definition_id, old.version_number, old.started_at) then
        raise exception 'a run is finished once and changed no further'
            using errcode = 'check_violation', constraint = 'interactive_runs_finished_once';
    end if;
    return new;
end $$;

create trigger guard_run_change before update on interactive_runs
    for each row execute function guard_run_change();

do $$
begin
    perform isolate('interactive_definitions');
    perform isolate('interactive_versions');
    perform isolate('interactive_runs');
end $$;

grant select, insert, update on interactive_definitions, interactive_runs to holdfast_app;
grant select, insert on interactive_versions to holdfast_app;
