"""How somebody is reached: sealed in its row, found by a blind index, one lead each (D-5)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from holdfast.kernel.privacy import TenantKeys


class Network(StrEnum):
    """A messenger. A migration knows the same words, besides `email` and `phone`."""

    TELEGRAM = "telegram"
    WHATSAPP = "whatsapp"
    VIBER = "viber"
    VK = "vk"
    SIGNAL = "signal"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Contact:
    """What somebody has told of how they are reached; `handle` is their name or number in a messenger."""

    email: str | None = None
    phone: str | None = None
    network: Network | None = None
    handle: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """One way to reach somebody, and the blind index by which it is found."""

    kind: str
    value: str
    index: bytes

    @property
    def lock(self) -> int:
        """Return the number under which those who look for this identity wait for each other."""
        return int.from_bytes(self.index[:8], signed=True)


def identities(keys: TenantKeys, contact: Contact) -> list[Identity]:
    """Return the ways to reach somebody, the one that tells most of who it is first."""
    found = []
    if contact.email is not None:
        found.append(Identity("email", contact.email, keys.index_email(contact.email)))
    if contact.phone is not None:
        found.append(Identity("phone", contact.phone, keys.index_phone(contact.phone)))
    if contact.network is not None and contact.handle is not None:
        found.append(Identity(contact.network, contact.handle, _of_messenger(keys, contact.network)(contact.handle)))
    return found


def looked_for(keys: TenantKeys, text: str) -> Mapping[str, bytes]:
    """Return by kind the blind indexes of a text that may be any way to reach somebody."""
    found = {str(network): _of_messenger(keys, network)(text) for network in Network}
    if "@" in text.lstrip("@"):
        found["email"] = keys.index_email(text)
    if any(c.isdigit() for c in text):
        found["phone"] = keys.index_phone(text)
    return found


def _of_messenger(keys: TenantKeys, network: Network) -> Callable[[str], bytes]:
    # People write a handle with and without the sign before it.
    return lambda handle: keys.index_other(network, handle.strip().lstrip("@"))
