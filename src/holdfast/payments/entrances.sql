-- What the worker asks of the money of all tenants at once. The function runs as holdfast_admission and is replaced as a
-- whole by each `holdfast migrate`.

-- Payments and refunds at which somebody has to look now, and nobody does; those that have waited longest first, but no
-- more than so many of one business, whose provider may be slow.
create or replace function money_due(p_limit integer, p_of_one integer)
returns table (business_id uuid, id uuid, is_refund boolean)
language sql stable security definer set search_path = public, pg_temp as $$
    with due as (
        (select p.business_id, p.id, false as is_refund, p.next_attempt_at from payments p
          where p.next_attempt_at <= statement_timestamp() and p.account_id is not null
            and (p.leased_until is null or p.leased_until <= statement_timestamp())
          order by p.next_attempt_at limit 1000)
        union all
        (select r.business_id, r.id, true, r.next_attempt_at from refunds r
          where r.next_attempt_at <= statement_timestamp()
            and (r.leased_until is null or r.leased_until <= statement_timestamp())
          order by r.next_attempt_at limit 1000)
    ), numbered as (
        select d.*, row_number() over (partition by d.business_id order by d.next_attempt_at, d.id) as place from due d
    )
    select n.business_id, n.id, n.is_refund from numbered n
     where n.place <= p_of_one order by n.next_attempt_at, n.id limit p_limit
$$;

do $$
begin
    alter function money_due(integer, integer) owner to holdfast_admission;
    revoke all on function money_due(integer, integer) from public;
    grant execute on function money_due(integer, integer) to holdfast_app;
end $$;
