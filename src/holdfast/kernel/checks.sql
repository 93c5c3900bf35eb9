-- What must be true of audit entries, events and keys whatever they speak of (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: keys_are_unique
-- Invariant 4: a key of a business is answered once. The id is the key.
select k.business_id, array[k.key] as ids,
       concat('key ', k.key, ' has ', count(*), ' answers, of ', string_agg(k.operation, ', ')) as problem
  from idempotency_keys k
 group by k.business_id, k.key
having count(*) > 1;

-- name: records_belong_to_a_business
-- Invariant 9: the business of each audit entry, event and key exists. The ids are the aggregate, the key or the event, and
-- the business.
select r.business_id, array[r.id, r.business_id::text] as ids,
       concat(r.source, ' ', r.id, ' refers to business ', r.business_id, ', which does not exist') as problem
  from (select a.business_id, 'audit entry of' as source, a.aggregate_id::text as id from audit_log a
        union all
        select o.business_id, 'reason', o.id::text from audit_reasons o
        union all
        select e.business_id, 'event of', e.aggregate_id::text from outbox_events e
        union all
        select k.business_id, 'key', k.key from idempotency_keys k
        union all
        select n.business_id, 'analytics event', n.id::text from analytics_events n) r
 where not exists (select from businesses b where b.id = r.business_id);

-- name: attention_belongs_to_a_business
-- Invariant 9: the business of each item that needs a person exists. The ids are the item and the business.
select i.business_id, array[i.id::text, i.business_id::text] as ids,
       concat('item ', i.id, ' of the inbox refers to business ', i.business_id, ', which does not exist') as problem
  from attention_items i
 where not exists (select from businesses b where b.id = i.business_id);

-- name: tenant_keys_belong_to_a_business
-- Invariant 9: the business of each key of a tenant exists. The ids are the key, by purpose and generation, and the
-- business.
select k.business_id, array[concat_ws(' ', k.purpose, k.generation), k.business_id::text] as ids,
       concat('key ', k.purpose, ' ', k.generation, ' refers to business ', k.business_id, ', which does not exist')
           as problem
  from tenant_keys k
 where not exists (select from businesses b where b.id = k.business_id);

-- name: tenants_are_walled_off
-- Invariant 9: each table of tenants has row-level security, forced on its owner, and one policy, which lets a transaction
-- read and write the rows of the business for which it is. A view of ours is read with the rights of who asks. The id is
-- the table or the view.
with tables as (
    select t.oid, t.relname, t.relrowsecurity and t.relforcerowsecurity as is_forced,
           case t.relname when 'businesses' then '(id = current_business())'
                          else '(business_id = current_business())' end as condition
      from pg_class t
     where t.relnamespace = 'public'::regnamespace and t.relkind in ('r', 'p')
       and (t.relname = 'businesses'
            or exists (select from pg_attribute a
                        where a.attrelid = t.oid and a.attname = 'business_id' and not a.attisdropped))
), walls as (
    select t.relname, t.is_forced, count(p.oid) = 1 as is_one,
           bool_and(p.polpermissive and p.polcmd = '*' and p.polroles = '{0}'
                    and pg_get_expr(p.polqual, p.polrelid) = t.condition
                    and coalesce(pg_get_expr(p.polwithcheck, p.polrelid), t.condition) = t.condition) as is_sound
      from tables t
      left join pg_policy p on p.polrelid = t.oid
     group by t.relname, t.is_forced
)
select null::uuid as business_id, array[w.relname::text] as ids,
       concat('table ', w.relname, ' ',
              case when not w.is_forced then 'does not force row-level security on everybody'
                   when not w.is_one then 'has no policy, or more than one'
                   else 'has another policy than that of its tenant' end) as problem
  from walls w
 where (w.is_forced and w.is_one and w.is_sound) is not true
union all
select null, array[v.relname::text], concat('view ', v.relname, ' is read with the rights of its owner')
  from pg_class v
 where v.relnamespace = 'public'::regnamespace and v.relkind = 'v'
   and pg_get_userbyid(v.relowner) in ('holdfast_owner', 'holdfast_admission')
   and coalesce('security_invoker=true' = any (v.reloptions), false) is not true;
