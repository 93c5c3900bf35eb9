-- External calendars: how each is reached, and which event stands for which booking.
-- depends: 0005_privacy, 0303_booking

create table calendar_connections (
    business_id uuid not null references businesses (id),
    id uuid not null,
    -- Whose busy time it is.
    resource_id uuid not null,
    provider text not null,
    state text not null default 'connecting',
    -- At Google the id of a calendar is most often an address of mail; of a feed it is a secret address.
    calendar_id envelope,
    calendar_id_index blind_index,
    account_email envelope,
    access_token envelope,
    access_token_expires_at timestamptz,
    refresh_token envelope,
    -- Where the next synchronisation goes on.
    sync_token envelope,
    -- The channel by which the calendar tells that it has changed.
    channel_id uuid,
    channel_token_hash bytea,
    channel_expires_at timestamptz,
    last_synced_at timestamptz,
    error_code text,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id),
    constraint calendar_connections_resource foreign key (business_id, resource_id)
        references resources (business_id, id),
    constraint calendar_connections_once unique (business_id, resource_id, provider, calendar_id_index),
    constraint calendar_connections_channel unique (business_id, channel_id),
    constraint calendar_connections_provider_known check (provider in ('google', 'caldav', 'ics')),
    constraint calendar_connections_state_known check (
        state in ('connecting', 'connected', 'needs_reconnect', 'error', 'disconnected')
    ),
    constraint calendar_connections_found check ((calendar_id is null) = (calendar_id_index is null)),
    constraint calendar_connections_channel_whole check (
        num_nonnulls(channel_id, channel_token_hash, channel_expires_at) in (0, 3)
    ),
    constraint calendar_connections_channel_token_hash_length check (octet_length(channel_token_hash) = 32),
    constraint calendar_connections_error_code_shape check (error_code ~ '^[a-z][a-z0-9_]{0,63}$')
);

create table calendar_events (
    business_id uuid not null references businesses (id),
    connection_id uuid not null,
    booking_id uuid not null,
    -- Made from the id of the booking, so that an export that is repeated makes no second event.
    event_id text not null,
    -- What the calendar calls the version that it has, and the version of the booking that this is.
    etag text,
    booking_version integer,
    state text not null default 'wanted',
    exported_at timestamptz,
    primary key (business_id, connection_id, booking_id),
    constraint calendar_events_connection foreign key (business_id, connection_id)
        references calendar_connections (business_id, id),
    constraint calendar_events_booking foreign key (business_id, booking_id) references bookings (business_id, id),
    constraint calendar_events_event_id unique (business_id, connection_id, event_id),
    -- Base32hex: what Google lets a client choose.
    constraint calendar_events_event_id_shape check (
        event_id ~ '^[a-v0-9]+$' and length(event_id) between 5 and 1024
    ),
    constraint calendar_events_state_known check (state in ('wanted', 'exported', 'removed', 'conflict'))
);
create index calendar_events_by_booking on calendar_events (business_id, booking_id);

grant select, insert, update, delete on calendar_connections, calendar_events to holdfast_app;
select isolate('calendar_connections');
select isolate('calendar_events');

create view integrations_google_calendar with (security_invoker = true) as
    select business_id, id, resource_id, state as status, last_synced_at, access_token_expires_at, channel_expires_at,
           error_code, created_at
      from calendar_connections where provider = 'google';
grant select on integrations_google_calendar to holdfast_app;
