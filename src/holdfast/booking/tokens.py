"""The token by which a client proves that a booking is theirs (B-11).

Derived by HMAC-SHA256 from a server key, the booking and a nonce stored with it: repeating a commit gives the same
token, a new nonce revokes it, and nothing in the database reveals it.
"""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from uuid import UUID


class BookingTokens:
    """Makes and checks booking tokens with a key that lives outside the database."""

    def __init__(self, master_key: bytes) -> None:
        # A key of its own for this purpose, so that no other use of the master key can make a token.
        self._key = hmac.digest(master_key, b"holdfast booking token v1", hashlib.sha256)
        self._key_of_requests = hmac.digest(master_key, b"holdfast waitlist token v1", hashlib.sha256)

    def token(self, business_id: UUID, booking_id: UUID, nonce: bytes) -> str:
        """Return the token: 43 characters that carry 256 bits."""
        return _token(self._key, business_id.bytes + booking_id.bytes + nonce)

    def of_nonce(self, business_id: UUID, booking_id: UUID, nonce: str | None) -> str | None:
        """Return the token for a nonce in hex; None where the nonce is kept from whoever asks."""
        return None if nonce is None else self.token(business_id, booking_id, bytes.fromhex(nonce))

    def proves(self, token: str | None, business_id: UUID, booking_id: UUID, nonce: bytes | None) -> bool:
        """Return whether the token is that of the booking; in constant time."""
        if token is None or nonce is None:
            return False
        return hmac.compare_digest(token.encode(), self.token(business_id, booking_id, nonce).encode())

    def of_request(self, business_id: UUID, request_id: UUID) -> str:
        """Return the token of a request of the waitlist, which never changes."""
        return _token(self._key_of_requests, business_id.bytes + request_id.bytes)

    def proves_request(self, token: str | None, business_id: UUID, request_id: UUID) -> bool:
        """Return whether the token is that of the request; in constant time."""
        return hmac.compare_digest((token or "").encode(), self.of_request(business_id, request_id).encode())


def _token(key: bytes, text: bytes) -> str:
    return urlsafe_b64encode(hmac.digest(key, text, hashlib.sha256)).rstrip(b"=").decode()


def new_nonce() -> bytes:
    """Return 128 random bits."""
    return secrets.token_bytes(16)
