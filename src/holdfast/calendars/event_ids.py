"""The id of the event that stands for a booking: the same whoever exports it, and however often."""

import base64
from binascii import Error
from uuid import UUID

# Of 16 bytes in base32hex without padding.
_LENGTH = 26


def event_id_of(booking_id: UUID) -> str:
    """Return the id of a booking's event: base32hex of the UUID, the alphabet that Google lets clients choose from."""
    return base64.b32hexencode(booking_id.bytes).decode().rstrip("=").lower()


def booking_of(event_id: str) -> UUID | None:
    """Return the booking of which this would be the event, or None if it would be of none."""
    if len(event_id) != _LENGTH or event_id != event_id.lower():
        return None
    try:
        return UUID(bytes=base64.b32hexdecode(event_id.upper() + "=" * 6))
    except (Error, ValueError):
        return None
