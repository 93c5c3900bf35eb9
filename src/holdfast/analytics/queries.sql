-- Statements of dashboards: rows of a range of local days. No zone is a day from UTC, so all of them lie within the days
-- of UTC with one more at each end, which an index finds.

-- name: business
select timezone, (clock_timestamp() at time zone timezone)::date as today from businesses where id = %(business_id)s;

-- name: booking_funnel
select day, service_slug, viewed, selected, submitted, confirmed, conflicts
  from booking_funnel_between((%(from)s::date - 1)::timestamp at time zone 'UTC',
       (%(to)s::date + 1)::timestamp at time zone 'UTC')
 where business_id = %(business_id)s and day >= %(from)s and day < %(to)s order by day, service_slug;

-- name: no_show
select day, offering_slug, completed, no_show
  from no_show_between((%(from)s::date - 1)::timestamp at time zone 'UTC',
       (%(to)s::date + 1)::timestamp at time zone 'UTC')
 where business_id = %(business_id)s and day >= %(from)s and day < %(to)s order by day, offering_slug;

-- name: interactive
select day, kind, slug, started, completed, seconds
  from interactive_between((%(from)s::date - 1)::timestamp at time zone 'UTC',
       (%(to)s::date + 1)::timestamp at time zone 'UTC')
 where business_id = %(business_id)s and day >= %(from)s and day < %(to)s order by day, kind, slug;

-- name: moderation
select day, received, in_time, late, waiting, overdue
  from moderation_between((%(from)s::date - 1)::timestamp at time zone 'UTC',
       (%(to)s::date + 1)::timestamp at time zone 'UTC')
 where business_id = %(business_id)s and day >= %(from)s and day < %(to)s order by day;

-- name: taken
-- How long appointments and groups take each resource, on the local day on which they begin, with the time before and
-- after, which is less than a day; where several share it, their time counts once.
with begun as (
    select c.resource_id, c.during from bookings b
      join claims c on c.business_id = b.business_id and c.booking_id = b.id
     where b.business_id = %(business_id)s
       and b.starts_at >= %(from)s::date::timestamp at time zone %(timezone)s::text - interval '1 day'
       and b.starts_at < %(to)s::date::timestamp at time zone %(timezone)s::text + interval '1 day'
     union all
    select c.resource_id, c.during from program_schedules s
      join claims c on c.business_id = s.business_id and c.schedule_id = s.id
     where s.business_id = %(business_id)s
       and s.starts_at >= %(from)s::date::timestamp at time zone %(timezone)s::text - interval '1 day'
       and s.starts_at < %(to)s::date::timestamp at time zone %(timezone)s::text + interval '1 day'
)
select t.resource_id, t.day, sum(extract(epoch from upper(span) - lower(span)))::bigint as seconds
  from (select g.resource_id, (lower(g.during) at time zone %(timezone)s::text)::date as day,
               range_agg(g.during) as spans
          from begun g group by 1, 2) t
 cross join lateral unnest(t.spans) span
 where t.day >= %(from)s::date and t.day < %(to)s::date
 group by 1, 2;
