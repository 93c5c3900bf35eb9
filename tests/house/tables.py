"""Who writes a table. Anybody may read."""

OWNERS = {
    "businesses": "identity",
    "tenant_keys": "kernel",
    "api_keys": "identity",
    "write_counts": "identity",
    "resources": "catalog",
    "services": "catalog",
    "service_resources": "catalog",
    "programs": "catalog",
    "program_rules": "catalog",
    "program_resources": "catalog",
    "program_schedules": "booking",  # laying one out takes the places of its room
    "schedule_deviations": "booking",
    "availability_rules": "availability",
    "availability_overrides": "availability",
    "calendar_busy_intervals": "availability",
    "zone_records": "availability",
    "bookings": "booking",
    "claims": "booking",
    "blocks": "booking",
    "booking_series": "booking",
    "series_bookings": "booking",
    "waitlist_requests": "booking",
    "intake_forms": "booking",
    "payments": "payments",
    "refunds": "payments",
    "webhook_events": "payments",
    "calendar_connections": "calendars",
    "calendar_events": "calendars",
    "idempotency_keys": "booking",
    "heartbeats": "kernel",
    "analytics_events": "kernel",
    "attention_items": "kernel",  # any capability raises one
    "audit_log": "kernel",
    "outbox_events": "kernel",
    "schema_migrations": "kernel",
    "backfills": "kernel",
}
# Writes by another than the owner, each with its reason.
GUESTS = {
    ("booking", "audit_log"): "an entry is written in the transaction, and in the function, of its change",
    ("booking", "outbox_events"): "likewise",
    ("booking", "resources"): "a capacity changes together with the claims that it bounds",
    ("booking", "heartbeats"): "a job says in its own transaction that it has run",
}
