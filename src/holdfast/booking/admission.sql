-- Admission: who gets a place. Every function takes the business first, runs as holdfast_admission and is replaced
-- as a whole by each `holdfast migrate`.
--
-- A batch is small and its tables are large: each step follows an index, row by row. The settings `enable_...` of the
-- functions keep the planner to that, whatever it believes of a table that has just begun to fill. Planning costs more
-- than a small batch: `force_generic_plan` has a connection plan once, also where batches of one look cheap to plan for.
--
-- Order of locks, over a whole batch: counters of schedules, then resources, then bookings, then claims, then keys,
-- then heads of the audit log, each sorted by id. Whoever keeps to it cannot deadlock with anybody else who does.
--
-- A resource of capacity 1 without a daily limit is never locked: claims_no_overlap decides. Any other resource is
-- locked FOR NO KEY UPDATE on every path (FOR UPDATE would deadlock against the KEY SHARE of the foreign keys).

do $$
declare
    outdated regprocedure;
begin
    drop type if exists admission_request, commit_request cascade;
    -- These have got arguments or another result since, or another name: a former one beside its successor would make
    -- every call ambiguous, or stand in its way.
    for outdated in select p.oid::regprocedure from pg_proc p
                     where p.pronamespace = 'public'::regnamespace
                       and p.proname in ('choose_resources', 'record_changes', 'move_booking', 'commit_reservations',
                                         'require_sealed')
    loop
        execute format('drop function %s', outdated);
    end loop;
end $$;

create type admission_request as (
    n integer,                  -- position in the batch; answers carry it
    id uuid,                    -- of the booking to be made, minted by the caller so that a batch can be repeated
    key text,
    operation text,             -- guard: the key stands for contact and place, for want of one of the client's (B-10)
    guard_seconds integer,      -- for how long it does
    hash text,
    catalog bigint,             -- catalog version that the caller checked against; null for schedules
    schedule uuid,
    service uuid,
    starts timestamptz,
    ends timestamptz,
    claims_from timestamptz,    -- starts and ends with the buffers of the service
    claims_to timestamptz,
    notice_seconds integer,
    horizon_seconds integer,
    solo uuid,                  -- the one resource, of capacity 1 and without a daily limit, that is needed
    needs jsonb,                -- otherwise [[resource, ...], ...]: one of each list, in order of preference
    days jsonb,                 -- {resource: [from, to]}: its local day, where it has a daily limit
    day_from timestamptz,       -- the local day of the business, where one of several is to be chosen fairly
    day_to timestamptz,
    party integer,
    ttl integer,                -- seconds; null: that of the program
    price bigint,
    due bigint,                 -- of it, so much has to be paid before it is confirmed; a schedule's is known here
    currency text,
    timezone text,
    locale text,
    contact text,               -- an envelope in hex; contact and nonce are given when the booking is to be confirmed
    email_index text,           -- at once, and the blind indexes, in hex too, as far as the contact has what they find
    phone_index text,
    nonce text,
    chain_key text              -- of the audit log, for what is confirmed or changed
);

create type commit_request as (
    n integer,
    id uuid,
    contact text,               -- as above
    email_index text,
    phone_index text,
    timezone text,
    locale text,
    nonce text,
    chain_key text
);

-- Whether a claim belongs to a hold that has run out, or to a booking that was not paid in its time: it occupies nothing,
-- though its row is still there (B-4).
create or replace function claim_is_spent(p_business_id uuid, p_booking_id uuid, p_now timestamptz) returns boolean
language sql stable as $$
    select exists (select from bookings b
                    where b.business_id = p_business_id and b.id = p_booking_id
                      and b.state in ('held', 'pending_payment') and b.expires_at <= p_now)
$$;

-- The greatest number of places taken at one moment of the range.
create or replace function places_peak(
    p_business_id uuid, p_resource_id uuid, p_during tstzrange, p_now timestamptz, p_without uuid default null
) returns integer
language sql stable as $$
    with taken as materialized (
        select greatest(lower(c.during), lower(p_during)) as begins, upper(c.during) as ends
          from claims c
         where c.business_id = p_business_id and c.resource_id = p_resource_id and c.during && p_during
           -- Spelled out: a claim of a schedule or a block has no booking, which is not distinct from none.
           and (p_without is null or c.booking_id is distinct from p_without)
           and (c.booking_id is null or not claim_is_spent(p_business_id, c.booking_id, p_now))
    )
    select coalesce(max(places), 0)::integer
      from (select sum(sum(change)) over (order by at) as places
              from (select begins as at, 1 as change from taken
                    union all select ends, -1 from taken) edges
             group by at) running
$$;

-- Takes places of a locked resource; false when they do not fit. A place that is free for the whole range is
-- preferred. When there is none although the peak would fit (fragments left by cancellations), the whole connected
-- component of overlapping claims is seated anew by start, which never needs more seats than the peak (B-3).
create or replace function take_seats(
    p_business_id uuid, p_resource_id uuid, p_capacity integer, p_during tstzrange, p_places integer,
    p_booking_id uuid, p_schedule_id uuid default null, p_block_id uuid default null
) returns boolean
language plpgsql as $$
declare
    v_seats integer[];
    v_taken record;
    v_component bigint[];
    v_removed claims[];
    v_wider bigint[];
    v_span tstzmultirange;
    v_free_from timestamptz[];
    v_seat integer;
begin
    select array_agg(seat) into v_seats from (
        select seat from generate_series(1, p_capacity) seat
        except
        select c.seat from claims c
         where c.business_id = p_business_id and c.resource_id = p_resource_id and c.during && p_during
        order by seat limit p_places
    ) free;
    if coalesce(array_length(v_seats, 1), 0) = p_places then
        insert into claims (business_id, resource_id, capacity, seat, during, booking_id, schedule_id, block_id)
        select p_business_id, p_resource_id, p_capacity, seat, p_during, p_booking_id, p_schedule_id, p_block_id
          from unnest(v_seats) seat;
        return true;
    end if;

    -- '-infinity': holds that have run out count here, since their rows still keep the seats.
    if places_peak(p_business_id, p_resource_id, p_during, '-infinity') + p_places > p_capacity then
        return false;
    end if;

    v_span := tstzmultirange(p_during);
    v_component := '{}';
    loop
        select coalesce(array_agg(c.id), '{}'), coalesce(range_agg(c.during), '{}') + tstzmultirange(p_during)
          into v_wider, v_span
          from claims c
         where c.business_id = p_business_id and c.resource_id = p_resource_id
           and c.during && range_merge(v_span) and c.during && v_span;
        exit when cardinality(v_wider) = cardinality(v_component);
        v_component := v_wider;
    end loop;

    with removed as (
        delete from claims c
         where c.business_id = p_business_id and c.resource_id = p_resource_id and c.id = any (v_component)
        returning c as claim
    )
    select array_agg(claim) into v_removed from removed;

    v_free_from := array_fill('-infinity'::timestamptz, array[p_capacity]);
    for v_taken in
        select c.during, c.booking_id, c.schedule_id, c.block_id from unnest(v_removed) c
        union all
        select p_during, p_booking_id, p_schedule_id, p_block_id from generate_series(1, p_places)
        order by 1
    loop
        select seat into v_seat from generate_series(1, p_capacity) seat
         where v_free_from[seat] <= lower(v_taken.during) order by seat limit 1;
        v_free_from[v_seat] := upper(v_taken.during);
        insert into claims (business_id, resource_id, capacity, seat, during, booking_id, schedule_id, block_id)
        values (p_business_id, p_resource_id, p_capacity, v_seat, v_taken.during,
                v_taken.booking_id, v_taken.schedule_id, v_taken.block_id);
    end loop;
    return true;
end $$;

-- How many live bookings of a resource begin in a range: what a daily limit counts.
create or replace function bookings_beginning(
    p_business_id uuid, p_resource_id uuid, p_from timestamptz, p_to timestamptz, p_now timestamptz, p_without uuid
) returns integer
language sql stable as $$
    select count(distinct b.id)::integer
      from claims c join bookings b on b.business_id = c.business_id and b.id = c.booking_id
     where c.business_id = p_business_id and c.resource_id = p_resource_id
       -- A resource without a limit has no day to look at: the range around none would be all that it ever had.
       and p_from is not null
       -- Buffers are at most a day, so a booking's claim begins less than two days around it.
       and c.during && tstzrange(p_from - interval '2 days', p_to + interval '2 days')
       and b.starts_at >= p_from and b.starts_at < p_to and b.id is distinct from p_without
       and not (b.state in ('held', 'pending_payment') and b.expires_at <= p_now)
