-- What the pages of settings ask.

-- name: has_prices
-- Amounts are kept in the smallest unit of the currency: in another one they would be other amounts.
select exists (select from services where business_id = %(business_id)s and price_minor > 0)
    or exists (select from programs where business_id = %(business_id)s and price_minor > 0)
    or exists (select from payments where business_id = %(business_id)s);
