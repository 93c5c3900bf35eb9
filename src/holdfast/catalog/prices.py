"""Prices as people write them, and as they are kept: in whole minor units of the currency (P-8)."""

import re

_DECIMAL = re.compile(r"([0-9]{1,13})(?:\.([0-9]+))?", re.ASCII)

# ISO 4217: a currency has two decimals unless it is one of these. (CLDR, which Babel follows, says how prices are
# customarily shown, which is not the same.)
_DECIMALS = {
    **dict.fromkeys(("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF"), 0),
    **dict.fromkeys(("UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"), 0),
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(("CLF", "UYW"), 4),
}
MAX_MINOR = 1_000_000_000_000


def decimals_of(currency: str) -> int:
    """Return how many decimals the currency has."""
    return _DECIMALS.get(currency, 2)


def minor_of(price: str, currency: str) -> int:
    """Return a decimal number such as "3500.00" in minor units, exactly.

    Raises ValueError, in words for whoever wrote the price.
    """
    match = _DECIMAL.fullmatch(price)
    if match is None:
        raise ValueError(f"{price!r} is not a price; write it like 3500.00")
    whole, fraction = match[1], match[2] or ""
    decimals = decimals_of(currency)
    if len(fraction) > decimals:
        raise ValueError(f"{price!r} has more decimals than {currency} has ({decimals})")
    minor = int(whole + fraction.ljust(decimals, "0"))
    if minor > MAX_MINOR:
        raise ValueError(f"{price!r} is more than can be charged")
    return minor


def text_of(price_minor: int, currency: str) -> str:
    """Return the decimal number of a price in minor units: what `minor_of` reads."""
    decimals = decimals_of(currency)
    if decimals == 0:
        return str(price_minor)
    whole, fraction = divmod(price_minor, 10**decimals)
    return f"{whole}.{fraction:0{decimals}}"
