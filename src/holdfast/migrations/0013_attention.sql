-- The inbox of what needs a person, and what refuses words of people where only technical facts may stand (D-6).
-- depends: 0005_privacy

-- What kernel/tracking.py lets pass and nothing more: yes or no, numbers of six digits, instants, ids, and words without
-- blanks in which at most six characters are digits. No address of mail, no telephone number and no sentence is any
-- of these. The meaning never changes: other rules would be another function.
create function is_technical(p_properties jsonb) returns boolean
language sql immutable parallel safe as $$
    select case when jsonb_typeof(p_properties) <> 'object' or octet_length(p_properties::text) > 2000 then false
           else not exists (
               select from jsonb_each(p_properties) property (name, value)
                cross join lateral (select property.value #>> '{}' collate "C" as word) text
                where property.name collate "C" !~ '^[a-z][a-z_]{0,63}$'
                   or case jsonb_typeof(property.value)
                           when 'boolean' then false
                           when 'number' then word !~ '^-?[0-9]{1,6}$'
                           when 'string' then not (
                               word ~ '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$'
                               or word ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'
                               or word ~ '^[A-Za-z0-9_+/-]{1,64}$' and word ~ '[A-Za-z]'
                                  and length(regexp_replace(word, '[^0-9]', '', 'g')) <= 6)
                           else true end)
           end
$$;

-- In the order of their weight, by which two can be compared.
create type attention_severity as enum ('info', 'warning', 'urgent');

create table attention_items (
    business_id uuid not null references businesses (id),
    id uuid not null,
    kind text not null,
    -- What it is about: a booking, a payment, a calendar, whatever the kind says.
    subject_id uuid not null,
    severity attention_severity not null,
    details jsonb not null default '{}',
    times_raised integer not null default 1,
    raised_at timestamptz not null default clock_timestamp(),
    last_raised_at timestamptz not null default clock_timestamp(),
    -- Who of the staff has taken it on, and who has resolved it.
    assignee_id uuid,
    snoozed_until timestamptz,
    resolved_at timestamptz,
    resolved_by uuid,
    primary key (business_id, id),
    constraint attention_items_kind_shape check (kind ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint attention_items_details_technical check (is_technical(details)),
    constraint attention_items_snoozed_bounded check (isfinite(snoozed_until)),
    constraint attention_items_resolved_by_somebody check (num_nonnulls(resolved_at, resolved_by) <> 1)
);
-- One of a kind about one thing, while nobody has resolved it.
create unique index attention_items_unresolved on attention_items (business_id, kind, subject_id)
    where resolved_at is null;
create index attention_items_age on attention_items (business_id, raised_at, id);

grant select, insert, update on attention_items to holdfast_app;
select isolate('attention_items');
