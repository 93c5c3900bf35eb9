-- Statements of payments.

-- name: add_payment
insert into payments (business_id, id, booking_id, attempt, provider, account, is_test, provider_key,
                      provider_payment_id, state, amount_minor, currency)
select %(business_id)s, %(id)s, %(booking_id)s,
       1 + coalesce((select max(p.attempt) from payments p
                      where p.business_id = %(business_id)s and p.booking_id = %(booking_id)s), 0),
       %(provider)s, %(account)s, %(is_test)s, %(provider_key)s, %(provider_payment_id)s::text,
       case when %(provider_payment_id)s::text is null then 'created' else 'pending' end,
       %(amount_minor)s::bigint, %(currency)s;

-- name: add_webhook_event
insert into webhook_events (business_id, id, provider, event_id, type, object_id, body)
values (%(business_id)s, %(id)s, %(provider)s, %(event_id)s, %(type)s, %(object_id)s, %(body)s);

-- name: payment_figures
select figure, provider, state, value from payment_figures();
