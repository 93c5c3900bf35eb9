"""Amounts as Stripe writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.catalog.prices import MAX_MINOR, decimals_of
from holdfast.payments.port import Money, Refused, Unknown
from holdfast.payments.stripe_amounts import amount_at_stripe, money_of
from payments.stripe.fake import FakeStripe
from payments.stripe.opened import opened, paid, refund_wish, wish

# As published at https://docs.stripe.com/currencies.
ZERO = ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"]
THREE = ["BHD", "JOD", "KWD", "OMR", "TND"]
# They have no decimals, and are written as if they had two.
KEPT = ("ISK", "UGX")


def test_amounts_of_each_kind_of_currency_are_written_as_published() -> None:
    """Ten units of each kind of currency are what Stripe takes for ten units (P-8)."""
    for currency in ("EUR", "USD", "RUB", "HUF", "TWD", *KEPT):
        assert amount_at_stripe(Money(10 * _unit(currency), currency)) == 1_000
    for currency in ZERO:
        assert amount_at_stripe(Money(10 * _unit(currency), currency)) == 10
    for currency in THREE:
        assert amount_at_stripe(Money(10 * _unit(currency), currency)) == 10_000


@pytest.mark.parametrize("amount", [Money(5_124, "KWD"), Money(1, "TND"), Money(150, "MGA"), Money(1, "MGA")])
def test_what_stripe_has_no_number_for_is_refused(amount: Money) -> None:
    """An amount that Stripe cannot take to the unit is refused, and never rounded (P-8, payments 11)."""
    with pytest.raises(Refused, match="amount_not_representable"):
        amount_at_stripe(amount)


@pytest.mark.parametrize("currency", KEPT)
def test_what_does_not_exist_is_not_believed(currency: str) -> None:
    """Half a unit of a currency that has no halves is no amount that we could keep (P-8, payments 11)."""
    with pytest.raises(Unknown):
        money_of(50, currency.lower())


@given(st.sampled_from(["EUR", "RUB", *ZERO, *THREE, *KEPT]), st.integers(1, MAX_MINOR))
def test_an_amount_comes_back_as_it_went(currency: str, minor: int) -> None:
    """Whatever can be written is read as the same whole number of minor units (P-8)."""
    try:
        written = amount_at_stripe(Money(minor, currency))
    except Refused:
        assert currency in {"MGA", *THREE}
        return
    assert type(written) is int
    assert money_of(written, currency.lower()) == Money(minor, currency)


@pytest.mark.parametrize(
    "amount", [Money(5_000, "JPY"), Money(5_120, "KWD"), Money(500, "ISK"), Money(500, "MGA"), Money(500, "UGX")]
)
async def test_money_of_any_currency_travels_there_and_back(at_stripe: FakeStripe, amount: Money) -> None:
    """Payment, capture and refund of a currency with other decimals are told in its own minor units (P-8)."""
    async with opened(at_stripe) as adapter:
        payment = await paid(adapter, at_stripe, amount)
        refund = await adapter.refund(refund_wish(payment, amount.minor))
        read = await adapter.read(payment.id)
        with pytest.raises(Refused):
            await adapter.create(wish(Money(1, "KWD")))
    assert (payment.amount, payment.captured_minor) == (amount, amount.minor)
    assert (refund.amount, read.refunded_minor) == (amount, amount.minor)


def _unit(currency: str) -> int:
    return int("1" + "0" * decimals_of(currency))
