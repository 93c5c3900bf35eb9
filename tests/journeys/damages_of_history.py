"""What can be wrong with audit entries, events and keys: SQL that damages them, and what `verify` says of that."""

from journeys.damages import NOWHERE, Damage, booking, of, says, twice
from journeys.practice import NEIGHBOUR, the


def entry(name: str, version: int, assignments: str) -> str:
    """Return SQL that changes an audit entry."""
    return f"update audit_log set {assignments} where aggregate_id = '{the(name)}' and version = {version};"


def without(table: str, name: str, version: int) -> str:
    """Return SQL that deletes an audit entry or an event."""
    return f"delete from {table} where aggregate_id = '{the(name)}' and version = {version};"


def without_change(name: str, version: int) -> str:
    """Return SQL that deletes an audit entry with its event."""
    return without("audit_log", name, version) + without("outbox_events", name, version)


def event(aggregate_id: str, kind: str) -> str:
    """Return SQL that inserts an event."""
    values = f"'{the('business')}', '{aggregate_id}', 1, '{kind}'"
    return f"insert into outbox_events (business_id, aggregate_id, version, type) values ({values});"


def key(name: str, assignments: str) -> str:
    """Return SQL that changes an idempotency key."""
    return f"update idempotency_keys set {assignments} where business_id = '{the('business')}' and key = '{name}';"


HISTORY: dict[str, Damage] = {
    "a state is unknown": (
        booking("booked", "state = 'paid'"),
        {says("bookings_are_well_formed", the("booked")), says("history_ends_at_the_booking", the("booked"))},
    ),
    "a change in the middle is missing": (
        without_change("past", 2),
        {says("history_has_no_gap", the("past"), "3")},
    ),
    "the first change is missing": (
        without_change("moved", 2),
        {says("history_follows_the_transitions", the("moved"), "3")},
    ),
    "the last change is missing": (
        without_change("moved", 3),
        {says("history_ends_at_the_booking", the("moved"))},
    ),
    "every change is missing": (
        without_change("booked", 1),
        {says("appointments_have_a_history", the("booked"))},
    ),
    "the history of an appointment that nobody confirmed is missing": (
        without_change("paid", 2) + without_change("paid", 3),
        {says("appointments_have_a_history", the("paid"))},
    ),
    "a history is that of another thing": (
        entry("booked", 1, "aggregate_type = 'block'"),
        {says("appointments_have_a_history", the("booked")), says("changes_and_events_match", the("booked"), "1")},
    ),
    "a history went to another business": (
        entry("booked", 1, f"business_id = '{the('business', NEIGHBOUR)}'"),
        {says("appointments_have_a_history", the("booked")), says("histories_have_a_booking", the("booked"))}
        | {says("changes_and_events_match", the("booked"), "1")},
    ),
    "the history of an expired appointment is missing": (
        without_change("unpaid", 2) + without_change("unpaid", 3) + booking("unpaid", "confirmed_at = now()"),
        {says("appointments_have_a_history", the("unpaid"))},
    ),
    "an entry is there twice": (
        twice("audit_log", f"aggregate_id = '{the('moved')}' and version = 3"),
        {says("history_has_no_gap", the("moved"), "3")},
    ),
    "an entry does not begin where the one before it ended": (
        entry("past", 3, "from_state = 'confirmed'"),
        {says("history_follows_the_transitions", the("past"), "3")},
    ),
    "a transition is not allowed": (
        entry("past", 2, "to_state = 'cancelled'") + entry("past", 3, "from_state = 'cancelled'"),
        {says("history_follows_the_transitions", the("past"), "3")},
    ),
    "a transition after a gap is not allowed": (
        without_change("past", 2) + entry("past", 3, "from_state = 'refunded'"),
        {says("history_has_no_gap", the("past"), "3"), says("history_follows_the_transitions", the("past"), "3")},
    ),
    "a history begins with an expired booking": (
        entry("moved", 2, "from_state = 'expired'"),
        {says("history_follows_the_transitions", the("moved"), "2")},
    ),
    "a history begins with an end": (
        entry("booked", 1, "to_state = 'cancelled'"),
        {says("history_follows_the_transitions", the("booked"), "1")}
        | {says("history_ends_at_the_booking", the("booked"))},
    ),
    "a booking made at once has a second version": (
        entry("moved", 2, "from_state = null"),
        {says("history_follows_the_transitions", the("moved"), "2")},
    ),
    "a committed hold has no version of its own": (
        entry("booked", 1, "from_state = 'held'"),
        {says("history_follows_the_transitions", the("booked"), "1")},
    ),
    "a version was raised without an entry": (
        booking("booked", "version = 2"),
        {says("history_ends_at_the_booking", the("booked"))},
    ),
    "a state was changed without an entry": (
        booking("booked", "state = 'completed'"),
        {says("history_ends_at_the_booking", the("booked"))},
    ),
    "a cancelled appointment was revived by hand": (
        booking("cancelled", "state = 'confirmed'"),
        {says("history_ends_at_the_booking", the("cancelled"))}
        | {says("live_bookings_have_their_claims", the("cancelled"))},
    ),
    "an acknowledged appointment is gone": (
        f"delete from claims where {of('moved')}; delete from bookings where id = '{the('moved')}';",
        {says("histories_have_a_booking", the("moved"))},
    ),
    "a key's booking is nowhere": (
        key("key-hold", f"booking_id = '{NOWHERE}', answer = '{{}}'"),
        {says("keys_point_to_their_booking", "key-hold", NOWHERE)},
    ),
    "a key's booking belongs to another business": (
        key("key-hold", f"booking_id = '{the('hold', NEIGHBOUR)}', answer = '{{}}'"),
        {says("keys_point_to_their_booking", "key-hold", the("hold", NEIGHBOUR))},
    ),
    "a key's answer names another booking": (
        key("key-booked", f"""answer = answer || '{{"id": "{the("hold")}"}}'"""),
        {says("keys_point_to_their_booking", "key-booked", the("booked"))},
    ),
    "a booking is the effect of two keys": (
        key("key-seat", f"booking_id = '{the('hold')}', answer = '{{}}'"),
        {says("bookings_are_the_effect_of_one_key", the("hold"), "key-hold", "key-seat")},
    ),
    "a key has two answers": (
        twice("idempotency_keys", f"booking_id = '{the('hold')}'")
        + "update idempotency_keys set operation = 'cancel' where ctid = (select max(ctid) from idempotency_keys);",
        {says("kernel.keys_are_unique", "key-hold")},
    ),
    "an event is missing": (
        without("outbox_events", "moved", 3),
        {says("changes_and_events_match", the("moved"), "3")},
    ),
    "an event is there twice": (
        twice("outbox_events", f"aggregate_id = '{the('moved')}' and version = 3"),
        {says("changes_and_events_match", the("moved"), "3")},
    ),
    "an event has no entry": (
        without("audit_log", "moved", 3),
        {says("changes_and_events_match", the("moved"), "3"), says("history_ends_at_the_booking", the("moved"))},
    ),
    "an event speaks of a hold": (
        event(the("hold"), "Held"),
        {says("changes_and_events_match", the("hold"), "1")},
    ),
    "an event speaks of a booking that is nowhere": (
        event(NOWHERE, "AppointmentConfirmed"),
        {says("changes_and_events_match", NOWHERE, "1")},
    ),
}
