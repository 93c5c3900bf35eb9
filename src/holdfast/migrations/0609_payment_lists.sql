-- Staff read payments from the newest on.
-- depends: 0602_taking_payments

-- Until this release nothing writes the table.
-- squawk-ignore require-concurrent-index-creation
create index payments_by_age on payments (business_id, created_at, id);
