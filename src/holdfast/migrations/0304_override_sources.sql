-- Overrides that a calendar file has brought are told from those that the business states itself, so that replacing
-- the ones spares the others.
-- depends: 0302_availability

-- Null: the business itself. The trigger that raises the catalog version sees the rows as before.
alter table availability_overrides add column source text;
