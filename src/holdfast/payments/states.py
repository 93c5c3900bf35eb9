"""The states of a payment and of a refund, and the tables of transitions between them; docs/payments.md draws them."""

from enum import StrEnum


class PaymentState(StrEnum):
    """Where a payment is in its life. How much of it went back is told by its amounts, not by its state."""

    # Written down; whether the provider knows of it is not known yet.
    CREATED = "created"
    # The provider waits for the client.
    PENDING = "pending"
    # The money is set aside; nothing is taken until it is captured.
    AUTHORIZED = "authorized"
    # The money is taken.
    SUCCEEDED = "succeeded"
    # Nothing was taken, and nothing will be.
    CANCELLED = "cancelled"
    # The provider refused to make it, or never came to know of it.
    FAILED = "failed"


class RefundState(StrEnum):
    """Where a refund is in its life."""

    CREATED = "created"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"


class Cause(StrEnum):
    """What money is given back for. A migration knows the same words."""

    # The booking was cancelled or refunded: as much as its terms say.
    POLICY = "policy"
    # Staff give back some of it, and the booking stays.
    GOODWILL = "goodwill"
    # It came when the place was gone.
    LATE = "late"
    # Another payment pays the booking.
    DUPLICATE = "duplicate"
    # It is not what was asked for.
    MISMATCH = "mismatch"


P, R = PaymentState, RefundState

# What the database enforces in payment_may_become(); a test compares the two.
TRANSITIONS: dict[PaymentState, frozenset[PaymentState]] = {
    P.CREATED: frozenset({P.PENDING, P.AUTHORIZED, P.SUCCEEDED, P.CANCELLED, P.FAILED}),
    P.PENDING: frozenset({P.AUTHORIZED, P.SUCCEEDED, P.CANCELLED}),
    P.AUTHORIZED: frozenset({P.SUCCEEDED, P.CANCELLED}),
    P.SUCCEEDED: frozenset(),
    P.CANCELLED: frozenset(),
    # It has come to be after all.
    P.FAILED: frozenset({P.PENDING, P.AUTHORIZED, P.SUCCEEDED, P.CANCELLED}),
}

REFUND_TRANSITIONS: dict[RefundState, frozenset[RefundState]] = {
    R.CREATED: frozenset({R.PENDING, R.SUCCEEDED, R.REFUSED}),
    R.PENDING: frozenset({R.SUCCEEDED, R.REFUSED}),
    # The client's bank has sent it back, which Stripe tells up to a month later.
    R.SUCCEEDED: frozenset({R.REFUSED}),
    R.REFUSED: frozenset(),
}

# Money may still come of one in these.
OPEN = frozenset({P.CREATED, P.PENDING, P.AUTHORIZED})
