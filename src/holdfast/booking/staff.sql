-- What staff do that clients do not. Like admission.sql, this runs as holdfast_admission, is replaced as a whole by
-- each `holdfast migrate`, and keeps to the one order of locks.

-- Makes a confirmed appointment without a reservation (B-14). p_request is an admission_request, of which id, schedule,
-- or service, needs, days, the day, times and price, party, zone, locale, contact and nonce count. Capacity is decided as for
-- everybody: by the same choice, the same seats and the same constraints; only p_ignores_busy looks past what an external
-- calendar blocks. What others pay beforehand staff are paid in another way, so nothing is due. The caller rolls back unless
-- the outcome is booked. Outcomes: booked, refused, full (left), spent, again, stale, unknown_schedule.
-- Its reason was a text once: a former one beside its successor would make every call ambiguous.
drop function if exists book_by_staff(uuid, jsonb, boolean, uuid, text);

create or replace function book_by_staff(
    p_business_id uuid, p_request jsonb, p_ignores_busy boolean, p_actor_id uuid, p_reason_id uuid
) returns jsonb
language plpgsql security definer
set search_path = public, pg_temp set timezone = 'UTC' set lock_timeout = '5s'
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    v_now timestamptz := clock_timestamp();
    q admission_request := jsonb_populate_record(null::admission_request, p_request);
    v_claims tstzrange := tstzrange(q.claims_from, q.claims_to);
    v_schedule program_schedules;
    v_program programs;
    v_chosen uuid[];
    v_outcome text;
begin
    if q.contact is null then
        perform refuse_unsealed(p_business_id);
    end if;
    if q.schedule is null then
        v_chosen := choose_resources(p_business_id, q.needs, q.days, q.starts, v_claims, q.party, v_now,
                                     '[]', null,
                                     case when q.day_from is not null then tstzrange(q.day_from, q.day_to) end,
                                     p_ignores_busy);
    end if;

    select * into v_schedule from program_schedules s
     where s.business_id = p_business_id and s.id = q.schedule for no key update;
    perform from resources r
      where r.business_id = p_business_id and r.id = any (v_chosen)
        and (r.capacity > 1 or r.daily_limit is not null)
      order by r.id for no key update;
    select p.* into v_program from programs p
     where p.business_id = p_business_id and p.id = v_schedule.program_id;

    if q.schedule is not null then
        v_outcome := case
            when v_program.active is not true or v_schedule.withdrawn is not null then 'unknown_schedule'
            when v_schedule.taken + q.party > v_schedule.max_capacity then
                case when exists (select from bookings b where b.business_id = p_business_id
                                     and b.schedule_id = v_schedule.id and b.state in ('held', 'pending_payment')
                                     and b.expires_at <= v_now) then 'spent' else 'full' end end;
        q.starts := v_schedule.starts_at;
        q.ends := v_schedule.ends_at;
    else
        v_outcome := case
            when q.catalog is distinct from
                 (select catalog_version from businesses where id = p_business_id) then 'stale'
            when v_chosen is null then 'refused'
            else take_places(p_business_id, q.id, v_chosen, v_claims, q.party, q.days, v_now) end;
    end if;

    if v_outcome is null then
        insert into bookings (business_id, id, service_id, schedule_id, starts_at, ends_at, party_size, state,
                              held_at, confirmed_at, price_minor, currency, timezone, locale,
                              contact, email_index, phone_index, token_nonce)
        select p_business_id, q.id, q.service, q.schedule, q.starts, q.ends, q.party, 'confirmed',
               v_now, v_now, coalesce(q.price, v_program.price_minor), coalesce(q.currency, owner.currency),
               q.timezone, q.locale, decode(q.contact, 'hex'), decode(q.email_index, 'hex'),
               decode(q.phone_index, 'hex'), decode(q.nonce, 'hex')
          from businesses owner where owner.id = p_business_id;
        perform record_changes(p_business_id, array[q.id], array[decode(q.chain_key, 'hex')], 'book', null, 'staff',
                               p_reason_id, 'AppointmentConfirmed', '{}', p_actor_id);
        v_outcome := 'booked';
    end if;
    return jsonb_build_object('outcome', v_outcome, 'left', v_schedule.max_capacity - v_schedule.taken);
exception when foreign_key_violation then
    -- The capacity of a resource has changed since it was chosen.
    raise exception 'a resource changed while booking % was being made', q.id
        using errcode = 'serialization_failure';
end $$;

alter function book_by_staff(uuid, jsonb, boolean, uuid, uuid) owner to holdfast_admission;
revoke all on function book_by_staff(uuid, jsonb, boolean, uuid, uuid) from public;
grant execute on function book_by_staff(uuid, jsonb, boolean, uuid, uuid) to holdfast_app;
