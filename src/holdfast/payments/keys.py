"""The keys of calls at a provider: the same call has the same key, whoever makes it and however often."""

from datetime import timedelta
from uuid import UUID, uuid5

# Providers may forget a key after a day: from then on they are asked first what has become of the call.
KEPT = timedelta(hours=23)


def key_of(booking_id: UUID, operation: str, *attempt: int) -> str:
    """Return the key of an operation: 36 characters, made of the booking, what is asked, and which attempt it is.

    An attempt is the number of the payment, and where one payment can be asked more than once, that of the call.
    """
    return str(uuid5(booking_id, "/".join([operation, *map(str, attempt)])))
