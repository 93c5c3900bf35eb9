"""Races of staff with the public: by whatever way a place is taken, it is taken once."""

import asyncio
from datetime import datetime
from uuid import UUID, uuid4

import pytest

from booking.opened import HOUR_SECONDS, START, Practice, beside, count, outcomes
from holdfast.booking.admission import Answer, instant
from holdfast.booking.blocks import BlockView, Wanted, block, unblock
from holdfast.booking.bookings import keyed
from holdfast.booking.contacts import Contact
from holdfast.booking.errors import CapacityExceeded, SlotConflict, TimeTaken
from holdfast.booking.manual import Manual, book_manually
from holdfast.booking.reservations import Wish
from holdfast.catalog.resources import set_capacity
from holdfast.identity.permissions import Role
from holdfast.identity.staff import Staff
from holdfast.kernel.audit import Actor
from holdfast.kernel.ids import new_id

DESK = Actor("staff", new_id())


async def by_hand(
    practice: Practice,
    service: str | None = None,
    start: int = START,
    *,
    schedule: UUID | None = None,
    key: str | None = None,
) -> UUID:
    """Book as staff; return the appointment."""
    wish = Wish(
        party=1,
        key=keyed(key, "book by staff", repr((service, start, schedule)).encode()),
        schedule_id=schedule,
        service_id=practice.services[service] if service else None,
        start=start if service else None,
        end=start + HOUR_SECONDS if service else None,
    )
    staff = Staff(practice.business_id, frozenset({Role.OWNER}), key_id=new_id())
    shown, _ = await book_manually(practice.desk, Manual(staff, wish, Contact(name="Guest")))
    return shown.appointment_id


async def keep_free(practice: Practice, resource: str, start: int = START, hours: int = 1) -> BlockView:
    """Block a resource."""
    wanted = Wanted(practice.resources[resource], instant(start), instant(start + hours * HOUR_SECONDS), None)
    return await block(practice.desk.database, practice.business_id, wanted, keyed(None, "block", b""), DESK)


@pytest.mark.parametrize(("service", "places"), [("talk", 1), ("anyone", 2), ("dance", 4)])
async def test_staff_and_public_share_one_capacity(practice: Practice, service: str, places: int) -> None:
    """Of many bookings by hand and reservations at once exactly as many succeed as there are places (B-2, B-14)."""
    async with beside(practice) as other:
        for n in range(5):
            start = START + n * HOUR_SECONDS
            answers = await outcomes(
                *(
                    way(desk, service, start)
                    for _ in range(6)
                    for desk in (practice, other)
                    for way in (by_hand, Practice.reserve)
                )
            )
            assert sum(isinstance(a, UUID | Answer) for a in answers) == places, answers
            assert sum(isinstance(a, SlotConflict) for a in answers) == 24 - places


async def test_staff_and_public_share_one_group(practice: Practice, admin_uri: str) -> None:
    """A group is filled to its last place and not beyond, by hand and by its page at once (B-14, B-20)."""
    schedule = await practice.add_schedule(7)
    answers = await outcomes(
        *(practice.join(schedule) for _ in range(10)), *(by_hand(practice, schedule=schedule) for _ in range(10))
    )
    assert sum(isinstance(a, UUID | Answer) for a in answers) == 7
    assert sum(isinstance(a, CapacityExceeded) for a in answers) == 13
    assert count(admin_uri, "select taken from program_schedules where id = %s", schedule) == 7


@pytest.mark.parametrize("service", ["talk", "anyone", "dance"])
async def test_one_key_of_staff_has_one_effect(practice: Practice, service: str) -> None:
    """One booking by hand sent many times at once, over several servers, is one appointment (B-9, B-14)."""
    async with beside(practice) as other:
        for n in range(4):
            key, start = str(uuid4()), START + n * HOUR_SECONDS
            answers = await outcomes(
                *(by_hand(d, service, start, key=key) for _ in range(8) for d in (practice, other))
            )
            assert len(set(map(str, answers))) == 1, answers
            assert isinstance(answers[0], UUID)


