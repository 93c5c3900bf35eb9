-- Statements of administration.

-- name: setting
select value from system_settings where business_id = %(business_id)s and key = %(key)s;

-- name: settings
select key, value, changed_at from system_settings where business_id = %(business_id)s;

-- name: lock_setting
-- By its name, since there may be no row yet.
select pg_advisory_xact_lock(hashtextextended(%(business_id)s::text || ' ' || %(key)s::text, 0));

-- name: put_setting
insert into system_settings (business_id, key, value) values (%(business_id)s, %(key)s, %(value)s::jsonb)
on conflict (business_id, key) do update set value = excluded.value, changed_at = clock_timestamp();

-- name: forget_setting
delete from system_settings where business_id = %(business_id)s and key = %(key)s;

-- name: templates_in_use
select distinct on (kind, locale, channel) kind, locale, channel, version, subject, body, written_at
  from message_templates where business_id = %(business_id)s
 order by kind, locale, channel, version desc;

-- name: templates_of_message
select distinct on (channel) kind, locale, channel, version, subject, body, written_at
  from message_templates
 where business_id = %(business_id)s and kind = %(kind)s and locale = %(locale)s
 order by channel, version desc;

-- name: template
-- The one in use, or an earlier version.
select kind, locale, channel, version, subject, body, written_at
  from message_templates
 where business_id = %(business_id)s and kind = %(kind)s and locale = %(locale)s and channel = %(channel)s
   and version = coalesce(%(version)s::integer, version)
 order by version desc limit 1;

-- name: add_template
insert into message_templates (business_id, kind, locale, channel, version, subject, body)
values (%(business_id)s, %(kind)s, %(locale)s, %(channel)s, %(version)s::integer, %(subject)s::text, %(body)s)
returning kind, locale, channel, version, subject, body, written_at;
