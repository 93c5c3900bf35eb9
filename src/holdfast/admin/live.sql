-- Statements of what is told to browsers while it happens.

-- name: facts_lately
select business_id, id, aggregate_id, type
  from facts_lately(%(businesses)s::uuid[], %(seconds)s::integer, %(limit)s::integer);
