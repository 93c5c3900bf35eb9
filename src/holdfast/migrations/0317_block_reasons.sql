-- Why staff keep time free is something that they wrote freely: it is stored sealed, beside the reasons of the log (D-5).
-- depends: 0009_audit_chain, 0303_booking

-- To go back to the release before, drop the constraint; reasons that were sealed stay so.

alter table blocks add column reason_id uuid;
-- Blocks of the release before have theirs in plain text until the backfill comes to them.
alter table blocks add constraint blocks_reason_sealed check (reason is null) not valid;

insert into backfills (name) values ('block-reasons');
