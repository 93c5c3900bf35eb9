-- What has gone back may come back: the bank of a client can send a refund back weeks after it has succeeded.
-- depends: 0604_settling

create or replace function guard_payment_change() returns trigger
language plpgsql as $$
begin
    if new.state <> old.state and not payment_may_become(old.state, new.state) then
        raise exception 'payment % cannot go from % to %', old.id, old.state, new.state
            using errcode = 'check_violation', constraint = 'payments_transition';
    end if;
    if new.amount_minor <> old.amount_minor or new.currency <> old.currency or new.booking_id <> old.booking_id
       or new.captured_minor < old.captured_minor
       -- It grows less only by a refund that was refused after all.
       or new.refunded_minor < old.refunded_minor
          and new.refunded_minor <> (select coalesce(sum(r.amount_minor), 0) from refunds r
                                      where r.business_id = new.business_id and r.payment_id = new.id
                                        and r.state = 'succeeded') then
        raise exception 'money of payment % is taken back in the books', old.id
            using errcode = 'check_violation', constraint = 'payments_money_stays';
    end if;
    return new;
end $$;
