-- Writes what has happened at several tenants in one second; a batch that was written already is written no second
-- time. How long ago each happened is told, not when: clocks of servers differ. Whatever is named a service has to be
-- one of the business, which has to be there: what only looks like a slug could be a name. Returns how many are sound.
create or replace function record_events(p_events jsonb) returns integer
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    v_sound integer;
begin
    with told as (
        select e.* from jsonb_to_recordset(p_events)
                            e (id uuid, business_id uuid, name text, properties jsonb, times integer, age float8)
         where exists (select from businesses b where b.id = e.business_id)
           and (not e.properties ? 'service_slug'
                or exists (select from services s
                            where s.business_id = e.business_id and s.slug = e.properties ->> 'service_slug'))
    ), written as (
        insert into analytics_events (business_id, id, name, properties, times, occurred_at)
        select t.business_id, t.id, t.name, t.properties, t.times, clock_timestamp() - make_interval(secs => t.age)
          from told t
        on conflict (business_id, id) do nothing
    )
    select count(*) into v_sound from told;
    return v_sound;
end $$;
alter function record_events(jsonb) owner to holdfast_admission;
revoke all on function record_events(jsonb) from public;
grant execute on function record_events(jsonb) to holdfast_app;
