-- Statements about leads and deep links.

-- name: lock_identity
select pg_advisory_xact_lock(%(number)s::bigint);

-- name: owners
select i.kind, i.lead_id
  from lead_identities i
  join unnest(%(kinds)s::text[], %(indexes)s::bytea[]) wanted (kind, value_index)
    on wanted.kind = i.kind and wanted.value_index = i.value_index::bytea
 where i.business_id = %(business_id)s;

-- name: add_lead
insert into leads (business_id, id, source, name, locale, utm_source, utm_medium, utm_campaign, utm_term, utm_content,
                   deep_link)
values (%(business_id)s, %(id)s, %(source)s, %(name)s, %(locale)s::text, %(utm_source)s::text, %(utm_medium)s::text,
        %(utm_campaign)s::text, %(utm_term)s::text, %(utm_content)s::text, %(deep_link)s::text);

-- name: add_identity
insert into lead_identities (business_id, id, lead_id, kind, value, value_index)
values (%(business_id)s, %(id)s, %(lead_id)s, %(kind)s, %(value)s, %(value_index)s);

-- name: tell
insert into lead_timeline_events (business_id, id, lead_id, type, payload, source_event, occurred_at)
values (%(business_id)s, %(id)s, %(lead_id)s, %(type)s, %(payload)s::jsonb, %(source_event)s::uuid,
        coalesce(%(occurred_at)s::timestamptz, clock_timestamp()));

-- name: timeline
select id, type, payload, occurred_at from lead_timeline_events
 where business_id = %(business_id)s and lead_id = %(lead_id)s
   and (%(at)s::timestamptz is null or (occurred_at, id) < (%(at)s::timestamptz, %(last)s::uuid))
 order by occurred_at desc, id desc
 limit %(limit)s;

-- name: lead
-- Merging redirects those that were merged before, so that one step leads to the survivor.
select l.id, l.stage, l.source, l.name, l.locale, l.utm_source, l.utm_medium, l.utm_campaign, l.utm_term, l.utm_content,
       l.deep_link, l.assigned_to, l.version, l.created_at
  from leads asked
  join leads l on l.business_id = asked.business_id and l.id = coalesce(asked.merged_into, asked.id)
 where asked.business_id = %(business_id)s and asked.id = %(id)s;

-- name: leads
select l.id, l.stage, l.source, l.name, l.locale, l.utm_source, l.utm_medium, l.utm_campaign, l.utm_term, l.utm_content,
       l.deep_link, l.assigned_to, l.version, l.created_at
  from leads l
 where l.business_id = %(business_id)s and l.merged_into is null
   and (%(stage)s::text is null or l.stage = %(stage)s::text)
   and (%(source)s::text is null or l.source = %(source)s::text)
   and (%(assigned_to)s::uuid is null or l.assigned_to = %(assigned_to)s::uuid)
   and (not %(by_contact)s::boolean or l.id in (
           select i.lead_id from lead_identities i
             join unnest(%(kinds)s::text[], %(indexes)s::bytea[]) wanted (kind, value_index)
               on wanted.kind = i.kind and wanted.value_index = i.value_index::bytea
            where i.business_id = %(business_id)s))
   and (%(at)s::timestamptz is null or (l.created_at, l.id) < (%(at)s::timestamptz, %(last)s::uuid))
 order by l.created_at desc, l.id desc
 limit %(limit)s;

-- name: identities_of
select id, lead_id, kind, value from lead_identities
 where business_id = %(business_id)s and lead_id = any (%(ids)s::uuid[])
 order by created_at, id;

-- name: lock_lead
select id, stage, assigned_to, merged_into, version from leads
 where business_id = %(business_id)s and id = %(id)s
   for no key update;

-- name: lock_leads
select id, merged_into from leads
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[])
 order by id
   for no key update;

