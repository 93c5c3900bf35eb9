-- What must be true of series, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: series_have_bookings
-- Invariant 2: a series is made together with its bookings, and none of them leaves it.
select s.business_id, array[s.id::text] as ids, concat('series ', s.id, ' has no booking') as problem
  from booking_series s
 where not exists (select from series_bookings o where o.business_id = s.business_id and o.series_id = s.id);

-- name: series_are_numbered_densely
-- Invariant 2: the positions of a series are 1, 2, 3 and so on, each once.
select o.business_id, array[o.series_id::text] as ids,
       concat('series ', o.series_id, ' has ', count(*), ' bookings at ', count(distinct o.position),
              ' positions from ', min(o.position), ' to ', max(o.position)) as problem
  from series_bookings o
 group by o.business_id, o.series_id
having min(o.position) <> 1 or max(o.position) <> count(*) or count(distinct o.position) <> count(*);

-- name: bookings_are_in_one_series
-- Invariant 2: no booking is part of two series, or twice of one. The ids are the booking and the series.
select o.business_id, array[o.booking_id::text] || array_agg(o.series_id::text order by o.series_id) as ids,
       concat('booking ', o.booking_id, ' is ', count(*), ' times in a series') as problem
  from series_bookings o
 group by o.business_id, o.booking_id
having count(*) > 1;

-- name: series_refer_to_their_own_business
-- Invariant 9: the series and the booking that a position names exist in its own business. The ids are the series with
-- the position, and what it refers to.
select o.business_id, array[concat(o.series_id, '/', o.position), o.series_id::text] as ids,
       concat('position ', o.position, ' of series ', o.series_id, ' is of no series of this business') as problem
  from series_bookings o
  left join booking_series s on s.business_id = o.business_id and s.id = o.series_id
 where s.id is null
union all
select o.business_id, array[concat(o.series_id, '/', o.position), o.booking_id::text],
       concat('position ', o.position, ' of series ', o.series_id, ' refers to booking ', o.booking_id,
              ', which does not exist in this business')
  from series_bookings o
  left join bookings b on b.business_id = o.business_id and b.id = o.booking_id
 where b.id is null;