$$;

-- Picks one resource for each need, by what is visible now and what the batch has picked before; null when there is
-- none. p_picked holds [resource, claims_from, claims_to, starts] of earlier picks. With p_day, the one with the fewest
-- bookings of that day that is free (B-7), and the caller's order decides between equals; further down than the first
-- 64 nobody is counted, so that a choice among a thousand does not cost a thousand counts.
create or replace function choose_resources(
    p_business_id uuid, p_needs jsonb, p_days jsonb, p_starts timestamptz, p_during tstzrange, p_party integer,
    p_now timestamptz, p_picked jsonb default '[]', p_without uuid default null, p_day tstzrange default null,
    p_ignores_busy boolean default false
) returns uuid[]
language plpgsql stable as $$
declare
    v_need jsonb;
    v_pick uuid;
    v_chosen uuid[] := '{}';
begin
    for v_need in select value from jsonb_array_elements(p_needs) loop
        v_pick := null;
        select r.id into v_pick
          from (select candidate.id::uuid as id, candidate.rank,
                       case when p_day is not null and candidate.rank <= 64 and jsonb_array_length(v_need) > 1 then
                           (select count(distinct c.booking_id) from claims c
                             where c.business_id = p_business_id and c.resource_id = candidate.id::uuid
                               and c.during && p_day and c.booking_id is not null)
                           + (select count(*) from jsonb_array_elements(p_picked) as picked (it)
                               where it ->> 0 = candidate.id and (it ->> 3)::timestamptz <@ p_day)
                       end as bookings
                  from jsonb_array_elements_text(v_need) with ordinality as candidate (id, rank)
                 order by bookings nulls last, rank offset 0) candidate
          cross join lateral (select * from resources o
                               where o.business_id = p_business_id and o.id = candidate.id offset 0) r
         where r.id <> all (v_chosen)
           and (r.capacity > 1 or not exists (
                    select from jsonb_array_elements(p_picked) as picked (it)
                     where (it ->> 0)::uuid = r.id
                       and tstzrange((it ->> 1)::timestamptz, (it ->> 2)::timestamptz) && p_during))
           and places_peak(p_business_id, r.id, p_during, p_now, p_without)
               + case when r.capacity > 1 then p_party else 1 end <= r.capacity
           and (p_ignores_busy or not exists (
                    select from calendar_busy_intervals busy
                     where busy.business_id = p_business_id and busy.resource_id = r.id
                       and busy.during && p_during))
           and (r.daily_limit is null or r.daily_limit >
                    bookings_beginning(p_business_id, r.id, (p_days -> r.id::text ->> 0)::timestamptz,
                                       (p_days -> r.id::text ->> 1)::timestamptz, p_now, p_without)
                    + (select count(*) from jsonb_array_elements(p_picked) as picked (it)
                        where (it ->> 0)::uuid = r.id
                          and (it ->> 3)::timestamptz >= (p_days -> r.id::text ->> 0)::timestamptz
                          and (it ->> 3)::timestamptz < (p_days -> r.id::text ->> 1)::timestamptz))
         order by candidate.bookings nulls last, candidate.rank limit 1;
        if v_pick is null then
            return null;
        end if;
        v_chosen := v_chosen || v_pick;
    end loop;
    return v_chosen;
end $$;

-- Gives back what losing requests of a batch have taken; true when there was something.
create or replace function withdraw_claims(p_business_id uuid, p_requests admission_request[], p_losers integer[])
returns boolean
language plpgsql as $$
begin
    delete from claims c
     where c.business_id = p_business_id
       and c.booking_id in (select q.id from unnest(p_requests) q where q.n = any (p_losers))
       -- Claims with a booking are not of this batch: the first attempt of a repeated one has made them.
       and not exists (select from bookings b where b.business_id = c.business_id and b.id = c.booking_id);
    return found;
end $$;

-- What was answered when a booking was made, from its row; null when there is no such booking.
create or replace function booked_before(p_business_id uuid, p_booking_id uuid) returns jsonb
language sql stable set timezone = 'UTC' as $$
    select jsonb_build_object(
               'id', b.id, 'state', case when b.token_nonce is null then 'held' else 'confirmed' end,
               'expires', b.expires_at, 'starts', b.starts_at, 'ends', b.ends_at, 'party', b.party_size,
               'nonce', encode(b.token_nonce, 'hex'),
               'resources', coalesce((select jsonb_agg(distinct c.resource_id) from claims c
                                       where c.business_id = b.business_id and c.booking_id = b.id), '[]'))
      from bookings b where b.business_id = p_business_id and b.id = p_booking_id
$$;

-- Whether a key still answers: a client's own always does, one of the guard while it is young and its hold is alive
-- (B-10).
create or replace function key_answers(
    p_business_id uuid, p_operation text, p_booking_id uuid, p_created_at timestamptz, p_guard_seconds integer,
    p_now timestamptz
) returns boolean
language sql stable as $$
    select p_operation <> 'guard'
           or (p_created_at > p_now - make_interval(secs => p_guard_seconds)
               and exists (select from bookings b where b.business_id = p_business_id and b.id = p_booking_id
                              and case b.state when 'held' then b.expires_at > p_now end))
$$;

-- Refuses to lose a contact: a server of an earlier release, which still runs, gives it where nobody looks for it any more.
create or replace function refuse_unsealed(p_business_id uuid) returns void
language plpgsql as $$
begin
    raise exception 'business %: a contact has to come sealed; stop the servers of the earlier release', p_business_id
        using errcode = 'invalid_parameter_value';
end $$;

-- Admits a batch of requests; one answer for each: {n, outcome, ...}. Outcomes:
--   held | confirmed   the places are taken; replayed: this key was answered before, here is the same answer
--   key_reused         the key belongs to another request
--   refused            no place; full: no place in the schedule (left: how many there are)
--   too_soon, too_far  outside notice and horizon, by the clock of the database
--   stale              the catalog has changed since the request was checked: check again
--   spent              only holds that have run out, or what was not paid in time, stand in the way: sweep and ask again
--   again              another transaction or request was in the way and withdrew: ask again
--   unknown_schedule, started
--   prepay             it has to be paid beforehand, and nobody takes the money
--   payment_required   it has to be paid beforehand, and was to be confirmed at once
create or replace function admit(p_business_id uuid, p_requests jsonb, p_repeated boolean default false)
returns jsonb
language plpgsql security definer
set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '5s'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_now timestamptz := clock_timestamp();
    v_guard_seconds integer;
    v_sealed boolean;
    v_held timestamptz;
    v_catalog bigint;
    v_requests admission_request[];
    v_outcome text[];                   -- by n; null while undecided
    v_answer jsonb[];                   -- by n; what a request is told when it succeeds or was answered before
    v_chosen jsonb := '{}';             -- n -> [resource, ...]
    v_picked jsonb := '[]';
    v_soft integer[] := '{}';           -- refused only because of earlier picks of this batch
    v_undone boolean := false;
    v_any_schedule boolean;
    v_any_slot boolean;
    v_any_choice boolean;
    v_any_spent boolean;
    v_resources uuid[];
    v_locked jsonb := '{}';             -- resource -> [capacity, daily limit]
    v_lost integer[];
    v_confirmed uuid[] := '{}';
    v_chain_keys bytea[] := '{}';
    v_left integer;
    v_ok boolean;
    r record;
    x record;
