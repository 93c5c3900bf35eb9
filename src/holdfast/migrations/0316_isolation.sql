-- The wall between tenants around everything that is booked, and when (D-9).
-- depends: 0006_isolation, 0310_staff

select isolate('resources');
select isolate('services');
select isolate('service_resources');
select isolate('programs');
select isolate('program_rules');
select isolate('program_resources');
select isolate('program_schedules');
select isolate('schedule_deviations');
select isolate('availability_rules');
select isolate('availability_overrides');
select isolate('calendar_busy_intervals');
select isolate('bookings');
select isolate('claims');
select isolate('blocks');
select isolate('booking_series');
select isolate('series_bookings');

-- To count them for whoever watches all tenants.
grant select on schedule_deviations to holdfast_admission;
-- To name what occupies a resource.
grant select on blocks to holdfast_admission;
