-- What must be true of opening hours and busy time, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: hours_refer_to_their_own_business
-- Invariant 9: the resource of a rule, an override or a busy interval exists in the same business. The ids are the
-- row that refers and the resource.
with referring as (
    select a.business_id, 'availability rule' as source, a.id, a.resource_id from availability_rules a
    union all
    select a.business_id, 'availability override', a.id, a.resource_id from availability_overrides a
    union all
    select i.business_id, 'busy interval', i.id, i.resource_id from calendar_busy_intervals i
), strays as materialized (
    select r.* from referring r
     where not exists (select from resources t where t.business_id = r.business_id and t.id = r.resource_id)
)
select s.business_id, array[s.id::text, s.resource_id::text] as ids,
       concat(s.source, ' ', s.id, ' refers to resource ', s.resource_id, ', which ',
              case when t.id is null then 'does not exist'
                   else concat('belongs to business ', t.business_id) end) as problem
  from strays s
  left join resources t on t.id = s.resource_id;
