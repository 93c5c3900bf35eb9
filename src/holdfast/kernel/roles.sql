-- The three roles (they belong to the cluster, not to the database) and what they need before the first migration.
-- holdfast_owner owns the schema; holdfast_admission owns the functions that see across tenants; both bypass the wall
-- between tenants, and nobody logs in as them. holdfast_app is what the servers run as: it owns and bypasses nothing.
do $$
declare
    wanted record;
begin
    for wanted in select * from (values ('holdfast_owner', 'nologin bypassrls'), ('holdfast_admission', 'nologin bypassrls'),
                                        ('holdfast_app', 'login')) roles (name, attributes)
    loop
        -- Several databases of one cluster may be migrated at once.
        begin
            if to_regrole(wanted.name) is null then
                execute format('create role %I %s', wanted.name, wanted.attributes);
            elsif wanted.attributes like '%bypassrls' and exists (
                select from pg_roles where rolname = wanted.name and not rolbypassrls
            ) then
                execute format('alter role %I %s', wanted.name, wanted.attributes);
            end if;
        exception when duplicate_object or unique_violation or internal_error then
            null;
        end;
    end loop;
    for wanted in select * from (values ('holdfast_owner', current_user), ('holdfast_app', current_user),
                                        ('holdfast_admission', 'holdfast_owner')) grants (role, member)
    loop
        begin
            if not pg_has_role(wanted.member, wanted.role, 'set') then
                execute format('grant %I to %I', wanted.role, wanted.member);
            end if;
        exception when unique_violation or internal_error then
            null;
        end;
    end loop;
    -- A session that forgets its transaction, or waits for one, does not keep others waiting for ever.
    begin
        alter role holdfast_app set timezone = 'UTC';
        alter role holdfast_app set lock_timeout = '10s';
        alter role holdfast_app set idle_in_transaction_session_timeout = '60s';
    exception when internal_error then
        null;  -- another database of the cluster is being migrated and sets them just now
    end;
end $$;

create extension if not exists btree_gist;
grant create, usage on schema public to holdfast_owner, holdfast_admission;

create table if not exists schema_migrations (
    name text primary key,
    digest text not null,
    ran_at timestamptz not null default now()
);
alter table schema_migrations owner to holdfast_owner;
grant select on schema_migrations to holdfast_app;
