"""The shapes of money in the booking API: how a booking is paid, and what would go back of it."""

from uuid import UUID

import msgspec

from holdfast.booking.prepayment import Payable
from holdfast.kernel.http import Instant


class PaymentView(msgspec.Struct, rename="camel", kw_only=True):
    """How a booking is paid: at `confirmationUrl`, or on a page opened with `clientSecret` and `publishableKey`.

    Without either the provider has not answered yet: commit again, or ask for the payment, to be told. The place is
    kept until `expiresAt` in any case, and asking again never makes a second charge. `status` is that of the payment;
    the booking is confirmed when its own status says so.
    """

    id: UUID
    provider: str
    status: str
    amount_minor: int
    currency: str
    expires_at: Instant | None
    confirmation_url: str | None = None
    client_secret: str | None = None
    publishable_key: str | None = None
    # What has gone back of it, and what is on its way.
    refunded_minor: int = 0
    refunding_minor: int = 0

    @classmethod
    def of(cls, payable: Payable) -> "PaymentView":
        """Return a payment as the till tells it."""
        return cls(
            id=payable.payment_id,
            provider=payable.provider,
            status=payable.status,
            amount_minor=payable.amount_minor,
            currency=payable.currency,
            expires_at=payable.expires_at,
            confirmation_url=payable.confirmation_url,
            client_secret=payable.client_secret,
            publishable_key=payable.publishable_key,
            refunded_minor=payable.refunded_minor,
            refunding_minor=payable.refunding_minor,
        )


class RefundView(msgspec.Struct, rename="camel", kw_only=True):
    """What goes back of the money of a booking."""

    percent: int
    amount_minor: int
    currency: str
