"""What can be wrong with messages: SQL that damages them, and what `verify` says of that."""

from typing import Any

from journeys.damages import Damage, says
from journeys.practice import at, the
from journeys.references import MINE, NEW, NOWHERE, row, theirs

ANOTHER, EVENT = the("other"), the("occasion")


def message(**values: Any) -> str:
    """Return SQL that inserts a message that was suppressed."""
    told = {"kind": "appointment_confirmed", "occasion": EVENT, "state": "suppressed", "give_up_at": at("10:00")}
    return row("messages", **{"business": MINE, "id": NEW, **told, "ended_at": at("10:00"), **values})


UNTOLD = (
    "update message_feed set begun_at = now() + interval '1 day', read_until = 'infinity';"
    f"update outbox_events set id = '{EVENT}', occurred_at = now() + interval '2 days'"
    f" where aggregate_id = '{the('booked')}' and type = 'AppointmentConfirmed';"
)

MESSAGES: dict[str, Damage] = {
    "an event is told twice": (
        message() + message(id=ANOTHER),
        {says("notifications.everything_is_told_once", EVENT)},
    ),
    "an event that was read is told by nobody": (
        UNTOLD,
        {says("notifications.nothing_is_left_untold", EVENT)},
    ),
    "a message was sent in no attempt": (
        message(state="sent", sent_at=at("10:00")),
        {says("notifications.what_ended_was_begun", NEW)},
    ),
    "a message that another tells waits": (
        message(id=ANOTHER) + message(occasion=the("fact"), told_with=ANOTHER, state="failed"),
        {says("notifications.what_ended_was_begun", NEW)},
    ),
}

OWN = "notifications.messages_refer_to_their_own_business"

# By the name of the foreign key, a row that is sound but for it.
MESSAGE_REFERENCES: dict[str, Damage] = {
    "messages_business_id_fkey": (message(business=NOWHERE), {says(OWN, NEW, NOWHERE)}),
    "messages_booking": (message(booking_id=theirs("past")), {says(OWN, NEW, theirs("past"))}),
    "messages_request": (message(request_id=NOWHERE), {says(OWN, NEW, NOWHERE)}),
    "messages_user": (message(user_id=NOWHERE), {says(OWN, NEW, NOWHERE)}),
    "messages_told_with": (message(told_with=NOWHERE), {says(OWN, NEW, NOWHERE)}),
}
