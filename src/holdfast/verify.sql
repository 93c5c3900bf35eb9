-- name: sees_all_rows
select current_user, rolsuper or rolbypassrls from pg_roles where rolname = current_user;
