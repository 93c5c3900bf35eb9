-- Bookings are history: the servers end them and never delete them, and nobody empties their table, which would leave
-- the counters of schedules with places that nobody has.
-- depends: 0303_booking

revoke delete on bookings from holdfast_app, holdfast_admission;

create function refuse_truncation() returns trigger
language plpgsql as $$
begin
    raise exception 'table % is not truncated: counters follow its rows; delete them instead', tg_table_name
        using errcode = 'check_violation', constraint = tg_table_name || '_not_truncated';
end $$;
create trigger refuse_truncation before truncate on bookings
    for each statement execute function refuse_truncation();
create trigger refuse_truncation before truncate on claims
    for each statement execute function refuse_truncation();
