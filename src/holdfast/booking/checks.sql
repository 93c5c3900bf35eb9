-- What must be true of bookings and of the places that they take, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.
--
-- Nothing here leans on what a damaged database may have lost: states are written out instead of asking functions,
-- GROUP BY names every column instead of trusting a primary key, and no range is built from columns, because the ends
-- of a damaged row would make that raise. Overlaps are found by one sweep in order of time, never by joining claims
-- with claims.
--
-- The clock is statement_timestamp(): it is later than the snapshot, so a hold that ran out or a booking that ended
-- in between is judged leniently.

-- name: bookings_are_well_formed
-- Invariant 2: what every other check presumes of a booking's row.
select business_id, array[id::text] as ids, concat('booking ', id, ': ', array_to_string(problems, '; ')) as problem
  from (select b.business_id, b.id, array_remove(array[
               case when num_nonnulls(b.service_id, b.schedule_id) <> 1
                    then concat('it names ', num_nonnulls(b.service_id, b.schedule_id),
                                ' offerings instead of one service or one schedule') end,
               case when (b.state in ('held', 'pending_payment', 'confirmed', 'completed', 'no_show', 'cancelled',
                                      'refunded', 'expired', 'released')) is not true
                    then concat('its state "', b.state, '" is unknown') end,
               case when (b.party_size > 0) is not true then concat('its party size is ', b.party_size) end,
               case when (b.version > 0) is not true then concat('its version is ', b.version) end,
               case when (b.starts_at < b.ends_at and isfinite(b.starts_at) and isfinite(b.ends_at)) is not true
                    then concat('it runs from ', b.starts_at, ' to ', b.ends_at) end,
               case when b.state in ('held', 'pending_payment') and isfinite(b.expires_at) is not true
                    then concat('it is ', b.state, ' without end (', coalesce(b.expires_at::text, 'null'), ')') end,
               case when b.state = 'pending_payment' and (b.due_minor > 0 and b.refund_terms is not null) is not true
                    then concat('it awaits a payment of ', coalesce(b.due_minor::text, 'nothing')) end
           ], null) as problems
          from bookings b) judged
 where cardinality(problems) > 0;

-- name: bookings_have_one_row
-- Invariant 2: one row from hold to outcome.
select b.business_id, array[b.id::text] as ids, concat('booking ', b.id, ' has ', count(*), ' rows') as problem
  from bookings b
 group by b.business_id, b.id
having count(*) > 1;

-- name: resources_are_not_oversold
-- Invariant 1: at no instant do live claims take more places of a resource than its capacity. A row is one stretch
-- of time; the ids are the resource and the owners of the claims in that stretch.
with live as (
    select c.business_id, c.resource_id, coalesce(c.schedule_id, c.block_id) as owner_id,
           coalesce(lower(c.during), '-infinity') as begins, coalesce(upper(c.during), 'infinity') as ends
      from claims c
     where c.booking_id is null and not isempty(c.during)
    union all
    select c.business_id, c.resource_id, c.booking_id,
           coalesce(lower(c.during), '-infinity'), coalesce(upper(c.during), 'infinity')
      from claims c
     where not isempty(c.during)
       and exists (select from bookings b
                    where b.business_id = c.business_id and b.id = c.booking_id
                      and (b.state in ('pending_payment', 'confirmed', 'completed', 'no_show')
                           or b.state = 'held' and (b.expires_at <= statement_timestamp()) is not true))
), moments as (
    select l.business_id, l.resource_id, edge.at,
           sum(sum(edge.change)) over of_resource as places, lead(edge.at) over of_resource as until
      from live l, lateral (values (l.begins, 1), (l.ends, -1)) edge (at, change)
     group by l.business_id, l.resource_id, edge.at
    window of_resource as (partition by l.business_id, l.resource_id order by edge.at)
), stretches as (
    select m.*, r.capacity,
           count(*) filter (where m.places <= r.capacity)
               over (partition by m.business_id, m.resource_id order by m.at) as stretch
      from moments m
      join resources r on r.business_id = m.business_id and r.id = m.resource_id
), overfull as (
    select business_id, resource_id, capacity, min(at) as begins, max(until) as ends, max(places) as peak
      from stretches
     where places > capacity
     group by business_id, resource_id, capacity, stretch
)
select o.business_id, array[o.resource_id::text] || array_agg(distinct l.owner_id::text) as ids,
       concat('resource ', o.resource_id, ' has a capacity of ', o.capacity, ', and ', o.peak,
              ' places are taken at once between ', o.begins, ' and ', o.ends) as problem
  from overfull o
  join live l on l.business_id = o.business_id and l.resource_id = o.resource_id
             and l.begins < o.ends and l.ends > o.begins
 group by o.business_id, o.resource_id, o.capacity, o.peak, o.begins, o.ends;

