-- What must be true of keys and people, computed anew from the rows (B-25).
-- Each statement returns no row on a sound database; a row is one violation: business_id, ids, problem.

-- name: keys_belong_to_a_business
-- Invariant 9: the business of each API key exists. The ids are the key and the business.
select k.business_id, array[k.id::text, k.business_id::text] as ids,
       concat('API key ', k.id, ' refers to business ', k.business_id, ', which does not exist') as problem
  from api_keys k
 where not exists (select from businesses b where b.id = k.business_id);

-- name: people_belong_to_a_business
-- Invariant 9: what users, their roles, resources and logins refer to exists in their own business. The ids are the row
-- that refers (of a row without an id the other side of it) and the row that it refers to.
with referring as (
    select u.business_id, 'user' as source, u.id::text as id, 'business' as kind, u.business_id as target_id
      from users u
    union all
    select c.business_id, 'consent', c.id::text, 'business', c.business_id from consents c
    union all
    select r.business_id, 'role', r.role, 'user', r.user_id from user_roles r
    union all
    select r.business_id, 'resource', r.resource_id::text, 'user', r.user_id from user_resources r
    union all
    select r.business_id, 'user', r.user_id::text, 'resource', r.resource_id from user_resources r
    union all
    select l.business_id, 'login', l.id::text, 'user', l.user_id from logins l
), targets as (
    select 'user' as kind, u.business_id, u.id from users u
    union all
    select 'resource', r.business_id, r.id from resources r
    union all
    select 'business', b.id, b.id from businesses b
)
select f.business_id, array[f.id, f.target_id::text] as ids,
       concat(f.source, ' ', f.id, ' refers to ', f.kind, ' ', f.target_id, ', which business ', f.business_id,
              ' does not have') as problem
  from referring f
 where not exists (select from targets t where t.kind = f.kind and t.business_id = f.business_id and t.id = f.target_id);

-- name: roles_are_known
-- Invariant 9: each role of a user is one of those that there are. The ids are the user and the role.
select u.business_id, array[u.user_id::text, u.role] as ids,
       concat('user ', u.user_id, ' has the role ', u.role, ', which does not exist') as problem
  from user_roles u
 where not exists (select from roles r where r.name = u.role);
