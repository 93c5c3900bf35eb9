-- Statements of dashboards: rows of a range of local days.

-- name: business
select timezone, (clock_timestamp() at time zone timezone)::date as today from businesses where id = %(business_id)s;

-- name: booking_funnel
select day, service_slug, viewed, selected, submitted, confirmed, conflicts from dashboard_booking_funnel
 where business_id = %(business_id)s and day >= %(from)s and day < %(to)s order by day, service_slug;

-- name: no_show
select day, offering_slug, completed, no_show from dashboard_no_show
 where business_id = %(business_id)s and day >= %(from)s and day < %(to)s order by day, offering_slug;

-- name: interactive
select day, kind, slug, started, completed, seconds from dashboard_interactive
 where business_id = %(business_id)s and day >= %(from)s and day < %(to)s order by day, kind, slug;

-- name: moderation
select day, received, in_time, late, waiting, overdue from dashboard_moderation
 where business_id = %(business_id)s and day >= %(from)s and day < %(to)s order by day;
