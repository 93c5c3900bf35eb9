-- Counting what the public writes: how many in a minute, by client and by business.

-- name: count
-- The business is counted for what its clients may write only: one client who is refused takes nothing away from others.
-- The instant is that of the request and not that of its turn, so that both columns of a row are judged by the same.
with client as (
    insert into write_counts as c (subject, began_at, writes)
    select %(client)s::bytea, clock_timestamp(), 1 where %(client)s::bytea is not null
    on conflict (subject) do update
       set began_at = case when c.began_at <= excluded.began_at - interval '1 minute' then excluded.began_at
                           else c.began_at end,
           writes = case when c.began_at <= excluded.began_at - interval '1 minute' then 1
                         else least(c.writes, %(client_limit)s::integer) + 1 end
    returning began_at, writes
), business as (
    insert into write_counts as b (subject, began_at, writes)
    select %(business)s::bytea, clock_timestamp(), 1
     where %(business)s::bytea is not null
       and not exists (select from client where writes > %(client_limit)s::integer)
    on conflict (subject) do update
       set began_at = case when b.began_at <= excluded.began_at - interval '1 minute' then excluded.began_at
                           else b.began_at end,
           writes = case when b.began_at <= excluded.began_at - interval '1 minute' then 1
                         else least(b.writes, %(business_limit)s::integer) + 1 end
    returning began_at, writes
)
select exceeded.by, extract(epoch from exceeded.began_at + interval '1 minute' - clock_timestamp())::float8 as wait_seconds
  from (select 'client' as by, began_at from client where writes > %(client_limit)s::integer
        union all
        select 'business', began_at from business where writes > %(business_limit)s::integer) exceeded;

-- name: forget
-- Whoever writes just now is passed over: his row will be there the next time.
delete from write_counts where subject in (
    select subject from write_counts where began_at <= clock_timestamp() - interval '1 minute' for update skip locked);
