-- What the exporter asks: where an appointment belongs, and of all tenants at once what there is to do. Replaced as a
-- whole by each `holdfast migrate`.

-- When a booking was or is, in one of its versions: until it was moved, it was where it was moved from.
create or replace function booking_times_at(p_business_id uuid, p_booking_id uuid, p_version integer) returns tstzrange
language sql stable as $$
    select coalesce(
        (select tstzrange((e.payload ->> 'previousStart')::timestamptz, (e.payload ->> 'previousEnd')::timestamptz)
           from outbox_events e
          where e.business_id = p_business_id and e.aggregate_id = p_booking_id and e.version > p_version
            and e.type = 'AppointmentRescheduled'
          order by e.version limit 1),
        (select tstzrange(b.starts_at, b.ends_at) from bookings b
          where b.business_id = p_business_id and b.id = p_booking_id))
$$;

-- For each calendar of a business whether the event of a booking belongs `there` or is to be `away`. What is past is
-- `left` as it is in a calendar that is exported to no longer, and where the places that it took are forgotten; and so is
-- everything in a calendar that we may not write to any more. What would be `away` is `elsewhere` where the same calendar is
-- connected once more, and the event belongs there by that connection: it is not ours to take out.
create or replace function calendar_places(p_business_id uuid, p_booking_id uuid)
returns table (calendar_id uuid, place text)
language sql stable as $$
with placed as (
    select k.id, k.remote_id_index,
           case when k.access <> 'write' then 'left'
                when b.state not in ('confirmed', 'completed', 'no_show') or b.service_id is null then 'away'
                when cardinality(b.occupied) = 0 then 'left'
                when k.resource_id <> all (b.occupied) then 'away'
                when k.exports then 'there'
                when b.ends_at <= statement_timestamp() then 'left'
                else 'away' end as place
      from (select o.*, array(select c.resource_id from claims c
                                join resources r on r.business_id = c.business_id and r.id = c.resource_id
                                                and r.kind <> 'pool'
                               where c.business_id = o.business_id and c.booking_id = o.id) as occupied
              from bookings o where o.business_id = p_business_id and o.id = p_booking_id) b
      join calendars k on k.business_id = b.business_id
)
select p.id,
       case when p.place = 'away' and exists (select from placed o
                                               where o.remote_id_index = p.remote_id_index and o.place = 'there')
            then 'elsewhere' else p.place end
  from placed p
$$;

-- The calendars in which the event of a booking is not as it should be, though nothing is due there.
create or replace function calendar_events_amiss(p_business_id uuid, p_booking_id uuid)
returns table (calendar_id uuid, place text, state text)
language sql stable as $$
    select p.calendar_id, p.place, e.state
      from calendar_places(p_business_id, p_booking_id) p
      join bookings b on b.business_id = p_business_id and b.id = p_booking_id
      left join calendar_events e on e.business_id = p_business_id and e.calendar_id = p.calendar_id
                                 and e.booking_id = p_booking_id
     where e.next_attempt_at is null
       and case p.place
               when 'away' then e.state <> 'removed'
               when 'elsewhere' then e.state <> 'removed'
               when 'there' then
                   case when e.state is null then true
                        -- Left to staff, unless the booking has been moved since.
                        when e.state = 'conflict' then not exists (
                            select from calendar_conflicts c
                             where c.business_id = p_business_id and c.calendar_id = p.calendar_id
                               and c.booking_id = p_booking_id and c.state = 'open' and c.kind <> 'overlap'
                               and booking_times_at(p_business_id, p_booking_id, c.booking_version)
                                   = tstzrange(b.starts_at, b.ends_at))
                        else e.state <> 'exported' or e.booking_version <> b.version end
               else false end
$$;

-- Bookings of which a calendar lacks something after what has happened last, in the order in which that has happened.
create or replace function bookings_to_export(
    p_since timestamptz, p_after_at timestamptz, p_after_id uuid, p_limit integer
) returns table (business_id uuid, booking_id uuid, id uuid, occurred_at timestamptz)
language sql stable security definer set search_path = public, pg_temp as $$
    select e.business_id, e.aggregate_id, e.id, e.occurred_at
      from outbox_events e
     where e.occurred_at >= p_since
       and (p_after_at is null or (e.occurred_at, e.id) > (p_after_at, p_after_id))
       and e.type like 'Appointment%'
       and exists (select from calendars k where k.business_id = e.business_id)
       and not exists (select from outbox_events later
                        where later.business_id = e.business_id and later.aggregate_id = e.aggregate_id
                          and later.version > e.version)
       and exists (select from calendar_events_amiss(e.business_id, e.aggregate_id))
     order by e.occurred_at, e.id
     limit p_limit
$$;

-- What is due, in the order in which it became so; of one connection not too much at once. What a connection that does
-- not work owes waits until it does. What has failed ten times in a row, of which staff know, keeps nothing else from its
-- turn any more: it comes last.
create or replace function exports_due(p_limit integer, p_of_one integer)
returns table (business_id uuid, connection_id uuid, calendar_id uuid, booking_id uuid)
language sql volatile security definer set search_path = public, pg_temp as $$
    select d.business_id, d.connection_id, d.calendar_id, d.booking_id
      from (select e.business_id, k.connection_id, e.calendar_id, e.booking_id, e.next_attempt_at, e.failures,
                   row_number() over (partition by e.business_id, k.connection_id
                                          order by e.failures >= 10, e.next_attempt_at, e.booking_id) as place
              from calendar_events e
              join calendars k on k.business_id = e.business_id and k.id = e.calendar_id
              join calendar_connections c on c.business_id = k.business_id and c.id = k.connection_id
             where e.next_attempt_at <= clock_timestamp() and c.state = 'connected'
               and (e.leased_until is null or e.leased_until <= clock_timestamp())
               -- Whoever has asked for patience is not asked for what has become due since, either.
               and not exists (
                   select from calendars o
                     join calendar_events w on w.business_id = o.business_id and w.calendar_id = o.id
                    where o.business_id = k.business_id and o.connection_id = k.connection_id
                      and w.error_code in ('unreachable', 'quota_exceeded') and w.failures < 10
                      and w.next_attempt_at > clock_timestamp())) d
     where d.place <= p_of_one
     order by d.failures >= 10, d.next_attempt_at, d.booking_id
     limit p_limit
$$;

-- The calendars that are to be compared with the bookings.
create or replace function calendars_to_reconcile(p_limit integer)
returns table (business_id uuid, calendar_id uuid)
language sql volatile security definer set search_path = public, pg_temp as $$
    select k.business_id, k.id
      from calendars k
      join calendar_connections c on c.business_id = k.business_id and c.id = k.connection_id
     where k.exports and c.state = 'connected' and k.next_reconciliation_at <= clock_timestamp()
     order by k.next_reconciliation_at
     limit p_limit
$$;

do $$
declare
    f regprocedure;
    entrances text[] := array['bookings_to_export', 'exports_due', 'calendars_to_reconcile'];
    inner_parts text[] := array['booking_times_at', 'calendar_places', 'calendar_events_amiss'];
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace and p.proname = any (entrances || inner_parts)
    loop
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to holdfast_app, holdfast_admission', f);
    end loop;
    -- Only these look over the walls between tenants.
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace and p.proname = any (entrances)
    loop
        execute format('alter function %s owner to holdfast_admission', f);
    end loop;
end $$;
