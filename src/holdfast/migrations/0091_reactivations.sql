-- When a user was last let in again: what was given to them before they were deactivated opens nothing any more (H-4).
-- depends: 0010_users

alter table users add column reactivated_at timestamptz;
