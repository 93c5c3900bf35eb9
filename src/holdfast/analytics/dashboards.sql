-- What dashboards show, by the local day of the business. Functions and views run with the rights of whoever asks, so
-- behind the wall between tenants. Each is replaced as a whole whenever this text changes.
--
-- A function counts what has happened between two instants, which an index narrows, and the planner takes its text in
-- the place of the call. A local day is found in its whole only if the instants are beyond its ends; the view has all.

drop view if exists dashboard_booking_funnel, dashboard_no_show, dashboard_interactive, dashboard_moderation;
drop function if exists booking_funnel_between, no_show_between, interactive_between, moderation_between;

-- How many get from one step of booking a service to the next: each step on the day on which it happened.
create function booking_funnel_between(p_from timestamptz, p_to timestamptz) returns table (
    business_id uuid, day date, service_slug text, viewed integer, selected integer, submitted integer,
    confirmed integer, conflicts integer
)
language sql stable parallel safe as $$
    select e.business_id, (e.occurred_at at time zone b.timezone)::date as day,
           e.properties ->> 'service_slug' as service_slug,
           coalesce(sum(e.times) filter (where e.name = 'booking_slots_viewed'), 0)::integer as viewed,
           coalesce(sum(e.times) filter (where e.name = 'booking_slot_selected'), 0)::integer as selected,
           coalesce(sum(e.times) filter (where e.name = 'booking_details_submitted'), 0)::integer as submitted,
           coalesce(sum(e.times) filter (where e.name = 'booking_confirmed'), 0)::integer as confirmed,
           coalesce(sum(e.times) filter (where e.name = 'booking_conflict'), 0)::integer as conflicts
      from analytics_events e join businesses b on b.id = e.business_id
     where e.occurred_at >= p_from and e.occurred_at < p_to
     group by 1, 2, 3
$$;

-- Who came and who did not, of the appointments of a day whose outcome is recorded.
create function no_show_between(p_from timestamptz, p_to timestamptz) returns table (
    business_id uuid, day date, offering_slug text, completed integer, no_show integer
)
language sql stable parallel safe as $$
    select a.business_id, (a.starts_at at time zone b.timezone)::date as day, coalesce(s.slug, p.slug) as offering_slug,
           count(*) filter (where a.state = 'completed')::integer as completed,
           count(*) filter (where a.state = 'no_show')::integer as no_show
      from bookings a
      join businesses b on b.id = a.business_id
      left join services s on s.business_id = a.business_id and s.id = a.service_id
      left join program_schedules o on o.business_id = a.business_id and o.id = a.schedule_id
      left join programs p on p.business_id = o.business_id and p.id = o.program_id
     where a.state in ('completed', 'no_show') and a.starts_at >= p_from and a.starts_at < p_to
     group by 1, 2, 3
$$;

-- Of the quizzes and rituals that were begun on a day, how many were completed, and how long that took together: of
-- fewer than five it would tell how long somebody took, and is null.
create function interactive_between(p_from timestamptz, p_to timestamptz) returns table (
    business_id uuid, day date, kind text, slug text, started integer, completed integer, seconds bigint
)
language sql stable parallel safe as $$
    select r.business_id, (r.started_at at time zone b.timezone)::date as day, d.kind, d.slug,
           count(*)::integer as started,
           count(*) filter (where r.completed)::integer as completed,
           (case when count(r.duration_seconds) >= 5 then sum(r.duration_seconds) end)::bigint as seconds
      from interactive_runs r
      join businesses b on b.id = r.business_id
      join interactive_definitions d on d.business_id = r.business_id and d.id = r.definition_id
     where r.started_at >= p_from and r.started_at < p_to
     group by 1, 2, 3, 4
$$;

-- What became of the questions that came in on a day: answered or rejected in time or late, waiting in time or overdue.
create function moderation_between(p_from timestamptz, p_to timestamptz) returns table (
    business_id uuid, day date, received integer, in_time integer, late integer, waiting integer, overdue integer
)
language sql stable parallel safe as $$
    select i.business_id, (i.created_at at time zone b.timezone)::date as day,
           count(*)::integer as received,
           count(*) filter (where i.resolved_at <= i.due_at)::integer as in_time,
           count(*) filter (where i.resolved_at > i.due_at)::integer as late,
           count(*) filter (where i.resolved_at is null and i.due_at >= statement_timestamp())::integer as waiting,
           count(*) filter (where i.resolved_at is null and i.due_at < statement_timestamp())::integer as overdue
      from ugc_items i join businesses b on b.id = i.business_id
     where i.created_at >= p_from and i.created_at < p_to
     group by 1, 2
$$;

create view dashboard_booking_funnel with (security_invoker = true) as
    select * from booking_funnel_between('-infinity', 'infinity');
create view dashboard_no_show with (security_invoker = true) as
    select * from no_show_between('-infinity', 'infinity');
create view dashboard_interactive with (security_invoker = true) as
    select * from interactive_between('-infinity', 'infinity');
create view dashboard_moderation with (security_invoker = true) as
    select * from moderation_between('-infinity', 'infinity');

grant select on dashboard_booking_funnel, dashboard_no_show, dashboard_interactive, dashboard_moderation to holdfast_app;
grant execute on function booking_funnel_between, no_show_between, interactive_between, moderation_between to holdfast_app;