-- name: seats_are_taken_once
-- Invariant 1: live claims of one seat do not overlap. A row is one run of claims that overlap each other; the ids
-- are the resource and the owners of those claims.
with live as (
    select c.business_id, c.resource_id, c.seat, coalesce(c.schedule_id, c.block_id) as owner_id,
           coalesce(lower(c.during), '-infinity') as begins, coalesce(upper(c.during), 'infinity') as ends
      from claims c
     where c.booking_id is null and not isempty(c.during)
    union all
    select c.business_id, c.resource_id, c.seat, c.booking_id,
           coalesce(lower(c.during), '-infinity'), coalesce(upper(c.during), 'infinity')
      from claims c
     where not isempty(c.during)
       and exists (select from bookings b
                    where b.business_id = c.business_id and b.id = c.booking_id
                      and (b.state in ('pending_payment', 'confirmed', 'completed', 'no_show')
                           or b.state = 'held' and (b.expires_at <= statement_timestamp()) is not true))
), marked as (
    select l.*, case when l.begins < max(l.ends) over (
                              partition by l.business_id, l.resource_id, l.seat order by l.begins, l.ends
                              rows between unbounded preceding and 1 preceding)
                     then 0 else 1 end as begins_a_run
      from live l
), runs as (
    select m.*, sum(m.begins_a_run) over (
                    partition by m.business_id, m.resource_id, m.seat order by m.begins, m.ends
                    rows unbounded preceding) as run
      from marked m
)
select business_id, array[resource_id::text] || array_agg(distinct owner_id::text) as ids,
       concat('seat ', seat, ' of resource ', resource_id, ' has ', count(*), ' overlapping claims between ',
              min(begins), ' and ', max(ends)) as problem
  from runs
 group by business_id, resource_id, seat, run
having count(*) > 1;

-- name: claims_name_a_seat_that_exists
-- Invariant 1: a claim's seat is one of its resource's places, and the capacity that it carries is the resource's.
-- The ids are the resource, the claim's owner and the claim.
select c.business_id,
       array_remove(array[c.resource_id::text, coalesce(c.booking_id, c.schedule_id, c.block_id)::text, c.id::text],
                    null) as ids,
       concat('claim ', c.id, ' takes seat ', c.seat, ' of ', c.capacity, ', but resource ', c.resource_id,
              ' has a capacity of ', r.capacity) as problem
  from claims c
  join resources r on r.business_id = c.business_id and r.id = c.resource_id
 where (c.seat between 1 and r.capacity and c.capacity = r.capacity) is not true;

-- name: claims_are_bounded
-- Invariant 1: a claim's range is not empty, has two finite ends and is half open. The ids are the resource, the
-- claim's owner and the claim.
select c.business_id,
       array_remove(array[c.resource_id::text, coalesce(c.booking_id, c.schedule_id, c.block_id)::text, c.id::text],
                    null) as ids,
       concat('claim ', c.id, ' of resource ', c.resource_id, ' takes the time ', coalesce(c.during::text, 'null'),
              ', which is not a bounded, half open range') as problem
  from claims c
 where (not isempty(c.during) and lower_inc(c.during) and not upper_inc(c.during)
        and coalesce(isfinite(lower(c.during)) and isfinite(upper(c.during)), false)) is not true;

-- name: schedule_counters_equal_their_bookings
-- Invariant 1: a schedule's counter is the sum of the party sizes of its bookings. Holds that ran out count until
-- they are swept: their state is still held.
select s.business_id, array[s.id::text] as ids,
       concat('schedule ', s.id, ' counts ', s.taken, ' places taken, but its bookings take ',
              coalesce(counted.places, 0)) as problem
  from program_schedules s
  left join (select b.business_id, b.schedule_id, sum(b.party_size) as places
               from bookings b
              where b.schedule_id is not null
                and b.state in ('held', 'pending_payment', 'confirmed', 'completed', 'no_show')
              group by b.business_id, b.schedule_id) counted
         on counted.business_id = s.business_id and counted.schedule_id = s.id
 where s.taken is distinct from coalesce(counted.places, 0);

