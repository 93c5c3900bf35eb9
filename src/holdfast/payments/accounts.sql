-- Statements of accounts at payment providers.

-- name: active_account
select id, provider, account, is_test, secret, webhook_secrets, publishable_key, api_url, active
  from payment_accounts where business_id = %(business_id)s and active;

-- name: find_account
select id, provider, account, is_test, secret, webhook_secrets, publishable_key, api_url, active
  from payment_accounts where business_id = %(business_id)s and id = %(id)s;
