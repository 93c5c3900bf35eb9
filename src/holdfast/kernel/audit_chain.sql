-- The one way into the audit log. Each aggregate has a chain of entries under a key of its own, which the caller brings
-- and the database never keeps (D-7). Everything here is replaced as a whole by each `holdfast migrate`.
--
-- kernel/audit_chain.py computes the same hashes to verify them: what changes here changes there, and makes all that
-- was written before unverifiable. So it does not change.

-- HMAC-SHA-256 (RFC 2104) under a key of 32 bytes: pgcrypto is not there everywhere. First the two blocks that the key
-- makes, padded with zeros to 64 bytes and combined with 0x36 and 0x5c; a key makes them once for several messages.
create or replace function audit_inner(p_key bytea) returns bytea
language sql immutable parallel safe as $$
    select int8send(substr(p_key, 1, 8)::bigint # 3906369333256140342)
        || int8send(substr(p_key, 9, 8)::bigint # 3906369333256140342)
        || int8send(substr(p_key, 17, 8)::bigint # 3906369333256140342)
        || int8send(substr(p_key, 25, 8)::bigint # 3906369333256140342)
        || '\x3636363636363636363636363636363636363636363636363636363636363636'::bytea
$$;
create or replace function audit_outer(p_key bytea) returns bytea
language sql immutable parallel safe as $$
    select int8send(substr(p_key, 1, 8)::bigint # 6655295901103053916)
        || int8send(substr(p_key, 9, 8)::bigint # 6655295901103053916)
        || int8send(substr(p_key, 17, 8)::bigint # 6655295901103053916)
        || int8send(substr(p_key, 25, 8)::bigint # 6655295901103053916)
        || '\x5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c'::bytea
$$;
create or replace function audit_mac(p_inner bytea, p_outer bytea, p_message bytea) returns bytea
language sql immutable parallel safe as $$ select sha256(p_outer || sha256(p_inner || p_message)) $$;

-- A text among others: its length comes first, so that no two lists of texts are one message; -1 says null.
-- Stable, because convert_to() is: called immutable, neither this nor what is made of it would be put into the statement
-- that uses it, and each call would be a statement of its own.
create or replace function audit_text(p_text text) returns bytea
language sql stable parallel safe as $$
    select case when p_text is null then '\xffffffff'::bytea
                else int4send(octet_length(p_text)) || convert_to(p_text, 'UTF8') end
$$;

create or replace function audit_id(p_id uuid) returns bytea
language sql immutable parallel safe as $$
    select case when p_id is null then '\x00'::bytea else '\x01'::bytea || uuid_send(p_id) end
$$;

-- What the hash of an entry is over. This part is the same for all entries of a batch,
create or replace function audit_deed(
    p_business_id uuid, p_aggregate_type text, p_action text, p_from_state text, p_actor text, p_actor_id uuid,
    p_reason_id uuid
) returns bytea
language sql stable parallel safe as $$
    select uuid_send(p_business_id) || audit_text(p_aggregate_type) || audit_text(p_action) || audit_text(p_from_state)
        || audit_text(p_actor) || audit_id(p_actor_id) || audit_id(p_reason_id)
$$;
-- and this one, before it, is the entry's own: the head that it follows, zeros for none, and the other columns.
create or replace function audit_message(
    p_head bytea, p_aggregate_id uuid, p_version integer, p_occurred_at timestamptz, p_to_state text, p_deed bytea
) returns bytea
language sql stable parallel safe as $$
    select '\x01'::bytea
        || coalesce(p_head, '\x0000000000000000000000000000000000000000000000000000000000000000'::bytea)
        || uuid_send(p_aggregate_id) || int4send(p_version) || timestamptz_send(p_occurred_at) || audit_text(p_to_state)
        || p_deed
$$;

-- What the hash of a head is over.
create or replace function audit_head_message(p_version integer, p_mac bytea) returns bytea
language sql immutable parallel safe as $$ select '\x02'::bytea || int4send(p_version) || p_mac $$;

-- Chains the entries that a release without chains has left for an aggregate: all of them, once, and none when there is
-- a head, or when the backfill is done: after that an entry without hash is not ours. It is the only function that
-- changes an entry, and runs as the owner of the log.
create or replace function chain_audit(p_business_id uuid, p_aggregate_id uuid, p_key bytea) returns void
language plpgsql security definer set search_path = public, pg_temp set enable_seqscan = off as $$
declare
    v_inner bytea := audit_inner(p_key);
    v_outer bytea := audit_outer(p_key);
    v_head bytea;
    v_mac bytea;
    v_previous bytea;
    v_version integer;
    e audit_log;
begin
    -- Who acts for one tenant chains nothing of another; a batch of several acts for none.
    if current_business() <> p_business_id then
        return;
    end if;
    if not exists (select from backfills b where b.name = 'audit-chain' and b.finished_at is null) then
        raise exception 'entries without hash are not chained any more' using errcode = 'check_violation';
    end if;
    -- The head is the lock: whoever comes second waits here, and finds it done.
    insert into audit_heads (business_id, aggregate_id, version, entry_mac, mac)
    values (p_business_id, p_aggregate_id, 0, sha256(''::bytea), sha256(''::bytea))
    on conflict (business_id, aggregate_id) do nothing;
    if not found then
        return;
    end if;
    for e in select * from audit_log a where a.business_id = p_business_id and a.aggregate_id = p_aggregate_id
              order by a.version
    loop
        if e.reason is not null then
            e.reason_id := coalesce(e.reason_id, uuidv7());
        end if;
        v_previous := v_mac;
        v_mac := audit_mac(v_inner, v_outer, audit_message(
            v_head, e.aggregate_id, e.version, e.occurred_at, e.to_state,
            audit_deed(e.business_id, e.aggregate_type, e.action, e.from_state, e.actor, e.actor_id, e.reason_id)));
        v_version := e.version;
        v_head := audit_mac(v_inner, v_outer, audit_head_message(v_version, v_mac));
        update audit_log a set reason_id = e.reason_id, previous_mac = v_previous, mac = v_mac
         where a.business_id = p_business_id and a.aggregate_id = p_aggregate_id and a.version = e.version
           and a.mac is null;
        if not found then
            raise exception 'an entry has a hash, and its chain no head' using errcode = 'check_violation';
        end if;
    end loop;
    update audit_heads h set version = v_version, entry_mac = v_mac, mac = v_head
     where h.business_id = p_business_id and h.aggregate_id = p_aggregate_id;
end $$;

-- Takes the reason of an entry out of the log, once it was sealed under the id that the chain has given it.
create or replace function take_audit_reason(p_business_id uuid, p_aggregate_id uuid, p_version integer) returns void
language sql security definer set search_path = public, pg_temp as $$
    update audit_log a set reason = null
     where a.business_id = p_business_id and a.aggregate_id = p_aggregate_id and a.version = p_version
       and p_business_id = current_business()
       and exists (select from audit_reasons r where r.business_id = a.business_id and r.id = a.reason_id)
$$;

-- Writes one entry for each aggregate, and moves its head. The arrays go together: aggregate, its version (all null: one
-- more than the last), the state that it has now, and the key of its chain. Returns the last version. Whoever calls has
-- the rows of the aggregates locked, or has just made them. Heads are the last that is locked, in order of id.
--
-- The entry is over the head that it finds: a head that somebody has moved without the key makes every entry that
-- follows wrong, for ever, so that writing on cannot heal it.
create or replace function append_audit(
    p_business_id uuid, p_aggregate_type text, p_action text, p_from_state text, p_actor text, p_actor_id uuid,
    p_reason_id uuid, p_aggregate_ids uuid[], p_versions integer[], p_to_states text[], p_keys bytea[]
) returns integer
language plpgsql security definer
set search_path = public, pg_temp set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_deed bytea := audit_deed(p_business_id, p_aggregate_type, p_action, p_from_state, p_actor, p_actor_id,
                               p_reason_id);
    v_version integer;
    r record;
begin
    if exists (select from backfills b where b.name = 'audit-chain' and b.finished_at is null) then
        for r in select a.id, a.key from unnest(p_aggregate_ids, p_keys) a (id, key)
                  where not exists (select from audit_heads h
                                     where h.business_id = p_business_id and h.aggregate_id = a.id)
                    and exists (select from audit_log l where l.business_id = p_business_id and l.aggregate_id = a.id)
                  order by a.id
        loop
            perform chain_audit(p_business_id, r.id, r.key);
        end loop;
    end if;

    with entry as materialized (
        select a.id, audit_inner(a.key) as inner_key, audit_outer(a.key) as outer_key, a.to_state, h.mac as head,
               h.entry_mac as previous_mac, coalesce(a.version, h.version + 1, 1) as version,
               clock_timestamp() as occurred_at
          from (select * from unnest(p_aggregate_ids, p_versions, p_to_states, p_keys) asked (id, version, to_state, key)
                 order by asked.id offset 0) a
          left join lateral (select o.version, o.entry_mac, o.mac from audit_heads o
                              where o.business_id = p_business_id and o.aggregate_id = a.id
                             offset 0 for no key update) h on true
    ), chained as materialized (
        select e.*, audit_mac(e.inner_key, e.outer_key, audit_message(e.head, e.id, e.version, e.occurred_at,
                                                                      e.to_state, v_deed)) as mac
          from entry e
    ), written as (
        insert into audit_log (business_id, aggregate_id, version, aggregate_type, action, from_state, to_state, actor,
                               actor_id, reason_id, occurred_at, previous_mac, mac)
        select p_business_id, c.id, c.version, p_aggregate_type, p_action, p_from_state, c.to_state, p_actor,
               p_actor_id, p_reason_id, c.occurred_at, c.previous_mac, c.mac
          from chained c
    ), moved as (
        insert into audit_heads (business_id, aggregate_id, version, entry_mac, mac)
        select p_business_id, c.id, c.version, c.mac,
               audit_mac(c.inner_key, c.outer_key, audit_head_message(c.version, c.mac))
          from chained c order by c.id
        on conflict (business_id, aggregate_id) do update
           set version = excluded.version, entry_mac = excluded.entry_mac, mac = excluded.mac
        returning version
    )
    select max(m.version) into v_version from moved m;
    return v_version;
end $$;

alter function append_audit(uuid, text, text, text, text, uuid, uuid, uuid[], integer[], text[], bytea[])
    owner to holdfast_admission;
do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace
                and p.proname in ('append_audit', 'chain_audit', 'take_audit_reason')
    loop
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to holdfast_app, holdfast_admission', f);
    end loop;
end $$;
grant select on backfills to holdfast_admission;
