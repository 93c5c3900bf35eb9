"""How much goes back: the table of terms, and shares of money to the unit."""

from fractions import Fraction

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from holdfast.booking.refund_terms import percent_for, share_of
from holdfast.catalog.prices import MAX_MINOR
from holdfast.catalog.refund_terms import MAX_HOURS, Term, sound_terms, stored_terms, terms_of

HOUR = 3_600
TERMS = (Term(48, 100), Term(24, 50), Term(2, 10))
BORDERS = [hours * HOUR + second for hours in (0, 2, 24, 48, 900) for second in (-1, 0, 1)]


@st.composite
def tables(draw: st.DrawFn) -> tuple[Term, ...]:
    """Terms that are sound: no hours twice, and never more for who comes later."""
    hours = sorted(draw(st.sets(st.integers(0, MAX_HOURS), max_size=6)), reverse=True)
    percents = sorted(draw(st.lists(st.integers(0, 100), min_size=len(hours), max_size=len(hours))), reverse=True)
    return tuple(map(Term, hours, percents))


@given(st.integers(0, MAX_MINOR), st.integers(0, 100))
def test_a_share_is_the_exact_fraction_to_the_unit_half_up(minor: int, percent: int) -> None:
    """A percent of an amount is the whole number of units nearest to the exact fraction, the upper one of two that are
    as near (P-8, payments 18).
    """
    exact = Fraction(minor * percent, 100)
    share = share_of(minor, percent)
    assert type(share) is int
    assert share - exact <= Fraction(1, 2)
    assert exact - share < Fraction(1, 2)


@given(st.integers(0, MAX_MINOR), st.integers(0, 100))
def test_what_is_kept_and_what_goes_back_are_the_whole(minor: int, percent: int) -> None:
    """A share is never below nothing nor above the whole; all of it is all of it, and none of it nothing (payments 18)."""
    assert 0 <= share_of(minor, percent) <= minor
    assert (share_of(minor, 0), share_of(minor, 100)) == (0, minor)


@pytest.mark.parametrize(
    ("minor", "percent", "share"),
    [(1, 50, 1), (1, 49, 0), (3, 50, 2), (350_001, 50, 175_001), (99, 33, 33), (10, 5, 1)],
)
def test_a_half_goes_up(minor: int, percent: int, share: int) -> None:
    """Half a unit goes to the client (payments 18)."""
    assert share_of(minor, percent) == share


@pytest.mark.parametrize(("minor", "percent"), [(-1, 50), (100, -1), (100, 101)])
def test_what_is_no_share_is_refused(minor: int, percent: int) -> None:
    """There is no share of less than nothing, and none beyond the whole (P-8)."""
    with pytest.raises(ValueError, match="share"):
        share_of(minor, percent)


@pytest.mark.parametrize(
    ("seconds", "percent"),
    [
        (49 * HOUR, 100),
        (48 * HOUR, 100),
        (48 * HOUR - 1, 50),
        (24 * HOUR, 50),
        (24 * HOUR - 1, 10),
        (2 * HOUR, 10),
        (2 * HOUR - 1, 0),
        (0, 0),
        (-HOUR, 0),
    ],
)
def test_the_greatest_notice_that_is_kept_decides(seconds: int, percent: int) -> None:
    """Who cancels exactly at a border has kept it; a second later the next term decides (payments 18)."""
    assert percent_for(TERMS, seconds) == percent
    assert percent_for(reversed(TERMS), seconds) == percent


def test_the_database_reads_the_same_table(admin_uri: str) -> None:
    """What a move writes down as the most that goes back is what a cancellation would have given back then; null is
    everything (B-16, P-6).
    """
    tables_and_notice = [(terms, each) for terms in ((), TERMS, TERMS[::-1], TERMS[:1]) for each in BORDERS]
    with psycopg.connect(admin_uri) as admin:
        for terms, seconds in tables_and_notice:
            asked = admin.execute(
                "select coalesce(refund_percent_of(%s, make_interval(secs => %s)), 100)",
                [Jsonb(stored_terms(terms)), seconds],
            )
            assert asked.fetchone() == (percent_for(terms, seconds),), (terms, seconds)


@given(tables(), st.integers(-HOUR, MAX_HOURS * HOUR + HOUR), st.integers(0, 100 * HOUR))
def test_who_cancels_earlier_never_gets_less(terms: tuple[Term, ...], seconds: int, earlier: int) -> None:
    """With sound terms more notice never gives less back; the percent is one of the table's, or nothing (payments 18)."""
    percent = percent_for(terms, seconds)
    assert percent <= percent_for(terms, seconds + earlier)
    assert percent in ({term.percent for term in terms} | {0} if terms else {100})


@pytest.mark.parametrize("seconds", [10**9, 0, -1])
def test_without_terms_all_goes_back(seconds: int) -> None:
    """An offering that has written no terms gives everything back, whenever its client cancels (payments 18)."""
    assert percent_for((), seconds) == 100


@given(tables())
def test_terms_are_kept_as_they_were_written(terms: tuple[Term, ...]) -> None:
    """Sound terms, in any order, are kept with the greatest notice first and come back from their column (payments 18)."""
    assert sound_terms(reversed(terms)) == terms
    assert terms_of(stored_terms(terms)) == terms


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ([Term(24, 50), Term(24, 40)], "two terms have 24 hours"),
        ([Term(24, 50), Term(2, 51)], r"2 hours before would get more \(51 %\) than who cancels 24 hours"),
        ([Term(-1, 50)], "0 to 8760 hours"),
        ([Term(MAX_HOURS + 1, 50)], "0 to 8760 hours"),
        ([Term(1, 101)], "0 to 100 percent"),
        ([Term(each, 0) for each in range(21)], "more than 20 terms"),
    ],
)
def test_terms_that_contradict_themselves_are_refused(terms: list[Term], reason: str) -> None:
    """Two terms of one notice, or a later cancellation that would get more, are refused in words (payments 18)."""
    with pytest.raises(ValueError, match=reason):
        sound_terms(terms)
