-- Statements about accounts at payment providers.

-- name: accounts
select id, provider, account, is_test, secret, webhook_secrets, publishable_key, api_url, active
  from payment_accounts
 where business_id = %(business_id)s and (%(id)s::uuid is null or id = %(id)s::uuid)
   and (%(provider)s::text is null or provider = %(provider)s::text)
 order by active desc, created_at desc, id desc;

-- name: add_account
insert into payment_accounts (business_id, id, provider, account, is_test, secret, webhook_secrets, publishable_key, api_url)
values (%(business_id)s, %(id)s, %(provider)s, %(account)s, %(is_test)s, %(secret)s, %(webhook_secrets)s::bytea,
        %(publishable_key)s::text, %(api_url)s::text);

-- name: change_account
update payment_accounts
   set secret = %(secret)s, webhook_secrets = %(webhook_secrets)s::bytea, publishable_key = %(publishable_key)s::text,
       api_url = %(api_url)s::text, active = true, changed_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s;

-- name: deactivate_account
update payment_accounts set active = false, changed_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s;

-- name: overview
select a.id, a.provider, a.account, a.is_test, a.active, a.publishable_key, a.api_url, a.created_at, a.changed_at,
       exists (select from attention_items i
                where i.business_id = a.business_id and i.subject_id = a.id and i.kind = %(unauthorized)s
                  and i.resolved_at is null) as unauthorized,
       -- Their ids are in the order of time, in which the key finds them.
       (select e.received_at from webhook_events e
         where e.business_id = a.business_id and e.provider = a.provider
         order by e.id desc limit 1) as last_webhook_at,
       r.finished_at as last_reconciled_at, r.error_code,
       (select count(*) from payments p
         where p.business_id = a.business_id and p.account_id = a.id and p.next_attempt_at is not null)
       + (select count(*) from refunds f
            join payments p on p.business_id = f.business_id and p.id = f.payment_id
           where f.business_id = a.business_id and p.account_id = a.id and f.next_attempt_at is not null
       ) as open_payments
  from payment_accounts a
  left join payment_reconciliations r on r.business_id = a.business_id and r.account_id = a.id
 where a.business_id = %(business_id)s
 order by a.active desc, a.created_at desc, a.id desc;

-- name: ask_again
-- What has waited for an account that was not let in. What somebody is at already goes on by itself.
update payments p
   set next_attempt_at = clock_timestamp()
 where p.business_id = %(business_id)s
   and p.id in (select o.id from payments o
                 where o.business_id = %(business_id)s and o.account_id = %(id)s
                   and o.next_attempt_at > clock_timestamp()
                   for no key update skip locked);

-- name: refund_again
update refunds f
   set next_attempt_at = clock_timestamp()
 where f.business_id = %(business_id)s
   and f.id in (select o.id from refunds o
                  join payments p on p.business_id = o.business_id and p.id = o.payment_id
                 where o.business_id = %(business_id)s and p.account_id = %(id)s
                   and o.next_attempt_at > clock_timestamp()
                   for no key update of o skip locked);

-- name: compare_again
update payment_reconciliations
   set next_at = clock_timestamp()
 where business_id = %(business_id)s and account_id = %(id)s and next_at > clock_timestamp();
