-- What must be true of questions, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: actions_follow_the_transitions
-- Invariant 3: the steps of a question follow one another without a gap, along its transitions, up to where it is. The
-- ids are the question.
select i.business_id, array[i.id::text] as ids,
       concat('question ', i.id, ' is ', i.status, ' in version ', i.version, ', its steps are: ',
              coalesce(a.told, 'none')) as problem
  from ugc_items i
  left join (select business_id, item_id, count(*) as steps, max(version) as version,
                    string_agg(concat(version, ' ', from_status, ' to ', to_status), ', ' order by version) as told,
                    (array_agg(to_status order by version desc))[1] as status,
                    bool_and(from_status = before
                             and (from_status = to_status or (from_status, to_status) in (
                                 ('new', 'in_review'), ('in_review', 'answered'), ('in_review', 'rejected'),
                                 ('answered', 'published'), ('answered', 'rejected'), ('published', 'rejected')))) as allowed
               from (select m.*, lag(to_status, 1, 'new') over (partition by business_id, item_id order by version) as before
                       from moderation_actions m) m
              group by business_id, item_id) a on a.business_id = i.business_id and a.item_id = i.id
 where i.version <> 1 + coalesce(a.steps, 0) or i.version <> coalesce(a.version, 1)
    or i.status <> coalesce(a.status, 'new') or not coalesce(a.allowed, true);

-- name: questions_refer_to_their_own_business
-- Invariant 9: what a question and what belongs to it refer to exists in the same business. The ids are the row and
-- what it refers to.
select r.business_id, array[r.id, r.target::text] as ids,
       concat(r.source, ' ', r.id, ' refers to ', r.target, ', which is not of its business') as problem
  from (select 'question' as source, i.business_id, i.id::text as id, i.topic_id as target from ugc_items i
         where i.topic_id is not null
           and not exists (select from topics t where t.business_id = i.business_id and t.id = i.topic_id)
        union all
        select 'answer', a.business_id, a.id::text, a.item_id from ugc_answers a
         where not exists (select from ugc_items i where i.business_id = a.business_id and i.id = a.item_id)
        union all
        select 'trigger', t.business_id, t.category, t.item_id from ugc_triggers t
         where not exists (select from ugc_items i where i.business_id = t.business_id and i.id = t.item_id)
        union all
        select 'action', m.business_id, m.id::text, m.item_id from moderation_actions m
         where not exists (select from ugc_items i where i.business_id = m.business_id and i.id = m.item_id)
        union all
        select 'question', i.business_id, i.id::text, i.business_id from ugc_items i
         where not exists (select from businesses b where b.id = i.business_id)) r;
