-- name: sealed_columns
-- By type, or by the check that stands for it where a column has joined a table with many rows.
select c.relname || '.' || a.attname as place, c.relname as table, a.attname as column
  from pg_attribute a join pg_class c on c.oid = a.attrelid
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped
   and (a.atttypid = 'envelope'::regtype
        or exists (select from pg_constraint k
                    where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
                      and pg_get_constraintdef(k.oid) ~ '\mis_envelope\('))
 order by 1;

-- name: businesses
select id, slug from businesses order by slug;

-- name: data_keys
select generation, refresh_seconds, extract(epoch from active_from - clock_timestamp())::float8 as active_in_seconds
  from tenant_keys where business_id = %(business_id)s and purpose = 'data' order by generation;

-- name: forget_data_keys
delete from tenant_keys where business_id = %(business_id)s and purpose = 'data' and generation < %(generation)s;
