"""The state that a change was made from: a short text by which it is known again (two may change the same at once)."""

from hashlib import blake2b

from holdfast.identity import businesses
from holdfast.identity.businesses import Business
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.offerings.errors import ChangedMeanwhile


def seen(*parts: object) -> str:
    """Return what a state is known by; the same for the same values, whenever and wherever they were read."""
    return blake2b(repr(parts).encode(), digest_size=12).hexdigest()


async def begin(tx: Transaction) -> Business:
    """Begin a change: what is set up of a business changes one after the other, imports included.

    Raises NotFound.
    """
    business = await businesses.lock(tx)
    if business is None:
        raise NotFound
    return business


def check_seen(told: str, now: str) -> None:
    """Raise ChangedMeanwhile unless the state that somebody has seen is the one that there is."""
    if told != now:
        raise ChangedMeanwhile(details={"seen": now})
