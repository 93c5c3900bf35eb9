"""What YooKassa accepts: the members of requests, as https://yookassa.ru/developers/api describes them."""

import re
from typing import Any

from payments.yookassa.errors import Json, refused

_VALUE = re.compile(r"[0-9]{1,10}\.[0-9]{2}")
_PAYMENT = {"amount", "capture", "confirmation", "description", "metadata", "payment_method_data"}
_REFUND = {"payment_id", "amount", "description", "metadata"}


def minor_in(body: Json, currency: str) -> int:
    """Return the amount of a request, in minor units."""
    amount = body.get("amount")
    if not isinstance(amount, dict):
        raise refused("amount", "Parameter is required")
    value = amount.get("value")
    if not isinstance(value, str) or not _VALUE.fullmatch(value):
        raise refused("amount.value", "Amount has to be a decimal in a string")
    if amount.get("currency") != currency:
        raise refused("amount.currency", "Currency is not the one of the shop or of the payment")
    minor = int(value.replace(".", ""))
    if minor == 0:
        raise refused("amount.value", "Amount has to be more than zero")
    return minor


def check_payment(body: Json) -> None:
    """Refuse what is no request for a payment."""
    _check_members(body, _PAYMENT)
    if not isinstance(body.get("capture", False), bool):
        raise refused("capture", "Has to be true or false")
    if set(body.get("payment_method_data", {})) - {"type"}:
        # A shop that may send the data of cards has been audited for it (PCI DSS); ours has not.
        raise refused("payment_method_data", "Not allowed")
    confirmation = body.get("confirmation")
    if not isinstance(confirmation, dict) or confirmation.get("type") != "redirect":
        raise refused("confirmation", "Only redirects are known here")
    return_url = confirmation.get("return_url")
    if not isinstance(return_url, str) or not return_url.startswith(("http://", "https://")) or len(return_url) > 2_048:
        raise refused("confirmation.return_url", "Has to be an address")
    if confirmation.get("locale", "ru_RU") not in {"ru_RU", "en_US"}:
        raise refused("confirmation.locale", "Unknown locale")


def check_refund(body: Json) -> None:
    """Refuse what is no request for a refund."""
    _check_members(body, _REFUND)
    if not isinstance(body.get("payment_id"), str):
        raise refused("payment_id", "Parameter is required")


def _check_members(body: Any, known: set[str]) -> None:
    if not isinstance(body, dict):
        raise refused("body", "Has to be an object")
    for name in body.keys() - known:
        # The official package sends a few that are empty.
        if body[name] not in (None, [], {}):
            raise refused(name, "Unknown parameter")
    description = body.get("description", "-")
    if not isinstance(description, str) or not 1 <= len(description) <= 128:
        raise refused("description", "Has to be 1 to 128 characters")
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict) or len(metadata) > 16:
        raise refused("metadata", "Has to be at most 16 pairs")
    for name, value in metadata.items():
        if len(name) > 32 or not isinstance(value, str) or len(value) > 512:
            raise refused("metadata", "Names have at most 32, values at most 512 characters")