begin
    -- What the batch is made of decides which of the steps below have anything to do: each costs as much as a request.
    select array_agg(q order by q.n), coalesce(bool_or(q.schedule is not null), false),
           coalesce(bool_or(q.schedule is null), false), coalesce(bool_or(q.needs is not null), false),
           max(q.guard_seconds), bool_and(q.nonce is null or q.contact is not null)
      into v_requests, v_any_schedule, v_any_slot, v_any_choice, v_guard_seconds, v_sealed
      from jsonb_populate_recordset(null::admission_request, p_requests) q;
    if not v_sealed then
        perform refuse_unsealed(p_business_id);
    end if;
    v_outcome := array_fill(null::text, array[cardinality(v_requests)]);
    v_answer := array_fill(null::jsonb, array[cardinality(v_requests)]);

    -- Answered before.
    for r in select q.n, k.answer, k.operation = q.operation and k.request_hash = q.hash as same
               from unnest(v_requests) q
              cross join lateral (select i.answer, i.operation, i.request_hash from idempotency_keys i
                                   where i.business_id = p_business_id and i.key = q.key
                                     and (i.operation <> 'guard' or q.guard_seconds is null
                                          or key_answers(p_business_id, i.operation, i.booking_id, i.created_at,
                                                         q.guard_seconds, v_now)) offset 0) k
    loop
        v_outcome[r.n] := case when r.same then 'replayed' else 'key_reused' end;
        v_answer[r.n] := r.answer;
    end loop;
    if found or p_repeated then
        perform await_replication();
    end if;
    if v_any_slot then
        select catalog_version into v_catalog from businesses where id = p_business_id;
        for r in select q.n, q.catalog, q.starts, q.notice_seconds, q.horizon_seconds from unnest(v_requests) q
                  where q.schedule is null and v_outcome[q.n] is null
        loop
            v_outcome[r.n] := case
                when r.catalog is distinct from v_catalog then 'stale'
                when r.starts < v_now + make_interval(secs => r.notice_seconds) then 'too_soon'
                when r.starts > v_now + make_interval(secs => r.horizon_seconds) then 'too_far' end;
        end loop;
    end if;

    -- Choose resources where there is a choice or several are needed; a solo request has nothing to choose.
    if v_any_choice then
        for r in select q.n, q.needs, q.days, q.starts, q.party, q.claims_from, q.claims_to,
                        case when q.day_from is not null then tstzrange(q.day_from, q.day_to) end as day
                   from unnest(v_requests) q
                  where q.needs is not null and v_outcome[q.n] is null order by q.n
        loop
            v_resources := choose_resources(p_business_id, r.needs, r.days, r.starts,
                                            tstzrange(r.claims_from, r.claims_to), r.party, v_now, v_picked, null, r.day);
            if v_resources is null then
                v_outcome[r.n] := 'refused';
                if v_picked <> '[]' and choose_resources(
                       p_business_id, r.needs, r.days, r.starts,
                       tstzrange(r.claims_from, r.claims_to), r.party, v_now) is not null then
                    v_soft := v_soft || r.n;
                end if;
            else
                v_chosen := v_chosen || jsonb_build_object(r.n::text, to_jsonb(v_resources));
                v_picked := v_picked || (select jsonb_agg(jsonb_build_array(id, r.claims_from, r.claims_to, r.starts))
                                           from unnest(v_resources) id);
            end if;
        end loop;
    end if;

    -- Locks: counters of schedules, then resources, each in order of id.
    if v_any_schedule then
        for r in select distinct q.schedule as id from unnest(v_requests) q
                  where q.schedule is not null and v_outcome[q.n] is null order by 1
        loop
            perform from program_schedules s where s.business_id = p_business_id and s.id = r.id for no key update;
        end loop;
    end if;
    if v_chosen <> '{}' then
        for r in select s.id, s.capacity, s.daily_limit
                   from (select distinct picked.value::uuid as id
                           from jsonb_each(v_chosen) choice, jsonb_array_elements_text(choice.value) picked
                          order by 1 offset 0) chosen
                  cross join lateral (select o.id, o.capacity, o.daily_limit from resources o
                                       where o.business_id = p_business_id and o.id = chosen.id
                                         and (o.capacity > 1 or o.daily_limit is not null)
                                      offset 0 for no key update) s
        loop
            v_locked := v_locked || jsonb_build_object(r.id::text, jsonb_build_array(r.capacity, r.daily_limit));
        end loop;
    end if;

    -- Holds begin now: the locks may have been waited for.
    v_held := clock_timestamp();

    -- A caller who never learnt the fate of a batch repeats it. The first attempt may still be on its way: here, after
    -- the locks, it has either ended or will find the ids taken and fail. What meets it at a claim is looked up below.
    if p_repeated then
        for r in select q.n, q.id, q.nonce from unnest(v_requests) q where v_outcome[q.n] is null loop
            v_answer[r.n] := booked_before(p_business_id, r.id);
            if v_answer[r.n] is not null then
                v_outcome[r.n] := case when r.nonce is null then 'held' else 'confirmed' end;
            end if;
        end loop;
    end if;

    -- Asked for the oldest: whether there is any at all would be answered by reading the whole table.
    v_any_spent := coalesce((select b.expires_at from bookings b where b.state = 'held'
                              order by b.expires_at limit 1) <= v_now, false)
                   or coalesce((select b.expires_at from bookings b where b.state = 'pending_payment'
                                 order by b.expires_at limit 1) <= v_now, false);

    if v_any_slot then
        -- What an external calendar blocks; for other requests the choice has seen to it.
        for r in select q.n from unnest(v_requests) q
                  where v_outcome[q.n] is null and q.solo is not null
                    and exists (select from calendar_busy_intervals busy
                                 where busy.business_id = p_business_id and busy.resource_id = q.solo
                                   and busy.during && tstzrange(q.claims_from, q.claims_to))
        loop
            v_outcome[r.n] := 'refused';
        end loop;

        -- Places of resources of capacity 1: one statement for the batch, in order of resource, and the constraint says
        -- who was first.
        with wanted as (
            select q.n, q.id, solo.resource, q.claims_from, q.claims_to
              from unnest(v_requests) q, lateral (select q.solo as resource) solo
             where q.solo is not null and v_outcome[q.n] is null
            union all
            select q.n, q.id, picked.value::uuid, q.claims_from, q.claims_to
              from unnest(v_requests) q, jsonb_array_elements_text(v_chosen -> q.n::text) picked
             where v_outcome[q.n] is null and coalesce((v_locked -> picked.value ->> 0)::integer, 1) = 1
        ), taken as (
            -- Of several that want the very same place only the first can get it.
            insert into claims (business_id, resource_id, capacity, seat, during, booking_id)
            select distinct on (w.resource, w.claims_from, w.claims_to)
                   p_business_id, w.resource, 1, 1, tstzrange(w.claims_from, w.claims_to), w.id
              from wanted w order by w.resource, w.claims_from, w.claims_to, w.n
            on conflict on constraint claims_no_overlap do nothing
            returning booking_id, resource_id
        )
        select array_agg(distinct w.n) into v_lost
          from wanted w
         where (w.id, w.resource) not in (select t.booking_id, t.resource_id from taken t);

        -- A solo request that lost is refused; one that had a choice may find another resource at the next try.
        foreach v_left in array coalesce(v_lost, '{}') loop
            v_outcome[v_left] := case when v_chosen ? v_left::text then 'again' else 'refused' end;
        end loop;
        if v_lost is not null and v_chosen <> '{}' then
            v_undone := withdraw_claims(p_business_id, v_requests, v_lost);
        end if;
    end if;

    -- Places of locked resources, request by request. What fails here fitted a moment ago: ask again.
    if v_locked <> '{}' then
        for r in select q.n, q.id, q.claims_from, q.claims_to, q.party, q.days from unnest(v_requests) q
                  where v_outcome[q.n] is null and v_chosen ? q.n::text order by q.n
        loop
            for x in select picked.value::uuid as resource, (v_locked -> picked.value ->> 0)::integer as capacity,
                            (v_locked -> picked.value ->> 1)::integer as daily_limit, r.days -> picked.value as day
                       from jsonb_array_elements_text(v_chosen -> r.n::text) picked
                      where v_locked ? picked.value order by 1
            loop
                if x.daily_limit <= bookings_beginning(
                       p_business_id, x.resource, (x.day ->> 0)::timestamptz, (x.day ->> 1)::timestamptz, v_now, null)
                     + (select count(*) from unnest(v_requests) other
                         where other.n < r.n and v_outcome[other.n] is null
                           and v_chosen -> other.n::text ? x.resource::text
                           and other.starts >= (x.day ->> 0)::timestamptz
                           and other.starts < (x.day ->> 1)::timestamptz)
                   or x.capacity > 1 and not take_seats(
                       p_business_id, x.resource, x.capacity, tstzrange(r.claims_from, r.claims_to), r.party, r.id)
                then
                    v_outcome[r.n] := 'again';
                    v_undone := withdraw_claims(p_business_id, v_requests, array[r.n]) or v_undone;
                    exit;
                end if;
            end loop;
        end loop;
    end if;

    -- Places of schedules, in order of arrival; the counters are locked.
    if v_any_schedule then
        for x in select asked.schedule as id, s.id is not null and p.active and s.withdrawn is null as known,
                        s.max_capacity - s.taken as places, s.starts_at,
                        p.payment_policy = 'prepay' and p.price_minor > 0 as must_be_paid,
                        p.payment_policy = 'prepay' and p.price_minor > 0
                        and not exists (select from payment_accounts a
                                         where a.business_id = p_business_id and a.active) as cannot_be_paid
                   from (select distinct q.schedule from unnest(v_requests) q
                          where q.schedule is not null and v_outcome[q.n] is null) asked
                   left join lateral (select * from program_schedules o
                                       where o.business_id = p_business_id and o.id = asked.schedule offset 0) s on true
                   left join programs p on p.business_id = s.business_id and p.id = s.program_id
        loop
            v_left := x.places;
            v_ok := v_any_spent and exists (
                select from bookings b where b.business_id = p_business_id and b.schedule_id = x.id
                   and b.state in ('held', 'pending_payment') and b.expires_at <= v_now);
            for r in select q.n, q.party, q.nonce from unnest(v_requests) q
                      where q.schedule = x.id and v_outcome[q.n] is null order by q.n
            loop
                if not x.known then
                    v_outcome[r.n] := 'unknown_schedule';
                elsif x.cannot_be_paid then
                    v_outcome[r.n] := 'prepay';
                elsif x.must_be_paid and r.nonce is not null then
                    v_outcome[r.n] := 'payment_required';
                elsif x.starts_at <= v_now then
                    v_outcome[r.n] := 'started';
                elsif r.party <= v_left then
                    v_left := v_left - r.party;
                elsif v_ok then
                    v_outcome[r.n] := 'spent';
                else
                    v_outcome[r.n] := 'full';
                    v_answer[r.n] := jsonb_build_object('left', v_left);
                end if;
            end loop;
        end loop;
    end if;

    -- What is still undecided has its places. Keys first: one that somebody else has written meanwhile undoes its
    -- request, which then gets no booking.
    if array_position(v_outcome, null) is not null then
        v_lost := '{}';
        for r in
            with won as materialized (
                select q.*, coalesce(s.starts_at, q.starts) as begins, coalesce(s.ends_at, q.ends) as finishes,
                       -- Whoever is offered a place has to hear of it first: that takes longer than filling in details.
                       v_held + make_interval(secs => case when q.operation = 'offer' then q.ttl
                                                           else least(coalesce(q.ttl, s.hold_minutes * 60),
                                                                      coalesce(s.hold_minutes * 60, q.ttl)) end) as expires,
                       coalesce(q.price, s.price_minor) as costs,
                       coalesce(q.due, s.place_due_minor * q.party) as owes,
                       case when q.nonce is null then 'held' else 'confirmed' end as state
                  from unnest(v_requests) q
                  left join lateral (
                      -- A program's price is that of one place.
                      select o.starts_at, o.ends_at, p.hold_minutes, p.price_minor,
                             case when p.payment_policy = 'prepay' and p.price_minor > 0
                                  then p.price_minor end as place_due_minor
                        from program_schedules o
                        join programs p on p.business_id = o.business_id and p.id = o.program_id
                       where o.business_id = p_business_id and o.id = q.schedule offset 0) s on q.schedule is not null
                 where v_outcome[q.n] is null
            ), answered as materialized (
                select w.*, jsonb_build_object(
                           'id', w.id, 'state', w.state, 'expires', w.expires, 'starts', w.begins, 'ends', w.finishes,
                           'party', w.party, 'resources',
                           case when w.solo is not null then jsonb_build_array(w.solo)
                                else coalesce(v_chosen -> w.n::text, '[]') end)
                       || case when w.nonce is null then '{}' else jsonb_build_object('nonce', w.nonce) end as answer
                  from won w
            ), written as (
                insert into idempotency_keys (business_id, key, operation, request_hash, booking_id, answer)
                select distinct on (a.key) p_business_id, a.key, a.operation, a.hash, a.id, a.answer
                  from answered a where a.key is not null order by a.key
                on conflict (business_id, key) do update
                   set booking_id = excluded.booking_id, answer = excluded.answer, created_at = v_now
                 where idempotency_keys.operation = 'guard' and excluded.operation = 'guard'
                   and not key_answers(p_business_id, 'guard', idempotency_keys.booking_id, idempotency_keys.created_at,
                                       v_guard_seconds, v_now)
                returning booking_id
            ), booked as (
                insert into bookings (business_id, id, service_id, schedule_id, starts_at, ends_at, party_size, state,
                                      held_at, expires_at, confirmed_at, price_minor, due_minor, currency, timezone,
                                      locale, contact, email_index, phone_index, token_nonce)
                select p_business_id, a.id, a.service, a.schedule, a.begins, a.finishes, a.party, a.state,
                       v_held, a.expires, case when a.nonce is not null then v_held end,
                       a.costs, a.owes, coalesce(a.currency, owner.currency), a.timezone, a.locale,
                       decode(a.contact, 'hex'), decode(a.email_index, 'hex'), decode(a.phone_index, 'hex'),
                       decode(a.nonce, 'hex')
                  from answered a join businesses owner on owner.id = p_business_id
                 where a.key is null or a.id in (select written.booking_id from written)
                returning id
            )
            select a.n, a.id, a.nonce, a.chain_key, a.answer, a.id in (select booked.id from booked) as won
              from answered a
        loop
            if r.won then
                v_outcome[r.n] := r.answer ->> 'state';
                v_answer[r.n] := r.answer;
                if r.nonce is not null then
                    v_confirmed := v_confirmed || r.id;
                    v_chain_keys := v_chain_keys || decode(r.chain_key, 'hex');
                end if;
            else
                v_outcome[r.n] := 'again';
                v_lost := v_lost || r.n;
            end if;
        end loop;
        if v_lost <> '{}' then
            perform withdraw_claims(p_business_id, v_requests, v_lost);
            v_undone := true;
        end if;
        if v_confirmed <> '{}' then
            perform record_changes(p_business_id, v_confirmed, v_chain_keys, 'book', null, 'client', null,
                                   'AppointmentConfirmed');
        end if;
    end if;

    -- What was refused may have been refused for something that is not there any more.
    if v_outcome && array['refused', 'full', 'again'] then
        for r in select q.n, q.id, q.key, q.nonce, q.solo, q.claims_from, q.claims_to, v_chosen -> q.n::text as resources
                   from unnest(v_requests) q where v_outcome[q.n] in ('refused', 'full', 'again')
        loop
            if p_repeated and booked_before(p_business_id, r.id) is not null then
                v_answer[r.n] := booked_before(p_business_id, r.id);
                v_outcome[r.n] := case when r.nonce is null then 'held' else 'confirmed' end;
            elsif v_any_spent and v_outcome[r.n] <> 'full' and exists (
                   select from claims c join bookings b on b.business_id = c.business_id and b.id = c.booking_id
                    where c.business_id = p_business_id
                      and (c.resource_id = r.solo
                           or c.resource_id in (select it::uuid from jsonb_array_elements_text(r.resources) it))
                      and c.during && tstzrange(r.claims_from, r.claims_to)
                      and b.state in ('held', 'pending_payment') and b.expires_at <= v_now) then
                v_outcome[r.n] := 'spent';
            elsif v_undone
                  or (r.key is not null and exists (
                          select from idempotency_keys k
                           where k.business_id = p_business_id and k.key = r.key
                             and key_answers(p_business_id, k.operation, k.booking_id, k.created_at,
                                             v_guard_seconds, v_now)))
                  or (r.n = any (v_soft) and exists (
                          select from unnest(v_requests) q
                           where v_chosen ? q.n::text and v_outcome[q.n] not in ('held', 'confirmed'))) then
                v_outcome[r.n] := 'again';
            end if;
        end loop;
    end if;

    return (select jsonb_agg(coalesce(v_answer[n], '{}')
                             || jsonb_build_object('n', n, 'outcome', v_outcome[n], 'now', v_now))
              from generate_subscripts(v_outcome, 1) n);
