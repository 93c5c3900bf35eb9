-- Statements of webhooks: the log of events, endpoints, deliveries.

-- name: begin_event_feed
select read_until, statement_timestamp() as now from event_feed;

-- name: end_event_feed
-- Also back, where the clock of the database was put back: what happens until it is there again is not behind us.
update event_feed set read_until = %(read_until)s::timestamptz;

-- name: log_events
select found, last_at, last_id
  from log_events(%(since)s::timestamptz, %(at)s::timestamptz, %(last)s::uuid, %(limit)s::integer);

-- name: webhook_deliveries_due
select business_id, id, endpoint_id from webhook_deliveries_due(%(limit)s::integer, %(of_one)s::integer);

-- name: forget_webhook_deliveries
select forget_webhook_deliveries(%(days)s::integer, %(limit)s::integer);

-- name: forget_former_webhook_secrets
select forget_former_webhook_secrets();

-- name: webhook_figures
select pending, oldest_seconds, failing, disabled from webhook_figures();

-- name: last_number
select coalesce(max(number), 0) from event_log where business_id = %(business_id)s;

-- name: number_before
-- The number after which everything is that has happened since a time. The order of the log is that of time but for some
-- minutes, so what is found when going back from its end is no further than what is asked for.
select coalesce(max(f.number), 0)
  from (select l.number from event_log l
          join outbox_events e on e.business_id = l.business_id and e.aggregate_id = l.aggregate_id
                              and e.version = l.version
         where l.business_id = %(business_id)s
           and e.occurred_at < %(since)s::timestamptz - make_interval(mins => %(minutes)s)
         order by l.number desc limit 1) f;

-- name: events_after
select l.business_id, l.number, e.id, e.aggregate_id, e.version, e.type, e.payload, e.occurred_at
  from event_log l
  join outbox_events e on e.business_id = l.business_id and e.aggregate_id = l.aggregate_id and e.version = l.version
 where l.business_id = %(business_id)s and l.number > %(after)s and l.number <= %(until)s
   and (%(types)s::text[] is null or e.type = any (%(types)s::text[]))
   and (%(since)s::timestamptz is null or e.occurred_at >= %(since)s::timestamptz)
 order by l.number limit %(limit)s;

-- name: add_endpoint
insert into webhook_endpoints (business_id, id, name, url, types, secret)
values (%(business_id)s, %(id)s, %(name)s, %(url)s, %(types)s::text[], %(secret)s);

-- name: lock_endpoints
-- As many as there are may only grow one at a time.
select from businesses where id = %(business_id)s for no key update;

-- name: count_endpoints
select count(*) from webhook_endpoints where business_id = %(business_id)s;

-- name: endpoints
select id, name, url, types, state, reason, secret, former_secret, former_until, created_at, failing_since,
       last_success_at, former_until > clock_timestamp() as former_signs, clock_timestamp() as now
  from webhook_endpoints
 where business_id = %(business_id)s and (%(id)s::uuid is null or id = %(id)s::uuid)
 order by created_at, id;

-- name: lock_endpoint
select from webhook_endpoints where business_id = %(business_id)s and id = %(id)s for update;

-- name: change_endpoint
update webhook_endpoints set name = %(name)s, url = %(url)s, types = %(types)s::text[]
 where business_id = %(business_id)s and id = %(id)s;

-- name: rotate_secret
update webhook_endpoints
   set secret = %(secret)s, former_secret = %(former_secret)s, former_until = %(former_until)s::timestamptz
 where business_id = %(business_id)s and id = %(id)s;

-- name: set_endpoint_state
update webhook_endpoints
   set state = %(state)s, reason = %(reason)s, failing_since = null
 where business_id = %(business_id)s and id = %(id)s;

-- name: remove_endpoint
delete from webhook_endpoints where business_id = %(business_id)s and id = %(id)s;

-- name: note_success
update webhook_endpoints set failing_since = null, last_success_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s
   and (failing_since is not null or last_success_at is null or last_success_at < clock_timestamp() - interval '1 minute');

-- name: note_failure
update webhook_endpoints set failing_since = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s and failing_since is null and state = 'active';

-- name: give_up_pending
update webhook_deliveries
   set state = 'failed', reason = 'endpoint_disabled', next_attempt_at = null, ended_at = clock_timestamp()
 where business_id = %(business_id)s and endpoint_id = %(endpoint_id)s and state = 'pending';

-- name: add_trial
insert into webhook_deliveries (business_id, id, endpoint_id, type, next_attempt_at)
values (%(business_id)s, %(id)s, %(endpoint_id)s, %(type)s, clock_timestamp());

