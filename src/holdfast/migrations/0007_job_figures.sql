-- What each periodic job has done, for whoever watches: the worker has no address of its own at which it could be asked.
-- depends: 0002_plumbing

alter table heartbeats add column runs bigint not null default 0;
-- What a run does one by one: holds ended, schedules laid out.
alter table heartbeats add column items bigint not null default 0;
