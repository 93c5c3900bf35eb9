-- Statements of intake forms.

-- name: intake_id
select id from intake_forms where business_id = %(business_id)s and booking_id = %(booking_id)s;

-- name: put_intake
insert into intake_forms (business_id, id, booking_id, answers)
values (%(business_id)s, %(id)s, %(booking_id)s, %(answers)s)
on conflict (business_id, booking_id) do update set answers = excluded.answers, submitted_at = clock_timestamp()
returning submitted_at;

-- name: lock_intake
select id, submitted_at, answers from intake_forms
 where business_id = %(business_id)s and booking_id = %(booking_id)s for no key update;
