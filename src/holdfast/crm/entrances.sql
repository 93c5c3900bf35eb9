-- What the worker asks of all tenants at once. The function runs as holdfast_admission and is replaced as a whole by
-- each `holdfast migrate`.

-- The events that leads are made of, in the order of their time, but for those that are on a timeline already.
create or replace function facts_for_leads(
    p_since timestamptz, p_after_at timestamptz, p_after_id uuid, p_limit integer
) returns table (business_id uuid, id uuid, aggregate_id uuid, type text, occurred_at timestamptz)
language sql stable security definer set search_path = public, pg_temp as $$
    select e.business_id, e.id, e.aggregate_id, e.type, e.occurred_at
      from outbox_events e
     where e.type in ('AppointmentConfirmed', 'QuestionSubmitted')
       and e.occurred_at >= p_since
       and (p_after_at is null or (e.occurred_at, e.id) > (p_after_at, p_after_id))
       and not exists (select from lead_timeline_events t
                        where t.business_id = e.business_id and t.source_event = e.id)
     order by e.occurred_at, e.id
     limit p_limit
$$;

alter function facts_for_leads owner to holdfast_admission;
revoke all on function facts_for_leads from public;
grant execute on function facts_for_leads to holdfast_app;