@pytest.mark.parametrize(("service", "resource"), [("talk", "ana"), ("dance", "hall")])
async def test_a_block_or_bookings(practice: Practice, service: str, resource: str) -> None:
    """A block and bookings of its time at once: either nobody has a place in it, or it is refused and names them (B-2)."""
    for n in range(12):
        start = START + n * HOUR_SECONDS
        tries = [practice.reserve(service, start) for _ in range(3)]
        # Now the block is sent first, now last.
        tries.insert(n % 4, keep_free(practice, resource, start))  # type: ignore[arg-type]
        answers = await outcomes(*tries)
        blocked = [a for a in answers if isinstance(a, BlockView)]
        booked = [a for a in answers if isinstance(a, Answer)]
        assert bool(blocked) != bool(booked), answers
        for refused in (a for a in answers if isinstance(a, TimeTaken)):
            assert refused.details["conflicts"]

    # Who of them wins a race is chance; who comes first does not leave it to chance.
    early, late = START + 20 * HOUR_SECONDS, START + 21 * HOUR_SECONDS
    held = await practice.reserve(service, early)
    with pytest.raises(TimeTaken) as taken:
        await keep_free(practice, resource, early)
    assert [held.id] == [each["id"] for each in taken.value.details["conflicts"]]
    await keep_free(practice, resource, late)
    with pytest.raises(SlotConflict):
        await practice.reserve(service, late)


async def test_unblocking_while_others_book(practice: Practice, admin_uri: str) -> None:
    """A block is removed with all its places while others ask for them, and then all can be booked (B-2, B-3)."""
    for n in range(8):
        start = START + n * HOUR_SECONDS
        kept = await keep_free(practice, "hall", start)
        freed = practice.desk.database.run(practice.business_id, lambda tx, kept=kept: unblock(tx, kept.id, DESK))
        early = await outcomes(freed, *(practice.reserve("dance", start) for _ in range(3)))
        assert early[0] is None
        got = sum(isinstance(a, Answer) for a in early)
        late = await outcomes(*(practice.reserve("dance", start) for _ in range(5)))
        assert got + sum(isinstance(a, Answer) for a in late) == 4
    left = "select count(*) from claims where block_id is not null and business_id = %s"
    assert count(admin_uri, left, practice.business_id) == 0


async def test_unblocking_while_the_hall_grows(practice: Practice, admin_uri: str) -> None:
    """A block that is removed while its resource gets more places leaves none of them taken (B-2)."""
    kept, database = await keep_free(practice, "hall"), practice.desk.database
    async with database.transaction(practice.business_id) as tx:
        await set_capacity(tx, practice.resources["hall"], 6)
        freed = asyncio.create_task(database.run(practice.business_id, lambda tx: unblock(tx, kept.id, DESK)))
        waiting = (
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        for _ in range(10_000):
            if freed.done() or count(admin_uri, waiting) > 0:
                break
            await asyncio.sleep(0)
    await freed
    assert count(admin_uri, "select count(*) from claims where block_id = %s", kept.id) == 0
    answers = await outcomes(*(practice.reserve("dance") for _ in range(8)))
    assert sum(isinstance(a, Answer) for a in answers) == 6


async def test_a_hall_under_a_block_and_a_group(practice: Practice) -> None:
    """A place of several that a block takes whole is neither offered, nor counted as free, nor booked (A-4, B-2)."""
    kept = await keep_free(practice, "hall", hours=3)
    for n in range(3):
        with pytest.raises(SlotConflict) as lost:
            await practice.reserve("dance", START + n * HOUR_SECONDS)
        starts = {a["start"] for a in lost.value.details["alternatives"]}
        assert all(not kept.start <= datetime.fromisoformat(start) < kept.end for start in starts)
    assert await practice.reserve("dance", START + 3 * HOUR_SECONDS)


async def test_deadlocks_are_nobodys_answer(practice: Practice) -> None:
    """Bookings by hand, blocks, moves and reservations of one time at once end in success or in a refusal that is told."""
    first = [await by_hand(practice, "anyone", START + n * HOUR_SECONDS) for n in (10, 11, 12)]
    answers = await asyncio.gather(
        *(by_hand(practice, service) for service in ("talk", "anyone", "dance") for _ in range(4)),
        *(practice.reserve(service) for service in ("talk", "anyone", "dance") for _ in range(4)),
        *(keep_free(practice, resource) for resource in ("ana", "ben", "hall")),
        *(practice.move(booking, "anyone", START) for booking in first),
        return_exceptions=True,
    )
    failures = [a for a in answers if isinstance(a, Exception) and not isinstance(a, SlotConflict | TimeTaken)]
    assert failures == []
