-- Statements about events that lie over bookings.

-- name: bookings_under
select * from bookings_under(
    %(business_id)s::uuid, %(resource_id)s::uuid, %(keys)s::bytea[], %(starts)s::timestamptz[], %(ends)s::timestamptz[]);

-- name: open_overlap
select id from calendar_conflicts
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s and booking_id = %(booking_id)s
   and event_key = %(event_key)s and state = 'open';

-- name: add_overlap
insert into calendar_conflicts (
    business_id, id, calendar_id, booking_id, kind, booking_version, remote_starts_at, remote_ends_at, event_key, item_id)
values (%(business_id)s, %(id)s, %(calendar_id)s, %(booking_id)s, 'overlap', %(version)s, %(starts_at)s, %(ends_at)s,
        %(event_key)s, %(item_id)s);

-- name: move_overlap
update calendar_conflicts set remote_starts_at = %(starts_at)s, remote_ends_at = %(ends_at)s
 where business_id = %(business_id)s and id = %(id)s
   and (remote_starts_at, remote_ends_at) is distinct from (%(starts_at)s::timestamptz, %(ends_at)s::timestamptz);

-- name: end_overlaps
-- Those whose event does not lie over the booking any more, or whose booking does not take place.
update calendar_conflicts o
   set state = 'superseded', decided_at = clock_timestamp()
 where o.business_id = %(business_id)s and o.calendar_id = %(calendar_id)s and o.kind = 'overlap' and o.state = 'open'
   and not exists (
           select from bookings b
             join claims c on c.business_id = b.business_id and c.booking_id = b.id
             join calendar_busy_intervals i on i.business_id = b.business_id and i.calendar_id = o.calendar_id
                                           and i.event_key = o.event_key and i.resource_id = c.resource_id
            where b.business_id = o.business_id and b.id = o.booking_id and b.state in ('held', 'confirmed')
              and lower(c.during) < upper(i.during) and lower(i.during) < upper(c.during))
returning booking_id;

-- name: still_overlapped
select exists (select from calendar_conflicts
                where business_id = %(business_id)s and booking_id = %(booking_id)s and kind = 'overlap'
                  and state = 'open');
