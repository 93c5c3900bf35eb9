-- Whom and what an appointment took that was given back: its claims are gone, and the practitioner reads its note (D-7).
-- depends: 0303_booking

-- Null while it takes them, and of what was given back before this release.
alter table bookings add column former_resource_ids uuid[];
