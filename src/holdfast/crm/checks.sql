-- What must be true of leads, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: identities_lead_to_one_lead
-- Invariant 4: of a way to reach somebody there is one row, so one lead. The ids are the leads.
select i.business_id, array_agg(i.lead_id::text order by i.lead_id, i.id) as ids,
       concat('one ', i.kind, ' leads to ', count(*), ' leads') as problem
  from lead_identities i
 group by i.business_id, i.kind, i.value_index
having count(*) > 1;

-- name: merged_leads_are_empty
-- Invariant 2: a lead that was merged has nothing left and leads to one that was not. The ids are the lead, and what it
-- has or leads to.
select m.business_id, array[m.id::text, x.id::text] as ids,
       concat('lead ', m.id, ' was merged and has ', x.what, ' ', x.id) as problem
  from leads m
  join (select business_id, lead_id, id, 'identity' as what from lead_identities
        union all
        select business_id, lead_id, id, 'event' from lead_timeline_events
        union all
        select business_id, lead_id, id, 'note' from lead_notes) x
    on x.business_id = m.business_id and x.lead_id = m.id
 where m.merged_into is not null
union all
select m.business_id, array[m.id::text, s.id::text],
       concat('lead ', m.id, ' was merged into ', s.id, ', which was merged itself')
  from leads m
  join leads s on s.business_id = m.business_id and s.id = m.merged_into
 where s.merged_into is not null;

-- name: leads_refer_to_their_own_business
-- Invariant 9: what a lead and what belongs to it refer to exists in the same business. The ids are the row and what it
-- refers to.
select r.business_id, array[r.id, r.target] as ids,
       concat(r.source, ' ', r.id, ' refers to ', r.target, ', which is not of its business') as problem
  from (select 'lead' as source, l.business_id, l.id::text as id, l.business_id::text as target from leads l
         where not exists (select from businesses b where b.id = l.business_id)
        union all
        select 'lead', l.business_id, l.id::text, l.merged_into::text from leads l
         where l.merged_into is not null
           and not exists (select from leads s where s.business_id = l.business_id and s.id = l.merged_into)
        union all
        select 'lead', l.business_id, l.id::text, l.deep_link from leads l
         where l.deep_link is not null
           and not exists (select from deep_links d where d.business_id = l.business_id and d.id = l.deep_link)
        union all
        select 'identity', i.business_id, i.id::text, i.lead_id::text from lead_identities i
         where not exists (select from leads l where l.business_id = i.business_id and l.id = i.lead_id)
        union all
        select 'event of the timeline', e.business_id, e.id::text, e.lead_id::text from lead_timeline_events e
         where not exists (select from leads l where l.business_id = e.business_id and l.id = e.lead_id)
        union all
        select 'note', n.business_id, n.id::text, n.lead_id::text from lead_notes n
         where not exists (select from leads l where l.business_id = n.business_id and l.id = n.lead_id)
        union all
        select 'deep link', d.business_id, d.id, d.business_id::text from deep_links d
         where not exists (select from businesses b where b.id = d.business_id)) r;
