"""The guard for clients without keys: an impatient second click makes no second reservation (B-10)."""

import hashlib
import hmac
from dataclasses import dataclass

from holdfast.booking.bookings import Keyed

# The operation of the guard's keys; no request of a client has it.
GUARD = "guard"


@dataclass(frozen=True, slots=True)
class ContactGuard:
    """Stands in for a missing key with one made of contact and place, for a short time and while the hold lives.

    `seconds` is the time; 0 switches the guard off.
    """

    master_key: bytes
    seconds: int

    def keyed(self, email: str | None, phone: str | None, place: bytes) -> Keyed | None:
        """Return the key that stands for this contact at this place; None without a contact.

        Nobody can tell the contact from it: it is an HMAC under a key that the database does not have.
        """
        contact = email.lower() if email else "".join(c for c in phone or "" if c.isdigit())
        if not contact or not self.seconds:
            return None
        key = hmac.digest(self.master_key, b"holdfast contact guard v1", hashlib.sha256)
        digest = hmac.digest(key, contact.encode() + b"\0" + place, hashlib.sha256)
        return Keyed(f"contact {digest.hex()}", GUARD, "", self.seconds)
