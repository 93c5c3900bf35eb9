-- What the feeds of resources ask: whose feed an address is, and what takes place, found by the index of ranges which a
-- policy would keep from being used. Replaced as a whole by each `holdfast migrate`.

create or replace function calendar_feed_of(p_token_hash bytea) returns table (business_id uuid, resource_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select f.business_id, f.resource_id from calendar_feeds f where f.token_hash = p_token_hash
$$;

-- Appointments that take a resource and have not ended before an instant, the earliest first.
create or replace function appointments_taking(
    p_business_id uuid, p_resource_id uuid, p_since timestamptz, p_limit integer
) returns table (
    booking_id uuid, version integer, starts_at timestamptz, ends_at timestamptz, confirmed_at timestamptz, title text
)
language sql stable security definer set search_path = public, pg_temp as $$
    select b.id, b.version, b.starts_at, b.ends_at, b.confirmed_at, s.name
      from (select distinct c.booking_id from claims c
             where c.business_id = p_business_id and c.resource_id = p_resource_id
               and p_business_id = current_business()
               and c.during && tstzrange(p_since, null) and c.booking_id is not null) taken
      join bookings b on b.business_id = p_business_id and b.id = taken.booking_id
      join services s on s.business_id = b.business_id and s.id = b.service_id
     where b.state in ('confirmed', 'completed', 'no_show') and b.ends_at > p_since
     order by b.starts_at, b.id limit p_limit
$$;

do $$
declare
    f regprocedure;
begin
    for f in select p.oid::regprocedure from pg_proc p
              where p.pronamespace = 'public'::regnamespace
                and p.proname in ('calendar_feed_of', 'appointments_taking')
    loop
        execute format('alter function %s owner to holdfast_admission', f);
        execute format('revoke all on function %s from public', f);
        execute format('grant execute on function %s to holdfast_app', f);
    end loop;
end $$;
