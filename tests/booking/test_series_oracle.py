"""Series against an oracle: a series is held whole exactly when its places fit, and in part as far as they do."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from booking.opened import START, open_practice
from booking.serial import commit, release, series
from holdfast.booking.errors import SlotConflict
from holdfast.booking.series_views import SeriesView

STEP_SECONDS, STEPS = 900, 4  # an occurrence lasts four steps
STARTS = 10


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop of its own, since Hypothesis calls what is not asynchronous."""
    with asyncio.Runner() as opened:
        yield opened


def fits(capacity: int, taken: Sequence[int]) -> bool:
    """Return whether so many places are enough for occurrences that begin at these steps."""
    return all(sum(begin <= step < begin + STEPS for begin in taken) <= capacity for step in range(STARTS + STEPS))


def at(step: int) -> int:
    """Return the instant of a step."""
    return START + step * STEP_SECONDS


def steps(made: SeriesView, status: str) -> list[int]:
    """Return the steps at which occurrences have this status."""
    return [(int(i.start.timestamp()) - START) // STEP_SECONDS for i in made.items if i.status == status]


wishes = st.lists(
    st.tuples(st.sets(st.integers(0, STARTS - 1), min_size=1, max_size=6), st.booleans(), st.sampled_from("hcr")),
    min_size=1,
    max_size=6,
)


@given(capacity=st.integers(1, 3), wishes=wishes)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_series_is_held_exactly_as_far_as_it_fits(
    runner: asyncio.Runner,
    app_uri: str,
    sound: None,
    capacity: int,
    wishes: list[tuple[set[int], bool, str]],
) -> None:
    """Whole when all of it fits, in part as far as it does, however series overlap each other and themselves (B-21, B-2, B-3)."""

    async def work() -> None:
        async with AsyncExitStack() as stack:
            practice = await stack.enter_async_context(open_practice(app_uri))
            await practice.add_resource("room", capacity)
            await practice.add_service("it", ["room"], slot_step_minutes=15, minutes=STEPS * 15)
            taken: list[int] = []
            for wished, partly, then in wishes:
                try:
                    made = await series(practice, "it", [at(step) for step in wished], partial=partly)
                except SlotConflict:
                    assert not fits(capacity, [*taken, *wished])
                    assert not partly or all(not fits(capacity, [*taken, step]) for step in wished)
                    continue
                got = steps(made, "held")
                assert fits(capacity, [*taken, *got])
                refused = steps(made, "refused")
                assert sorted(got + refused) == sorted(wished)
                assert refused == [] or partly
                assert all(not fits(capacity, [*taken, *got, step]) for step in refused)
                if then == "r":
                    await release(practice, made)
                    continue
                if then == "c":
                    await commit(practice, made)
                taken += got

    runner.run(work())
