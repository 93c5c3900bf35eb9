-- Statements about questions, their answers and their queue.

-- name: topic_by_slug
select id from topics where business_id = %(business_id)s and slug = %(slug)s;

-- name: add_item
insert into ugc_items (business_id, id, topic_id, locale, urgency, text, email, email_index, due_at)
values (%(business_id)s, %(id)s, %(topic_id)s::uuid, %(locale)s, %(urgency)s::smallint, %(text)s, %(email)s,
        %(email_index)s, clock_timestamp() + make_interval(hours => %(hours)s::integer))
returning created_at;

-- name: add_trigger
insert into ugc_triggers (business_id, item_id, category) values (%(business_id)s, %(item_id)s, %(category)s);

-- name: state_for_sender
select i.id, i.locale, i.status, i.created_at, i.resolved_at, a.id as answer_id, a.text as answer,
       exists (select from ugc_triggers t where t.business_id = i.business_id and t.item_id = i.id) as triggered
  from ugc_items i
  left join lateral (select a.id, a.text from ugc_answers a
                      where a.business_id = i.business_id and a.item_id = i.id
                      order by a.created_at desc, a.id desc limit 1) a on i.status in ('answered', 'published')
 where i.business_id = %(business_id)s and i.id = %(id)s;

-- name: published
select i.id, i.public_text as text, i.public_answer as answer, t.slug as topic, i.locale, i.published_at
  from ugc_items i
  left join topics t on t.business_id = i.business_id and t.id = i.topic_id
 where i.business_id = %(business_id)s and i.status = 'published'
   and (%(topic_id)s::uuid is null or i.topic_id = %(topic_id)s::uuid)
   and (%(at)s::timestamptz is null or (i.published_at, i.id) < (%(at)s::timestamptz, %(last)s::uuid))
 order by i.published_at desc, i.id desc
 limit %(limit)s;

-- name: queue
-- For each status its own beginning of the queue, by an index that is in this order, and of those the beginning.
select q.id, q.status, q.urgency, q.version, q.locale, t.slug as topic, q.assigned_to, q.created_at, q.due_at,
       q.resolved_at, q.email is not null as wants_mail,
       q.resolved_at is null and q.due_at < statement_timestamp() as overdue,
       array(select g.category from ugc_triggers g
              where g.business_id = q.business_id and g.item_id = q.id order by g.category) as categories
  from unnest(%(statuses)s::text[]) wanted (status)
 cross join lateral (
       select i.* from ugc_items i
        where i.business_id = %(business_id)s and i.status = wanted.status
          and (%(category)s::text is null
               or exists (select from ugc_triggers g where g.business_id = i.business_id and g.item_id = i.id
                             and g.category = %(category)s::text))
          and (%(assigned_to)s::uuid is null or i.assigned_to = %(assigned_to)s::uuid)
          and i.created_at <= statement_timestamp() - make_interval(hours => %(age_hours)s::integer)
          and (%(at)s::timestamptz is null or (-i.urgency, i.created_at, i.id)
               > (-%(urgency)s::integer, %(at)s::timestamptz, %(last)s::uuid))
        order by i.urgency desc, i.created_at, i.id
        limit %(limit)s) q
  left join topics t on t.business_id = q.business_id and t.id = q.topic_id
 order by q.urgency desc, q.created_at, q.id
 limit %(limit)s;

-- name: figures
-- How the open questions stand, and how soon those of the last thirty days were answered or rejected.
select count(*) filter (where i.status in ('new', 'in_review')) as open,
       count(*) filter (where i.status = 'new') as unassigned,
       count(*) filter (where i.status in ('new', 'in_review') and i.due_at < statement_timestamp()) as overdue,
       count(*) filter (where i.status in ('new', 'in_review') and i.due_at < statement_timestamp()
                              and i.urgency = 2) as overdue_crises,
       extract(epoch from statement_timestamp()
               - min(i.created_at) filter (where i.status in ('new', 'in_review')))::float8 as oldest_seconds,
       count(*) filter (where i.resolved_at is not null) as resolved,
       count(*) filter (where i.resolved_at <= i.due_at) as resolved_in_time
  from ugc_items i
 where i.business_id = %(business_id)s
   and (i.status in ('new', 'in_review')
        or i.status in ('answered', 'published', 'rejected')
           and i.created_at > statement_timestamp() - interval '30 days');

