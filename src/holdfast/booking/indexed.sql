-- Claims as their table has them and as their index finds them. Statements of booking/indexed.py.

-- name: claims_of_table
select business_id, count(*), sum(id) from claims where not isempty(during) group by business_id;

-- name: read_indexes
select set_config('enable_seqscan', 'off', true), set_config('enable_bitmapscan', 'on', true);

-- name: claims_of_index
-- Overlapping anything at all is a question that only the exclusion constraint's index answers.
select business_id, count(*), sum(id) from claims where during && '(,)'::tstzrange group by business_id;

-- name: read_tables
select set_config('enable_seqscan', 'on', true), set_config('enable_bitmapscan', 'off', true);
