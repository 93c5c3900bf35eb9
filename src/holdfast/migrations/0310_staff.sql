-- What staff ask for: the appointments of a business in order of time.
-- depends: 0303_booking

-- Without holds: reserving does not touch it.
-- squawk-ignore require-concurrent-index-creation
create index idx_appointments_time on bookings (business_id, starts_at, id)
    where state not in ('held', 'expired', 'released');
