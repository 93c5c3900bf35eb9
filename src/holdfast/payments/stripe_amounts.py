"""Amounts as Stripe writes them, which are ours but for a few currencies (https://docs.stripe.com/currencies)."""

from typing import Final

from holdfast.catalog.prices import decimals_of
from holdfast.payments.port import Money, Refused, Unknown

# Of all others Stripe has as many decimals as ISO 4217. It counts whole ariary, and has kept two for what has none now.
_DECIMALS: Final = {"MGA": 0, "ISK": 2, "UGX": 2}
# The last of three decimals has to be 0.
_THREE, _LAST = 3, 10


def amount_at_stripe(amount: Money) -> int:
    """Return an amount as Stripe takes it. Raises Refused for one that Stripe has no number for."""
    theirs, ours = _decimals_of(amount.currency), decimals_of(amount.currency)
    written, rest = _scaled(amount.minor, theirs - ours)
    if rest or (theirs == _THREE and written % _LAST):
        raise Refused("amount_not_representable")
    return written


def money_of(written: int, currency: str) -> Money:
    """Return an amount of Stripe, with its currency in small letters. Raises Unknown for a part of a minor unit."""
    code = currency.upper()
    theirs, ours = _decimals_of(code), decimals_of(code)
    minor, rest = _scaled(written, ours - theirs)
    if rest:
        raise Unknown("an amount that does not exist")
    return Money(minor, code)


def _decimals_of(currency: str) -> int:
    return _DECIMALS.get(currency, decimals_of(currency))


def _scaled(number: int, places: int) -> tuple[int, int]:
    """Return a number with so many digits more, or fewer, and what is lost by that."""
    if places >= 0:
        return int(f"{number}{'0' * places}"), 0
    return divmod(number, int(f"1{'0' * -places}"))
