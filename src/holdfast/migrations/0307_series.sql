-- A series: several bookings made as one. They stand beside the bookings, whose own rows know nothing of it.
-- depends: 0303_booking

-- No foreign key to businesses, as with the bookings that it consists of: those have one.
create table booking_series (
    business_id uuid not null,
    id uuid not null,
    -- From the first commit on; the token of the series is derived from it as that of a booking is from the booking's.
    token_nonce bytea,
    created_at timestamptz not null default clock_timestamp(),
    primary key (business_id, id)
);
-- A call by id does not know its business yet.
create index booking_series_id on booking_series (id);

create table series_bookings (
    business_id uuid not null,
    series_id uuid not null,
    -- From 1, in order of time when the series was made.
    position integer not null,
    booking_id uuid not null,
    primary key (business_id, series_id, position),
    constraint series_bookings_once unique (business_id, booking_id),
    constraint series_bookings_series foreign key (business_id, series_id)
        references booking_series (business_id, id),
    constraint series_bookings_booking foreign key (business_id, booking_id)
        references bookings (business_id, id),
    constraint series_bookings_position_positive check (position > 0)
);

-- As bookings they stay: nobody deletes them.
grant select, insert, update on booking_series to holdfast_app;
grant select, insert on series_bookings to holdfast_app;
-- To find the business of an id.
grant select on booking_series to holdfast_admission;
