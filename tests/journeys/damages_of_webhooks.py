"""What can be wrong with webhooks: SQL that damages them, and what `verify` says of that."""

from typing import Any

from journeys.damages import Damage, says
from journeys.practice import ENVELOPE, at, the
from journeys.references import MINE, NEW, NOWHERE, row, theirs

SEALED = "\\x" + ENVELOPE.hex()
ENDPOINT, EVENT, ANOTHER = the("endpoint"), the("occasion"), the("other")
OWN = "webhooks.webhooks_refer_to_their_own_business"
FIRST = f"insert into event_log select business_id, 1, aggregate_id, version from outbox_events where aggregate_id = '{the('booked')}' limit 1;"


def endpoint(**values: Any) -> str:
    """Return SQL that inserts an endpoint."""
    told = {"id": ENDPOINT, "name": "Other", "url": SEALED, "secret": SEALED}
    return row("webhook_endpoints", **{"business": MINE, **told, **values})


def delivery(**values: Any) -> str:
    """Return SQL that inserts a delivery that was given up."""
    told = {"id": NEW, "endpoint_id": ENDPOINT, "type": "Thing", "state": "failed", "reason": "refused"}
    return row("webhook_deliveries", **{"business": MINE, **told, "ended_at": at("10:00"), **values})


UNLOGGED = (
    "update event_feed set begun_at = now() + interval '1 day', read_until = 'infinity';"
    f"update outbox_events set id = '{EVENT}', occurred_at = now() + interval '2 days'"
    f" where aggregate_id = '{the('booked')}' and type = 'AppointmentConfirmed';"
)
LATER = f"insert into event_log select business_id, 2, aggregate_id, version from outbox_events where aggregate_id = '{the('booked')}' limit 1;"

WEBHOOKS: dict[str, Damage] = {
    "the log has lost its beginning": (LATER, {says("webhooks.the_log_has_no_gap", "1", "2")}),
    "an event that was read is not in the log": (
        UNLOGGED,
        {says("webhooks.nothing_is_left_out_of_the_log", EVENT)},
    ),
    "an event of the log is nowhere else": (
        row("event_log", number=1, aggregate_id=NEW, version=1),
        {says(OWN, "1", NEW)},
    ),
    "a message waits for a disabled endpoint": (
        endpoint(state="disabled", reason="staff")
        + row("webhook_deliveries", id=NEW, endpoint_id=ENDPOINT, type="Thing", next_attempt_at=at("10:00")),
        {says("webhooks.nothing_waits_for_a_disabled_endpoint", NEW)},
    ),
    "a message has arrived by itself": (
        endpoint() + delivery(state="delivered"),
        {says("webhooks.what_arrived_was_tried", NEW)},
    ),
    "a message is on its way twice": (
        FIRST
        + endpoint()
        + delivery(id=min(NEW, ANOTHER), event_number=1)
        + delivery(id=max(NEW, ANOTHER), event_number=1),
        {says("webhooks.what_arrived_was_tried", max(NEW, ANOTHER))},
    ),
}

# By the name of the foreign key, a row that is sound but for it.
WEBHOOK_REFERENCES: dict[str, Damage] = {
    "webhook_endpoints_business_id_fkey": (endpoint(business=NOWHERE), {says(OWN, ENDPOINT, NOWHERE)}),
    "webhook_deliveries_endpoint": (
        delivery(endpoint_id=theirs("endpoint")),
        {says(OWN, NEW, theirs("endpoint"))},
    ),
    "webhook_deliveries_event": (endpoint() + delivery(event_number=9), {says(OWN, NEW, "9")}),
}
