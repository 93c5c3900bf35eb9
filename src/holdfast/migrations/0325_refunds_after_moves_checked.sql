-- The rows that were there before are found to be as the constraint says.
-- depends: 0324_refunds_after_moves

alter table bookings validate constraint bookings_refund_most_range;
