-- What a look at a calendar was made by, and what the worker reads of all tenants to know which calendars are due.
-- depends: 0702_connected_calendars

-- Whether tentative events blocked time at the last look at everything: staff may choose otherwise since.
alter table calendars add column tentative_blocks boolean;

-- Most calendars of an account are used for nothing, and never looked at.
-- squawk-ignore require-concurrent-index-deletion
drop index calendars_due;
-- squawk-ignore require-concurrent-index-creation
create index calendars_due on calendars (next_sync_at) where blocks or exports;

grant select (business_id, id, provider, state) on calendar_connections to holdfast_admission;
