-- How much of the writing public each client and each business has had in the running minute (H-3).
-- depends: 0001_identity

-- Unlogged: a count is worth no flush to disk, and after a crash everybody begins anew. The subject is a keyed hash,
-- so that no row tells an address; a client is counted before it is known to which business the call belongs.
create unlogged table write_counts (
    subject bytea primary key,
    -- The minute begins with the first write in it, so that no border of a clock lets twice the limit through.
    began_at timestamptz not null,
    writes integer not null,
    constraint write_counts_subject_length check (length(subject) = 16)
);
grant select, insert, update, delete on write_counts to holdfast_app;
