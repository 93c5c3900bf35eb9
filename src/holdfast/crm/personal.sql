-- name: leads_of
-- Those that were merged into one of the person's are the person's, too.
with recursive theirs as (
    select i.lead_id as id from lead_identities i
     where i.business_id = %(business_id)s
       and (i.kind, i.value_index) in (('email', %(email)s::bytea), ('phone', %(phone)s::bytea),
                                     (%(network)s::text, %(handle)s::bytea))
    union
    select l.id from leads l join theirs t on l.merged_into = t.id where l.business_id = %(business_id)s
)
select l.id, l.stage, l.source, l.created_at, l.name from leads l join theirs t on t.id = l.id
 where l.business_id = %(business_id)s order by l.created_at, l.id;

-- name: lock_leads_of
with recursive theirs as (
    select i.lead_id as id from lead_identities i
     where i.business_id = %(business_id)s
       and (i.kind, i.value_index) in (('email', %(email)s::bytea), ('phone', %(phone)s::bytea),
                                     (%(network)s::text, %(handle)s::bytea))
    union
    select l.id from leads l join theirs t on l.merged_into = t.id where l.business_id = %(business_id)s
)
select l.id from leads l
 where l.business_id = %(business_id)s and l.id in (select t.id from theirs t) order by l.id for no key update;

-- name: identities_of_lead
select id, kind, value from lead_identities where business_id = %(business_id)s and lead_id = %(id)s order by created_at;

-- name: notes_of_lead
select id, text, created_at from lead_notes where business_id = %(business_id)s and lead_id = %(id)s order by created_at;

-- name: timeline_of_lead
select type, payload, occurred_at from lead_timeline_events
 where business_id = %(business_id)s and lead_id = %(id)s order by occurred_at, id;

-- name: forget_identities
delete from lead_identities where business_id = %(business_id)s and lead_id = %(id)s;

-- name: forget_notes
delete from lead_notes where business_id = %(business_id)s and lead_id = %(id)s;

-- name: forget_name
update leads set name = null where business_id = %(business_id)s and id = %(id)s;
