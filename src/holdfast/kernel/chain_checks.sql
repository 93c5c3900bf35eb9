-- What must be true of the chains of the audit log, as far as it can be told without the key (B-25, D-7).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.
-- What an earlier release has written without hashes is passed over until the backfill that chains it is done.

-- name: chain_entries_have_hashes
-- Invariant 3: every entry is in a chain. The ids are the aggregate and the version.
select a.business_id, array[a.aggregate_id::text, a.version::text] as ids,
       concat('version ', a.version, ' of ', a.aggregate_type, ' ', a.aggregate_id, ' is in no chain') as problem
  from audit_log a
 where a.mac is null
   and not exists (select from backfills b where b.name = 'audit-chain' and b.finished_at is null);

-- name: chain_links_hold
-- Invariant 3: each entry names the hash of the entry before it, the first one of none. The ids are the aggregate and
-- the version.
select business_id, array[aggregate_id::text, version::text] as ids,
       concat('version ', version, ' of ', aggregate_type, ' ', aggregate_id, ' does not follow ',
              case when previous is null then 'nothing, but is the first that is there'
                   else concat('version ', previous) end) as problem
  from (select a.business_id, a.aggregate_id, a.aggregate_type, a.version, a.previous_mac, a.mac,
               lag(a.version) over of_aggregate as previous, lag(a.mac) over of_aggregate as mac_before
          from audit_log a
        window of_aggregate as (partition by a.business_id, a.aggregate_id order by a.version)) entries
 where mac is not null
   and (previous_mac is distinct from mac_before or version <> previous + 1);

-- name: chain_heads_are_at_the_end
-- Invariant 3: the head of each chain names its last entry, so that a cut tail shows. The id is the aggregate.
with ends as (
    select distinct on (a.business_id, a.aggregate_id) a.business_id, a.aggregate_id, a.version, a.mac
      from audit_log a where a.mac is not null
     order by a.business_id, a.aggregate_id, a.version desc
)
select coalesce(e.business_id, h.business_id) as business_id,
       array[coalesce(e.aggregate_id, h.aggregate_id)::text] as ids,
       concat('the chain of ', coalesce(e.aggregate_id, h.aggregate_id), ' ends at version ',
              coalesce(e.version::text, 'none'), ', but its head names ',
              case when e.version = h.version then 'another hash'
                   else concat('version ', coalesce(h.version::text, 'none')) end) as problem
  from ends e
  full join audit_heads h on h.business_id = e.business_id and h.aggregate_id = e.aggregate_id
 where e.version is distinct from h.version or e.mac is distinct from h.entry_mac;

-- name: chain_heads_are_single
-- Invariant 3: a chain has one head. The id is the aggregate.
select h.business_id, array[h.aggregate_id::text] as ids,
       concat('the chain of ', h.aggregate_id, ' has ', count(*), ' heads') as problem
  from audit_heads h group by h.business_id, h.aggregate_id having count(*) > 1;
