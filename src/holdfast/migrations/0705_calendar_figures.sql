-- What monitors read of connections across tenants.
-- depends: 0702_connected_calendars

grant select (business_id, id, provider, state, created_at) on calendar_connections to holdfast_admission;
