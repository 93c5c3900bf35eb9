-- Statements about channels, by which a calendar tells that it has changed.

-- name: calendars_to_watch
select * from calendars_to_watch(%(limit)s::integer);

-- name: channel_by_id
select * from channel_by_id(%(id)s::uuid);

-- name: channels
select id, remote_resource from calendar_channels
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s
 order by created_at, id;

-- name: add_channel
-- Before the provider is asked, whose first message may come before its answer. Until it has answered the channel counts
-- for nothing.
insert into calendar_channels (business_id, id, calendar_id, token_hash, expires_at)
select k.business_id, %(id)s, k.id, %(token_hash)s, clock_timestamp() + interval '15 minutes'
  from calendars k where k.business_id = %(business_id)s and k.id = %(calendar_id)s;

-- name: grant_channel
update calendar_channels set remote_resource = %(remote_resource)s, expires_at = to_timestamp(%(expires_at)s::float8)
 where business_id = %(business_id)s and id = %(id)s;

-- name: refuse_channel
-- Kept, so that a calendar that cannot be watched is not asked for it again and again.
update calendar_channels set expires_at = clock_timestamp() + interval '1 day'
 where business_id = %(business_id)s and id = %(id)s;

-- name: forget_channel
delete from calendar_channels where business_id = %(business_id)s and id = %(id)s;

-- name: forget_ended
-- A day later than they end: a message that is late is no stranger.
delete from calendar_channels
 where business_id = %(business_id)s and calendar_id = %(calendar_id)s
   and expires_at < clock_timestamp() - interval '1 day';

-- name: note_message
update calendar_channels set last_message_at = clock_timestamp()
 where business_id = %(business_id)s and id = %(id)s
   and (last_message_at is null or last_message_at < clock_timestamp() - interval '1 minute');