-- name: item
select i.id, i.status, i.urgency, i.version, i.locale, t.slug as topic, i.assigned_to, i.created_at, i.due_at,
       i.resolved_at, i.email is not null as wants_mail,
       i.resolved_at is null and i.due_at < statement_timestamp() as overdue,
       array(select g.category from ugc_triggers g
              where g.business_id = i.business_id and g.item_id = i.id order by g.category) as categories
  from ugc_items i
  left join topics t on t.business_id = i.business_id and t.id = i.topic_id
 where i.business_id = %(business_id)s and i.id = %(id)s;

-- name: lock_item
select i.id, i.status, i.urgency, i.version, i.assigned_to, i.text, i.email, i.public_text, i.public_answer
  from ugc_items i
 where i.business_id = %(business_id)s and i.id = %(id)s
   for no key update;

-- name: answers_of
select id, text, author, created_at from ugc_answers
 where business_id = %(business_id)s and item_id = %(item_id)s
 order by created_at, id;

-- name: actions_of
select id, version, action, from_status, to_status, actor, reason, comment, occurred_at from moderation_actions
 where business_id = %(business_id)s and item_id = %(item_id)s
 order by version;

-- name: works_here
-- Users and keys have ids of one kind, and each of them is staff.
select exists (select from api_keys k
                where k.business_id = %(business_id)s and k.id = %(id)s and k.revoked_at is null)
       or exists (select from users u
                    join user_roles r on r.business_id = u.business_id and r.user_id = u.id and r.role <> 'client'
                   where u.business_id = %(business_id)s and u.id = %(id)s and u.deactivated_at is null) as works_here;

-- name: assign
update ugc_items set assigned_to = %(assigned_to)s, status = case status when 'new' then 'in_review' else status end,
       version = version + 1
 where business_id = %(business_id)s and id = %(id)s
returning status, version;

-- name: mark_answered
update ugc_items set status = 'answered', resolved_at = coalesce(resolved_at, clock_timestamp()), version = version + 1
 where business_id = %(business_id)s and id = %(id)s
returning status, version;

-- name: add_answer
insert into ugc_answers (business_id, id, item_id, text, author)
values (%(business_id)s, %(id)s, %(item_id)s, %(text)s, %(author)s);

-- name: publish
update ugc_items set status = 'published', public_text = %(public_text)s, public_answer = %(public_answer)s,
       published_at = clock_timestamp(), version = version + 1
 where business_id = %(business_id)s and id = %(id)s
returning status, version;

-- name: reject
update ugc_items set status = 'rejected', public_text = null, public_answer = null, published_at = null,
       resolved_at = coalesce(resolved_at, clock_timestamp()), version = version + 1
 where business_id = %(business_id)s and id = %(id)s
returning status, version;

-- name: escalate
-- What is escalated is due as soon as a crisis is, from now on, unless it was due sooner.
update ugc_items set urgency = greatest(urgency, 1::smallint),
       due_at = least(due_at, clock_timestamp() + make_interval(hours => %(hours)s::integer)), version = version + 1
 where business_id = %(business_id)s and id = %(id)s
returning status, version;

-- name: add_action
insert into moderation_actions (business_id, id, item_id, version, action, from_status, to_status, actor, reason, comment)
values (%(business_id)s, %(id)s, %(item_id)s, %(version)s::integer, %(action)s, %(from_status)s, %(to_status)s, %(actor)s,
        %(reason)s::text, %(comment)s);
