"""What `python -m proof.sizes` measures."""

from pathlib import Path

from proof.sizes import markdown, measure


def test_sizes_are_of_what_was_added(tmp_path: Path) -> None:
    """The rows that are counted are those of the bookings that were added, and a past booking has the rows that one
    made over HTTP has, and those of its outcome.
    """
    sizes = measure(tmp_path, bookings=400, made=3, say=lambda _: None)
    rows = {each.name: each.rows for each in sizes.tables}
    assert rows == {
        "bookings": 400,
        "claims": 400,
        "idempotency_keys": 400,
        "audit_heads": 400,
        "audit_log": 800,
        "outbox_events": 800,
    }
    made = {name: sizes.rows_made[name] for name in ("bookings", "claims", "idempotency_keys", "outbox_events")}
    assert made == {"bookings": 1, "claims": 1, "idempotency_keys": 1, "outbox_events": 1}
    # What a worker writes of them was waited for: it is not counted among what was added.
    assert sizes.rows_made["lead_timeline_events"] >= 1
    assert sizes.rows_made.keys() >= rows.keys()
    assert sizes.log_bytes > 1_000
    assert "| `bookings` | 1 | 1 |" in markdown(sizes)
