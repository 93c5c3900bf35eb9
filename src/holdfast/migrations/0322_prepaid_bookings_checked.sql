-- The rows that were there before are found to be as the constraints say.
-- depends: 0321_prepaid_bookings

alter table bookings validate constraint bookings_due_positive;
alter table bookings validate constraint bookings_refund_percent_range;
alter table bookings validate constraint bookings_payment_awaited;

-- No row is in it yet: building it is one look at the table.
-- squawk-ignore require-concurrent-index-creation
create index bookings_payment_awaited on bookings (expires_at) where state = 'pending_payment';