-- name: schedules_are_not_oversold
-- Invariant 1: neither the bookings of a schedule nor its counter exceed max_capacity, and the counter is not
-- negative.
select s.business_id, array[s.id::text] as ids,
       concat('schedule ', s.id, ' has ', s.max_capacity, ' places, its bookings take ', coalesce(counted.places, 0),
              ' and its counter says ', s.taken) as problem
  from program_schedules s
  left join (select b.business_id, b.schedule_id, sum(b.party_size) as places
               from bookings b
              where b.schedule_id is not null
                and b.state in ('held', 'pending_payment', 'confirmed', 'completed', 'no_show')
              group by b.business_id, b.schedule_id) counted
         on counted.business_id = s.business_id and counted.schedule_id = s.id
 where (s.taken between 0 and s.max_capacity and coalesce(counted.places, 0) <= s.max_capacity) is not true;

-- name: live_bookings_have_their_claims
-- Invariant 2: a live booking of a service has its claims: a resource that is not a pool; one place of each, or as
-- many as its party where a resource has several; all for one range that covers the appointment. The service may
-- have been changed since, so its requirements and buffers do not tell what a booking took; and a resource may have
-- had one place then and several now. Lowering a capacity deletes claims of the past, so of what has ended only too
-- many places are wrong.
with taken as (
    select c.business_id, c.booking_id, c.resource_id, count(*) as places,
           min(coalesce(lower(c.during), '-infinity')) as first_begin,
           max(coalesce(lower(c.during), '-infinity')) as last_begin,
           min(coalesce(upper(c.during), 'infinity')) as first_end,
           max(coalesce(upper(c.during), 'infinity')) as last_end
      from claims c
     where c.booking_id is not null and not isempty(c.during)
     group by c.business_id, c.booking_id, c.resource_id
), live as (
    select b.business_id, b.id, b.starts_at, b.ends_at, b.party_size,
           b.ends_at > statement_timestamp() as is_to_come,
           count(t.places) filter (where r.kind is distinct from 'pool') as served_by,
           min(t.first_begin) as first_begin, max(t.last_begin) as last_begin,
           min(t.first_end) as first_end, max(t.last_end) as last_end,
           string_agg(concat(t.places, ' of resource ', t.resource_id), ', ' order by t.resource_id) filter (
               where t.places > case when r.capacity = 1 then 1 else b.party_size end
                  or b.ends_at > statement_timestamp() and t.places not in (1, b.party_size)) as wrong_places
      from bookings b
      left join taken t on t.business_id = b.business_id and t.booking_id = b.id
      left join resources r on r.business_id = t.business_id and r.id = t.resource_id
     where b.service_id is not null
       and (b.state in ('pending_payment', 'confirmed', 'completed', 'no_show')
            or b.state = 'held' and (b.expires_at <= statement_timestamp()) is not true)
     group by b.business_id, b.id, b.starts_at, b.ends_at, b.party_size
)
select business_id, array[id::text] as ids,
       concat('live booking ', id, ' from ', starts_at, ' to ', ends_at, ': ',
              array_to_string(problems, '; ')) as problem
  from (select l.*, array_remove(array[
               case when l.is_to_come and l.served_by = 0 then 'it has no claim of a practitioner or room' end,
               case when l.first_begin <> l.last_begin or l.first_end <> l.last_end
                    then concat('its claims have several ranges, beginning from ', l.first_begin, ' to ',
                                l.last_begin, ' and ending from ', l.first_end, ' to ', l.last_end) end,
               case when l.last_begin > l.starts_at or l.first_end < l.ends_at
                    then concat('its claims from ', l.last_begin, ' to ', l.first_end, ' do not cover it') end,
               case when l.wrong_places is not null
                    then concat('for a party of ', l.party_size, ' it has places ', l.wrong_places) end
           ], null) as problems
          from live l) judged
 where cardinality(problems) > 0;

-- name: dead_bookings_have_no_claims
-- Invariant 2: a booking that was released, expired, cancelled or refunded takes no place.
select b.business_id, array[b.id::text] as ids,
       concat('booking ', b.id, ' is ', b.state, ', but still has ', count(*), ' claims between ',
              min(lower(c.during)), ' and ', max(upper(c.during))) as problem
  from bookings b
  join claims c on c.business_id = b.business_id and c.booking_id = b.id
 where b.state in ('cancelled', 'refunded', 'expired', 'released')
 group by b.business_id, b.id, b.state;

