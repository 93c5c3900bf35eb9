-- A client who moves a paid booking gets no more back for it afterwards than at that moment.
-- depends: 0323_offers

alter table bookings
    -- The least that a cancellation would have given back whenever its client moved it; null: it sets no border.
    add column refund_most_percent smallint,
    add constraint bookings_refund_most_range check (refund_most_percent between 0 and 100) not valid;
