-- API keys, by which staff and their programs call; and whose change an audit entry tells of.
-- depends: 0002_plumbing

create table api_keys (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    role text not null,
    name text not null,
    -- SHA-256 of the secret part. A slow hash would guard words that people choose; this secret is 256 random bits,
    -- which nobody finds by trying, and every call has to be checked.
    secret_hash bytea not null,
    created_at timestamptz not null default clock_timestamp(),
    -- To the minute: it is written at most once a minute.
    last_used_at timestamptz,
    revoked_at timestamptz,
    primary key (business_id, id),
    constraint api_keys_role_known check (role in ('owner', 'assistant', 'editor')),
    constraint api_keys_name_length check (length(name) between 1 and 100),
    constraint api_keys_secret_hash_length check (octet_length(secret_hash) = 32)
);
-- A call has the key's id before it knows its business.
create index api_keys_id on api_keys (id);

grant select, insert, update on api_keys to holdfast_app;

-- Which of the staff: the id of the key. Null for clients.
alter table audit_log add column actor_id uuid;
