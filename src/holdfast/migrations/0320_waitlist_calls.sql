-- How the waitlist is read page by page, and a request found by its id alone.
-- depends: 0313_waitlist_and_intake

-- Few rows: until this release nothing writes the table.
-- squawk-ignore require-concurrent-index-creation
create index waitlist_requests_by_id on waitlist_requests (id);
-- squawk-ignore require-concurrent-index-creation
create index waitlist_requests_in_order on waitlist_requests (business_id, created_at, id);

-- For the function that finds the business of an id.
grant select on waitlist_requests to holdfast_admission;