end $$;

-- One audit entry and one event for each booking, at the version that it has now. The keys are those of the chains, in
-- the order of the bookings.
create or replace function record_changes(
    p_business_id uuid, p_booking_ids uuid[], p_chain_keys bytea[], p_action text, p_from_state text, p_actor text,
    p_reason_id uuid, p_event text, p_payload jsonb default '{}', p_actor_id uuid default null
) returns void
language plpgsql set timezone = 'UTC' as $$
declare
    v_ids uuid[];
    v_versions integer[];
    v_states text[];
    v_keys bytea[];
begin
    -- Of what is not there, nothing is told.
    with changed as materialized (
        select b.*, asked.key
          from unnest(p_booking_ids, p_chain_keys) asked (id, key)
         -- Not the whole row, which would be carried along with its sealed contact.
         cross join lateral (select o.business_id, o.id, o.version, o.state, o.service_id, o.schedule_id, o.starts_at,
                                    o.ends_at, o.party_size
                               from bookings o
                              where o.business_id = p_business_id and o.id = asked.id offset 0) b
    ), told as (
        insert into outbox_events (business_id, aggregate_id, version, type, payload)
        select c.business_id, c.id, c.version, p_event, p_payload || jsonb_build_object(
                   'bookingId', c.id, 'status', c.state, 'serviceId', c.service_id, 'scheduleId', c.schedule_id,
                   'start', c.starts_at, 'end', c.ends_at, 'partySize', c.party_size)
          from changed c
    )
    select array_agg(c.id), array_agg(c.version), array_agg(c.state), array_agg(c.key)
      into v_ids, v_versions, v_states, v_keys
      from changed c;
    perform append_audit(p_business_id, 'booking', p_action, p_from_state, p_actor, p_actor_id, p_reason_id,
                         v_ids, v_versions, v_states, v_keys);
