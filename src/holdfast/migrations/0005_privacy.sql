-- What guards personal data in the database itself: types that take ciphertext only, the tenants' wrapped keys, and the
-- wall between tenants (D-5, D-9).
-- depends: 0001_identity

-- Ciphertext as kernel/privacy.py makes it: four letters, the generation of its key, nonce, data, tag. Text that somebody
-- writes by mistake is refused, whoever writes it.
create function is_envelope(p_value bytea) returns boolean
language sql immutable parallel safe as $$
    select octet_length(p_value) >= 36 and substring(p_value from 1 for 4) = '\x68666531'::bytea
$$;
-- The keyed hash by which an encrypted e-mail address or phone number is found.
create function is_blind_index(p_value bytea) returns boolean
language sql immutable parallel safe as $$ select octet_length(p_value) = 16 $$;

-- For the columns of new tables. A column that joins a table with many rows is a bytea with a CHECK by the function
-- instead, because a constrained domain makes PostgreSQL write the table anew.
-- The meaning of these two never changes: another format would be another type.
-- squawk-ignore ban-create-domain-with-constraint
create domain envelope as bytea constraint envelope_shape check (is_envelope(value));
-- squawk-ignore ban-create-domain-with-constraint
create domain blind_index as bytea constraint blind_index_length check (is_blind_index(value));

-- The keys of a tenant, each wrapped under the master key, which is never in the database.
create table tenant_keys (
    business_id uuid not null references businesses (id),
    -- data: of envelopes; index: of blind indexes; audit: of the chain of the audit log.
    purpose text not null,
    generation integer not null,
    wrapped bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    -- From when on new envelopes are made with it: later than every process has read it.
    active_from timestamptz not null default clock_timestamp(),
    primary key (business_id, purpose, generation),
    constraint tenant_keys_purpose_known check (purpose in ('data', 'index', 'audit')),
    constraint tenant_keys_generation_range check (generation between 1 and 2147483647),
    -- Only envelopes name their generation, so only their key can have several.
    constraint tenant_keys_one_of_a_kind check (purpose = 'data' or generation = 1),
    -- Nonce, a key of 256 bits, tag.
    constraint tenant_keys_wrapped_length check (octet_length(wrapped) = 60)
);
grant select, insert, delete on tenant_keys to holdfast_app;

-- Which tenant this transaction acts for; null, so no row of anybody, when it was not said. A setting that was made
-- local leaves an empty text behind.
create function current_business() returns uuid
language sql stable parallel safe as $$
    select nullif(current_setting('holdfast.business', true), '')::uuid
$$;

-- Builds the wall around a table of tenants: every migration that makes one calls it.
create function isolate(p_table regclass) returns void
language plpgsql as $$
begin
    execute format('alter table %s enable row level security', p_table);
    execute format('alter table %s force row level security', p_table);
    execute format('create policy tenant on %s using (business_id = current_business())
                    with check (business_id = current_business())', p_table);
end $$;

select isolate('tenant_keys');
