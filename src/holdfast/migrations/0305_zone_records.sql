-- What the time zones were like when bookings were made, so that one can tell later which of them new zone data would
-- move (A-6). A booking keeps its instant; this tells what its wall time was meant to be.
-- depends: 0001_identity

-- The zones are those of everybody, so there is no tenant here. A row is written when a zone differs from what was
-- last written of it, whatever the name of the release.
create table zone_records (
    zone text not null,
    in_force_from timestamptz not null default clock_timestamp(),
    tzdata_version text not null,
    -- [[instant, offset], ...]: from each instant on (epoch seconds) the clocks are so many seconds ahead of UTC.
    changes jsonb not null,
    primary key (zone, in_force_from)
);

grant select, insert on zone_records to holdfast_app;