end $$;

-- Of what has to be paid: for how long its place waits for that, and what a cancellation gives back.
create or replace function payment_minutes_of(p_business_id uuid, p_service_id uuid, p_schedule_id uuid) returns integer
language sql stable as $$
    select coalesce(
        (select v.payment_minutes from services v where v.business_id = p_business_id and v.id = p_service_id),
        (select p.payment_minutes from program_schedules s
           join programs p on p.business_id = s.business_id and p.id = s.program_id
          where s.business_id = p_business_id and s.id = p_schedule_id))
$$;

create or replace function refund_terms_of(p_business_id uuid, p_service_id uuid, p_schedule_id uuid) returns jsonb
language sql stable as $$
    select coalesce(
        (select v.refund_terms from services v where v.business_id = p_business_id and v.id = p_service_id),
        (select p.refund_terms from program_schedules s
           join programs p on p.business_id = s.business_id and p.id = s.program_id
          where s.business_id = p_business_id and s.id = p_schedule_id))
$$;

-- Commits a batch of reservations: [{n, id, contact, email_index, phone_index, timezone, locale, nonce}], with envelope,
-- indexes and nonce in hex. What has to be paid awaits its payment then, for a time that is counted anew once. Guarded by
-- state and by the clock of the database in one UPDATE, so that expiry and commit cannot both win; claims are not
-- touched, so there is no moment at which the place is free. Outcomes: committed, repeated, expired, unknown.
create or replace function commit_reservations(p_business_id uuid, p_requests jsonb) returns json
language plpgsql security definer
set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '5s'
set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_requests commit_request[];
    v_ids uuid[];
    v_sealed boolean;
    v_committed uuid[];
    v_chain_keys bytea[];
    v_awaiting uuid[];
    v_awaiting_keys bytea[];
    v_first integer[];                  -- n of the request that has committed; another for the same finds it done
begin
    select array_agg(q), array_agg(q.id), bool_and(q.contact is not null) into v_requests, v_ids, v_sealed
      from jsonb_populate_recordset(null::commit_request, p_requests) q;
    if not v_sealed then
        perform refuse_unsealed(p_business_id);
    end if;

    -- In the order of ids, which is the order of locks; each row is decided by what the update finds when it has the
    -- lock.
    with asked as materialized (
        select distinct on (q.id) q.* from unnest(v_requests) q order by q.id, q.n
    ), changed as (
        update bookings b
           -- What nothing has to be paid for asks nobody for terms: a branch is looked into when it is taken.
           set state = case when b.due_minor is null then 'confirmed' else 'pending_payment' end,
               version = b.version + 1, confirmed_at = case when b.due_minor is null then clock_timestamp() end,
               -- Nobody pays for what has begun; whoever books at the last moment gets the time that paying takes.
               expires_at = case when b.due_minor is null then b.expires_at
                                 else least(clock_timestamp() + make_interval(
                                                mins => payment_minutes_of(b.business_id, b.service_id, b.schedule_id)),
                                            b.held_at + interval '24 hours',
                                            greatest(b.starts_at, clock_timestamp() + interval '5 minutes')) end,
               refund_terms = case when b.due_minor is not null
                                   then refund_terms_of(b.business_id, b.service_id, b.schedule_id) end,
               contact = decode(a.contact, 'hex'), contact_plain = false,
               email_index = decode(a.email_index, 'hex'), phone_index = decode(a.phone_index, 'hex'),
               guest_email = null, guest_phone = null, guest_name = null,
               timezone = coalesce(a.timezone, b.timezone), locale = coalesce(a.locale, b.locale),
               token_nonce = decode(a.nonce, 'hex')
          from asked a
         where b.business_id = p_business_id and b.id = a.id
           -- Says nothing new, but a plan that was made for a small table and kept would read all bookings of the
           -- business in search of the few, and ever more of them.
           and b.id = any (v_ids)
           -- Not `state = 'held' and`: that would offer the index of all holds, and a table that has just begun to
           -- fill takes it.
           and case b.state when 'held' then b.expires_at > clock_timestamp() end
        returning b.id, a.n, a.chain_key, b.due_minor is not null as awaits
    )
    select array_agg(id) filter (where not awaits), array_agg(n),
           array_agg(decode(chain_key, 'hex')) filter (where not awaits),
           array_agg(id) filter (where awaits), array_agg(decode(chain_key, 'hex')) filter (where awaits)
      into v_committed, v_first, v_chain_keys, v_awaiting, v_awaiting_keys from changed;
    if v_committed is not null then
        perform record_changes(p_business_id, v_committed, v_chain_keys, 'commit', 'held', 'client', null,
                               'AppointmentConfirmed');
    end if;
    if v_awaiting is not null then
        perform record_changes(p_business_id, v_awaiting, v_awaiting_keys, 'commit', 'held', 'client', null,
                               'AppointmentAwaitingPayment');
    end if;

    -- What was committed before, nobody may have waited for.
    if cardinality(v_first) is distinct from cardinality(v_requests) then
        perform await_replication();
    end if;

    return (
        select json_agg(json_build_object(
                   'n', q.n, 'id', q.id, 'state', b.state, 'starts', b.starts_at, 'ends', b.ends_at,
                   'version', b.version, 'party', b.party_size, 'service', b.service_id, 'schedule', b.schedule_id,
                   -- The token is for whom the appointment is, not for everybody who has heard of its id.
                   -- Of a contact that is not sealed yet, the caller compares the e-mail address.
                   'plain_email', b.guest_email,
                   'nonce', case when b.guest_email is not null or b.email_index = decode(q.email_index, 'hex')
                                 then encode(b.token_nonce, 'hex') end,
                   'outcome', case
                       -- What never was a hold is not there to be committed.
                       when b.id is null or b.expires_at is null then 'unknown'
                       when q.n = any (v_first) then 'committed'
                       when b.state in ('held', 'expired', 'released') then 'expired'
                       else 'repeated' end))
          from unnest(v_requests) q
          left join lateral (select * from bookings o
                              where o.business_id = p_business_id and o.id = q.id offset 0) b on true);
end $$;

-- Locks everything that changing these bookings may touch, in the order of all locks. What one has expired from, it may
-- take again.
create or replace function lock_bookings(p_business_id uuid, p_booking_ids uuid[]) returns void
language plpgsql security definer set search_path = public, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_schedules uuid[];
    v_resources uuid[];
