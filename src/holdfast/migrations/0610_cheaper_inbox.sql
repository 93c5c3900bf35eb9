-- The inbox of what providers tell takes a burst more cheaply: fewer indexes, and no attempt to press what is sealed.
-- depends: 0605_inbox

-- What is not processed is found by when it is due (webhook_events_due); nothing reads by this one.
-- squawk-ignore require-concurrent-index-deletion
drop index webhook_events_unprocessed;
-- What is not processed is not forgotten either, and has no place in this one.
-- squawk-ignore require-concurrent-index-deletion
drop index webhook_events_to_forget;
-- squawk-ignore require-concurrent-index-creation
create index webhook_events_to_forget on webhook_events (processed_at)
    where body is not null and processed_at is not null;
alter table webhook_events alter column body set storage external;
