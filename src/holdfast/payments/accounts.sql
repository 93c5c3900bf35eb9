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
