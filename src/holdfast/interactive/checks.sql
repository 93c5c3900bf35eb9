-- What must be true of quizzes, rituals and their runs, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: interactives_refer_to_their_own_business
-- Invariant 9: what they refer to exists in their own business, and that exists too. The ids are the row that refers and
-- the row that it refers to; a version is its definition and its number.
with referring as (
    select d.business_id, 'interactive' as source, d.id::text as id, 'business' as kind,
           d.business_id::text as target_id from interactive_definitions d
    union all
    select d.business_id, 'interactive', d.id::text, 'version', concat(d.id, '/', d.published_version)
      from interactive_definitions d where d.published_version is not null
    union all
    select v.business_id, 'version', concat(v.definition_id, '/', v.number), 'interactive', v.definition_id::text
      from interactive_versions v
    union all
    select r.business_id, 'run', r.id::text, 'version', concat(r.definition_id, '/', r.version_number)
      from interactive_runs r
), targets as (
    select 'business' as kind, b.id as business_id, b.id::text as id from businesses b
    union all
    select 'interactive', d.business_id, d.id::text from interactive_definitions d
    union all
    select 'version', v.business_id, concat(v.definition_id, '/', v.number) from interactive_versions v
), strays as materialized (
    select r.* from referring r
     where not exists (select from targets t
                        where t.kind = r.kind and t.business_id = r.business_id and t.id = r.target_id)
)
select s.business_id, array[s.id, s.target_id] as ids,
       concat(s.source, ' ', s.id, ' refers to ', s.kind, ' ', s.target_id, ', which ',
              case when t.id is null then 'does not exist'
                   else concat('belongs to business ', t.business_id) end) as problem
  from strays s
  left join targets t on t.kind = s.kind and t.id = s.target_id;
