-- What must be true of webhooks, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: webhooks_refer_to_their_own_business
-- Invariant 9: endpoints, deliveries and the log refer to what there is in their own business. The ids are the row, of the
-- log its number, and what it refers to.
select e.business_id, array[e.id::text, e.business_id::text] as ids,
       concat('endpoint ', e.id, ' belongs to business ', e.business_id, ', which does not exist') as problem
  from webhook_endpoints e
 where not exists (select from businesses b where b.id = e.business_id)
union all
select d.business_id, array[d.id::text, d.endpoint_id::text],
       concat('delivery ', d.id, ' goes to endpoint ', d.endpoint_id, ', which is not of its business')
  from webhook_deliveries d
 where not exists (select from webhook_endpoints e where e.business_id = d.business_id and e.id = d.endpoint_id)
union all
select d.business_id, array[d.id::text, d.event_number::text],
       concat('delivery ', d.id, ' is of event ', d.event_number, ', which is not in the log of its business')
  from webhook_deliveries d
 where d.event_number is not null
   and not exists (select from event_log l where l.business_id = d.business_id and l.number = d.event_number)
union all
select l.business_id, array[l.number::text, l.aggregate_id::text],
       concat('event ', l.number, ' of the log is version ', l.version, ' of ', l.aggregate_id, ', of which there is none')
  from event_log l
 where not exists (select from outbox_events e where e.business_id = l.business_id
                                                 and e.aggregate_id = l.aggregate_id and e.version = l.version);

-- name: the_log_has_no_gap
-- H-5: the numbers of a business begin with 1 and follow each other: whoever has read up to one has missed nothing.
select l.business_id, array[count(*)::text, max(l.number)::text] as ids,
       concat('the log has ', count(*), ' events, numbered from ', min(l.number), ' to ', max(l.number)) as problem
  from event_log l
 group by l.business_id
having min(l.number) <> 1 or max(l.number) <> count(*);

-- name: nothing_is_left_out_of_the_log
-- H-5: whatever the feed has read is in the log, once. The id is the event.
select e.business_id, array[e.id::text] as ids,
       concat('event ', e.id, ' (', e.type, ') was read, and is in the log ', found.times, ' times') as problem
  from outbox_events e
  join event_feed f on e.occurred_at > f.begun_at and e.occurred_at < f.read_until - interval '10 minutes'
 cross join lateral (select count(*) as times from event_log l
                      where l.business_id = e.business_id and l.aggregate_id = e.aggregate_id
                        and l.version = e.version) found
 where found.times <> 1;

-- name: nothing_waits_for_a_disabled_endpoint
-- H-5: what is on its way goes to an endpoint that is told. The id is the delivery.
select d.business_id, array[d.id::text] as ids,
       concat('delivery ', d.id, ' waits for endpoint ', e.id, ', which is disabled') as problem
  from webhook_deliveries d
  join webhook_endpoints e on e.business_id = d.business_id and e.id = d.endpoint_id
 where d.state = 'pending' and e.state <> 'active';

-- name: what_arrived_was_tried
-- H-5: a message has arrived in an attempt, and once at an endpoint. The id is the delivery.
select d.business_id, array[d.id::text] as ids,
       concat('delivery ', d.id, ' has arrived after no attempt') as problem
  from webhook_deliveries d
 where d.state = 'delivered' and d.attempts = 0
union all
select d.business_id, array[d.id::text],
       concat('delivery ', d.id, ' is another one of event ', d.event_number, ' to endpoint ', d.endpoint_id)
  from webhook_deliveries d
 where exists (select from webhook_deliveries o
                where o.business_id = d.business_id and o.endpoint_id = d.endpoint_id
                  and o.event_number = d.event_number and o.id < d.id);
