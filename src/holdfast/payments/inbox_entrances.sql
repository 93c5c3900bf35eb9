-- How what providers tell comes in, and what the worker asks of the inboxes of all tenants at once. Replaced as a whole
-- by each `holdfast migrate`.

-- Whose inbox a path names, and what proves that the provider tells: a row for each account at it, in use or not, since
-- also what was taken with another one may be told of. No row for a business that is not there, or takes no money by it.
create or replace function webhook_entrance(p_business_id uuid, p_slug text, p_provider text)
returns table (business_id uuid, account_id uuid, webhook_secrets bytea)
language sql stable security definer set search_path = public, pg_temp as $$
    select a.business_id, a.id, a.webhook_secrets
      from businesses b
      join payment_accounts a on a.business_id = b.id and a.provider = p_provider
     where b.id = p_business_id or b.slug = p_slug
     order by a.active desc, a.created_at desc
$$;

-- Write down facts that a business was told, none of them twice; return the entries that are to be acted upon. Nothing is
-- looked up: a plan that was made while the inbox was empty would go through all of it in the middle of a burst.
create or replace function hear_facts(p_business_id uuid, p_events jsonb) returns uuid[]
language sql set search_path = public, pg_temp as $$
    with heard as (
        insert into webhook_events as known (business_id, id, provider, event_id, type, object_id, is_refund,
                                             remote_payment_id, body)
        select p_business_id, e.id, e.provider, e.event_id, e.type, e.object_id, coalesce(e.is_refund, false),
               e.remote_payment_id, decode(e.body, 'base64')
          from jsonb_to_recordset(p_events) as e (
                   id uuid, provider text, event_id text, type text, object_id text, is_refund boolean,
                   remote_payment_id text, body text)
         order by e.id
        on conflict (business_id, provider, object_id, type) do update
           set event_id = excluded.event_id, body = excluded.body,
               remote_payment_id = coalesce(excluded.remote_payment_id, known.remote_payment_id),
               times_heard = known.times_heard + (known.event_id <> excluded.event_id)::integer,
               processed_at = null, outcome = null, failures = 0, error_code = null,
               next_attempt_at = clock_timestamp()
         where known.event_id <> excluded.event_id
            or known.processed_at < clock_timestamp() - interval '10 seconds'
        returning known.id
    )
    select array(select h.id from heard h)
$$;

-- Write down what a business was told; the answer says of each, by its n, whether that is to be acted upon. A fact that
-- is told again under another id of the event is acted upon again; under the same id only when it was seen to before and
-- that is ten seconds ago: whoever had told it too early, as only somebody else can, keeps the true word from no one. The id
-- of an entry is made of its fact.
--
-- As the role that calls, behind the wall of the business that it names.
create or replace function hear_events(p_business_id uuid, p_events jsonb) returns jsonb
language plpgsql set search_path = public, pg_temp set lock_timeout = '5s' as $$
declare
    v_events jsonb;
    v_event jsonb;
    v_constraint text;
    v_heard uuid[] := '{}';
begin
    perform set_config('holdfast.business', p_business_id::text, true);
    begin
        -- Most often each is of a fact of its own, and nothing has to be sorted out.
        if (select count(distinct e.event ->> 'id') = jsonb_array_length(p_events)
              from jsonb_array_elements(p_events) as e (event)) then
            v_heard := hear_facts(p_business_id, p_events);
        else
            -- A second turn is what tells the fact of another one under another id.
            for v_events in
                select jsonb_agg(t.event)
                  from (select f.event, row_number() over (partition by f.event ->> 'id' order by f.n) as turn
                          from (select distinct on (e.event ->> 'id', e.event ->> 'event_id')
                                       e.event, (e.event ->> 'n')::integer as n
                                  from jsonb_array_elements(p_events) as e (event)
                                 order by e.event ->> 'id', e.event ->> 'event_id', (e.event ->> 'n')::integer) f) t
                 group by t.turn order by t.turn
            loop
                v_heard := v_heard || hear_facts(p_business_id, v_events);
            end loop;
        end if;
    exception when unique_violation then
        -- Another transaction has begun to write the same down, or the id of an event is that of another fact.
        v_heard := '{}';
        for v_event in select e.event from jsonb_array_elements(p_events) as e (event) loop
            for v_try in 1..3 loop
                begin
                    v_heard := v_heard || hear_facts(p_business_id, jsonb_build_array(v_event));
                    exit;
                exception when unique_violation then
                    get stacked diagnostics v_constraint = constraint_name;
                    -- What another transaction has written is to be seen by now. So the id is of another fact: left.
                    exit when v_try > 1 and v_constraint = 'webhook_events_event_id';
                    if v_try = 3 then
                        raise;
                    end if;
                end;
            end loop;
        end loop;
    end;
    return (select jsonb_agg(jsonb_build_object('n', e.n, 'id', e.id, 'heard', e.id = any(v_heard)))
              from jsonb_to_recordset(p_events) as e (n integer, id uuid));
end $$;

-- What is to be acted upon now, longest due first: `p_apart`, what has to be looked up at the provider, or all else.
create or replace function events_due(p_apart boolean, p_limit integer) returns table (business_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select e.business_id, e.id
      from webhook_events e
     where e.processed_at is null and e.next_attempt_at <= statement_timestamp()
       and (e.outcome is not distinct from 'unknown') = p_apart
     order by e.next_attempt_at
     limit p_limit
$$;

-- Forget what was told, where it was acted upon long ago; of how many events.
create or replace function forget_event_bodies(p_days integer, p_limit integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_count integer;
begin
    update webhook_events w set body = null
      from (select e.business_id, e.id from webhook_events e
             where e.body is not null and e.processed_at < clock_timestamp() - make_interval(days => p_days)
             limit p_limit for update skip locked) old
     where w.business_id = old.business_id and w.id = old.id;
    get diagnostics v_count = row_count;
    return v_count;
end $$;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace
                and p.proname in ('webhook_entrance', 'events_due', 'forget_event_bodies')
    loop
        execute format('alter function %s owner to holdfast_admission', f);
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to holdfast_app', f);
    end loop;
end $$;
