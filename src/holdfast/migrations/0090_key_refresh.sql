-- For how long processes use keys before they read them anew: a rotation waits for the slowest, however it is set (D-5).
-- depends: 0005_privacy

-- Of data keys the greatest value of all processes that have read them. A process of an earlier release does not tell
-- its own: what it has unless somebody set another one is taken.
alter table tenant_keys add column refresh_seconds integer not null default 60;
grant update (refresh_seconds) on tenant_keys to holdfast_app;
