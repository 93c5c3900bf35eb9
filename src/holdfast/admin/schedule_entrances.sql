-- What the calendar of staff shows of a time, in one reading. Ranges are found by their index, which a policy would keep from
-- being used; so the function looks itself whether the tenant is the one of the transaction. Replaced as a whole by each
-- `holdfast migrate`.

-- Whatever takes one of the resources in [p_from, p_to): bookings, places kept for groups, blocks, and what external
-- calendars say; then groups that take no resource, and with p_ended what was cancelled or refunded. A booking that takes
-- two of them is there twice. Holds that have run out take nothing.
create or replace function schedule_window(
    p_business_id uuid, p_resources uuid[], p_from timestamptz, p_to timestamptz, p_ended boolean
) returns table (
    kind text, id uuid, resource_id uuid, starts_at timestamptz, ends_at timestamptz,
    taken_from timestamptz, taken_to timestamptz, state text, version integer, left_seconds integer,
    party_size integer, places integer, offering_id uuid, contact bytea,
    guest_email text, guest_phone text, guest_name text, has_note boolean
)
language sql stable security definer set search_path = public, pg_temp as $$
    with claimed as (
        select wanted.id as resource_id, c.booking_id, c.schedule_id, c.block_id,
               lower(c.during) as taken_from, upper(c.during) as taken_to
          from unnest(p_resources) wanted (id)
         cross join lateral (select distinct k.booking_id, k.schedule_id, k.block_id, k.during from claims k
                              where k.business_id = p_business_id and k.resource_id = wanted.id
                                and k.during && tstzrange(p_from, p_to) offset 0) c
         where p_business_id = current_business()
    ), shown as (
        select c.resource_id, c.taken_from, c.taken_to, b.*
          from claimed c
          join bookings b on b.business_id = p_business_id and b.id = c.booking_id
         where not (b.state in ('held', 'pending_payment') and b.expires_at <= statement_timestamp())
        union all
        select former.id, b.starts_at, b.ends_at, b.*
          from bookings b
         cross join lateral unnest(b.former_resource_ids) former (id)
         where p_ended and p_business_id = current_business() and b.business_id = p_business_id
           and b.state in ('cancelled', 'refunded') and b.starts_at >= p_from and b.starts_at < p_to
           and former.id = any (p_resources)
    )
    select 'booking', s.id, s.resource_id, s.starts_at, s.ends_at, s.taken_from, s.taken_to, s.state, s.version,
           case when s.state in ('held', 'pending_payment')
                then ceil(extract(epoch from s.expires_at - statement_timestamp()))::integer end,
           s.party_size, null::integer, s.service_id, s.contact, s.guest_email, s.guest_phone, s.guest_name,
           s.note is not null
      from shown s where s.service_id is not null
    union all
    select 'group', g.id, c.resource_id, g.starts_at, g.ends_at, c.taken_from, c.taken_to, null, null, null,
           g.taken, g.max_capacity, g.program_id, null, null, null, null, false
      from claimed c join program_schedules g on g.business_id = p_business_id and g.id = c.schedule_id
    union all
    select 'group', g.id, null, g.starts_at, g.ends_at, g.starts_at, g.ends_at, null, null, null,
           g.taken, g.max_capacity, g.program_id, null, null, null, null, false
      from programs p
      join program_schedules g on g.business_id = p.business_id and g.program_id = p.id
       -- A group lasts a week at most.
       and g.starts_at >= p_from - interval '7 days' and g.starts_at < p_to and g.ends_at > p_from
     where p_business_id = current_business() and p.business_id = p_business_id and g.withdrawn is null
       and not exists (select from claims c where c.business_id = g.business_id and c.schedule_id = g.id)
    union all
    select 'block', k.id, c.resource_id, lower(k.during), upper(k.during), c.taken_from, c.taken_to, null, null, null,
           null, null, null, null, null, null, null, false
      from claimed c join blocks k on k.business_id = p_business_id and k.id = c.block_id
    union all
    select 'busy', busy.resource_id, busy.resource_id, lower(busy.span), upper(busy.span), lower(busy.span), upper(busy.span),
           null, null, null, null, null, null, null, null, null, null, false
      from (select wanted.id as resource_id, unnest(mirrored.spans) as span
              from unnest(p_resources) wanted (id)
             cross join lateral (select range_agg(i.during) as spans
                                   from (select k.during from calendar_busy_intervals k
                                          where k.business_id = p_business_id and k.resource_id = wanted.id
                                            and k.during && tstzrange(p_from, p_to) offset 0) i) mirrored
             where p_business_id = current_business()) busy
    order by 4, 5, 2, 3
$$;

alter function schedule_window(uuid, uuid[], timestamptz, timestamptz, boolean) owner to holdfast_admission;
revoke all on function schedule_window(uuid, uuid[], timestamptz, timestamptz, boolean) from public;
grant execute on function schedule_window(uuid, uuid[], timestamptz, timestamptz, boolean) to holdfast_app;
