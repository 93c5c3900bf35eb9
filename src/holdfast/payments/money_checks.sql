-- What must be true of money, computed anew from payments, refunds and bookings (B-25, P-9).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: what_has_to_be_paid_is_paid
-- Invariant 5: a booking that has to be paid beforehand takes place by one payment only, which was captured in full and in
-- its currency. The ids are the booking and what pays it.
select b.business_id, array[b.id::text] || coalesce(p.ids, '{}') as ids,
       concat('booking ', b.id, ' is ', b.state, ', has to be paid with ', b.due_minor, ' ', b.currency, ', and is paid with ',
              coalesce(p.what, 'nothing')) as problem
  from bookings b
  left join (select p.business_id, p.booking_id, array_agg(p.id::text order by p.id) as ids,
                    string_agg(concat(p.captured_minor, ' of ', p.amount_minor, ' ', p.currency), ', ' order by p.id) as what,
                    count(*) as payments, min(p.amount_minor) as amount_minor, min(p.currency) as currency,
                    bool_and(p.state = 'succeeded' and p.captured_minor = p.amount_minor
                             and p.mismatch is null) as in_full
               from payments p where p.pays group by p.business_id, p.booking_id) p
    on p.business_id = b.business_id and p.booking_id = b.id
 where b.state in ('confirmed', 'completed', 'no_show') and b.due_minor is not null
   and (p.payments = 1 and p.in_full and p.amount_minor = b.due_minor and p.currency = b.currency) is not true;

-- name: bookings_are_paid_once
-- Invariant 5: at most one payment pays a booking, and it pays one that has to be paid and was confirmed by it. The ids are
-- the booking and what pays it.
select p.business_id, array[p.booking_id::text] || array_agg(p.id::text order by p.id) as ids,
       concat('booking ', p.booking_id, ' is ', coalesce(b.state, 'not there'),
              case when b.due_minor is null then ', need not be paid' end, ', and is paid by ', count(*),
              ' payments') as problem
  from payments p
  left join bookings b on b.business_id = p.business_id and b.id = p.booking_id
 where p.pays
 group by p.business_id, p.booking_id, b.state, b.due_minor
having count(*) > 1 or b.due_minor is null
    or b.state not in ('confirmed', 'completed', 'no_show', 'cancelled', 'refunded');

-- name: amounts_are_possible
-- Invariant 5: money is taken by what has succeeded and by nothing else, and no more than was asked for; what is kept of it
-- as a fee and what was given back of it is no more than was taken. The id is the payment.
select p.business_id, array[p.id::text] as ids,
       concat('payment ', p.id, ' of ', p.amount_minor, ' ', p.currency, ' is ', p.state, ', captured ', p.captured_minor,
              ', gave back ', p.refunded_minor, ' and kept ', p.fee_minor, ' as a fee') as problem
  from payments p
 where (p.captured_minor > 0) <> (p.state = 'succeeded') or p.captured_minor < 0
    or (p.captured_minor > p.amount_minor and p.mismatch is null)
    or p.refunded_minor < 0 or p.fee_minor < 0 or p.refunded_minor + p.fee_minor > p.captured_minor;

-- name: what_went_back_is_counted
-- Invariant 5: of a payment as much was given back as its refunds come to that have succeeded. The id is the payment.
select p.business_id, array[p.id::text] as ids,
       concat('payment ', p.id, ' gave back ', p.refunded_minor, ' ', p.currency, ', and its refunds come to ',
              coalesce(r.minor, 0)) as problem
  from payments p
  left join (select r.business_id, r.payment_id, sum(r.amount_minor) as minor from refunds r
              where r.state = 'succeeded' group by r.business_id, r.payment_id) r
    on r.business_id = p.business_id and r.payment_id = p.id
 where p.refunded_minor <> coalesce(r.minor, 0);

-- name: money_is_where_it_belongs
-- Invariant 5: captured less refunds is the price of a booking that takes place, but for what was given back of goodwill; the
-- fee, of one that does not; and nothing, where the payment pays no booking. Else it is open, or staff have to see to it, or
-- have said that they have. The ids are the payment and its booking.
with refunded as (
    select r.business_id, r.payment_id, sum(r.amount_minor) as minor,
           coalesce(sum(r.amount_minor) filter (where r.cause <> 'goodwill'), 0) as not_of_goodwill
      from refunds r where r.state <> 'refused' group by r.business_id, r.payment_id
), placed as (
    select p.business_id, p.id, p.booking_id, coalesce(p.captured_currency, p.currency) as currency, p.captured_minor,
           p.fee_minor, p.pays, b.state,
           coalesce(r.minor, 0) as back_minor, coalesce(r.not_of_goodwill, 0) as not_of_goodwill,
           p.captured_minor - coalesce(r.minor, 0) as kept_minor,
           p.pays and b.state in ('confirmed', 'completed', 'no_show') as takes_place
      from payments p
      join bookings b on b.business_id = p.business_id and b.id = p.booking_id
      left join refunded r on r.business_id = p.business_id and r.payment_id = p.id
     where p.captured_minor > 0 and p.next_attempt_at is null
)
select l.business_id, array[l.id::text, l.booking_id::text] as ids,
       concat('payment ', l.id, ' ', case when l.pays then 'pays' else 'does not pay' end, ' booking ', l.booking_id,
              ', which is ', l.state, '; it captured ', l.captured_minor, ' ', l.currency, ', gives back ', l.back_minor,
              ' and keeps ', l.fee_minor, ' as a fee') as problem
  from placed l
 where case when l.takes_place then l.not_of_goodwill <> 0 or l.fee_minor <> 0
            when l.pays then l.kept_minor <> l.fee_minor
            else l.kept_minor <> 0 end
   and not exists (select from attention_items i
                    where i.business_id = l.business_id and i.subject_id = l.id
                      and i.kind in ('refund_refused', 'payment_mismatch')
                      and (i.resolved_at is null or i.resolved_by is not null));

-- name: what_is_open_is_looked_at
-- Invariant 5: a payment or a refund that may still come to something is asked for again, and an event that was not
-- processed is tried again, or staff have to see to it. The id is the payment, the refund or the event.
select o.business_id, array[o.id::text] as ids, concat(o.what, ' ', o.id, ' is ', o.state, ', and nobody looks at it') as problem
  from (select p.business_id, p.id, 'payment' as what, p.state from payments p
         where (p.state in ('created', 'pending', 'authorized') or p.wanted is not null) and p.next_attempt_at is null
        union all
        select r.business_id, r.id, 'refund', r.state from refunds r
         where r.state in ('created', 'pending') and r.next_attempt_at is null
        union all
        select e.business_id, e.id, 'event', 'not processed' from webhook_events e
         where e.processed_at is null and e.next_attempt_at is null) o
 where not exists (select from attention_items i
                    where i.business_id = o.business_id and i.subject_id = o.id and i.resolved_at is null
                      and i.kind in ('payment_refused', 'payment_event_unprocessed'));
