"""Series among simultaneous requests: each whole or not at all, and nobody waits for ever."""

import asyncio
import random
from collections.abc import AsyncIterator
from uuid import uuid4

import psycopg
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
)
from booking.serial import cancel, commit, days, held, release, series
from holdfast.booking.admission import Answer, instant
from holdfast.booking.errors import ReservationNotFoundOrExpired, SlotConflict
from holdfast.booking.series_views import SeriesView
from holdfast.catalog.resources import put_resource


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with three practitioners, a room and a studio, open around the clock."""
    async with open_practice(app_uri) as opened:
        for name in ("ana", "ben", "cleo", "room"):
            await opened.add_resource(name)
        await opened.add_resource("studio", capacity=3)
        await opened.add_service("talk", ["ana"])
        yield opened


async def test_a_series_among_fifty_singles(practice: Practice, admin_uri: str) -> None:
    """Against 50 racing bookings a series is whole or nothing, 100 times out of 100, and no single is refused falsely (B-21).

    A single loses only against another one or against the series as a whole.
    """
    chance = random.Random(21)
    whole = 0
    async with beside(practice) as other:
        for n in range(100):
            starts = days(10, START + n * 10 * DAY_SECONDS % (600 * DAY_SECONDS) + n // 60 * HOUR_SECONDS)
            singles = [chance.choice(starts[3:]) for _ in range(50)]
            calls = [desk.reserve("talk", start) for desk, start in zip([practice, other] * 25, singles, strict=True)]
            late = chance.randrange(51)
            answers = await outcomes(*calls[:late], series(practice, "talk", starts), *calls[late:])
            made = answers.pop(late)
            got = {a.starts.timestamp() for a in answers if isinstance(a, Answer) and a.starts is not None}
            assert {type(a).__name__ for a in answers} <= {"Answer", "SlotConflict"}
            if isinstance(made, SeriesView):
                whole += 1
                assert len(held(made)) == 10
                assert got == set()
            else:
                assert isinstance(made, SlotConflict)
                assert got == set(map(float, singles))
            statement = "select count(*) from bookings where business_id = %s and starts_at = any (%s)"
            times = [instant(start) for start in starts]
            expected = 10 if isinstance(made, SeriesView) else len(set(singles))
            assert count(admin_uri, statement, practice.business_id, times) == expected
    # Both happen, or the race would prove nothing.
    assert 0 < whole < 100


async def test_two_series_in_opposite_order(practice: Practice, admin_uri: str) -> None:
    """Of two series that cross each other, begun from opposite ends, one is whole and the other nothing (B-21, B-6)."""
    async with beside(practice) as other:
        for n in range(24):
            starts = days(20, START + n * HOUR_SECONDS)
            answers = await outcomes(
                series(practice, "talk", starts),
                series(other, "talk", starts[::-1]),
                series(other, "talk", starts[::2]),
            )
            assert {type(a).__name__ for a in answers} == {"SeriesView", "SlotConflict"}
            if isinstance(answers[2], SlotConflict):
                assert sum(isinstance(a, SeriesView) for a in answers) == 1
            taken = "select count(*) from bookings where business_id = %s and starts_at = any (%s)"
            held_now = sum(len(held(a)) for a in answers if isinstance(a, SeriesView))
            assert count(admin_uri, taken, practice.business_id, [instant(s) for s in starts]) == held_now


async def test_series_over_several_practitioners(practice: Practice, admin_uri: str) -> None:
    """Three practitioners take exactly three of six simultaneous series, each whole (B-21, B-7)."""
    await practice.add_service("anyone", ["ana", "ben", "cleo"])
    async with beside(practice) as other:
        for n in range(15):
            starts = days(8, START + n * HOUR_SECONDS)
            calls = [series(desk, "anyone", starts) for desk in (practice, other) for _ in range(3)]
            answers = await outcomes(*calls)
            assert sorted(type(a).__name__ for a in answers) == ["SeriesView"] * 3 + ["SlotConflict"] * 3


async def test_series_over_a_pool(practice: Practice, admin_uri: str) -> None:
    """A studio of three places takes three of eight simultaneous series, overlapping ones among them (B-21, B-2)."""
    await practice.add_service("open", ["studio"], slot_step_minutes=30)
    async with beside(practice) as other:
        for n in range(10):
            first = START + n * 2 * HOUR_SECONDS
            orders = [days(8, first), days(8, first)[::-1], days(8, first + 1_800), days(8, first + 1_800)[::-1]]
            calls = [series(desk, "open", starts) for starts in orders for desk in (practice, other)]
            answers = await outcomes(*calls)
            assert sorted(type(a).__name__ for a in answers) == ["SeriesView"] * 3 + ["SlotConflict"] * 5


async def test_everything_at_once(practice: Practice, admin_uri: str) -> None:
    """Series and singles of services that share people, rooms and pools race without a deadlock being told (B-21, B-6).

    Among them series that overlap themselves, which take their places in several steps.
    """
    await practice.add_service("pair", ["room"], ["cleo", "ben"], slot_step_minutes=30)
    await practice.add_service("limited", ["ana", "ben", "cleo"], max_simultaneous_bookings=2, slot_step_minutes=30)
    await practice.add_service("open", ["studio"], ["room", "ana"], slot_step_minutes=30)
    chance = random.Random(3)
    async with beside(practice) as other:
        for n in range(12):
            first = START + n * 12 * HOUR_SECONDS
            grid = [first + step * 1_800 for step in range(12)]
            calls = []
            for _ in range(12):
                service = chance.choice(["pair", "limited", "open"])
                desk = chance.choice([practice, other])
                starts = chance.sample(grid, chance.randrange(2, 7))
                calls.append(series(desk, service, starts, partial=chance.random() < 0.3))
                calls.append(desk.reserve(service, chance.choice(grid)))  # type: ignore[arg-type]
            answers = await outcomes(*calls)
            assert {type(a).__name__ for a in answers} <= {"Answer", "SeriesView", "SlotConflict"}
            assert any(isinstance(a, SeriesView) for a in answers)


async def test_one_key_at_once(practice: Practice, admin_uri: str) -> None:
    """Simultaneous requests with one key make one series and hear one answer, on two servers (B-9, B-21)."""
    await practice.add_service("anyone", ["ana", "ben", "cleo"])
    async with beside(practice) as other:
        for n in range(15):
            starts, key = days(6, START + n * HOUR_SECONDS), str(uuid4())
            answers = await outcomes(*(series(desk, "anyone", starts, key=key) for desk in (practice, other) * 3))
            made = [a for a in answers if isinstance(a, SeriesView)]
            assert len(made) == 6, answers
            assert len({a.series_id for a in made}) == 1
            assert sorted(a.replayed for a in made) == [False] + [True] * 5
            assert all(a.items == made[0].items for a in made)
    assert count(admin_uri, "select count(*) from bookings where business_id = %s", practice.business_id) == 90


async def test_a_capacity_changes_meanwhile(practice: Practice, admin_uri: str) -> None:
    """A series that meets a change of capacity is judged by the new one, without an error of its own (B-21, B-2)."""
    await practice.add_service("open", ["studio"])

    async def resize(capacity: int) -> None:
        await practice.desk.database.run(
            practice.business_id,
            lambda tx: put_resource(
                tx, slug="studio", name="studio", kind="room", capacity=capacity, timezone=None, always_open=True
            ),
        )

    async with beside(practice) as other:
        for n in range(10):
            starts = days(4, START + n * HOUR_SECONDS)
            answers = await outcomes(
                series(practice, "open", starts), resize(3 + n % 2), series(other, "open", starts), resize(4 - n % 2)
            )
            assert [type(a).__name__ for a in answers] == ["SeriesView", "NoneType", "SeriesView", "NoneType"], answers


async def test_a_capacity_changes_after_the_look(practice: Practice, admin_uri: str) -> None:
    """A series that waits for a change of capacity, and finds it changed, looks again and is held (B-21, B-2)."""
    blocked = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%%admit(%%'"
    with psycopg.connect(admin_uri) as admin:
        admin.execute("update resources set capacity = 2 where id = %s", [practice.resources["ana"]])
        asked = asyncio.create_task(series(practice, "talk", days(3)))
        while not await asyncio.to_thread(count, admin_uri, blocked + " and %s", True):
            assert not asked.done()
        admin.commit()
    assert len(held(await asked)) == 3


@pytest.mark.parametrize("end", ["release", "run out", "single release"])
async def test_a_commit_meets_the_end_of_a_hold(practice: Practice, admin_uri: str, end: str) -> None:
    """A commit that races with a release or an expiry makes all appointments that it says, or none (B-21, B-11, B-4)."""
    for n in range(15):
        made = await series(practice, "talk", days(5, START + n * HOUR_SECONDS))
        endings = {
            "release": lambda made=made: release(practice, made),
            "run out": lambda made=made: practice.run_out(held(made)[2]),
            "single release": lambda made=made: practice.release(held(made)[2]),
        }
        done, _ = await outcomes(commit(practice, made), endings[end]())
        states = [(await practice.read(booking)).state for booking in held(made)]
        if isinstance(done, ReservationNotFoundOrExpired):
            assert "confirmed" not in states
        else:
            said = {a.id for a in done.appointments}  # type: ignore[attr-defined]
            assert {b for b, state in zip(held(made), states, strict=True) if state == "confirmed"} == said
            assert len(said) >= 4


async def test_commits_and_cancellations_at_once(practice: Practice, admin_uri: str) -> None:
    """Simultaneous commits make the same appointments; simultaneous cancellations free each place once (B-21, B-17)."""
    for n in range(10):
        made = await series(practice, "talk", days(5, START + n * HOUR_SECONDS))
        done = await asyncio.gather(*(commit(practice, made) for _ in range(4)))
        assert sorted(d.repeated for d in done) == [False, True, True, True]
        assert len({(d.nonce, *(a.nonce for a in d.appointments)) for d in done}) == 1
        answers = await outcomes(
            cancel(practice, made), cancel(practice, made, since=held(made)[2]), practice.cancel(held(made)[3])
        )
        for answer in answers:
            assert type(answer).__name__ in {"CancelledSeriesView", "CancelledView", "AlreadyCancelled"}
        told = "select count(*) from outbox_events where type = 'AppointmentCancelled' and aggregate_id = any (%s)"
        assert count(admin_uri, told, held(made)) == 5
