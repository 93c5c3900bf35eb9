-- Accounts at calendar providers with their calendars: what blocks time here, what is exported there, who decides.
-- depends: 0701_calendars, 0302_availability, 0316_isolation, 0501_crm, 0013_attention

-- The first draft of these tables knew one calendar for each account; nothing has ever written or read them, so that
-- nothing is lost and no server of the release before needs them.
-- squawk-ignore ban-drop-view
drop view integrations_google_calendar;
-- squawk-ignore ban-drop-table
drop table calendar_events;
-- squawk-ignore ban-drop-table
drop table calendar_connections;

-- How the account of somebody at a provider is reached.
create table calendar_connections (
    business_id uuid not null references businesses (id),
    id uuid not null,
    -- Whose time its calendars tell.
    resource_id uuid not null,
    provider text not null,
    state text not null default 'connected',
    -- The address of mail or the name of the account; of a feed there is none.
    account envelope,
    -- Of account and address together: who connects again gets the connection that is there.
    account_index blind_index not null,
    -- Where a server of CalDAV or a feed is found; whoever knows the address of a feed can read it.
    address envelope,
    password envelope,
    access_token envelope,
    access_token_expires_at timestamptz,
    refresh_token envelope,
    -- Why it does not work, in a word; null while it does.
    error_code text,
    created_at timestamptz not null default clock_timestamp(),
    connected_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint calendar_connections_resource foreign key (business_id, resource_id)
        references resources (business_id, id),
    constraint calendar_connections_once unique (business_id, resource_id, provider, account_index),
    constraint calendar_connections_provider_known check (provider in ('google', 'caldav', 'ics')),
    constraint calendar_connections_state_known check (state in ('connected', 'needs_reconnect', 'stopped')),
    constraint calendar_connections_error_code_shape check (error_code ~ '^[a-z][a-z0-9_]{0,63}$')
);

create table calendars (
    business_id uuid not null references businesses (id),
    id uuid not null,
    connection_id uuid not null,
    resource_id uuid not null,
    -- At Google the id of a calendar is most often an address of mail.
    remote_id envelope not null,
    remote_id_index blind_index not null,
    name envelope not null,
    timezone text,
    access text not null,
    blocks boolean not null default false,
    exports boolean not null default false,
    -- Where the next look at its changes goes on, and until when what was looked at reaches. For a feed what the server
    -- has said of its version.
    sync_point envelope,
    window_ends_at timestamptz,
    -- When it is looked at next; sooner after a push. Whoever looks holds the lease meanwhile.
    next_sync_at timestamptz not null default clock_timestamp(),
    lease uuid,
    leased_until timestamptz,
    last_attempt_at timestamptz,
    last_success_at timestamptz,
    failures integer not null default 0,
    error_code text,
    -- How far the look that is under way has come.
    events_seen integer,
    next_reconciliation_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint calendars_connection foreign key (business_id, connection_id)
        references calendar_connections (business_id, id) on delete cascade,
    constraint calendars_resource foreign key (business_id, resource_id) references resources (business_id, id),
    constraint calendars_once unique (business_id, connection_id, remote_id_index),
    constraint calendars_access_known check (access in ('write', 'read', 'free_busy')),
    constraint calendars_exports_writable check (not exports or access = 'write'),
    constraint calendars_leased_whole check ((lease is null) = (leased_until is null)),
    constraint calendars_failures_positive check (failures >= 0),
    constraint calendars_error_code_shape check (error_code ~ '^[a-z][a-z0-9_]{0,63}$')
);
create unique index calendars_one_export on calendars (business_id, connection_id) where exports;
create index calendars_by_resource on calendars (business_id, resource_id);
create index calendars_due on calendars (next_sync_at);

-- Channels by which a calendar tells that it has changed. One is replaced before it ends, so that there may be two.
create table calendar_channels (
    business_id uuid not null references businesses (id),
    id uuid not null,
    calendar_id uuid not null,
    token_hash bytea not null,
    -- What the provider calls that which is watched; null until it has answered, which may be after the first message.
    remote_resource envelope,
    expires_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    last_message_at timestamptz,
    primary key (business_id, id),
    constraint calendar_channels_calendar foreign key (business_id, calendar_id)
        references calendars (business_id, id) on delete cascade,
    constraint calendar_channels_token_hash_length check (octet_length(token_hash) = 32)
);
create index calendar_channels_by_calendar on calendar_channels (business_id, calendar_id);
-- A message names the channel only.
create index calendar_channels_by_id on calendar_channels (id);

