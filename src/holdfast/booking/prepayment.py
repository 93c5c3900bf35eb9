"""What booking knows of money: that somebody above takes it. See ADR 31."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from holdfast.booking.admission import CommitAnswer
from holdfast.booking.errors import PaymentsUnavailable
from holdfast.booking.states import BookingState


@dataclass(frozen=True, slots=True)
class Payable:
    """How a client pays for a booking, as far as it is known yet.

    `status` is that of the payment. Without an address and a secret the provider has not answered: it is asked again
    when the client asks again, and by a worker all the same. `refunded_minor` has gone back, `refunding_minor` is on
    its way.
    """

    payment_id: UUID
    provider: str
    status: str
    amount_minor: int
    currency: str
    expires_at: datetime | None
    confirmation_url: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)
    publishable_key: str | None = None
    refunded_minor: int = 0
    refunding_minor: int = 0
    # What is to go back, and the provider has refused to send: staff look after it.
    owed_minor: int = 0


class Till(Protocol):
    """Takes the money for bookings that have to be paid before they are confirmed."""

    async def open(self, business_id: UUID, booking_id: UUID, *, base_url: str) -> Payable:
        """Return how a booking that awaits its payment is paid; the payment that is open, or else a new attempt.

        `base_url` is this server as the client has called it: where the client comes back to when the settings name no
        address. Never raises for a provider that does not answer. Raises PaymentsUnavailable when the business takes
        none, and NotChangeable for a booking that awaits no payment.
        """

    async def look(self, business_id: UUID, booking_id: UUID) -> Payable | None:
        """Return how the payment of a booking is now, None for a booking that has none; it begins nothing.

        While something is open the provider is asked first, once in 2 seconds at most, and what follows is done: the
        booking may be another after this. Never raises for a provider that does not answer.
        """


async def open_payment(till: Till | None, business_id: UUID, answer: CommitAnswer, base_url: str) -> Payable | None:
    """Return how what was committed is paid, to whoever it is for; None for anybody else, and when nothing is due.

    Repeated it is the same payment, or a new attempt after one that has failed. None also where the business has ceased
    to take payments since the place was held: it is committed already, and whoever has done that is to have its token.
    """
    if till is None or answer.state != BookingState.PENDING_PAYMENT or answer.nonce is None:
        return None
    try:
        return await till.open(business_id, answer.id, base_url=base_url)
    except PaymentsUnavailable:
        return None
