-- Statements about users, their roles and the resources that they are.

-- name: add_user
insert into users (business_id, id, email, email_index, name, password, password_set_at)
values (%(business_id)s, %(id)s, %(email)s, %(email_index)s, %(name)s, %(password)s::bytea,
        case when %(password)s::bytea is not null then clock_timestamp() end);

-- name: find_user
select u.id, u.email, u.name, u.password_set_at, u.created_at, u.deactivated_at,
       u.reactivated_at,
       array(select r.role from user_roles r where r.business_id = u.business_id and r.user_id = u.id order by r.role)
           as roles,
       array(select r.resource_id from user_resources r where r.business_id = u.business_id and r.user_id = u.id
              order by r.resource_id) as resource_ids
  from users u where u.business_id = %(business_id)s and u.id = %(id)s;

-- name: list_users
select u.id, u.email, u.name, u.password_set_at, u.created_at, u.deactivated_at,
       u.reactivated_at,
       array(select r.role from user_roles r where r.business_id = u.business_id and r.user_id = u.id order by r.role)
           as roles,
       array(select r.resource_id from user_resources r where r.business_id = u.business_id and r.user_id = u.id
              order by r.resource_id) as resource_ids
  from users u
 where u.business_id = %(business_id)s
   and (%(after_at)s::timestamptz is null or (u.created_at, u.id) > (%(after_at)s::timestamptz, %(after_id)s::uuid))
 order by u.created_at, u.id limit %(limit)s::integer;

-- name: user_by_email
select id from users where business_id = %(business_id)s and email_index = %(email_index)s;

-- name: lock_user
select id from users where business_id = %(business_id)s and id = %(id)s for no key update;

-- name: credentials_by_email
select id, email, password, password_set_at, deactivated_at from users
 where business_id = %(business_id)s and email_index = %(email_index)s;

-- name: credentials_by_id
select id, email, password, password_set_at, deactivated_at, reactivated_at from users
 where business_id = %(business_id)s and id = %(id)s;

-- name: rename_user
update users set name = %(name)s where business_id = %(business_id)s and id = %(id)s;

-- name: set_password
update users set password = %(password)s, password_set_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s;

-- name: keep_anew
-- The same password, kept under newer parameters; an invitation or a login that was made before stays what it was.
update users set password = %(password)s
 where business_id = %(business_id)s and id = %(id)s and password_set_at = %(password_set_at)s;

-- name: deactivate_user
update users set deactivated_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s and deactivated_at is null;

-- name: reactivate_user
-- An invitation from before is void: it was made for somebody who was not let in again then.
update users set deactivated_at = null, reactivated_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s and deactivated_at is not null;

-- name: clear_roles
delete from user_roles where business_id = %(business_id)s and user_id = %(id)s and role <> all (%(roles)s::text[]);

-- name: grant_roles
insert into user_roles (business_id, user_id, role) select %(business_id)s::uuid, %(id)s::uuid, unnest(%(roles)s::text[])
on conflict do nothing;

-- name: clear_resources
delete from user_resources
 where business_id = %(business_id)s and user_id = %(id)s and resource_id <> all (%(resource_ids)s::uuid[]);

-- name: assign_resources
insert into user_resources (business_id, user_id, resource_id)
select r.business_id, %(id)s::uuid, r.id from resources r
 where r.business_id = %(business_id)s and r.id = any (%(resource_ids)s::uuid[])
on conflict do nothing;

-- name: unknown_resources
select count(*) from unnest(%(resource_ids)s::uuid[]) wanted
 where not exists (select from resources r where r.business_id = %(business_id)s and r.id = wanted);

-- name: active_owners
select u.id from users u
 where u.business_id = %(business_id)s and u.deactivated_at is null
   and exists (select from user_roles r where r.business_id = u.business_id and r.user_id = u.id and r.role = 'owner');
