"""What Stripe accepts: the members of requests, as https://docs.stripe.com/api describes them."""

import re
from collections.abc import Iterable

from payments.stripe.errors import Json, invalid

_MEMBER = re.compile(r"([a-z_]+)((?:\[[a-z0-9_]*\])*)")
_MOST = 99_999_999
_SMALLEST_KEY, _LONGEST_KEY = 1, 255

CREATE = {"amount", "currency", "capture_method", "automatic_payment_methods", "description", "metadata", "expand"}
CAPTURE = {"amount_to_capture", "expand"}
CANCEL = {"cancellation_reason", "expand"}
READ = {"expand"}
REFUND = {"payment_intent", "amount", "metadata", "reason", "expand"}
LIST = {"created", "limit", "starting_after", "expand"}


def nested(pairs: Iterable[tuple[str, str]]) -> Json:
    """Return the members of a form: `metadata[booking_id]=1` is a member of `metadata`."""
    members: Json = {}
    for name, value in pairs:
        match = _MEMBER.fullmatch(name)
        if match is None:
            raise invalid("parameter_unknown", name)
        path = [match[1], *re.findall(r"\[([a-z0-9_]*)\]", match[2])]
        into = members
        for step in path[:-1]:
            into = into.setdefault(step, {})
        if path[-1] in into:
            raise invalid("parameter_invalid", name)
        into[path[-1]] = value
    return members


def check_members(given: Json, known: set[str], *needed: str) -> None:
    """Refuse members that there are not, and a request that lacks one."""
    for name in given.keys() - known:
        raise invalid("parameter_unknown", name)
    for name in needed:
        if name not in given:
            raise invalid("parameter_missing", name)
    metadata = given.get("metadata", {})
    for name, value in metadata.items():
        if len(metadata) > 50 or len(name) > 40 or len(value) > 500:
            raise invalid("parameter_invalid", "metadata")
    if len(given.get("description", "")) > 1_000:
        raise invalid("parameter_invalid_string", "description")


def amount_in(given: Json, name: str, currency: str) -> int:
    """Return an amount, which is a whole number more than zero, and ends in 0 where a currency has three decimals."""
    text = given[name]
    if not re.fullmatch("[0-9]{1,12}", text):
        raise invalid("parameter_invalid_integer", name)
    amount = int(text)
    whole = {"bhd": 10, "jod": 10, "kwd": 10, "omr": 10, "tnd": 10, "isk": 100, "ugx": 100}.get(currency, 1)
    if not 0 < amount <= _MOST or amount % whole:
        raise invalid("amount_too_small" if amount < 1 else "parameter_invalid_integer", name)
    return amount


def check_key(key: str | None) -> str:
    """Return the key of a request that changes something; the package always sends one."""
    if key is None or not _SMALLEST_KEY <= len(key) <= _LONGEST_KEY:
        raise invalid("idempotency_key_invalid", "Idempotency-Key")
    return key


def expanded(given: Json) -> set[str]:
    """Return what a request wants expanded."""
    return set(given.get("expand", {}).values())
