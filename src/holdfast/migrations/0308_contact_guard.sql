-- The guard for clients without keys (B-10) keeps its own keys, which a later reservation of the same contact takes over.
-- depends: 0303_booking, 0002_plumbing

grant update on idempotency_keys to holdfast_admission;
