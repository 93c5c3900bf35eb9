"""The states of a booking and the one table of transitions between them."""

from enum import StrEnum


class BookingState(StrEnum):
    """Where a booking is in its life; the `status` of the API."""

    HELD = "held"
    PENDING_PAYMENT = "pending_payment"
    CONFIRMED = "confirmed"
    COMPLETED = "completed"
    NO_SHOW = "no_show"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    EXPIRED = "expired"
    RELEASED = "released"


S = BookingState

# What the database enforces in booking_may_become(); a test compares the two.
TRANSITIONS: dict[BookingState, frozenset[BookingState]] = {
    S.HELD: frozenset({S.CONFIRMED, S.PENDING_PAYMENT, S.EXPIRED, S.RELEASED}),
    S.PENDING_PAYMENT: frozenset({S.CONFIRMED, S.EXPIRED, S.CANCELLED}),
    S.CONFIRMED: frozenset({S.COMPLETED, S.NO_SHOW, S.CANCELLED, S.REFUNDED}),
    S.COMPLETED: frozenset({S.NO_SHOW}),
    S.NO_SHOW: frozenset({S.COMPLETED}),
    S.CANCELLED: frozenset({S.REFUNDED}),
    S.REFUNDED: frozenset(),
    # Only for a captured payment, and only through a fresh admission.
    S.EXPIRED: frozenset({S.CONFIRMED}),
    S.RELEASED: frozenset(),
}

# Places of a booking in one of these are taken; of a held one only until it expires.
LIVE = frozenset({S.HELD, S.PENDING_PAYMENT, S.CONFIRMED, S.COMPLETED, S.NO_SHOW})

# What can be cancelled: it is confirmed, or its place waits for its payment.
CANCELLABLE = frozenset({S.CONFIRMED, S.PENDING_PAYMENT})

# A booking that never came further than its hold: not an appointment.
UNCOMMITTED = frozenset({S.HELD, S.EXPIRED, S.RELEASED})
