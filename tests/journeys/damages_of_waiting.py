"""What can be wrong with who waits and what they are offered: SQL that damages it, and what `verify` says of that."""

from typing import Any

from journeys.damages import Damage, booking, says
from journeys.practice import at, the
from journeys.references import FOR_A_SERVICE, NEW, waiting

HOLD, BOOKED, OTHER = the("hold"), the("booked"), the("other")
LONG_AGO = "now() - interval '6 minutes'"


def offered(name: str, state: str = "offered", **values: Any) -> str:
    """Return SQL that inserts somebody who was offered a booking."""
    return waiting(**FOR_A_SERVICE, offered_booking_id=the(name), state=state, **values)


WAITING: dict[str, Damage] = {
    "an offer ran out and nobody was told": (
        offered("hold") + booking("hold", f"expires_at = {LONG_AGO}"),
        {says("offers_are_settled", NEW, HOLD), says("holds_are_swept", HOLD)},
    ),
    "an offer that was given back is not settled": (
        offered("released") + booking("released", f"expires_at = {LONG_AGO}"),
        {says("offers_are_settled", NEW, the("released"))},
    ),
    "an offer that was taken is not settled": (
        offered("booked") + booking("booked", f"confirmed_at = {LONG_AGO}"),
        {says("offers_are_settled", NEW, BOOKED)},
    ),
    "an offer is of another service": (
        waiting(**FOR_A_SERVICE | {"service_id": the("duo")}, offered_booking_id=HOLD, state="offered"),
        {says("offers_are_of_what_was_wanted", NEW, HOLD)},
    ),
    "an offer is of another time": (
        waiting(
            **FOR_A_SERVICE | {"wanted": f"[{at('12:00')}, {at('14:00')})"}, offered_booking_id=HOLD, state="offered"
        ),
        {says("offers_are_of_what_was_wanted", NEW, HOLD)},
    ),
    "an offer is for another party": (
        offered("hold", party_size="2"),
        {says("offers_are_of_what_was_wanted", NEW, HOLD)},
    ),
    "an offer is of a schedule that nobody wants": (
        waiting(schedule_id=the("tuesday"), party_size="2", offered_booking_id=the("seat-hold"), state="offered"),
        {says("offers_are_of_what_was_wanted", NEW, the("seat-hold"))},
    ),
    "a place is offered to two": (
        offered("hold") + offered("hold", id=OTHER),
        {says("places_are_offered_once", HOLD, *sorted([NEW, OTHER]))},
    ),
    "an accepted offer was never taken": (
        offered("hold", "accepted"),
        {says("accepted_offers_were_committed", NEW, HOLD)},
    ),
    "an accepted offer was given back": (
        offered("released", "accepted"),
        {says("accepted_offers_were_committed", NEW, the("released"))},
    ),
    "an accepted offer has run out": (
        offered("expired", "accepted"),
        {says("accepted_offers_were_committed", NEW, the("expired"))},
    ),
    "somebody is offered nothing": (waiting(**FOR_A_SERVICE, state="offered"), {says("open_offers_are_named", NEW)}),
}

WAITING_SOUND = {
    "somebody waits": waiting(**FOR_A_SERVICE),
    "somebody is offered a place": offered("hold"),
    "somebody is offered places of a group": waiting(
        schedule_id=the("monday"), party_size="2", offered_booking_id=the("seat-hold"), state="offered"
    ),
    "an offer has just run out": offered("hold") + booking("hold", "expires_at = now() - interval '2 minutes'"),
    "an offer was just taken": offered("booked") + booking("booked", "confirmed_at = now()"),
    "an accepted offer was moved to another day": offered("booked", "accepted")
    + f"update waitlist_requests set wanted = '[{at('10:00', 5)}, {at('11:00', 5)})' where id = '{NEW}';",
    "an accepted offer was cancelled": offered("cancelled", "accepted"),
    "an offer passed": offered("expired", "passed"),
}