begin
    -- From the bookings to what they take, key by key: from the other end it would be a look at all that the business has.
    select array_agg(s.id) into v_schedules
      from (select distinct b.schedule_id as id
              from unnest(p_booking_ids) asked (id)
             cross join lateral (select o.schedule_id from bookings o
                                  where o.business_id = p_business_id and o.id = asked.id offset 0) b
             where b.schedule_id is not null order by 1 offset 0) named
     cross join lateral (select o.id from program_schedules o
                          where o.business_id = p_business_id and o.id = named.id
                         offset 0 for no key update) s;
    select array_agg(r.id) into v_resources
      from (select distinct c.resource_id as id
              from unnest(p_booking_ids) asked (id)
             cross join lateral (select k.resource_id from claims k
                                  where k.business_id = p_business_id and k.booking_id = asked.id
                                 union all
                                 select unnest(o.former_resource_ids) from bookings o
                                  where o.business_id = p_business_id and o.id = asked.id
                                    and o.state = 'expired' offset 0) c
             order by 1 offset 0) named
     cross join lateral (select o.id from resources o
                          where o.business_id = p_business_id and o.id = named.id
                            and (o.capacity > 1 or o.daily_limit is not null)
                         offset 0 for no key update) r;
    perform from bookings b
      where b.business_id = p_business_id and b.id = any (p_booking_ids) order by b.id for update;

    -- Somebody may have moved a booking between the reading and the locking.
    if exists (select from unnest(p_booking_ids) asked (id)
                cross join lateral (select o.schedule_id from bookings o
                                     where o.business_id = p_business_id and o.id = asked.id offset 0) b
                where b.schedule_id is not null and b.schedule_id <> all (coalesce(v_schedules, '{}')))
       or exists (select from unnest(p_booking_ids) asked (id)
                   cross join lateral (select k.resource_id from claims k
                                        where k.business_id = p_business_id and k.booking_id = asked.id offset 0) c
                   cross join lateral (select from resources o
                                        where o.business_id = p_business_id and o.id = c.resource_id
                                          and (o.capacity > 1 or o.daily_limit is not null) offset 0) r
                   where c.resource_id <> all (coalesce(v_resources, '{}'))) then
        raise exception 'a booking moved while it was being locked' using errcode = 'serialization_failure';
    end if;
end $$;

-- Ends holds that have run out and frees their places; the oldest first. Returns how many.
create or replace function expire_holds(p_business_id uuid, p_limit integer) returns integer
language plpgsql security definer set search_path = public, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_now timestamptz := clock_timestamp();
    v_ids uuid[];
    v_id uuid;
begin
    select array_agg(id) into v_ids from (
        select b.id from bookings b
         where b.business_id = p_business_id and b.state = 'held' and b.expires_at <= v_now
         order by b.expires_at limit p_limit) due;
    if v_ids is null then
        return 0;
    end if;
    perform lock_bookings(p_business_id, v_ids);
    with ended as (
        update bookings b set state = 'expired', version = b.version + 1
         where b.business_id = p_business_id and b.id = any (v_ids)
           and b.state = 'held' and b.expires_at <= v_now
        returning b.id
    )
    select array_agg(id) into v_ids from ended;
    -- One by one: for all at once the planner may rather look through everybody's claims.
    foreach v_id in array coalesce(v_ids, '{}') loop
        delete from claims c where c.business_id = p_business_id and c.booking_id = v_id;
    end loop;
    return coalesce(cardinality(v_ids), 0);
end $$;

-- Businesses that have holds to expire; the worker asks this across tenants.
create or replace function businesses_with_spent_holds() returns setof uuid
language sql stable security definer set search_path = public, pg_temp as $$
    select distinct business_id from bookings where state = 'held' and expires_at <= statement_timestamp()
$$;

-- Ends bookings whose payment has not come in time, or with p_early before that, and frees their places: those that
-- await it still. The keys are those of the chains, in the order of the bookings. Returns whose end it was.
create or replace function end_unpaid(
    p_business_id uuid, p_booking_ids uuid[], p_chain_keys bytea[], p_early boolean default false
) returns uuid[]
language plpgsql security definer set search_path = public, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_ended uuid[];
    v_keys bytea[];
    v_id uuid;
begin
    perform lock_bookings(p_business_id, p_booking_ids);
    with ended as (
        update bookings b
           set state = 'expired', version = b.version + 1,
               former_resource_ids = array(select distinct c.resource_id from claims c
                                            where c.business_id = b.business_id and c.booking_id = b.id order by 1)
         where b.business_id = p_business_id and b.id = any (p_booking_ids)
           -- By the clock at this moment: somebody may have prolonged it while the locks were waited for.
           and case b.state when 'pending_payment' then p_early or b.expires_at <= clock_timestamp() end
        returning b.id
    )
    select array_agg(asked.id), array_agg(asked.key) into v_ended, v_keys
      from unnest(p_booking_ids, p_chain_keys) asked (id, key) join ended on ended.id = asked.id;
    if v_ended is null then
        return '{}';
    end if;
    -- One by one: for all at once the planner may rather look through everybody's claims.
    foreach v_id in array v_ended loop
        delete from claims c where c.business_id = p_business_id and c.booking_id = v_id;
    end loop;
    perform record_changes(p_business_id, v_ended, v_keys, 'expire', 'pending_payment', 'system', null,
                           'AppointmentExpired');
    return v_ended;
end $$;

-- Businesses with bookings that were not paid in time; the worker asks this across tenants.
create or replace function businesses_with_unpaid() returns setof uuid
language sql stable security definer set search_path = public, pg_temp as $$
    select distinct business_id from bookings
     where state = 'pending_payment' and expires_at <= statement_timestamp()
$$;

