-- Stripe has one id for an account, in play and in earnest, and a secret for each: they are two accounts to us.
-- depends: 0603_paid_bookings

-- Until this release nothing writes this table.
-- squawk-ignore ban-drop-constraint
alter table payment_accounts drop constraint payment_accounts_account;
alter table payment_accounts
    -- squawk-ignore constraint-missing-not-valid,disallowed-unique-constraint
    add constraint payment_accounts_account unique (business_id, provider, account, is_test);
