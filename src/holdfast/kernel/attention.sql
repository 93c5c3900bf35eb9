-- name: raise_item
-- What has become more severe is not snoozed any longer.
insert into attention_items as known (business_id, id, kind, subject_id, severity, details)
values (%(business_id)s, %(id)s, %(kind)s, %(subject_id)s, %(severity)s::text::attention_severity, %(details)s::jsonb)
on conflict (business_id, kind, subject_id) where resolved_at is null
do update set snoozed_until = case when excluded.severity <= known.severity then known.snoozed_until end,
              severity = greatest(known.severity, excluded.severity), details = excluded.details,
              times_raised = known.times_raised + 1, last_raised_at = clock_timestamp()
returning id;
