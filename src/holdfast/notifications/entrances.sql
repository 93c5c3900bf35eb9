-- What the worker asks of all tenants at once about messages. The functions run as holdfast_admission and are replaced as
-- a whole by each `holdfast migrate`.

-- Writes down what is to be told of the events since an instant, in their order, up to so many; what is there already is
-- passed over. What happened to several bookings of a series at once is told once. Where no mail can be sent everything is
-- suppressed, and so is what is older than a day: nobody was there to tell it. Returns how many events there were, the
-- last of them, and how many were too old.
create or replace function queue_messages(
    p_since timestamptz, p_after_at timestamptz, p_after_id uuid, p_limit integer, p_mail boolean
) returns table (found bigint, last_at timestamptz, last_id uuid, too_old bigint)
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- Two workers would each see half of a series.
    perform pg_advisory_xact_lock(hashtextextended('holdfast queue_messages', 0));
    return query
    with page as materialized (
        select e.business_id, e.id, e.aggregate_id, e.version, e.type, e.occurred_at,
               case when e.type in ('AppointmentConfirmed', 'AppointmentCancelled') then s.series_id end as series_id
          from outbox_events e
          left join series_bookings s on s.business_id = e.business_id and s.booking_id = e.aggregate_id
         where e.type in ('AppointmentConfirmed', 'AppointmentRescheduled', 'AppointmentCancelled',
                          'AppointmentRefunded', 'WaitlistOffered')
           and e.occurred_at >= p_since
           and (p_after_at is null or (e.occurred_at, e.id) > (p_after_at, p_after_id))
           and not exists (select from messages m where m.business_id = e.business_id and m.occasion = e.id)
         order by e.occurred_at, e.id limit p_limit
    ), whole as (
        select p.* from page p
        union
        -- What of the same series did not fit.
        select e.business_id, e.id, e.aggregate_id, e.version, e.type, e.occurred_at, g.series_id
          from (select distinct p.business_id, p.series_id, p.type from page p where p.series_id is not null) g
          join series_bookings s on s.business_id = g.business_id and s.series_id = g.series_id
          join outbox_events e on e.business_id = s.business_id and e.aggregate_id = s.booking_id and e.type = g.type
         where e.occurred_at >= p_since
           and not exists (select from messages m where m.business_id = e.business_id and m.occasion = e.id)
    ), numbered as materialized (
        select w.*, uuidv7() as message_id, w.occurred_at < statement_timestamp() - interval '24 hours' as is_old,
               count(*) over together as together, row_number() over (together order by w.occurred_at, w.id) as place
          from whole w
        window together as (partition by w.business_id, w.type, coalesce(w.series_id, w.id))
    ), written as (
        insert into messages (business_id, id, kind, occasion, booking_id, request_id, version, occurred_at, told_with,
                              state, reason, next_attempt_at, give_up_at, ended_at)
        select n.business_id, n.message_id,
               case when n.type = 'WaitlistOffered' then 'waitlist_offer'
                    when n.type = 'AppointmentRescheduled' then 'appointment_changed'
                    else concat(case when n.together > 1 then 'series' else 'appointment' end,
                                case when n.type = 'AppointmentConfirmed' then '_confirmed' else '_cancelled' end) end,
               n.id, case when n.type <> 'WaitlistOffered' then n.aggregate_id end, r.id, n.version, n.occurred_at,
               case when n.place > 1 then first.message_id end,
               case when fate.reason is null then 'queued' else 'suppressed' end, fate.reason,
               case when fate.reason is null then statement_timestamp() end, n.occurred_at + interval '24 hours',
               case when fate.reason is not null then statement_timestamp() end
          from numbered n
          left join waitlist_requests r
            on n.type = 'WaitlistOffered' and r.business_id = n.business_id and r.id = n.aggregate_id
          left join numbered first
            on n.place > 1 and first.place = 1 and first.business_id = n.business_id and first.type = n.type
           and first.series_id = n.series_id
         cross join lateral (select case when not p_mail then 'no_mail' when n.is_old then 'too_old'
                                         when n.place > 1 then 'told_together' end) fate (reason)
        on conflict (business_id, occasion, kind) do nothing
    )
    select count(*), max(p.occurred_at), (array_agg(p.id order by p.occurred_at desc, p.id desc))[1],
           (select count(*) from numbered n where n.is_old)
      from page p;
end $$;

