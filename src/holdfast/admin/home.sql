-- What the start page asks: few statements, each along an index.

-- name: today
-- How many appointments begin on a day; those that were cancelled, or whose time to pay ran out, do not.
select count(*) filter (where state in ('confirmed', 'completed', 'no_show')) as booked,
       count(*) filter (where state = 'pending_payment') as unpaid
  from bookings
 where business_id = %(business_id)s and state not in ('held', 'expired', 'released')
   and starts_at >= %(from)s and starts_at < %(to)s;

-- name: coming
-- What begins next: a date of a group once, however many come. As many are looked at as a large group has.
select min(next.starts_at) as starts_at, max(next.name) as name, sum(next.party_size)::integer as people,
       next.schedule_id is not null as is_group, (array_agg(next.id order by next.id))[1] as booking_id
  from (select b.id, b.schedule_id, b.starts_at, b.party_size, coalesce(s.name, p.name) as name
          from bookings b
          left join services s on s.business_id = b.business_id and s.id = b.service_id
          left join program_schedules d on d.business_id = b.business_id and d.id = b.schedule_id
          left join programs p on p.business_id = d.business_id and p.id = d.program_id
         where b.business_id = %(business_id)s and b.state not in ('held', 'expired', 'released')
           and b.state in ('confirmed', 'pending_payment') and b.starts_at >= statement_timestamp()
         order by b.starts_at, b.id limit 60) next
 group by next.schedule_id, case when next.schedule_id is null then next.id end
 order by 1, 5 limit 6;

-- name: calendars
-- Which accounts of calendars do not let us in, and which calendars have been silent for too long.
select count(*) as accounts, count(*) filter (where c.state <> 'connected') as broken,
       count(*) filter (where c.state = 'connected' and exists (
           select from calendars k
            where k.business_id = c.business_id and k.connection_id = c.id and k.blocks
              and coalesce(k.last_success_at, c.connected_at)
                  < statement_timestamp() - make_interval(mins => %(minutes)s::integer))) as silent
  from calendar_connections c where c.business_id = %(business_id)s;

-- name: payments
select count(*) filter (where a.active) as accounts,
       count(*) filter (where a.active and exists (
           select from attention_items i
            where i.business_id = a.business_id and i.subject_id = a.id and i.kind = %(kind)s
              and i.resolved_at is null)) as broken
  from payment_accounts a where a.business_id = %(business_id)s;

-- name: steps
-- What a new practice has done already.
select exists (select from services where business_id = %(business_id)s and active)
           or exists (select from programs where business_id = %(business_id)s and active) as offers,
       exists (select from availability_rules where business_id = %(business_id)s)
           or exists (select from resources where business_id = %(business_id)s and always_open and active) as hours,
       exists (select from calendar_connections where business_id = %(business_id)s) as calendar,
       exists (select from payment_accounts where business_id = %(business_id)s and active) as payments,
       exists (select from bookings where business_id = %(business_id)s
                  and state not in ('held', 'expired', 'released')) as booking;
