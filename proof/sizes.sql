-- What a database takes. Statements of proof/sizes.py; they run as an administrative role.

-- name: tables
-- Each table of ours.
select c.relname::text as name,
       pg_table_size(c.oid) as table_bytes, pg_indexes_size(c.oid) as index_bytes
  from pg_class c
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'procrastinate%%'
 order by 1;

-- name: indexes
select i.indexrelid::regclass::text as name, i.indrelid::regclass::text as of_table,
       pg_relation_size(i.indexrelid) as bytes
  from pg_index i
  join pg_class c on c.oid = i.indrelid
 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname not like 'procrastinate%%'
 order by 3 desc, 1;

-- name: wal
select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint;

-- name: leads_to_come
-- Bookings of which a worker has not made a lead yet.
select count(*) from outbox_events e
 where e.type = 'AppointmentConfirmed'
   and not exists (select from lead_timeline_events t where t.business_id = e.business_id and t.source_event = e.id);
