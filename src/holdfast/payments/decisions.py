"""What follows when a payment is in one state and its booking in another: the one table, and the rule for each case."""

from enum import StrEnum

from holdfast.booking.states import BookingState
from holdfast.payments.states import PaymentState


class Decision(StrEnum):
    """What is done about a payment and its booking, in one transaction under the locks of both."""

    # Nothing is open.
    REST = "rest"
    # The client has time left to pay: the provider is asked again later.
    WAIT = "wait"
    # The place is kept a little longer, and the money is taken.
    CAPTURE = "capture"
    # Nobody needs the money: what was set aside is let go, what is not paid yet is called off.
    CANCEL = "cancel"
    # The payment pays the booking.
    CONFIRM = "confirm"
    # The place is taken again and the booking confirmed, or the money goes back: one or the other.
    READMIT = "readmit"
    # The attempt is over; the client may begin another until the window closes.
    LET_RETRY = "let_retry"
    # The money was set aside and let go by the provider before we took it: the booking ends, and the client is told.
    EXPIRE = "expire"
    # All of the money goes back: another payment pays the booking.
    REFUND_DUPLICATE = "refund_duplicate"
    # All of the money goes back: the booking has ended.
    REFUND_LATE = "refund_late"
    # All of the money goes back: it is not what was asked for.
    REFUND_MISMATCH = "refund_mismatch"
    # As much goes back as the terms of the booking say, once.
    REFUND_BY_TERMS = "refund_by_terms"


B, P, D = BookingState, PaymentState, Decision

_ENDED = (B.CANCELLED, B.REFUNDED, B.RELEASED)
_STANDS = (B.CONFIRMED, B.COMPLETED, B.NO_SHOW)


def _table() -> dict[tuple[PaymentState, BookingState], Decision]:
    table: dict[tuple[PaymentState, BookingState], Decision] = {}

    def rule(payments: tuple[PaymentState, ...], bookings: tuple[BookingState, ...], decision: Decision) -> None:
        for payment in payments:
            for booking in bookings:
                assert (payment, booking) not in table, "a case is decided once"
                table[payment, booking] = decision

    awaited, gone = (B.PENDING_PAYMENT,), (B.HELD, B.EXPIRED, *_ENDED, *_STANDS)
    rule((P.CREATED, P.PENDING), awaited, D.WAIT)
    rule((P.CREATED, P.PENDING), gone, D.CANCEL)
    rule((P.AUTHORIZED,), awaited, D.CAPTURE)
    # Also when it has only just expired: nothing was taken, so nothing is owed.
    rule((P.AUTHORIZED,), gone, D.CANCEL)
    rule((P.SUCCEEDED,), awaited, D.CONFIRM)
    rule((P.SUCCEEDED,), (B.EXPIRED,), D.READMIT)
    rule((P.SUCCEEDED,), _STANDS, D.REFUND_DUPLICATE)
    rule((P.SUCCEEDED,), (B.HELD, *_ENDED), D.REFUND_LATE)
    rule((P.CANCELLED, P.FAILED), awaited, D.LET_RETRY)
    rule((P.CANCELLED, P.FAILED), gone, D.REST)
    return table


# For a payment that does not pay the booking yet and is as it was asked for.
TABLE = _table()


def decide(
    payment: PaymentState,
    booking: BookingState,
    *,
    pays: bool,
    mismatched: bool,
    returned: bool = False,
    reason: str | None = None,
) -> Decision:
    """Return what follows; the same for every order in which things came to be known.

    A payment that pays its booking is followed by what becomes of the booking. One that is not what was asked for
    confirms nothing: its money goes back, or is never taken (P-5). Nor does one of which money was `returned`: what is
    left of it goes back as well.
    """
    if pays:
        return D.REFUND_BY_TERMS if booking in (B.CANCELLED, B.REFUNDED) else D.REST
    if mismatched:
        if payment is P.SUCCEEDED:
            return D.REFUND_MISMATCH
        return D.CANCEL if payment in (P.CREATED, P.PENDING, P.AUTHORIZED) else D.REST
    if returned and payment is P.SUCCEEDED:
        return D.REFUND_LATE
    decision = TABLE[payment, booking]
    if decision is D.LET_RETRY and reason == "expired_on_capture":
        return D.EXPIRE
    return decision
