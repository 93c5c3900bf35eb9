"""A till whose drawer the test holds: what a provider would say is said by hand."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from holdfast.booking import bookings
from holdfast.booking.errors import NotChangeable
from holdfast.booking.prepayment import Payable
from holdfast.booking.states import BookingState
from holdfast.kernel.database import Database


@dataclass
class ScriptedTill:
    """Opens one payment for a booking, and tells of it what the test has it tell."""

    database: Database
    # None: the provider does not answer.
    address: str | None = "https://pay.example/1"
    secret: str | None = None
    status: str = "pending"
    refunding_minor: int = 0
    owed_minor: int = 0
    opened: list[UUID] = field(default_factory=list)
    came_from: str | None = None
    payments: dict[UUID, UUID] = field(default_factory=dict)

    async def open(self, business_id: UUID, booking_id: UUID, *, base_url: str) -> Payable:
        """Return the payment of a booking that awaits one; always the same."""
        self.opened.append(booking_id)
        self.came_from = base_url
        async with self.database.transaction(business_id) as tx:
            booking = await bookings.read_appointment(tx, booking_id)
        if booking.state != BookingState.PENDING_PAYMENT or booking.due_minor is None:
            raise NotChangeable
        self.payments.setdefault(booking_id, uuid4())
        return self._payable(booking)

    async def look(self, business_id: UUID, booking_id: UUID) -> Payable | None:
        """Return the payment of a booking, if one was opened."""
        async with self.database.transaction(business_id) as tx:
            booking = await bookings.read_reservation(tx, booking_id)
        return self._payable(booking) if booking_id in self.payments else None

    def _payable(self, booking: bookings.Booking) -> Payable:
        return Payable(
            payment_id=self.payments[booking.id],
            provider="stripe",
            status=self.status,
            amount_minor=booking.due_minor or 0,
            currency=booking.currency,
            expires_at=booking.expires_at,
            confirmation_url=self.address,
            client_secret=self.secret,
            publishable_key=None if self.secret is None else "pk_test_1",
            refunding_minor=self.refunding_minor,
            owed_minor=self.owed_minor,
        )