-- Which business an id belongs to: all that a call by id may learn before it knows its tenant.
create or replace function locate(p_ids uuid[]) returns table (id uuid, business_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select b.id, b.business_id from bookings b where b.id = any (p_ids)
    union all
    select s.id, s.business_id from program_schedules s where s.id = any (p_ids)
    union all
    select v.id, v.business_id from services v where v.id = any (p_ids)
    union all
    select g.id, g.business_id from booking_series g where g.id = any (p_ids)
    union all
    select w.id, w.business_id from waitlist_requests w where w.id = any (p_ids)
$$;

-- Takes the places of one booking on resources that were chosen for it; those with several places or a daily limit are
-- locked. Null when it has them all; otherwise the caller rolls back, and asks again after a sweep (spent) or at once
-- (again).
create or replace function take_places(
    p_business_id uuid, p_booking_id uuid, p_chosen uuid[], p_during tstzrange, p_party integer, p_days jsonb,
    p_now timestamptz
) returns text
language plpgsql as $$
declare
    v_taken integer;
    v_ok boolean;
    x record;
begin
    with taken as (
        insert into claims (business_id, resource_id, capacity, seat, during, booking_id)
        select p_business_id, r.id, 1, 1, p_during, p_booking_id
          from unnest(p_chosen) chosen (id)
         cross join lateral (select o.id from resources o
                              where o.business_id = p_business_id and o.id = chosen.id and o.capacity = 1 offset 0) r
         order by r.id
        on conflict on constraint claims_no_overlap do nothing
        returning 1
    )
    select count(*) into v_taken from taken;
    v_ok := v_taken = (
        select count(*) from unnest(p_chosen) chosen (id)
         cross join lateral (select from resources o
                              where o.business_id = p_business_id and o.id = chosen.id and o.capacity = 1 offset 0) r);
    for x in select r.id, r.capacity, r.daily_limit, p_days -> r.id::text as day
               from unnest(p_chosen) chosen (id)
              cross join lateral (select o.id, o.capacity, o.daily_limit from resources o
                                   where o.business_id = p_business_id and o.id = chosen.id
                                     and (o.capacity > 1 or o.daily_limit is not null) offset 0) r
              order by r.id
    loop
        exit when not v_ok;
        v_ok := coalesce(x.daily_limit > bookings_beginning(
                    p_business_id, x.id, (x.day ->> 0)::timestamptz, (x.day ->> 1)::timestamptz, p_now,
                    p_booking_id), true)
                and (x.capacity = 1 or take_seats(p_business_id, x.id, x.capacity, p_during, p_party, p_booking_id));
    end loop;
    if v_ok then
        return null;
    end if;
    return case when exists (
        select from claims c join bookings b on b.business_id = c.business_id and b.id = c.booking_id
         where c.business_id = p_business_id and c.resource_id = any (p_chosen) and c.during && p_during
           and b.state in ('held', 'pending_payment') and b.expires_at <= p_now) then 'spent' else 'again' end;
end $$;

-- The percent that goes back to a client who cancels so long before the start; null where that is everything.
-- percent_for() in refund_terms.py says the same.
create or replace function refund_percent_of(p_terms jsonb, p_notice interval) returns smallint
language sql immutable set search_path = public, pg_temp as $$
    select case when jsonb_array_length(p_terms) > 0 then nullif(coalesce(
        (select (it ->> 'percent')::smallint from jsonb_array_elements(p_terms) term (it)
          where p_notice >= make_interval(hours => (it ->> 'hoursBefore')::integer)
          order by (it ->> 'hoursBefore')::integer desc limit 1), 0), 100) end
$$;

-- Moves a confirmed appointment: takes the new place and frees the old one (B-16). The caller rolls back unless the
-- outcome is moved. p_request is an admission_request of which schedule, or service, needs, days and the times
-- count. Outcomes: moved, refused, full, spent, again, unchanged, stale, too_soon, too_far, unknown_schedule,
-- started, price_differs, payment_required, not_confirmed (state), version_conflict (version).
create or replace function move_booking(
    p_business_id uuid, p_booking_id uuid, p_expected_version integer, p_request jsonb, p_actor text,
    p_reason_id uuid, p_actor_id uuid default null
) returns jsonb
language plpgsql security definer
set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '5s'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_now timestamptz := clock_timestamp();
    q admission_request := jsonb_populate_record(null::admission_request, p_request);
    v_before bookings;
    v_booking bookings;
    v_schedule program_schedules;
    v_chosen uuid[] := '{}';
    v_price bigint;
    v_must_be_paid boolean;
    v_claims tstzrange := tstzrange(q.claims_from, q.claims_to);
    v_outcome text;
begin
    select * into v_before from bookings b where b.business_id = p_business_id and b.id = p_booking_id;
    if (q.schedule is null) <> (v_before.schedule_id is null) then
        -- Its claims would have to come or go with it.
        raise exception 'booking % moves from slot to slot, or from schedule to schedule', p_booking_id
            using errcode = 'invalid_parameter_value';
    end if;
    if q.schedule is null then
        v_chosen := choose_resources(p_business_id, q.needs, q.days, q.starts, v_claims, v_before.party_size, v_now,
                                     '[]', p_booking_id);
    end if;

    perform from program_schedules s
      where s.business_id = p_business_id and s.id in (v_before.schedule_id, q.schedule)
      order by s.id for no key update;
    perform from (select unnest(v_chosen) as id
                  union
                  select c.resource_id from claims c
                   where c.business_id = p_business_id and c.booking_id = p_booking_id
                  order by 1 offset 0) named
      cross join lateral (select from resources o
                           where o.business_id = p_business_id and o.id = named.id
                             and (o.capacity > 1 or o.daily_limit is not null)
                          offset 0 for no key update) r;
    select * into v_booking from bookings b
     where b.business_id = p_business_id and b.id = p_booking_id for update;
    if v_booking.version <> v_before.version then
        raise exception 'booking % changed while it was being locked', p_booking_id
            using errcode = 'serialization_failure';
    end if;

    v_outcome := case
        when v_booking.state <> 'confirmed' then 'not_confirmed'
        when p_expected_version <> v_booking.version then 'version_conflict'
        when q.schedule is null and q.catalog is distinct from
             (select catalog_version from businesses where id = p_business_id) then 'stale'
        when q.starts < v_now + make_interval(secs => q.notice_seconds) then 'too_soon'
        when q.starts > v_now + make_interval(secs => q.horizon_seconds) then 'too_far'
        when v_chosen is null then 'refused' end;

    if v_outcome is null and q.schedule is not null then
        select s.* into v_schedule from program_schedules s
          join programs p on p.business_id = s.business_id and p.id = s.program_id and p.active
         where s.business_id = p_business_id and s.id = q.schedule and s.withdrawn is null;
        select p.price_minor, p.payment_policy = 'prepay' and p.price_minor > 0 into v_price, v_must_be_paid
          from programs p
         where p.business_id = p_business_id and p.id = v_schedule.program_id;
        v_outcome := case
            when v_schedule.id is null then 'unknown_schedule'
            when v_schedule.starts_at <= v_now then 'started'
            when v_price <> v_booking.price_minor then 'price_differs'
            when v_schedule.id = v_booking.schedule_id then 'unchanged'
            -- Only staff let somebody in without the money.
            when v_must_be_paid and v_booking.due_minor is null and p_actor = 'client' then 'payment_required'
            when v_schedule.taken + v_booking.party_size > v_schedule.max_capacity then
                case when exists (select from bookings b where b.business_id = p_business_id
                                     and b.schedule_id = v_schedule.id and b.state in ('held', 'pending_payment')
                                     and b.expires_at <= v_now) then 'spent' else 'full' end end;
        q.starts := v_schedule.starts_at;
        q.ends := v_schedule.ends_at;
    elsif v_outcome is null then
        delete from claims c where c.business_id = p_business_id and c.booking_id = p_booking_id;
        v_outcome := take_places(p_business_id, p_booking_id, v_chosen, v_claims, v_booking.party_size, q.days, v_now);
    end if;

    if v_outcome is null then
        update bookings b
           set service_id = case when q.schedule is null then q.service end, schedule_id = q.schedule,
               starts_at = q.starts, ends_at = q.ends, version = b.version + 1,
               -- Else a client would cancel too late by moving far ahead first.
               refund_most_percent = case
                   when p_actor = 'client' and b.due_minor is not null
                   then least(b.refund_most_percent,
                              refund_percent_of(b.refund_terms, b.starts_at - clock_timestamp()))
                   else b.refund_most_percent end
         where b.business_id = p_business_id and b.id = p_booking_id;
        perform record_changes(
            p_business_id, array[p_booking_id], array[decode(q.chain_key, 'hex')], 'reschedule', v_booking.state,
            p_actor, p_reason_id, 'AppointmentRescheduled',
            jsonb_build_object('previousStart', v_booking.starts_at, 'previousEnd', v_booking.ends_at), p_actor_id);
        v_outcome := 'moved';
    end if;
    return jsonb_build_object('outcome', v_outcome, 'state', v_booking.state, 'version', v_booking.version,
                              'left', v_schedule.max_capacity - v_schedule.taken);
exception when foreign_key_violation then
    -- The capacity of a resource has changed since it was chosen.
    raise exception 'a resource changed while booking % was being moved', p_booking_id
        using errcode = 'serialization_failure';
end $$;

-- Takes the place again that a booking had before it expired unpaid, and confirms it: its payment came late, and is
-- written down as the one that pays (P-3). The same resources, for the same time; what stands against it is what stands
-- against anybody but the opening hours, the notice and the grid. p_days is that of an admission_request. Outcomes:
-- readmitted; refused; spent, again: as in admit(); not_expired. Nothing has changed unless it is readmitted.
create or replace function readmit_booking(p_business_id uuid, p_booking_id uuid, p_days jsonb, p_chain_key bytea)
returns text
language plpgsql security definer
set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '5s'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_now timestamptz;
    v_booking bookings;
    v_schedule program_schedules;
    v_claims tstzrange;
    v_needs jsonb;
    v_chosen uuid[];
    v_outcome text;
begin
    perform lock_bookings(p_business_id, array[p_booking_id]);
    v_now := clock_timestamp();
    select * into v_booking from bookings b where b.business_id = p_business_id and b.id = p_booking_id;
    -- What was committed knows its terms; a mere hold that has run out is nobody's yet.
    if v_booking.state is distinct from 'expired' or v_booking.due_minor is null or v_booking.refund_terms is null then
        return 'not_expired';
    elsif v_booking.starts_at <= v_now or v_booking.contact is null then
        return 'refused';
    elsif v_booking.schedule_id is not null then
        select s.* into v_schedule from program_schedules s
          join programs p on p.business_id = s.business_id and p.id = s.program_id and p.active
         where s.business_id = p_business_id and s.id = v_booking.schedule_id and s.withdrawn is null;
        v_outcome := case
            when v_schedule.id is null then 'refused'
            when v_schedule.taken + v_booking.party_size > v_schedule.max_capacity then
                case when exists (select from bookings b where b.business_id = p_business_id
                                     and b.schedule_id = v_schedule.id and b.state in ('held', 'pending_payment')
                                     and b.expires_at <= v_now) then 'spent' else 'refused' end end;
    else
        select tstzrange(v_booking.starts_at - make_interval(mins => v.buffer_before_minutes),
                         v_booking.ends_at + make_interval(mins => v.buffer_after_minutes)) into v_claims
          from services v where v.business_id = p_business_id and v.id = v_booking.service_id and v.active;
        select jsonb_agg(jsonb_build_array(r.id)) into v_needs
          from unnest(v_booking.former_resource_ids) former (id)
         cross join lateral (select o.id from resources o
                              where o.business_id = p_business_id and o.id = former.id and o.active offset 0) r;
        if v_claims is not null and jsonb_array_length(v_needs) = cardinality(v_booking.former_resource_ids) then
            v_chosen := choose_resources(p_business_id, v_needs, p_days, v_booking.starts_at, v_claims,
                                         v_booking.party_size, v_now);
        end if;
        v_outcome := case
            when v_chosen is null then 'refused'
            else take_places(p_business_id, p_booking_id, v_chosen, v_claims, v_booking.party_size, p_days, v_now) end;
    end if;

    if v_outcome is not null then
        delete from claims c where c.business_id = p_business_id and c.booking_id = p_booking_id;
        return v_outcome;
    end if;
    update bookings b
       set state = 'confirmed', version = b.version + 1, confirmed_at = v_now, former_resource_ids = null
     where b.business_id = p_business_id and b.id = p_booking_id;
    perform record_changes(p_business_id, array[p_booking_id], array[p_chain_key], 'readmit', 'expired', 'system', null,
                           'AppointmentConfirmed');
    return 'readmitted';
exception when foreign_key_violation then
    -- The capacity of a resource has changed since it was looked at.
    raise exception 'a resource changed while booking % was being readmitted', p_booking_id
        using errcode = 'serialization_failure';
end $$;

-- What occupies resources in a range, in whole epoch seconds: {now, catalog, spans: {resource: [[from, to, places]]},
-- starts: {resource: [start of each booking]} for resources with a daily limit}. Busy time takes every place. Holds
-- that have run out are left out (B-4). statement_timestamp() is one instant, so that an index can be asked for it;
-- clock_timestamp() would be compared with every hold.
create or replace function occupation(
    p_business_id uuid, p_resources uuid[], p_limited uuid[], p_from timestamptz, p_to timestamptz,
    p_without uuid default null
) returns jsonb
language sql stable security definer set search_path = public, pg_temp as $$
    -- Resource by resource: GiST cannot look for one of several, and would read everybody's claims.
    with taken as (
        select wanted.id as resource_id, c.during, count(*) as places
          from unnest(p_resources) wanted (id)
         cross join lateral (select k.during, k.booking_id from claims k
                              where k.business_id = p_business_id and k.resource_id = wanted.id
                                and k.during && tstzrange(p_from, p_to)
                                and (p_without is null or k.booking_id is distinct from p_without) offset 0) c
         where not exists (select from bookings b
                            where b.business_id = p_business_id and b.id = c.booking_id
                              and b.state in ('held', 'pending_payment') and b.expires_at <= statement_timestamp())
         group by wanted.id, c.during
        union all
        select wanted.id, busy.during, 1000
          from unnest(p_resources) wanted (id)
         cross join lateral (select i.during from calendar_busy_intervals i
                              where i.business_id = p_business_id and i.resource_id = wanted.id
                                and i.during && tstzrange(p_from, p_to) offset 0) busy
    )
    select jsonb_build_object(
        'now', extract(epoch from statement_timestamp())::float8,
        'catalog', (select catalog_version from businesses where id = p_business_id),
        'spans', coalesce((select jsonb_object_agg(resource_id, spans) from (
            select resource_id,
                   jsonb_agg(jsonb_build_array(floor(extract(epoch from lower(during))),
                                               ceil(extract(epoch from upper(during))), places)
                             order by lower(during)) as spans
              from taken group by resource_id) each), '{}'),
        'starts', coalesce((select jsonb_object_agg(resource_id, starts) from (
            select resource_id, jsonb_agg(extract(epoch from starts_at)) as starts from (
                select distinct limited.id as resource_id, b.id, b.starts_at
                  from unnest(p_limited) limited (id)
                 cross join lateral (select k.booking_id from claims k
                                      where k.business_id = p_business_id and k.resource_id = limited.id
                                        and k.during && tstzrange(p_from - interval '3 days',
                                                                  p_to + interval '3 days') offset 0) c
                  join bookings b on b.business_id = p_business_id and b.id = c.booking_id
                 where b.id is distinct from p_without
                   and not (b.state in ('held', 'pending_payment') and b.expires_at <= statement_timestamp())) counted
             group by resource_id) each), '{}'))
$$;

-- Gives a schedule or a block every place of the resources that it uses; the caller rolls back on false.
create or replace function take_whole_resource(
    p_business_id uuid, p_resource_id uuid, p_during tstzrange, p_schedule_id uuid, p_block_id uuid
) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_capacity integer;
begin
    select capacity into strict v_capacity from resources
     where business_id = p_business_id and id = p_resource_id for no key update;
    insert into claims (business_id, resource_id, capacity, seat, during, schedule_id, block_id)
    select p_business_id, p_resource_id, v_capacity, seat, p_during, p_schedule_id, p_block_id
      from generate_series(1, v_capacity) seat order by seat
    on conflict on constraint claims_no_overlap do nothing;
    return (select count(*) = v_capacity from claims c
             where c.business_id = p_business_id and c.resource_id = p_resource_id
               and (c.schedule_id = p_schedule_id or c.block_id = p_block_id));
end $$;

-- Changes how many places a resource has. Returns null, or the future peak when it is above the wish: then nothing
-- has changed once the caller rolls back. Seating anew lets claims that have ended go: their bookings tell the past.
create or replace function change_capacity(p_business_id uuid, p_resource_id uuid, p_capacity integer)
returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_now timestamptz := clock_timestamp();
    v_old integer;
    v_peak integer;
    v_kept claims[];
    v_free_from timestamptz[] := array_fill('-infinity'::timestamptz, array[p_capacity]);
    v_seat integer;
    c claims;
begin
    while expire_holds(p_business_id, 500) > 0 loop
    end loop;
    select capacity into strict v_old from resources
     where business_id = p_business_id and id = p_resource_id for update;

    -- Whole-resource claims shrink with the resource.
    delete from claims k
     where k.business_id = p_business_id and k.resource_id = p_resource_id and k.seat > p_capacity
       and (k.booking_id is null or upper(k.during) <= v_now);
    -- '-infinity': a hold that has run out since the sweep still has its row, and so its seat.
    v_peak := places_peak(p_business_id, p_resource_id, tstzrange(v_now, 'infinity'), '-infinity');
    if v_peak > p_capacity then
        return v_peak;
    end if;
    if exists (select from claims k where k.business_id = p_business_id and k.resource_id = p_resource_id
                                      and k.seat > p_capacity) then
        delete from claims k
         where k.business_id = p_business_id and k.resource_id = p_resource_id and upper(k.during) <= v_now;
        with removed as (
            delete from claims k
             where k.business_id = p_business_id and k.resource_id = p_resource_id
            returning k as claim
        )
        select array_agg(claim order by (claim).during) into v_kept from removed;
        foreach c in array coalesce(v_kept, '{}') loop
            select seat into strict v_seat from generate_series(1, p_capacity) seat
             where v_free_from[seat] <= lower(c.during) order by seat limit 1;
            v_free_from[v_seat] := upper(c.during);
            insert into claims (business_id, resource_id, capacity, seat, during, booking_id, schedule_id, block_id)
            values (p_business_id, p_resource_id, v_old, v_seat, c.during, c.booking_id, c.schedule_id, c.block_id);
        end loop;
    end if;
    update resources set capacity = p_capacity where business_id = p_business_id and id = p_resource_id;
    insert into claims (business_id, resource_id, capacity, seat, during, schedule_id, block_id)
    select p_business_id, p_resource_id, p_capacity, seat, whole.during, whole.schedule_id, whole.block_id
      from (select distinct k.during, k.schedule_id, k.block_id from claims k
             where k.business_id = p_business_id and k.resource_id = p_resource_id
               and k.booking_id is null and upper(k.during) > v_now) whole,
           generate_series(v_old + 1, p_capacity) seat;
    return null;
end $$;

-- The functions above run as admission. Only the entrances may be called by the application; what they call inside
-- runs with their rights.
do $$
declare
    f regprocedure;
    entrances text[] := array['admit', 'commit_reservations', 'lock_bookings', 'expire_holds', 'locate',
                              'businesses_with_spent_holds', 'move_booking', 'take_whole_resource', 'end_unpaid',
                              'businesses_with_unpaid', 'readmit_booking',
                              'change_capacity', 'occupation', 'record_changes'];
    inner_parts text[] := array['booked_before', 'places_peak', 'claim_is_spent', 'take_seats', 'choose_resources',
                                'withdraw_claims', 'bookings_beginning', 'key_answers', 'take_places',
                                'refuse_unsealed', 'payment_minutes_of', 'refund_terms_of'];
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace and p.proname = any (entrances || inner_parts)
    loop
        execute format('alter function %s owner to holdfast_admission', f);
        execute format('revoke all on function %s from public', f);
    end loop;
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace and p.proname = any (entrances)
    loop
        execute format('grant execute on function %s to holdfast_app', f);
    end loop;
end $$;
