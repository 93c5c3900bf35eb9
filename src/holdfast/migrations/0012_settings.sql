-- What a business has set, other than the code's defaults.
-- depends: 0005_privacy

create table system_settings (
    business_id uuid not null references businesses (id),
    -- Declared in the code, with its kind and default.
    key text not null,
    value jsonb not null,
    changed_at timestamptz not null default clock_timestamp(),
    primary key (business_id, key),
    constraint system_settings_key_shape check (key ~ '^[a-z][a-z0-9_]{0,63}$'),
    -- A scalar, and not long enough to be a text.
    constraint system_settings_value_scalar check (
        jsonb_typeof(value) in ('boolean', 'number', 'string') and octet_length(value::text) <= 100
    )
);
grant select, insert, update, delete on system_settings to holdfast_app;
select isolate('system_settings');