-- What of a calendar blocks time. Of the event itself nothing is kept but when it is, and a keyed hash of its id.
alter table calendar_busy_intervals add column calendar_id uuid;
alter table calendar_busy_intervals add column event_key bytea;
-- squawk-ignore constraint-missing-not-valid, adding-foreign-key-constraint
alter table calendar_busy_intervals add constraint calendar_busy_intervals_calendar
    foreign key (business_id, calendar_id) references calendars (business_id, id) on delete cascade;
-- squawk-ignore constraint-missing-not-valid
alter table calendar_busy_intervals add constraint calendar_busy_intervals_event_whole check (
    (calendar_id is null) = (event_key is null) and octet_length(event_key) = 16
);
-- squawk-ignore require-concurrent-index-creation
create unique index calendar_busy_intervals_event on calendar_busy_intervals (business_id, calendar_id, event_key, during)
    where calendar_id is not null;

-- The event that stands for a booking in a calendar: as it should be there, and as it was when last written.
create table calendar_events (
    business_id uuid not null references businesses (id),
    calendar_id uuid not null,
    booking_id uuid not null,
    -- Made from the id of the booking, so that an export that is repeated makes no second event.
    event_id text not null,
    state text not null default 'wanted',
    -- What the calendar calls the version that it has; which version of the booking that is, and its times.
    etag text,
    booking_version integer,
    starts_at timestamptz,
    ends_at timestamptz,
    -- When it is written next; null when it is as it should be, or waits for a decision. Whoever writes holds the lease.
    next_attempt_at timestamptz,
    lease uuid,
    leased_until timestamptz,
    failures integer not null default 0,
    error_code text,
    exported_at timestamptz,
    primary key (business_id, calendar_id, booking_id),
    constraint calendar_events_calendar foreign key (business_id, calendar_id)
        references calendars (business_id, id) on delete cascade,
    constraint calendar_events_booking foreign key (business_id, booking_id) references bookings (business_id, id),
    constraint calendar_events_event_id unique (business_id, calendar_id, event_id),
    -- Base32hex: what Google lets a client choose.
    constraint calendar_events_event_id_shape check (
        event_id ~ '^[a-v0-9]+$' and length(event_id) between 5 and 1024
    ),
    -- `removed`: it was there and is not any more; `conflict`: a person has changed it there, staff decide.
    constraint calendar_events_state_known check (state in ('wanted', 'exported', 'removed', 'conflict')),
    constraint calendar_events_leased_whole check ((lease is null) = (leased_until is null)),
    constraint calendar_events_written check (
        case when state = 'exported' then num_nonnulls(booking_version, starts_at, ends_at, exported_at) = 4 else true end
    ),
    constraint calendar_events_failures_positive check (failures >= 0),
    constraint calendar_events_error_code_shape check (error_code ~ '^[a-z][a-z0-9_]{0,63}$')
);
create index calendar_events_by_booking on calendar_events (business_id, booking_id);
create index calendar_events_due on calendar_events (next_attempt_at) where next_attempt_at is not null;

-- How far the exporter has read the outbox; one row for all businesses.
create table calendar_export_feed (
    one boolean primary key default true,
    read_until timestamptz not null default clock_timestamp(),
    constraint calendar_export_feed_one check (one)
);
insert into calendar_export_feed default values;

-- What has happened in its order, for whoever follows it.
-- squawk-ignore require-concurrent-index-creation
create index outbox_events_in_order on outbox_events (occurred_at, id);
-- squawk-ignore require-concurrent-index-deletion
drop index outbox_events_for_leads;