-- Writes down who is to be reminded by now, of what begins within so many hours; each business may have set its own. Not
-- whoever has booked, or was moved to this time, when that was no longer that far ahead. Returns how many.
create or replace function queue_reminders(p_hours integer, p_most_hours integer, p_limit integer, p_mail boolean)
returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_count integer;
begin
    insert into messages (business_id, kind, occasion, booking_id, version, starts_at, state, reason, next_attempt_at,
                          give_up_at, ended_at)
    select b.business_id, 'appointment_reminder', reminder.occasion, b.id, b.version, b.starts_at,
           case when p_mail then 'queued' else 'suppressed' end, case when not p_mail then 'no_mail' end,
           case when p_mail then statement_timestamp() end, b.starts_at,
           case when not p_mail then statement_timestamp() end
      from businesses owner
      left join system_settings s on s.business_id = owner.id and s.key = 'reminder_hours'
     cross join lateral (select make_interval(hours => case when jsonb_typeof(s.value) = 'number'
                                                            then least((s.value #>> '{}')::integer, p_most_hours)
                                                            else p_hours end)) notice (before)
      join bookings b on b.business_id = owner.id and b.state = 'confirmed' and b.starts_at > statement_timestamp()
                     and b.starts_at <= statement_timestamp() + notice.before
     cross join lateral (select md5(concat('reminder ', b.id, ' ', extract(epoch from b.starts_at)))::uuid)
                        reminder (occasion)
     where not exists (select from messages m where m.business_id = b.business_id and m.occasion = reminder.occasion)
       and coalesce((select max(e.occurred_at) from outbox_events e
                      where e.business_id = b.business_id and e.aggregate_id = b.id
                        and e.type in ('AppointmentConfirmed', 'AppointmentRescheduled')), b.confirmed_at)
           < b.starts_at - notice.before
     limit p_limit
    on conflict (business_id, occasion, kind) do nothing;
    get diagnostics v_count = row_count;
    return v_count;
end $$;

-- What is due, that which has waited longest first, of one business so many at most.
create or replace function messages_due(p_limit integer, p_of_one integer) returns table (business_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select d.business_id, d.id
      from (select w.*, row_number() over (partition by w.business_id order by w.next_attempt_at, w.id) as place
              from (select m.business_id, m.id, m.next_attempt_at from messages m
                     where m.state = 'queued' and m.next_attempt_at <= statement_timestamp()
                     order by m.next_attempt_at limit 2000) w) d
     where d.place <= p_of_one order by d.next_attempt_at, d.id limit p_limit
$$;

-- About what somebody has begun to speak to a server of mail so long ago that nobody does any more.
create or replace function messages_left(p_seconds integer, p_limit integer) returns table (business_id uuid, id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select m.business_id, m.id from messages m
     where m.state = 'sending' and m.sending_since < statement_timestamp() - make_interval(secs => p_seconds)
     order by m.sending_since limit p_limit
$$;

create or replace function business_of_message(p_id uuid) returns uuid
language sql stable security definer set search_path = public, pg_temp as $$
    select m.business_id from messages m where m.id = p_id
$$;

-- Forgets to whom messages went and what they said, so many days after their end, up to so many; returns how many. Each
-- business may have set its own number of days.
create or replace function forget_messages(p_days integer, p_limit integer) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_count integer;
begin
    update messages w set recipient = null, recipient_index = null, content = null
      from (select m.business_id, m.id from messages m
              left join system_settings s on s.business_id = m.business_id and s.key = 'message_days'
             where m.recipient is not null
               and m.ended_at < statement_timestamp()
                   - make_interval(days => case when jsonb_typeof(s.value) = 'number'
                                                then (s.value #>> '{}')::integer else p_days end)
             order by m.ended_at limit p_limit
             for update of m skip locked) old
     where w.business_id = old.business_id and w.id = old.id;
    get diagnostics v_count = row_count;
    return v_count;
end $$;

create or replace function message_figures() returns table (queued bigint, oldest_seconds float8, going bigint)
language sql stable security definer set search_path = public, pg_temp as $$
    select count(*) filter (where m.state = 'queued'),
           coalesce(extract(epoch from statement_timestamp()
                                       - min(m.occurred_at) filter (where m.state = 'queued')), 0)::float8,
           count(*) filter (where m.state = 'sending')
      from messages m where m.state in ('queued', 'sending')
$$;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace
                and p.proname in ('queue_messages', 'queue_reminders', 'messages_due', 'messages_left',
                                  'business_of_message', 'forget_messages', 'message_figures')
    loop
        execute format('alter function %s owner to holdfast_admission', f);
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to holdfast_app', f);
    end loop;
end $$;
