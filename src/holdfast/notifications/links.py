"""The addresses that stand in mail: each opens one thing to whoever has the mail."""

from dataclasses import dataclass
from uuid import UUID

from holdfast.booking.tokens import BookingTokens


@dataclass(frozen=True, slots=True)
class Links:
    """Makes addresses below that of this server as the world knows it."""

    public_url: str
    tokens: BookingTokens

    def booking(self, slug: str) -> str:
        """Return where anybody books."""
        return f"{self.public_url}/{slug}/booking/slot/"

    def manage(self, slug: str, business_id: UUID, booking_id: UUID, nonce: bytes | None) -> str:
        """Return where a client sees, moves and cancels a booking; nothing for one that has no token."""
        if nonce is None:
            return ""
        token = self.tokens.token(business_id, booking_id, nonce)
        return f"{self.public_url}/{slug}/booking/slot/manage/{booking_id}?token={token}"

    def offer(self, slug: str, business_id: UUID, request_id: UUID) -> str:
        """Return where somebody who waits takes what they are offered."""
        token = self.tokens.of_request(business_id, request_id)
        return f"{self.public_url}/{slug}/booking/slot/offer/{request_id}?token={token}"