-- What a person has done to our event, or put over our booking, and what staff have decided about it.
create table calendar_conflicts (
    business_id uuid not null references businesses (id),
    id uuid not null,
    calendar_id uuid not null,
    booking_id uuid not null,
    kind text not null,
    -- Of the booking when it was found; the times that the calendar has, none for a deleted event.
    booking_version integer not null,
    remote_starts_at timestamptz,
    remote_ends_at timestamptz,
    remote_etag text,
    -- Of the event that overlaps, a keyed hash of its id.
    event_key bytea,
    state text not null default 'open',
    item_id uuid not null,
    raised_at timestamptz not null default clock_timestamp(),
    decided_at timestamptz,
    primary key (business_id, id),
    constraint calendar_conflicts_calendar foreign key (business_id, calendar_id)
        references calendars (business_id, id) on delete cascade,
    constraint calendar_conflicts_booking foreign key (business_id, booking_id) references bookings (business_id, id),
    constraint calendar_conflicts_item foreign key (business_id, item_id) references attention_items (business_id, id),
    constraint calendar_conflicts_kind_known check (kind in ('moved', 'deleted', 'overlap')),
    constraint calendar_conflicts_remote_whole check (
        (remote_starts_at is null) = (remote_ends_at is null) and (kind = 'deleted') = (remote_starts_at is null)
    ),
    constraint calendar_conflicts_overlapping check ((event_key is not null) = (kind = 'overlap')),
    constraint calendar_conflicts_event_key_length check (octet_length(event_key) = 16),
    -- `superseded`: the booking was changed, or the calendar put right, before anybody decided.
    constraint calendar_conflicts_state_known check (state in ('open', 'accepted', 'restored', 'ignored', 'superseded')),
    constraint calendar_conflicts_decided check ((state = 'open') = (decided_at is null))
);
create unique index calendar_conflicts_one_open on calendar_conflicts (business_id, calendar_id, booking_id, event_key)
    nulls not distinct where state = 'open';
create index calendar_conflicts_by_booking on calendar_conflicts (business_id, booking_id);
create index calendar_conflicts_by_item on calendar_conflicts (business_id, item_id);

-- An owner who is away at the provider to consent; comes back once, within minutes.
create table calendar_authorizations (
    business_id uuid not null references businesses (id),
    id uuid not null,
    resource_id uuid not null,
    state_hash bytea not null,
    -- Of PKCE.
    verifier envelope not null,
    redirect_uri text not null,
    -- Who has left, and nobody else comes back.
    actor_id uuid not null,
    expires_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint calendar_authorizations_resource foreign key (business_id, resource_id)
        references resources (business_id, id),
    constraint calendar_authorizations_state unique (business_id, state_hash),
    constraint calendar_authorizations_state_hash_length check (octet_length(state_hash) = 32)
);
create index calendar_authorizations_by_resource on calendar_authorizations (business_id, resource_id);

-- The secret address under which any calendar app reads the appointments of a resource.
create table calendar_feeds (
    business_id uuid not null references businesses (id),
    resource_id uuid not null,
    token_hash bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, resource_id),
    constraint calendar_feeds_resource foreign key (business_id, resource_id) references resources (business_id, id),
    constraint calendar_feeds_token unique (business_id, token_hash),
    constraint calendar_feeds_token_hash_length check (octet_length(token_hash) = 32)
);
create index calendar_feeds_by_token on calendar_feeds (token_hash);

grant select, insert, update, delete on
    calendar_connections, calendars, calendar_channels, calendar_events, calendar_conflicts, calendar_authorizations,
    calendar_feeds to holdfast_app;
grant select, update on calendar_export_feed to holdfast_app;
grant select on calendars, calendar_channels, calendar_events, calendar_feeds to holdfast_admission;
select isolate('calendar_connections');
select isolate('calendars');
select isolate('calendar_channels');
select isolate('calendar_events');
select isolate('calendar_conflicts');
select isolate('calendar_authorizations');
select isolate('calendar_feeds');

create view integrations_google_calendar with (security_invoker = true) as
    select c.business_id, c.id, c.resource_id, c.state as status, k.last_synced_at, c.access_token_expires_at,
           c.error_code, c.created_at
      from calendar_connections c
      left join lateral (select case when bool_and(k.last_success_at is not null)
                                     then min(k.last_success_at) end as last_synced_at
                           from calendars k
                          where k.business_id = c.business_id and k.connection_id = c.id and (k.blocks or k.exports)) k
        on true
     where c.provider = 'google';
grant select on integrations_google_calendar to holdfast_app;

-- Which resources have a calendar that blocks is part of the picture of a business that servers keep; when a calendar
-- was last looked at is not, so that looking does not make them read everything anew.
create trigger catalog_inserted after insert on calendars referencing new table as changed
    for each statement execute function raise_catalog_version();
create trigger catalog_deleted after delete on calendars referencing old table as changed
    for each statement execute function raise_catalog_version();
create function raise_catalog_version_of_calendar() returns trigger
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    update businesses set catalog_version = catalog_version + 1 where id = new.business_id;
    return null;
end $$;
create trigger catalog_updated after update of blocks on calendars
    for each row when (old.blocks is distinct from new.blocks) execute function raise_catalog_version_of_calendar();
