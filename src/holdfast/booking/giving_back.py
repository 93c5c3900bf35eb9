"""How much of what was paid goes back with a cancellation or a refund; whoever took the money sends it (P-6)."""

from typing import TYPE_CHECKING, Any

from holdfast.booking.admission import queries
from holdfast.booking.refund_terms import percent_for, share_of
from holdfast.booking.states import BookingState
from holdfast.catalog.refund_terms import ALL, terms_of
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import Forbidden, ValidationFailed

if TYPE_CHECKING:
    from holdfast.booking.bookings import Booking


def percent_of(booking: "Booking", actor: Actor, named: int | None = None) -> int | None:
    """Return how much of it goes back when it is cancelled now; None where nothing has to be paid.

    To a client by the terms that they agreed to, by the clock of the database, and no more than when they moved it;
    from staff all of it, or as much as they name. While it awaits its payment all: whatever still comes is nobody's
    due. Raises Forbidden for a client who names a share, ValidationFailed where there is nothing to share.
    """
    if named is not None and actor.is_client:
        raise Forbidden("How much goes back is for staff to say")
    if booking.due_minor is None:
        if named is not None:
            raise ValidationFailed.at("refundPercent", "nothing was to be paid beforehand")
        return None
    if booking.state == BookingState.PENDING_PAYMENT:
        return ALL
    if actor.is_client:
        left = int((booking.starts_at - booking.now).total_seconds())
        by_terms = percent_for(terms_of(booking.refund_terms or []), left)
        return by_terms if booking.refund_most_percent is None else min(by_terms, booking.refund_most_percent)
    return ALL if named is None else named


async def amount_of(tx: Transaction, booking: "Booking", percent: int | None) -> int:
    """Return what goes back of the money of a booking with so many percent of it: less what has gone back before.

    In minor units of its currency; 0 where nothing was paid.
    """
    if booking.due_minor is None or percent is None:
        return 0
    [money] = await tx.rows(queries["money_of"], {"business_id": tx.business_id, "id": booking.id})
    captured: int = money["captured"]
    return min(share_of(captured, percent), captured - int(money["given"]))


async def is_owed(tx: Transaction, booking: "Booking") -> bool:
    """Return whether money of a cancelled booking has still to go back: not sent yet, or refused by the provider."""
    if booking.due_minor is None:
        return False
    [money] = await tx.rows(queries["money_of"], {"business_id": tx.business_id, "id": booking.id})
    return bool(_left(booking, money) or money["refused"])


async def left_to_send(tx: Transaction, booking: "Booking") -> int:
    """Return what of the money of an ended booking goes back by its terms and was not sent yet, in minor units."""
    if booking.due_minor is None:
        return 0
    [money] = await tx.rows(queries["money_of"], {"business_id": tx.business_id, "id": booking.id})
    return _left(booking, money)


def _left(booking: "Booking", money: dict[str, Any]) -> int:
    by_terms = share_of(money["captured"], booking.refund_percent or 0)
    return max(0, min(by_terms, int(money["captured"]) - int(money["given"])) - int(money["given_by_terms"]))
