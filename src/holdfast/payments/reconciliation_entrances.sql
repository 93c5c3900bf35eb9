-- What the worker asks of the accounts of all tenants at once. The function runs as holdfast_admission and is replaced as a
-- whole by each `holdfast migrate`.

-- Accounts that are to be compared with their provider, those first that have waited longest. One that takes no new
-- payments is, as long as money of its last ones may go back.
create or replace function accounts_to_compare(p_limit integer)
returns table (business_id uuid, account_id uuid)
language sql stable security definer set search_path = public, pg_temp as $$
    select a.business_id, a.id
      from payment_accounts a
      left join payment_reconciliations c on c.business_id = a.business_id and c.account_id = a.id
     where (c.id is null or c.next_at <= statement_timestamp()
                            and (c.leased_until is null or c.leased_until <= statement_timestamp()))
       and (a.active or exists (select from payments p
                                 where p.business_id = a.business_id and p.account_id = a.id
                                   and p.created_at > statement_timestamp() - interval '90 days'))
     order by c.next_at nulls first, a.id
     limit p_limit
$$;

alter function accounts_to_compare(integer) owner to holdfast_admission;
revoke all on function accounts_to_compare(integer) from public;
grant execute on function accounts_to_compare(integer) to holdfast_app;
