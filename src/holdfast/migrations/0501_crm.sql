-- Leads: whoever has been in touch, how they are reached, what happened since, and the links that brought them.
-- depends: 0005_privacy, 0013_attention

-- To go back to the release before, nothing is to be done: its servers do not know these tables.

-- A mark of a campaign: letters, digits and a few signs, without blanks, with a letter and six digits at most. No address
-- of mail, no telephone number and no sentence is one. The meaning never changes.
create function is_campaign_tag(p_text text) returns boolean
language sql immutable parallel safe as $$
    select p_text collate "C" ~ '^[A-Za-z0-9_+.-]{1,64}$' and p_text collate "C" ~ '[A-Za-z]'
           and length(regexp_replace(p_text, '[^0-9]', '', 'g')) <= 6
$$;

create table deep_links (
    business_id uuid not null references businesses (id),
    -- Short, made to be printed, and never given twice.
    id text not null,
    -- What the audit log calls it, and lists continue from.
    reference uuid not null default uuidv7(),
    target_path text not null,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    utm_term text,
    utm_content text,
    clicks bigint not null default 0,
    version integer not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    retired_at timestamptz,
    primary key (business_id, id),
    constraint deep_links_id_shape check (id ~ '^[A-Za-z0-9_-]{3,64}$'),
    -- A path of ours, and never the address of another site.
    constraint deep_links_target_shape check (
        target_path collate "C" ~ '^/([A-Za-z0-9_~%.=&?-][A-Za-z0-9_~%.=&?/-]*)?$' and length(target_path) <= 500
    ),
    constraint deep_links_utm_tags check (
        is_campaign_tag(utm_source) and is_campaign_tag(utm_medium) and is_campaign_tag(utm_campaign)
        and is_campaign_tag(utm_term) and is_campaign_tag(utm_content)
    ),
    constraint deep_links_clicks_counted check (clicks >= 0)
);
create index deep_links_by_age on deep_links (business_id, created_at, reference);

create table leads (
    business_id uuid not null references businesses (id),
    id uuid not null,
    stage text not null default 'new',
    -- What they were first in touch by.
    source text not null,
    name envelope,
    locale text,
    utm_source text,
    utm_medium text,
    utm_campaign text,
    utm_term text,
    utm_content text,
    deep_link text,
    -- An id of staff: of a user or of an API key.
    assigned_to uuid,
    -- The lead that turned out to be the same person, and has everything that this one had.
    merged_into uuid,
    version integer not null default 1,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint leads_deep_link foreign key (business_id, deep_link) references deep_links (business_id, id),
    constraint leads_merged_into foreign key (business_id, merged_into) references leads (business_id, id),
    constraint leads_merged_into_another check (merged_into <> id),
    constraint leads_stage_known check (stage in ('new', 'contacted', 'client', 'lost')),
    constraint leads_source_known check (source in ('form', 'question', 'booking')),
    constraint leads_locale_shape check (locale ~ '^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$' and length(locale) <= 35),
    constraint leads_utm_tags check (
        is_campaign_tag(utm_source) and is_campaign_tag(utm_medium) and is_campaign_tag(utm_campaign)
        and is_campaign_tag(utm_term) and is_campaign_tag(utm_content)
    )
);
create index leads_by_stage on leads (business_id, stage, created_at, id);
create index leads_by_age on leads (business_id, created_at, id);
create index leads_by_deep_link on leads (business_id, deep_link) where deep_link is not null;
create index leads_by_survivor on leads (business_id, merged_into) where merged_into is not null;

create function guard_lead() returns trigger
language plpgsql as $$
declare
    v_otherwise leads;
begin
    v_otherwise := new;
    v_otherwise.name := old.name;
    if v_otherwise is distinct from old and new.version <> old.version + 1 then
        raise exception 'a change of lead % must raise its version by one', old.id
            using errcode = 'check_violation', constraint = 'leads_version_step';
    end if;
    if old.merged_into is not null and new.merged_into is null then
        raise exception 'lead % stays merged', old.id
            using errcode = 'check_violation', constraint = 'leads_stay_merged';
    end if;
    return new;
end $$;
create trigger guard_lead before update on leads for each row execute function guard_lead();

-- Of one way to reach somebody there is one row, so one lead: whoever comes second finds it.
create table lead_identities (
    business_id uuid not null,
    id uuid not null,
    lead_id uuid not null,
    kind text not null,
    value envelope not null,
    value_index blind_index not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint lead_identities_once unique (business_id, kind, value_index),
    constraint lead_identities_lead foreign key (business_id, lead_id) references leads (business_id, id),
    constraint lead_identities_kind_known check (
        kind in ('email', 'phone', 'telegram', 'whatsapp', 'viber', 'vk', 'signal', 'max')
    )
);
create index lead_identities_of_lead on lead_identities (business_id, lead_id);

create table lead_timeline_events (
    business_id uuid not null,
    id uuid not null,
    lead_id uuid not null,
    type text not null,
    payload jsonb not null default '{}',
    -- The event of the outbox that told of it, so that it is told once.
    source_event uuid,
    occurred_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint lead_timeline_events_once unique (business_id, source_event),
    constraint lead_timeline_events_lead foreign key (business_id, lead_id) references leads (business_id, id),
    constraint lead_timeline_events_type_shape check (type ~ '^[a-z][a-z0-9_]{0,63}$'),
    constraint lead_timeline_events_technical check (is_technical(payload))
);
create index lead_timeline_events_of_lead on lead_timeline_events (business_id, lead_id, occurred_at, id);

create table lead_notes (
    business_id uuid not null,
    id uuid not null,
    lead_id uuid not null,
    text envelope not null,
    author uuid not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint lead_notes_lead foreign key (business_id, lead_id) references leads (business_id, id)
);
create index lead_notes_of_lead on lead_notes (business_id, lead_id, created_at);

-- Up to when the worker has made leads of bookings and questions, for all tenants.
create table lead_feed (
    only_row boolean primary key default true,
    read_until timestamptz not null,
    constraint lead_feed_one check (only_row)
);
insert into lead_feed (read_until) values (clock_timestamp());

-- The events that leads are made of, in the order of their time. Few have come until now, for this release brings what
-- reads them; commits wait for one look at the table.
-- squawk-ignore require-concurrent-index-creation
create index outbox_events_for_leads on outbox_events (occurred_at, id)
    where type in ('AppointmentConfirmed', 'QuestionSubmitted');

select isolate('deep_links');
select isolate('leads');
select isolate('lead_identities');
select isolate('lead_timeline_events');
select isolate('lead_notes');

grant select, insert, update on deep_links, leads, lead_feed to holdfast_app;
-- A person can have everything erased that tells of them.
grant select, insert, update, delete on lead_identities, lead_timeline_events, lead_notes to holdfast_app;
grant select (business_id, source_event) on lead_timeline_events to holdfast_admission;
