"""Any practitioner: the work of a day is shared evenly among those who are free (B-7)."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from itertools import islice
from uuid import UUID

import pytest_asyncio

from booking.opened import DAY_SECONDS, HOUR_SECONDS, START, Practice, open_practice
from holdfast.booking.admission import Answer

TEAM = ["first", "second", "third", "fourth"]
# Twelve minutes each: 120 slots a day for each of four.
MINUTES = 12


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business in which any of four practitioners will do."""
    async with open_practice(app_uri) as opened:
        for name in TEAM:
            await opened.add_resource(name)
        await opened.add_service("anyone", TEAM, minutes=MINUTES)
        await opened.add_service("named", TEAM, minutes=MINUTES)
        yield opened


def whose(answers: list[Answer]) -> Counter[UUID]:
    """Return how many bookings each practitioner has got."""
    return Counter(answer.resources[0] for answer in answers)


async def test_ten_thousand_bookings_are_shared_evenly(practice: Practice) -> None:
    """Of 10,000 simultaneous bookings with anybody, each of four gets a quarter, on each day, within a few (B-7)."""
    chance = random.Random(7)
    # At most three of the four at a time, so that there always is a choice.
    places = [(day, slot) for day in range(40) for slot in range(120) for _ in range(3)]
    wanted = iter(chance.sample(places, 10_000))
    made: dict[int, list[Answer]] = {day: [] for day in range(40)}

    async def book() -> None:
        for day, slot in wanted:
            start = START + day * DAY_SECONDS + slot * MINUTES * 60
            made[day].append(await practice.reserve("anyone", start, minutes=MINUTES))

    await asyncio.gather(*(book() for _ in range(32)))

    total = whose([answer for answers in made.values() for answer in answers])
    assert sum(total.values()) == 10_000
    assert max(total.values()) - min(total.values()) <= 100, total
    uneven = {day: whose(answers) for day, answers in made.items() if _spread(answers) > 12}
    assert uneven == {}


async def test_whoever_has_less_that_day_is_chosen(practice: Practice) -> None:
    """One who was booked by name is spared until the others of that day have as much to do (B-7)."""
    busy = practice.resources["first"]
    for slot in range(6):
        await practice.reserve("named", START + slot * MINUTES * 60, resource="first", minutes=MINUTES)
    later = range(START + 6 * HOUR_SECONDS, START + DAY_SECONDS, MINUTES * 60)
    chosen = [await practice.reserve("anyone", at, minutes=MINUTES) for at in islice(later, 18)]
    assert whose(chosen) == {practice.resources[name]: 6 for name in TEAM if practice.resources[name] != busy}

    tomorrow = [
        await practice.reserve("anyone", START + DAY_SECONDS + slot * MINUTES * 60, minutes=MINUTES)
        for slot in range(4)
    ]
    assert whose(tomorrow) == dict.fromkeys(practice.resources.values(), 1), "another day begins anew, in turn"


async def test_a_cancelled_booking_counts_no_more(practice: Practice) -> None:
    """Work that was given back is made up for (B-7)."""
    first = [await practice.reserve("anyone", START + n * HOUR_SECONDS, minutes=MINUTES) for n in range(8)]
    freed = first[0].resources[0]
    for answer in first:
        if answer.resources[0] == freed:
            await practice.release(answer.made().id)
    again = [await practice.reserve("anyone", START + (n + 10) * HOUR_SECONDS, minutes=MINUTES) for n in range(2)]
    assert whose(again) == {freed: 2}


def _spread(answers: list[Answer]) -> int:
    shares = whose(answers)
    return max(shares.values()) - min(shares.values()) if shares else 0
