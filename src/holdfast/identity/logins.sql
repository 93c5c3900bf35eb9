-- Statements about logins: signed-in browsers.

-- name: add_login
-- Not for a user who was deactivated, or has another password by now, while this one was being checked.
insert into logins (business_id, id, user_id, token_hash, device, expires_at)
select u.business_id, %(id)s::uuid, u.id, %(token_hash)s::bytea, %(device)s::bytea,
       statement_timestamp() + make_interval(days => %(days)s::integer)
  from users u
 where u.business_id = %(business_id)s and u.id = %(user_id)s and u.deactivated_at is null
   and u.password_set_at = %(password_set_at)s::timestamptz
returning expires_at;

-- name: login_by_id
select l.user_id, l.token_hash, l.expires_at,
       l.expires_at > statement_timestamp() and u.deactivated_at is null
           and l.last_used_at > statement_timestamp() - make_interval(mins => %(idle_minutes)s::integer) as live,
       l.last_used_at < statement_timestamp() - interval '1 minute' as unnoted,
       array(select r.role from user_roles r where r.business_id = l.business_id and r.user_id = l.user_id) as roles,
       array(select r.resource_id from user_resources r
              where r.business_id = l.business_id and r.user_id = l.user_id) as resource_ids
  from logins l join users u on u.business_id = l.business_id and u.id = l.user_id
 where l.business_id = %(business_id)s and l.id = %(id)s;

-- name: still_live
-- Of these logins, which are good still; asking is no use of them.
select l.id
  from logins l join users u on u.business_id = l.business_id and u.id = l.user_id
 where l.business_id = %(business_id)s and l.id = any (%(ids)s::uuid[])
   and l.expires_at > statement_timestamp() and u.deactivated_at is null
   and l.last_used_at > statement_timestamp() - make_interval(mins => %(idle_minutes)s::integer);

-- name: note_login
-- Asked again here, so that of many calls at once one writes.
update logins set last_used_at = statement_timestamp()
 where business_id = %(business_id)s and id = %(id)s
   and last_used_at < statement_timestamp() - interval '1 minute';

-- name: logins_of
select id, device, created_at, last_used_at, expires_at from logins
 where business_id = %(business_id)s and user_id = %(user_id)s and expires_at > statement_timestamp()
   and last_used_at > statement_timestamp() - make_interval(mins => %(idle_minutes)s::integer)
 order by created_at desc, id desc;

-- name: end_login
delete from logins where business_id = %(business_id)s and user_id = %(user_id)s and id = %(id)s;

-- name: end_logins
delete from logins
 where business_id = %(business_id)s and user_id = %(user_id)s and id is distinct from %(but)s::uuid;

-- name: forget_logins
-- What nobody can use any more: it has run out, or there are enough that were used later. The new one stays.
delete from logins
 where business_id = %(business_id)s and user_id = %(user_id)s and id <> %(id)s
   and (expires_at <= statement_timestamp()
        or last_used_at <= statement_timestamp() - make_interval(mins => %(idle_minutes)s::integer)
        or id in (select l.id from logins l
                   where l.business_id = %(business_id)s and l.user_id = %(user_id)s and l.id <> %(id)s
                     and l.expires_at > statement_timestamp()
                     and l.last_used_at > statement_timestamp() - make_interval(mins => %(idle_minutes)s::integer)
                   order by l.last_used_at desc, l.id desc offset %(most)s::integer));
