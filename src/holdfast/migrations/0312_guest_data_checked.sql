-- The rows that were there before are found to be as the constraints say, and contacts are found by their blind indexes.
-- depends: 0311_guest_data, 0008_backfills

alter table bookings validate constraint bookings_contact_sealed;
alter table bookings validate constraint bookings_email_index_blind;
alter table bookings validate constraint bookings_phone_index_blind;
alter table bookings validate constraint bookings_note_sealed;
alter table bookings validate constraint bookings_contact_not_plain;

-- Without the business: no two tenants have the same key, so none of them finds what another has, and every commit writes
-- these. No row has one yet: building both is one look at the table.
-- squawk-ignore require-concurrent-index-creation
create index bookings_by_email on bookings (email_index) where email_index is not null;
-- squawk-ignore require-concurrent-index-creation
create index bookings_by_phone on bookings (phone_index) where phone_index is not null;
-- Only rows of earlier releases are in it, and it is empty when they are sealed.
-- squawk-ignore require-concurrent-index-creation
create index bookings_contact_plain on bookings (business_id, id) where contact_plain;

-- The worker seals the contacts that are there.
insert into backfills (name) values ('booking-contacts');