-- name: deliveries
select d.id, d.endpoint_id, d.type, d.state, d.created_at, d.queued_at, d.next_attempt_at, d.attempts, d.failures,
       d.last_attempt_at, d.last_status, d.reason, d.ended_at, d.event_number, e.id as event_id, e.aggregate_id
  from webhook_deliveries d
  left join event_log l on l.business_id = d.business_id and l.number = d.event_number
  left join outbox_events e on e.business_id = l.business_id and e.aggregate_id = l.aggregate_id
                           and e.version = l.version
 where d.business_id = %(business_id)s and d.endpoint_id = %(endpoint_id)s
   and (%(id)s::uuid is null or d.id = %(id)s::uuid)
   and (%(state)s::text is null or d.state = %(state)s::text)
   and (%(before)s::timestamptz is null
        or (d.created_at, d.id) < (%(before)s::timestamptz, %(before_id)s::uuid))
 order by d.created_at desc, d.id desc limit %(limit)s;

-- name: replay_delivery
update webhook_deliveries
   set state = 'pending', queued_at = clock_timestamp(), next_attempt_at = clock_timestamp(), failures = 0, reason = null,
       ended_at = null
 where business_id = %(business_id)s and endpoint_id = %(endpoint_id)s and id = %(id)s
   and (state <> 'pending' or next_attempt_at > clock_timestamp());

-- name: replay_events
-- What is on its way already stays as it is; what has arrived, unless it is wanted again.
insert into webhook_deliveries as w (business_id, endpoint_id, event_number, type, next_attempt_at)
select l.business_id, %(endpoint_id)s, l.number, e.type, clock_timestamp()
  from event_log l
  join outbox_events e on e.business_id = l.business_id and e.aggregate_id = l.aggregate_id and e.version = l.version
  left join webhook_deliveries d
    on d.business_id = l.business_id and d.endpoint_id = %(endpoint_id)s and d.event_number = l.number
 where l.business_id = %(business_id)s and l.number > %(after)s
   and e.occurred_at >= %(since)s::timestamptz
   and (%(until)s::timestamptz is null or e.occurred_at < %(until)s::timestamptz)
   and (%(types)s::text[] is null or e.type = any (%(types)s::text[]))
   and (d.id is null or d.state = 'failed' or (%(again)s and d.state = 'delivered'))
 order by l.number limit %(limit)s
on conflict (business_id, endpoint_id, event_number) do update
   set state = 'pending', queued_at = clock_timestamp(), next_attempt_at = clock_timestamp(), failures = 0, reason = null,
       ended_at = null
 where w.state <> 'pending';

-- name: begin_attempt
-- Whoever begins one has it for so long; who comes after that begins another.
update webhook_deliveries d
   set attempts = d.attempts + 1, last_attempt_at = clock_timestamp(),
       next_attempt_at = clock_timestamp() + make_interval(secs => %(lease)s)
  from webhook_endpoints e
 where d.business_id = %(business_id)s and d.id = %(id)s and d.state = 'pending'
   and d.next_attempt_at <= clock_timestamp()
   and e.business_id = d.business_id and e.id = d.endpoint_id and e.state = 'active'
returning d.endpoint_id, d.event_number, d.attempts, d.failures, d.created_at, d.last_attempt_at;

-- name: has_arrived
-- Also where the endpoint was disabled while it was being told.
update webhook_deliveries
   set state = 'delivered', next_attempt_at = null, failures = 0, last_status = %(status)s, reason = null,
       ended_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s and attempts = %(attempt)s and state <> 'delivered';

-- name: has_failed
-- The last attempt comes when its time is over, and not before.
update webhook_deliveries d
   set failures = d.failures + 1, last_status = %(status)s, reason = %(reason)s,
       state = case when t.is_over then 'failed' else 'pending' end,
       next_attempt_at = case when not t.is_over
                              then least(t.now + make_interval(secs => %(seconds)s::float8), t.ends_at) end,
       ended_at = case when t.is_over then t.now end
  from (select o.business_id, o.id, c.now, o.queued_at + make_interval(days => %(days)s) as ends_at,
               c.now >= o.queued_at + make_interval(days => %(days)s) as is_over
          from webhook_deliveries o, (select clock_timestamp() as now) c
         where o.business_id = %(business_id)s and o.id = %(id)s) t
 where d.business_id = t.business_id and d.id = t.id and d.attempts = %(attempt)s and d.state = 'pending'
returning d.state, d.queued_at;
