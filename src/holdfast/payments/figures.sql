-- What monitors ask of the payments of all tenants. The function runs as holdfast_admission and is replaced as a whole by
-- each `holdfast migrate`.

-- Each row is one value of a figure, by provider, and by state where it has one. Only what is open is counted, which an index
-- knows: what is done grows for ever.
create or replace function payment_figures() returns table (figure text, provider text, state text, value float8)
language sql stable security definer set search_path = public, pg_temp as $$
    with open_payments as (
        select p.provider, p.state, p.created_at from payments p where p.state in ('created', 'pending', 'authorized')
    ), due as (
        select p.provider, p.next_attempt_at from payments p where p.next_attempt_at <= statement_timestamp()
        union all
        select p.provider, r.next_attempt_at
          from refunds r
          join payments p on p.business_id = r.business_id and p.id = r.payment_id
         where r.next_attempt_at <= statement_timestamp()
    ), refused as (
        select p.provider
          from attention_items i
          join payments p on p.business_id = i.business_id and p.id = i.subject_id
         where i.kind = 'refund_refused' and i.resolved_at is null
    ), unprocessed as (
        select e.provider, e.received_at from webhook_events e where e.processed_at is null
    ), compared as (
        select a.provider, coalesce(r.finished_at, a.created_at) as seen_at, coalesce(r.mended, 0) as mended
          from payment_accounts a
          left join payment_reconciliations r on r.business_id = a.business_id and r.account_id = a.id
         where a.active
    ), providers as (
        select distinct a.provider from payment_accounts a
    )
    select 'open', o.provider, o.state, count(*)::float8 from open_payments o group by o.provider, o.state
    union all
    select 'oldest_open_seconds', v.provider, null,
           coalesce(extract(epoch from statement_timestamp() - min(o.created_at)), 0)::float8
      from providers v left join open_payments o on o.provider = v.provider group by v.provider
    union all
    select 'oldest_due_seconds', v.provider, null,
           coalesce(extract(epoch from statement_timestamp() - min(d.next_attempt_at)), 0)::float8
      from providers v left join due d on d.provider = v.provider group by v.provider
    union all
    select 'refunds_refused', v.provider, null, count(r.provider)::float8
      from providers v left join refused r on r.provider = v.provider group by v.provider
    union all
    select 'events_unprocessed', v.provider, null, count(e.provider)::float8
      from providers v left join unprocessed e on e.provider = v.provider group by v.provider
    union all
    select 'oldest_event_seconds', v.provider, null,
           coalesce(extract(epoch from statement_timestamp() - min(e.received_at)), 0)::float8
      from providers v left join unprocessed e on e.provider = v.provider group by v.provider
    union all
    select 'reconciliation_age_seconds', c.provider, null,
           extract(epoch from statement_timestamp() - min(c.seen_at))::float8
      from compared c group by c.provider
    union all
    select 'mended', c.provider, null, sum(c.mended)::float8 from compared c group by c.provider
$$;

alter function payment_figures owner to holdfast_admission;
revoke all on function payment_figures from public;
grant execute on function payment_figures to holdfast_app;