-- name: works_here
-- Users and keys have ids of one kind, and each of them is staff.
select exists (select from api_keys k
                where k.business_id = %(business_id)s and k.id = %(assigned_to)s and k.revoked_at is null)
       or exists (select from users u
                    join user_roles r on r.business_id = u.business_id and r.user_id = u.id and r.role <> 'client'
                   where u.business_id = %(business_id)s and u.id = %(assigned_to)s
                     and u.deactivated_at is null) as works_here;

-- name: change_lead
update leads set stage = coalesce(%(stage)s::text, stage), assigned_to = coalesce(%(assigned_to)s::uuid, assigned_to),
       version = version + 1
 where business_id = %(business_id)s and id = %(id)s;

-- name: touch_lead
update leads set version = version + 1 where business_id = %(business_id)s and id = %(id)s;

-- name: move_identities
update lead_identities set lead_id = %(survivor_id)s where business_id = %(business_id)s and lead_id = %(other_id)s;

-- name: move_timeline
update lead_timeline_events set lead_id = %(survivor_id)s where business_id = %(business_id)s and lead_id = %(other_id)s;

-- name: move_notes
update lead_notes set lead_id = %(survivor_id)s where business_id = %(business_id)s and lead_id = %(other_id)s;

-- name: redirect_lead
update leads set merged_into = %(survivor_id)s, version = version + 1
 where business_id = %(business_id)s and (id = %(other_id)s or merged_into = %(other_id)s);

-- name: add_note
insert into lead_notes (business_id, id, lead_id, text, author)
values (%(business_id)s, %(id)s, %(lead_id)s, %(text)s, %(author)s)
returning created_at;

-- name: notes_of
select id, text, author, created_at from lead_notes
 where business_id = %(business_id)s and lead_id = %(lead_id)s
 order by created_at desc, id desc;

-- name: add_link
insert into deep_links (business_id, id, target_path, utm_source, utm_medium, utm_campaign, utm_term, utm_content)
values (%(business_id)s, %(id)s, %(target_path)s, %(utm_source)s::text, %(utm_medium)s::text, %(utm_campaign)s::text,
        %(utm_term)s::text, %(utm_content)s::text)
returning id, reference, target_path, utm_source, utm_medium, utm_campaign, utm_term, utm_content, clicks, version,
          created_at, retired_at;

-- name: links
select id, reference, target_path, utm_source, utm_medium, utm_campaign, utm_term, utm_content, clicks, version,
       created_at, retired_at
  from deep_links
 where business_id = %(business_id)s
   and (%(at)s::timestamptz is null or (created_at, reference) < (%(at)s::timestamptz, %(last)s::uuid))
 order by created_at desc, reference desc
 limit %(limit)s;

-- name: link
select id, reference, target_path, utm_source, utm_medium, utm_campaign, utm_term, utm_content, clicks, version,
       created_at, retired_at
  from deep_links where business_id = %(business_id)s and id = %(id)s;

-- name: lock_link
select version from deep_links where business_id = %(business_id)s and id = %(id)s and retired_at is null
   for no key update;

-- name: change_link
update deep_links
   set target_path = coalesce(%(target_path)s::text, target_path), utm_source = coalesce(%(utm_source)s::text, utm_source),
       utm_medium = coalesce(%(utm_medium)s::text, utm_medium),
       utm_campaign = coalesce(%(utm_campaign)s::text, utm_campaign), utm_term = coalesce(%(utm_term)s::text, utm_term),
       utm_content = coalesce(%(utm_content)s::text, utm_content), version = version + 1
 where business_id = %(business_id)s and id = %(id)s
returning id, reference, target_path, utm_source, utm_medium, utm_campaign, utm_term, utm_content, clicks, version,
          created_at, retired_at;

-- name: retire_link
update deep_links set retired_at = clock_timestamp(), version = version + 1
 where business_id = %(business_id)s and id = %(id)s and retired_at is null
returning reference;

-- name: follow_link
-- The version is of what staff say of it, and stays.
update deep_links set clicks = clicks + 1
 where business_id = %(business_id)s and id = %(id)s and retired_at is null
returning id, reference, target_path, utm_source, utm_medium, utm_campaign, utm_term, utm_content, clicks, version,
          created_at, retired_at;