-- name: schedule_bookings_have_no_claims
-- Invariant 2: a place in a schedule is counted there; the schedule itself claims the resources.
select b.business_id, array[b.id::text] as ids,
       concat('booking ', b.id, ' of schedule ', b.schedule_id, ' has ', count(*), ' claims of its own') as problem
  from bookings b
  join claims c on c.business_id = b.business_id and c.booking_id = b.id
 where b.schedule_id is not null and b.state not in ('cancelled', 'refunded', 'expired', 'released')
 group by b.business_id, b.id, b.schedule_id;

-- name: claims_have_one_owner
-- Invariant 2: each claim belongs to one booking, schedule or block, which exists. The ids are the claim and the
-- owners that it names.
with owned as materialized (
    select c.business_id, c.id, owner.kind, owner.id as owner_id
      from claims c,
           lateral (values ('booking', c.booking_id), ('schedule', c.schedule_id), ('block', c.block_id))
               owner (kind, id)
     where owner.id is not null
)
select o.business_id, array[o.id::text, o.owner_id::text] as ids,
       concat('claim ', o.id, ' belongs to ', o.kind, ' ', o.owner_id, ', which does not exist') as problem
  from owned o
 where not exists (select from (select 'booking' as kind, b.id from bookings b
                                union all select 'schedule', s.id from program_schedules s
                                union all select 'block', k.id from blocks k) owner
                    where owner.kind = o.kind and owner.id = o.owner_id)
union all
select c.business_id,
       array_remove(array[c.id::text, c.booking_id::text, c.schedule_id::text, c.block_id::text], null),
       concat('claim ', c.id, ' names ', num_nonnulls(c.booking_id, c.schedule_id, c.block_id), ' owners')
  from claims c
 where num_nonnulls(c.booking_id, c.schedule_id, c.block_id) <> 1;

-- name: blocks_and_schedules_take_whole_resources
-- Invariant 2: a block to come takes every place of its resource for its whole time, and so does a schedule with
-- each resource that it claims. The ids are the block or schedule and the resource.
with owners as (
    select k.business_id, k.id, 'block' as kind, k.resource_id, lower(k.during) as begins, upper(k.during) as ends
      from blocks k
    union all
    select s.business_id, s.id, 'schedule', null, s.starts_at, s.ends_at from program_schedules s
), taken as (
    select c.business_id, coalesce(c.schedule_id, c.block_id) as owner_id, c.resource_id, count(*) as places,
           max(lower(c.during)) as last_begin, min(upper(c.during)) as first_end
      from claims c
     where c.booking_id is null and not isempty(c.during)
     group by c.business_id, coalesce(c.schedule_id, c.block_id), c.resource_id
)
select o.business_id, array[o.id::text, coalesce(t.resource_id, o.resource_id)::text] as ids,
       concat(o.kind, ' ', o.id, ' from ', o.begins, ' to ', o.ends, ' takes ', coalesce(t.places, 0), ' of ',
              r.capacity, ' places of resource ', coalesce(t.resource_id, o.resource_id), ', from ', t.last_begin,
              ' to ', t.first_end) as problem
  from owners o
  left join taken t on t.business_id = o.business_id and t.owner_id = o.id
  left join resources r on r.business_id = o.business_id and r.id = coalesce(t.resource_id, o.resource_id)
 where (o.ends > statement_timestamp()) is not false
   and (o.kind = 'block' and t.resource_id is distinct from o.resource_id
        or t.places <> r.capacity or t.last_begin > o.begins or t.first_end < o.ends);

-- name: withdrawn_schedules_are_empty
-- Invariant 2: a schedule that is offered no more has neither live bookings nor claims.
select s.business_id, array[s.id::text] as ids,
       concat('schedule ', s.id, ' was withdrawn by ', s.withdrawn, ', and has ', live.bookings, ' live bookings and ',
              live.claims, ' claims') as problem
  from program_schedules s
 cross join lateral (
        select (select count(*) from bookings b
                 where b.business_id = s.business_id and b.schedule_id = s.id
                   and b.state in ('held', 'pending_payment', 'confirmed', 'completed', 'no_show')) as bookings,
               (select count(*) from claims c
                 where c.business_id = s.business_id and c.schedule_id = s.id) as claims) live
 where s.withdrawn is not null and (live.bookings > 0 or live.claims > 0);

