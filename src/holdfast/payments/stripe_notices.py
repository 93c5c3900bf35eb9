"""What Stripe tells of itself: notices, believed for their signature and for nothing else."""

import hmac
import re
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

import msgspec

from holdfast.payments.errors import InvalidSignature
from holdfast.payments.port import Notice

# How old a notice may be, and how far ahead of us Stripe's clock.
TOLERANCE_SECONDS: Final = 300
_SCHEME: Final = "v1"
_LONGEST_BODY: Final = 524_288
_LONGEST_HEADER: Final = 4_096
_SECOND: Final = re.compile("[0-9]{1,20}")
_WORD: Final = re.compile("[A-Za-z0-9_.]{1,255}")
_REFUNDS: Final = frozenset(("charge.refund.updated", "refund.created", "refund.updated", "refund.failed"))


class _Object(msgspec.Struct):
    id: str
    payment_intent: str | None = None


class _Data(msgspec.Struct):
    object: _Object


class _Event(msgspec.Struct):
    id: str
    type: str
    data: _Data


def read_notice(body: bytes, signature: str | None, secrets: Sequence[str], now: int) -> Notice | None:
    """Return what a notice is about, given its header `Stripe-Signature`; None for what does not concern payments.

    Told are all events of payment intents, `charge.refunded`, which is about the payment, and those of refunds. `now`
    is in seconds since 1970. While a secret is changed, both are given. One event comes with the same `event_id` each
    time; several events of one type may be about one object (partial refunds): only `event_id` tells them apart.

    Raises InvalidSignature for what none of the secrets has signed within 300 seconds before or after now.
    """
    _verify(body, signature, secrets, now)
    try:
        event = msgspec.json.decode(body, type=_Event)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    told, payment = event.data.object, event.data.object.payment_intent
    if not all(_WORD.fullmatch(word) for word in (event.id, event.type, told.id, payment or told.id)):
        return None
    if event.type.startswith("payment_intent."):
        return Notice(event.id, event.type, told.id)
    if payment is not None and event.type == "charge.refunded":
        return Notice(event.id, event.type, payment)
    if payment is not None and event.type in _REFUNDS:
        return Notice(event.id, event.type, told.id, is_refund=True, remote_payment_id=payment)
    return None


def _verify(body: bytes, header: str | None, secrets: Sequence[str], now: int) -> None:
    """Raise InvalidSignature unless it is signed and fresh (https://docs.stripe.com/webhooks#verify-manually).

    The body counts as it came, byte for byte. Everything is compared: the time it takes tells nothing of what differs.
    """
    if header is None or not header.isascii() or len(header) > _LONGEST_HEADER or len(body) > _LONGEST_BODY:
        raise InvalidSignature
    # Other schemes are not for us: one of them is for tests and proves nothing.
    pairs = [pair for item in header.split(",") if (pair := item.split("="))[0] in {"t", _SCHEME}]
    times = [pair[1] for pair in pairs if pair[0] == "t" and len(pair) > 1]
    if not times or not _SECOND.fullmatch(times[0]) or any(len(pair) == 1 for pair in pairs):
        raise InvalidSignature
    given = [pair[1].encode() for pair in pairs if pair[0] == _SCHEME]
    signed_at = int(times[0])
    signed = f"{signed_at}.".encode() + body
    wanted = [hmac.new(secret.encode(), signed, sha256).hexdigest().encode() for secret in secrets if secret.strip()]
    matches = [hmac.compare_digest(ours, theirs) for ours in wanted for theirs in given]
    if not any(matches) or abs(now - signed_at) > TOLERANCE_SECONDS:
        raise InvalidSignature
