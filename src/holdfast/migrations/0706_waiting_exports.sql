-- What waits to be exported, found without reading what was exported long ago.
-- depends: 0702_connected_calendars

-- squawk-ignore require-concurrent-index-creation
create index calendar_events_waiting on calendar_events (business_id, calendar_id) where next_attempt_at is not null;
