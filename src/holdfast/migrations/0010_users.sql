-- Users of a business, what they may do, and where they are signed in (H-4, D-2, D-7).
-- depends: 0005_privacy

-- The words for what somebody is to a business. They are the product's and the same for all tenants; the code has the
-- same ones.
create table roles (
    name text primary key
);
insert into roles (name) values ('owner'), ('assistant'), ('editor'), ('client') on conflict do nothing;
grant select on roles to holdfast_app;

create table users (
    business_id uuid not null references businesses (id),
    id uuid not null default uuidv7(),
    email envelope not null,
    email_index blind_index not null,
    name envelope not null,
    -- An Argon2id hash, sealed as well: whoever has the database alone has nothing to try passwords against, and whoever
    -- writes to it cannot give a user the hash of another. Null until the user has chosen one.
    password envelope,
    password_set_at timestamptz,
    created_at timestamptz not null default clock_timestamp(),
    deactivated_at timestamptz,
    primary key (business_id, id),
    constraint users_email unique (business_id, email_index),
    constraint users_password_dated check ((password is null) = (password_set_at is null))
);
select isolate('users');
grant select, insert, update on users to holdfast_app;

create table user_roles (
    business_id uuid not null,
    user_id uuid not null,
    role text not null,
    granted_at timestamptz not null default clock_timestamp(),
    primary key (business_id, user_id, role),
    constraint user_roles_user foreign key (business_id, user_id) references users (business_id, id),
    constraint user_roles_role foreign key (role) references roles (name)
);
create index user_roles_by_role on user_roles (role);
select isolate('user_roles');
grant select, insert, delete on user_roles to holdfast_app;

create table logins (
    business_id uuid not null,
    id uuid not null,
    user_id uuid not null,
    -- SHA-256 of the secret in the cookie, which is 256 random bits.
    token_hash bytea not null,
    -- What the browser calls itself, for its user's own list.
    device envelope,
    created_at timestamptz not null default clock_timestamp(),
    -- To the minute: it is written at most once a minute.
    last_used_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz not null,
    primary key (business_id, id),
    constraint logins_user foreign key (business_id, user_id) references users (business_id, id),
    constraint logins_token_hash_length check (octet_length(token_hash) = 32)
);
create index logins_of_user on logins (business_id, user_id);
select isolate('logins');
grant select, insert, update, delete on logins to holdfast_app;

-- How often somebody has tried to sign in: by a keyed hash of the account, whether it exists or not, and of the client's
-- address. Unlogged: a crash of the database, which no client can bring about, lets everybody begin anew.
create unlogged table login_attempts (
    subject bytea primary key,
    began_at timestamptz not null,
    attempts integer not null,
    constraint login_attempts_subject_length check (length(subject) = 16)
);
grant select, insert, update, delete on login_attempts to holdfast_app;
