"""What YooKassa tells us of its own accord, and where from.

Its notifications are not signed, and nothing in them is believed: they name an object, which is then read at YooKassa.
Where they come from is published (https://yookassa.ru/developers/using-api/webhooks#ip).
"""

from collections.abc import Sequence
from ipaddress import ip_network
from typing import Annotated, Final, Literal

import msgspec

from holdfast.kernel.addresses import Network, is_from
from holdfast.payments.errors import UnreadableNotice
from holdfast.payments.port import Notice
from holdfast.payments.yookassa_api import is_id

NETWORKS: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "185.71.76.0/27",
        "185.71.77.0/27",
        "77.75.153.0/25",
        "77.75.154.128/25",
        "77.75.156.11/32",
        "77.75.156.35/32",
        "2a02:5180::/32",
    )
)


class _Object(msgspec.Struct):
    id: str
    # Of a refund.
    payment_id: str | None = None


class _Notification(msgspec.Struct):
    type: Literal["notification"]
    event: Annotated[str, msgspec.Meta(pattern=r"^[a-z_]{1,40}\.[a-z_]{1,40}\Z")]
    object: _Object


def read_notice(body: bytes) -> Notice:
    """Return what a notification is about: a refund, or else a payment.

    An event that we have no use for (of a payout, say) is about a payment that nobody knows. Raises UnreadableNotice.
    """
    try:
        told = msgspec.json.decode(body, type=_Notification)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnreadableNotice from None
    payment_id = told.object.payment_id
    if not is_id(told.object.id) or not (payment_id is None or is_id(payment_id)):
        raise UnreadableNotice
    is_refund = told.event.startswith("refund.")
    return Notice(
        event_id=f"{told.event}:{told.object.id}",
        type=told.event,
        object_id=told.object.id,
        is_refund=is_refund,
        remote_payment_id=payment_id if is_refund else None,
    )


def is_from_yookassa(address: str | None, networks: Sequence[Network] = NETWORKS) -> bool:
    """Return whether an address, or a network such as `client_of` makes of one in IPv6, lies in one of the networks."""
    if address is None or "/" not in address:
        return is_from(address, networks)
    try:
        network = ip_network(address)
    except ValueError:
        return False
    return any(network.version == each.version and network.subnet_of(each) for each in networks)  # type: ignore[arg-type]
