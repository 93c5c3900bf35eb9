-- name: raise_item
-- What has become more severe is not snoozed any longer.
insert into attention_items as known (business_id, id, kind, subject_id, severity, details)
values (%(business_id)s, %(id)s, %(kind)s, %(subject_id)s, %(severity)s::text::attention_severity, %(details)s::jsonb)
on conflict (business_id, kind, subject_id) where resolved_at is null
do update set snoozed_until = case when excluded.severity <= known.severity then known.snoozed_until end,
              severity = greatest(known.severity, excluded.severity), details = excluded.details,
              times_raised = known.times_raised + 1, last_raised_at = clock_timestamp()
returning id;

-- name: find_item
select id, kind, subject_id, severity::text, details, times_raised, raised_at, last_raised_at, assignee_id,
       snoozed_until, resolved_at, resolved_by,
       case when resolved_at is not null then 'resolved' when snoozed_until > clock_timestamp() then 'snoozed'
            else 'open' end as status
  from attention_items where business_id = %(business_id)s and id = %(id)s;

-- name: find_items
select * from (
    select id, kind, subject_id, severity::text, details, times_raised, raised_at, last_raised_at, assignee_id,
           snoozed_until, resolved_at, resolved_by,
           case when resolved_at is not null then 'resolved' when snoozed_until > clock_timestamp() then 'snoozed'
                else 'open' end as status
      from attention_items
     where business_id = %(business_id)s
       and (%(after)s::timestamptz is null or (raised_at, id) > (%(after)s::timestamptz, %(after_id)s::uuid))
       and kind = coalesce(%(kind)s::text, kind)
       and severity = coalesce(%(severity)s::text::attention_severity, severity)
       and (%(assignee_id)s::uuid is null or assignee_id = %(assignee_id)s::uuid)) item
 where status = coalesce(%(status)s::text, status)
 order by raised_at, id limit %(limit)s::integer;

-- name: find_resolved
-- What was raised last comes first.
select id, kind, subject_id, severity::text, details, times_raised, raised_at, last_raised_at, assignee_id,
       snoozed_until, resolved_at, resolved_by, 'resolved' as status
  from attention_items
 where business_id = %(business_id)s and resolved_at is not null
   and (%(before)s::timestamptz is null or (raised_at, id) < (%(before)s::timestamptz, %(before_id)s::uuid))
   and kind = coalesce(%(kind)s::text, kind)
   and severity = coalesce(%(severity)s::text::attention_severity, severity)
   and (%(assignee_id)s::uuid is null or assignee_id = %(assignee_id)s::uuid)
 order by raised_at desc, id desc limit %(limit)s::integer;

-- name: count_open
select severity::text, count(*) as items, count(*) filter (where raised_at > %(since)s::timestamptz) as newer
  from attention_items
 where business_id = %(business_id)s and resolved_at is null and (snoozed_until > clock_timestamp()) is not true
 group by severity;

-- name: lock_item
select from attention_items where business_id = %(business_id)s and id = %(id)s for no key update;

-- name: lock_items_about
-- Whoever resolves one by hand at the same moment is waited for, and his is not resolved twice.
select id from attention_items
 where business_id = %(business_id)s and subject_id = %(subject_id)s and kind = any (%(kinds)s::text[])
   and resolved_at is null
 order by id for no key update;

-- name: assign
update attention_items set assignee_id = %(assignee_id)s::uuid
 where business_id = %(business_id)s and id = %(id)s;

-- name: snooze
update attention_items set snoozed_until = %(until)s
 where business_id = %(business_id)s and id = %(id)s
   and %(until)s::timestamptz between clock_timestamp() and clock_timestamp() + interval '1 year';

-- name: resolve
update attention_items set resolved_at = clock_timestamp(), resolved_by = %(by)s, snoozed_until = null
 where business_id = %(business_id)s and id = %(id)s;

-- name: settle
update attention_items set resolved_at = clock_timestamp(), snoozed_until = null
 where business_id = %(business_id)s and kind = %(kind)s and subject_id = %(subject_id)s and resolved_at is null
returning id;
