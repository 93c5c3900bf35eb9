"""Simultaneous requests for the same places: exactly as many succeed as there are places."""

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from booking.opened import (
    DAY_SECONDS,
    HOUR_SECONDS,
    START,
    Practice,
    beside,
    count,
    open_practice,
    outcomes,
    violations,
)
from holdfast.booking.admission import Answer
from holdfast.booking.errors import CapacityExceeded, SlotConflict


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with one practitioner, open around the clock."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


@pytest.mark.parametrize(("requests", "places"), [(100, 7), (1_000, 400), (10_000, 1_234)])
async def test_a_schedule_of_n_places_takes_exactly_n(
    practice: Practice, admin_uri: str, requests: int, places: int
) -> None:
    """Of any number of simultaneous requests for a schedule of N places exactly N are held (B-1, B-2, B-20)."""
    schedule = await practice.add_schedule(places)
    answers = await outcomes(*(practice.join(schedule, key=str(uuid4())) for _ in range(requests)))
    held = [a for a in answers if isinstance(a, Answer)]
    refused = [a for a in answers if isinstance(a, CapacityExceeded)]
    assert (len(held), len(refused)) == (places, requests - places)
    assert refused[0].details == {"placesLeft": 0}
    assert count(admin_uri, "select taken from program_schedules where id = %s", schedule) == places
    assert len({a.id for a in held}) == places
    assert count(admin_uri, "select count(*) from bookings where schedule_id = %s", schedule) == places


async def test_a_thousand_clients_for_one_slot(practice: Practice, admin_uri: str) -> None:
    """Of 1,000 requests for one slot one is held, 999 hear slot_conflict with alternatives (B-1, B-22, field pain 1)."""
    answers = await outcomes(*(practice.reserve("talk", key=str(uuid4())) for _ in range(1_000)))
    assert sum(isinstance(a, Answer) for a in answers) == 1
    conflicts = [a for a in answers if isinstance(a, SlotConflict)]
    assert len(conflicts) == 999
    assert all(len(c.details["alternatives"]) == 5 for c in conflicts)
    assert count(admin_uri, "select count(*) from bookings where business_id = %s", practice.business_id) == 1


async def test_fifty_commits_of_one_slot(practice: Practice, admin_uri: str) -> None:
    """50 clients who reserve and commit one slot at once make one appointment, and 49 of them lose (field pain 1)."""

    async def reserve_and_commit() -> object:
        answer = await practice.reserve("talk")
        return await practice.commit(answer.made().id)

    answers = await outcomes(*(reserve_and_commit() for _ in range(50)))
    assert sum(isinstance(a, SlotConflict) for a in answers) == 49
    assert (
        count(
            admin_uri,
            "select count(*) from bookings where business_id = %s and state = 'confirmed'",
            practice.business_id,
        )
        == 1
    )


async def test_overlapping_requests(practice: Practice) -> None:
    """Two overlapping requests of two services of one practitioner cannot both win (field pains 2 and 7)."""
    await practice.add_service("long", ["ana"], minutes=90, slot_step_minutes=30)
    for n in range(20):
        start = START + n * DAY_SECONDS
        answers = await outcomes(
            practice.reserve("talk", start + HOUR_SECONDS), practice.reserve("long", start, minutes=90)
        )
        assert sorted(type(a).__name__ for a in answers) == ["Answer", "SlotConflict"]


async def test_any_practitioner_takes_each_once(practice: Practice, admin_uri: str) -> None:
    """Two free practitioners take exactly two of three simultaneous bookers, each a different one (B-7, pains 4, 5)."""
    await practice.add_resource("ben")
    await practice.add_service("anyone", ["ana", "ben"])
    await practice.add_service("other", ["ana", "ben"], minutes=30)
    for n in range(30):
        start = START + n * HOUR_SECONDS
        answers = await outcomes(
            practice.reserve("anyone", start), practice.reserve("anyone", start), practice.reserve("anyone", start)
        )
        held = [a for a in answers if isinstance(a, Answer)]
        assert len(held) == 2
        assert len({a.resources[0] for a in held}) == 2
        assert sum(isinstance(a, SlotConflict) for a in answers) == 1
        with pytest.raises(SlotConflict):
            await practice.reserve("other", start, minutes=30)
    assert violations(admin_uri) == []


async def test_a_group_is_one_schedule(practice: Practice, admin_uri: str) -> None:
    """N+5 parallel first bookers of a group of N make N bookings of one schedule (field pain 6)."""
    schedule = await practice.add_schedule(12)
    answers = await outcomes(*(practice.join(schedule) for _ in range(17)))
    assert sum(isinstance(a, Answer) for a in answers) == 12
    assert count(admin_uri, "select count(*) from program_schedules where id = %s", schedule) == 1


async def test_parties_are_taken_whole(practice: Practice, admin_uri: str) -> None:
    """Parties of mixed sizes fill a schedule without ever exceeding it, each all or nothing (B-5)."""
    schedule = await practice.add_schedule(50)
    answers = await outcomes(*(practice.join(schedule, party=1 + n % 7) for n in range(60)))
    held = sum(a.party or 0 for a in answers if isinstance(a, Answer))
    assert count(admin_uri, "select taken from program_schedules where id = %s", schedule) == held
    assert 44 < held <= 50


async def test_two_resources_without_deadlock(practice: Practice, admin_uri: str) -> None:
    """Bookings of several resources in opposite orders race without deadlock, each whole or not at all (B-6)."""
    for name in ("ben", "cleo", "room", "hall"):
        await practice.add_resource(name)
    await practice.add_service("one", ["ana"], ["room"])
    await practice.add_service("two", ["room", "hall"], ["ana", "ben"])
    await practice.add_service("three", ["cleo", "ben"], ["hall", "room"])
    async with beside(practice) as other:
        calls = [
            desk.reserve(service, START + (n % 6) * HOUR_SECONDS)
            for n in range(40)
            for service in ("one", "two", "three")
            for desk in (practice, other)
        ]
        answers = await outcomes(*calls)
    assert {type(a).__name__ for a in answers} == {"Answer", "SlotConflict"}
    held = sum(isinstance(a, Answer) for a in answers)
    # Ana takes part in `one` and mostly in `two`, the room in all three: one or two bookings fit each hour.
    assert 6 <= held <= 12
    assert violations(admin_uri) == []


async def test_pool_across_practitioners(practice: Practice, admin_uri: str) -> None:
    """A service's limit on simultaneous bookings holds across its practitioners, on two servers at once (B-2)."""
    names = [f"p-{n}" for n in range(6)]
    for name in names:
        await practice.add_resource(name)
    await practice.add_service("limited", names, max_simultaneous_bookings=4)
    async with beside(practice) as other:
        answers = await outcomes(*(desk.reserve("limited") for _ in range(10) for desk in (practice, other)))
    assert sum(isinstance(a, Answer) for a in answers) == 4
    assert sum(isinstance(a, SlotConflict) for a in answers) == 16
    assert violations(admin_uri) == []


async def test_success_is_durable_before_it_is_said(practice: Practice, admin_uri: str) -> None:
    """Whatever was answered with success is in the database when the answer arrives (B-1, field pain 10)."""

    async def reserve_and_look(n: int) -> bool:
        answer = await practice.reserve("talk", START + n * HOUR_SECONDS)
        found = await asyncio.to_thread(count, admin_uri, "select count(*) from bookings where id = %s", answer.id)
        return found == 1

    assert all(await asyncio.gather(*(reserve_and_look(n) for n in range(20))))
