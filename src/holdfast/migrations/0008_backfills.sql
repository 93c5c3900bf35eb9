-- What a release still has to do to rows that were there before it, while it serves (D-1).
-- depends: 0001_identity

-- A migration that leaves old rows to be brought over names its backfill here; the worker does it, batch by batch.
create table backfills (
    name text primary key,
    -- Behind the last row that was brought over; written in the transaction of the batch, so that a kill repeats nothing.
    position jsonb,
    -- Rows brought over, and how many there were when it began; null until then.
    done bigint not null default 0,
    total bigint,
    -- Whoever works does not begin the next batch before: so all workers together keep the one limit of rows a second.
    resumes_at timestamptz not null default clock_timestamp(),
    declared_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    advanced_at timestamptz,
    finished_at timestamptz,
    constraint backfills_name_shape check (name ~ '^[a-z]+(-[a-z]+)*$'),
    constraint backfills_finished_after_start check (finished_at is null or started_at is not null)
);
grant select, update on backfills to holdfast_app;
