-- Money that came otherwise than it was asked for is in the books as it came, and a booking that ends calls its payments.
-- depends: 0603_paid_bookings

-- Until this release nothing writes these tables: no constraint below meets a row.
alter table payments
    -- In which currency it was captured, if not in that of the payment.
    add column captured_currency text,
    -- The state of the booking for which it was decided how much goes back: once for each.
    add column settled_for text;
-- What is captured beyond what was asked for is a mismatch; until it has gone back, the books say how much there is.
-- squawk-ignore ban-drop-constraint
alter table payments drop constraint payments_captured_bounded;
alter table payments
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_captured_bounded
        check (captured_minor >= 0 and (captured_minor <= amount_minor or mismatch is not null)),
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_captured_currency
        check (captured_currency is null or (mismatch is not null and captured_currency ~ '^[A-Z]{3}$')),
    -- squawk-ignore constraint-missing-not-valid
    add constraint payments_settled_for_known check (settled_for in ('cancelled', 'refunded'));

-- Whoever ends a booking, and by whatever statement, in the same transaction somebody has to look at its payments: looking
-- for those that disagree would mean going through all that were ever cancelled.
create function call_payments() returns trigger
language plpgsql as $$
begin
    update payments p set next_attempt_at = least(p.next_attempt_at, clock_timestamp())
     where p.business_id = new.business_id and p.booking_id = new.id and p.state not in ('cancelled', 'failed')
       and p.account_id is not null;
    return null;
end $$;
create trigger call_payments after update of state on bookings
    for each row when (new.due_minor is not null and new.state <> old.state
                       and new.state in ('cancelled', 'refunded', 'expired', 'released'))
    execute function call_payments();

-- Holds and unpaid bookings are ended by functions that run as this role.
grant update (next_attempt_at) on payments to holdfast_admission;
