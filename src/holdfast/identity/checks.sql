-- What must be true of API keys, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: keys_belong_to_a_business
-- Invariant 9: the business of each API key exists. The ids are the key and the business.
select k.business_id, array[k.id::text, k.business_id::text] as ids,
       concat('API key ', k.id, ' refers to business ', k.business_id, ', which does not exist') as problem
  from api_keys k
 where not exists (select from businesses b where b.id = k.business_id);
