"""Prices as clients see them."""

import pytest

from holdfast.booking.pages.rendering import Page
from holdfast.identity.businesses import Business
from holdfast.kernel.ids import new_id


@pytest.mark.parametrize(
    ("price_minor", "currency", "english", "russian"),
    [
        (350_000, "RUB", "RUB 3,500.00", "3 500,00 ₽"),
        (4_950, "EUR", "€49.50", "49,50 €"),
        (5_000, "JPY", "JP¥5,000", "5 000 ¥"),
        (5_120, "KWD", "KWD 5.120", "5,120 KWD"),
        # By custom these are shown without decimals; they are charged with them.
        (350_000, "RSD", "RSD 3,500", "3 500 RSD"),
        (350_050, "RSD", "RSD 3,500.5", "3 500,5 RSD"),
        (5_000_250, "IQD", "IQD 5,000.25", "5 000,25 IQD"),
    ],
)
def test_a_price_is_shown_as_it_is_charged(price_minor: int, currency: str, english: str, russian: str) -> None:
    """A page shows what is charged, to the minor unit, in each currency (P-8)."""
    business = Business(new_id(), "practice", "A practice", "UTC", currency, "en", 1)
    shown = {language: Page(business, language, "UTC", {}).price(price_minor) for language in ("en", "ru")}
    assert {language: text.replace("\u00a0", " ") for language, text in shown.items()} == {"en": english, "ru": russian}


def test_what_costs_nothing_is_free() -> None:
    """A price of nothing is a word."""
    business = Business(new_id(), "practice", "A practice", "UTC", "EUR", "en", 1)
    assert Page(business, "en", "UTC", {}).price(0) == "free of charge"
