"""Prices between people and tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalog.prices import MAX_MINOR, decimals_of, minor_of, text_of


@given(st.integers(0, MAX_MINOR), st.sampled_from(["RUB", "EUR", "JPY", "KWD", "CLF"]))
def test_a_price_survives_being_written(price_minor: int, currency: str) -> None:
    """A price in minor units, written as people write it, is read as the same number (P-8, K-2)."""
    assert minor_of(text_of(price_minor, currency), currency) == price_minor


@pytest.mark.parametrize(
    ("price", "currency", "price_minor"),
    [
        ("3500.00", "RUB", 350_000),
        ("3500", "RUB", 350_000),
        ("0.1", "EUR", 10),
        ("500", "JPY", 500),
        ("1.5", "KWD", 1500),
    ],
)
def test_a_price_is_read_exactly(price: str, currency: str, price_minor: int) -> None:
    """A decimal number becomes whole minor units of its currency, of which some have no or three decimals (P-8)."""
    assert minor_of(price, currency) == price_minor
    assert 10 ** decimals_of(currency) in {1, 100, 1000}


@pytest.mark.parametrize(
    ("price", "currency"),
    [
        ("0.001", "RUB"),
        ("1.0", "JPY"),
        ("-1", "RUB"),
        ("1e3", "RUB"),
        (" 1", "RUB"),
        ("1,5", "RUB"),
        (".5", "RUB"),
        ("1.", "RUB"),
        ("", "RUB"),
        ("10000000000.01", "RUB"),
        ("٣", "RUB"),
        ("1\n", "RUB"),
    ],
)
def test_what_is_no_exact_price_is_refused(price: str, currency: str) -> None:
    """A price that the currency cannot express, or that is not a plain decimal number, is refused (P-8)."""
    with pytest.raises(ValueError, match=r"price|decimals|charged"):
        minor_of(price, currency)
