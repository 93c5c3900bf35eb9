-- What stands in a catalogue that is to be spread over a cluster. Statements of kernel/distribution.py.

-- name: tables
-- Our tables, and whether they carry the tenant.
select c.relname::text as name,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'business_id' and not a.attisdropped)
           as of_tenant
  from pg_class c
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and left(c.relname, 14) <> 'procrastinate_'
 order by 1;

-- name: foreign_keys
select k.conname::text as name, f.relname::text as from_table, t.relname::text as to_table,
       pg_get_constraintdef(k.oid) as definition
  from pg_constraint k
  join pg_class f on f.oid = k.conrelid
  join pg_class t on t.oid = k.confrelid
 where k.contype = 'f' and k.connamespace = 'public'::regnamespace and left(f.relname, 14) <> 'procrastinate_'
 order by 2, 1;

-- name: unfit_keys
-- Unique and exclusion constraints, and unique indexes, that could not be checked within the rows of one tenant.
select i.indrelid::regclass::text || '.' || i.indexrelid::regclass::text as name
  from pg_index i
 where (i.indisunique or i.indisexclusion) and i.indrelid = any (%(tables)s::text[]::regclass[])
   and not exists (select from pg_attribute a where a.attrelid = i.indrelid and a.attname = 'business_id'
                      and a.attnum = i.indkey[0])
 order by 1;

-- name: unfit_foreign_keys
-- Keys between tenants' tables that do not carry the tenant at the same place, or that change rows in a way that a
-- cluster refuses: what follows an update, and what sets columns to null.
select k.conrelid::regclass::text || '.' || k.conname as name
  from pg_constraint k
 where k.contype = 'f' and k.conrelid = any (%(tables)s::text[]::regclass[])
   and (k.confrelid = any (%(tables)s::text[]::regclass[])
        and not exists (select from generate_subscripts(k.conkey, 1) n
                          join pg_attribute here on here.attrelid = k.conrelid and here.attnum = k.conkey[n]
                          join pg_attribute there on there.attrelid = k.confrelid and there.attnum = k.confkey[n]
                         where here.attname = 'business_id' and there.attname = 'business_id')
        or k.confrelid <> all (%(tables)s::text[]::regclass[]) and k.confrelid <> all (%(reference)s::text[]::regclass[])
        or k.confupdtype not in ('a', 'r') or k.confdeltype in ('n', 'd'))
 order by 1;

-- name: functions
-- What servers call for one tenant: it runs whole where that tenant is.
select p.oid::regprocedure::text as name
  from pg_proc p
 where p.pronamespace = 'public'::regnamespace and p.prosecdef and p.prorettype <> 'trigger'::regtype
   and p.proargnames[1] = 'p_business_id' and p.proargtypes[0] = 'uuid'::regtype
 order by 1;

-- name: has_citus
select to_regproc('citus_version') is not null;
