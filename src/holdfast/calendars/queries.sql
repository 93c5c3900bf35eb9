-- Statements about connections and their calendars.

-- name: connections
select id, resource_id, provider, state, account, address, password, access_token, access_token_expires_at,
       refresh_token, error_code, created_at, connected_at
  from calendar_connections
 where business_id = %(business_id)s and (%(id)s::uuid is null or id = %(id)s::uuid)
 order by created_at, id;

-- name: lock_connection
select from calendar_connections where business_id = %(business_id)s and id = %(id)s for no key update;

-- name: calendars
select id, connection_id, resource_id, remote_id, name, timezone, access, blocks, exports, sync_point, window_ends_at,
       next_sync_at, last_attempt_at, last_success_at, failures, error_code, events_seen
  from calendars
 where business_id = %(business_id)s
   and (%(connection_id)s::uuid is null or connection_id = %(connection_id)s::uuid)
   and (%(id)s::uuid is null or id = %(id)s::uuid)
 order by id;

-- name: put_tokens
update calendar_connections
   set access_token = %(access_token)s::bytea, access_token_expires_at = %(expires_at)s,
       refresh_token = coalesce(%(refresh_token)s::bytea, refresh_token)
 where business_id = %(business_id)s and id = %(id)s;

-- name: set_state
update calendar_connections set state = %(state)s, error_code = %(error_code)s::text
 where business_id = %(business_id)s and id = %(id)s
   and (state, error_code) is distinct from (%(state)s, %(error_code)s::text);
