-- Withdrawals: schedules that are offered no more.

-- name: lock
-- For update, in order of id, as all locks of schedules: nobody books what is about to be withdrawn.
select id from program_schedules
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[]) and withdrawn is null
 order by id for update;

-- name: end_spent_places
-- A hold that has run out keeps no schedule where it is (B-4). It has no claims: the schedule has them.
with spent as materialized (
    select b.id from bookings b
     where b.business_id = %(business_id)s and b.schedule_id = any (%(ids)s::uuid[])
       and b.state = 'held' and b.expires_at <= clock_timestamp()
     order by b.id for update
)
update bookings b set state = 'expired', version = b.version + 1
  from spent where b.business_id = %(business_id)s and b.id = spent.id
   and b.state = 'held' and b.expires_at <= clock_timestamp();

-- name: drop_claims
delete from claims where business_id = %(business_id)s and schedule_id = any (%(ids)s::uuid[]);

-- name: drop_unbooked
delete from program_schedules s
 where s.business_id = %(business_id)s and s.id = any (%(ids)s::uuid[])
   and not exists (select from bookings b where b.business_id = s.business_id and b.schedule_id = s.id);

-- name: withdraw_booked_before
-- Its bookings have ended, yet they refer to it.
update program_schedules set withdrawn = 'rule'
 where business_id = %(business_id)s and id = any (%(ids)s::uuid[]);

-- name: places_taken
select taken from program_schedules where business_id = %(business_id)s and id = %(id)s;

-- name: remove
-- A schedule that is deleted would be made anew by the next layout.
update program_schedules set withdrawn = 'staff' where business_id = %(business_id)s and id = %(id)s;

-- name: restore
update program_schedules set withdrawn = 'rule'
 where business_id = %(business_id)s and id = %(id)s and withdrawn = 'staff';
