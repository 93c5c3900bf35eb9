-- What must be true of what is administered, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: settings_and_templates_belong_to_a_business
-- Invariant 9: the business of each setting and template exists. The ids are the key, or kind and version, and the
-- business.
select o.business_id, array[o.id, o.business_id::text] as ids,
       concat(o.source, ' ', o.id, ' refers to business ', o.business_id, ', which does not exist') as problem
  from (select s.business_id, 'setting' as source, s.key as id from system_settings s
        union all
        select t.business_id, 'template', concat(t.kind, ' ', t.version) from message_templates t) o
 where not exists (select from businesses b where b.id = o.business_id);