-- name: holds_are_swept
-- Invariant 7: no hold outlives its time by more than the sweep bound. The sweeper runs every minute (B-23); five
-- minutes allow for a restart and a backlog. Measured from the begin of the transaction, hence before the snapshot:
-- a check that runs long does not make holds look old.
select b.business_id, array[b.id::text] as ids,
       concat('hold ', b.id, ' ran out at ', b.expires_at, ' and was not swept by ', now(),
              ': is the worker running?') as problem
  from bookings b
 where b.state = 'held' and b.expires_at < now() - interval '5 minutes';

-- name: unpaid_bookings_are_ended
-- Invariant 7: no booking awaits its payment for longer than its time and the bound of the job that ends it, which runs
-- every ten seconds; five minutes as for holds.
select b.business_id, array[b.id::text] as ids,
       concat('booking ', b.id, ' should have been paid by ', b.expires_at, ' and was not ended by ', now(),
              ': is the worker running?') as problem
  from bookings b
 where b.state = 'pending_payment' and b.expires_at < now() - interval '5 minutes';

-- name: bookings_refer_to_their_own_business
-- Invariant 9: what bookings, blocks, claims and deviations of schedules refer to exists in their own business. The
-- ids are the row that refers (of a claim its id, of a deviation its kind and time) and the row that it refers to.
with referring as (
    select b.business_id, 'booking' as source, b.id::text as id, target.kind, target.id as target_id
      from bookings b,
           lateral (values ('service', b.service_id), ('schedule', b.schedule_id)) target (kind, id)
     where target.id is not null
    union all
    select k.business_id, 'block', k.id::text, 'resource', k.resource_id from blocks k
    union all
    select c.business_id, 'claim', c.id::text, target.kind, target.id
      from claims c,
           lateral (values ('resource', c.resource_id), ('booking', c.booking_id), ('schedule', c.schedule_id),
                           ('block', c.block_id)) target (kind, id)
     where target.id is not null
    union all
    select d.business_id, 'deviation', concat(d.kind, ' ', to_char(d.starts_at at time zone 'UTC', 'YYYY-MM-DD HH24:MI')),
           target.kind, target.id
      from schedule_deviations d,
           lateral (values ('program', d.program_id), ('resource', d.resource_id)) target (kind, id)
     where target.id is not null
), targets as (
    select 'service' as kind, v.business_id, v.id from services v
    union all
    select 'program', p.business_id, p.id from programs p
    union all
    select 'schedule', s.business_id, s.id from program_schedules s
    union all
    select 'resource', r.business_id, r.id from resources r
    union all
    select 'booking', b.business_id, b.id from bookings b
    union all
    select 'block', k.business_id, k.id from blocks k
), strays as materialized (
    select r.* from referring r
     where not exists (select from targets t
                        where t.kind = r.kind and t.business_id = r.business_id and t.id = r.target_id)
)
select s.business_id, array[s.id, s.target_id::text] as ids,
       concat(s.source, ' ', s.id, ' refers to ', s.kind, ' ', s.target_id, ', which ',
              case when t.id is null then 'does not exist'
                   else concat('belongs to business ', t.business_id) end) as problem
  from strays s
  left join targets t on t.kind = s.kind and t.id = s.target_id
 -- That the owner of a claim exists nowhere is what claims_have_one_owner tells.
 where t.id is not null or s.source <> 'claim' or s.kind = 'resource';

-- name: contacts_are_sealed
-- Invariant 8: no contact is left in plain text. After an upgrade the worker seals what an earlier release has left;
-- until it has done so, this tells how much there is to do.
select b.business_id, array[]::text[] as ids,
       concat(count(*), ' bookings have their contact in plain text still: the worker seals them, let it run') as problem
  from bookings b
 where b.contact_plain
 group by b.business_id;

-- name: contacts_are_ciphertext
-- Invariant 8: what is sealed has the form of an envelope, and has an index of the right length to be found by.
select b.business_id, array[b.id::text] as ids,
       concat('booking ', b.id, ' has what is no ciphertext where its contact or its note should be') as problem
  from bookings b
 where (substring(b.contact from 1 for 4) <> '\x68666531' or octet_length(b.contact) < 36
        or substring(b.note from 1 for 4) <> '\x68666531' or octet_length(b.note) < 36
        or octet_length(b.email_index) <> 16 or octet_length(b.phone_index) <> 16
        or not b.contact_plain and num_nonnulls(b.guest_email, b.guest_phone, b.guest_name) > 0);
