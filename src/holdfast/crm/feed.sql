-- Statements by which the worker makes leads of events.

-- name: begin_feed
select read_until, statement_timestamp() as now from lead_feed;

-- name: facts_for_leads
select business_id, id, aggregate_id, type, occurred_at
  from facts_for_leads(%(since)s::timestamptz, %(at)s::timestamptz, %(last)s::uuid, %(limit)s::integer);

-- name: end_feed
update lead_feed set read_until = greatest(read_until, %(read_until)s::timestamptz);

-- name: asker
-- Locked, so that whoever is forgotten meanwhile is forgotten here as well.
select email, locale from ugc_items where business_id = %(business_id)s and id = %(id)s for share;
