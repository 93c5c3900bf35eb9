-- The referee of money: what has to be paid beforehand is confirmed by a payment only, whatever code or console writes.
-- depends: 0602_taking_payments, 0322_prepaid_bookings_checked

create function guard_paid_booking() returns trigger
language plpgsql as $$
begin
    if not exists (select from payments p
                    where p.business_id = new.business_id and p.booking_id = new.id and p.pays
                      and p.amount_minor = new.due_minor and p.currency = new.currency) then
        raise exception 'booking % is not paid', new.id
            using errcode = 'check_violation', constraint = 'bookings_paid';
    end if;
    return new;
end $$;
create trigger guard_paid before insert or update on bookings
    for each row when (new.due_minor is not null and new.state = 'confirmed') execute function guard_paid_booking();
