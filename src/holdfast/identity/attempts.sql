-- Counting attempts to sign in: how many in a window, by client and by account.

-- name: count_attempt
-- The account is counted for those only who may still try: a client who is shut out shuts nobody else out. The window
-- begins with the first attempt in it, and no further attempt moves its end.
with client as (
    insert into login_attempts as c (subject, began_at, attempts) values (%(client)s::bytea, clock_timestamp(), 1)
    on conflict (subject) do update
       set began_at = case when c.began_at <= excluded.began_at - make_interval(secs => %(window_seconds)s::float8)
                           then excluded.began_at else c.began_at end,
           attempts = case when c.began_at <= excluded.began_at - make_interval(secs => %(window_seconds)s::float8)
                           then 1 else least(c.attempts, %(client_limit)s::integer) + 1 end
    returning began_at, attempts
), account as (
    insert into login_attempts as a (subject, began_at, attempts)
    select %(account)s::bytea, clock_timestamp(), 1
     where not exists (select from client where attempts > %(client_limit)s::integer)
    on conflict (subject) do update
       set began_at = case when a.began_at <= excluded.began_at - make_interval(secs => %(window_seconds)s::float8)
                           then excluded.began_at else a.began_at end,
           attempts = case when a.began_at <= excluded.began_at - make_interval(secs => %(window_seconds)s::float8)
                           then 1 else least(a.attempts, %(account_limit)s::integer) + 1 end
    returning began_at, attempts
)
select extract(epoch from exceeded.began_at + make_interval(secs => %(window_seconds)s::float8)
                          - clock_timestamp())::float8 as wait_seconds
  from (select began_at from client where attempts > %(client_limit)s::integer
        union all
        select began_at from account where attempts > %(account_limit)s::integer) exceeded;

-- name: take_back_attempt
update login_attempts set attempts = greatest(attempts - 1, 0) where subject = %(client)s::bytea;

-- name: forget_account
delete from login_attempts where subject = %(account)s::bytea;

-- name: forget_attempts
-- Whoever tries just now is passed over: his row will be there the next time.
delete from login_attempts where subject in (
    select subject from login_attempts
     where began_at <= clock_timestamp() - make_interval(secs => %(window_seconds)s::float8) for update skip locked);
