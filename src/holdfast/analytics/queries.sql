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
