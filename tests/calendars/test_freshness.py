"""What happens to the times of somebody whose calendar has not answered for too long, at the desk of a business."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from booking.opened import DAY_SECONDS, HOUR_SECONDS, START, Practice, beside, open_practice, outcomes
from calendars.watched import connect, disconnect, look
from holdfast.administration import settings
from holdfast.availability import snapshots
from holdfast.availability.freshness import Look
from holdfast.booking.bookings import keyed
from holdfast.booking.contacts import Contact, Guest
from holdfast.booking.errors import CheckLater, SlotConflict, SlotNotOffered
from holdfast.booking.free_time import FreeTime, free_days
from holdfast.booking.manual import Manual, book_manually
from holdfast.booking.reservations import Wish
from holdfast.booking.series import SeriesWish, reserve_series
from holdfast.identity.permissions import Role
from holdfast.identity.staff import Staff
from holdfast.kernel.database import Transaction

LONG_AGO = timedelta(hours=3)
LATELY = timedelta(minutes=20)
DAY = datetime.fromtimestamp(START, UTC).date()


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A practice with two people, each of whom gives talks, and a room for one who needs it."""
    async with open_practice(app_uri) as opened:
        for slug in ("ana", "ben", "room"):
            await opened.add_resource(slug)
        await opened.add_service("talk", ["ana", "ben"])
        await opened.add_service("visit", ["ana"], ["room"])
        yield opened


async def free(practice: Practice, service: str = "talk", day: date = DAY, **more: Any) -> FreeTime:
    """Return the free time of a day."""
    desk = practice.desk
    days = (day, day + timedelta(days=1))
    return await free_days(desk.database, desk.snapshots, practice.business_id, service, "UTC", *days, **more)


async def leaders(practice: Practice, service: str = "talk") -> set[UUID]:
    """Return who is offered on the day."""
    return {leader for slot in (await free(practice, service)).days[0][1] for leader in slot.resource_ids}


async def change(practice: Practice, key: str, value: object) -> None:
    """Change a setting as an owner."""
    staff = Staff(practice.business_id, frozenset({Role.OWNER}), key_id=uuid4())
    await practice.desk.database.run(practice.business_id, lambda tx: settings.change(tx, key, value, staff))


async def test_who_has_not_been_seen_for_too_long_is_not_offered(practice: Practice, admin_uri: str) -> None:
    """Slots leave out whose calendar is too old, say since when, and offer them again once it was looked at (C-6)."""
    ana, ben = practice.resources["ana"], practice.resources["ben"]
    calendar = await connect(admin_uri, practice.business_id, ana, seen=LONG_AGO)
    hidden = await free(practice)
    assert {leader for slot in hidden.days[0][1] for leader in slot.resource_ids} == {ben}
    [(resource_id, since)] = hidden.unknown.items()
    assert resource_id == ana
    assert timedelta(0) <= datetime.now(UTC) - LONG_AGO - since < timedelta(minutes=5)

    nobody = await free(practice, "visit")
    assert (nobody.days[0][1], nobody.next_free, list(nobody.unknown)) == ([], None, [ana])
    alone = await free(practice, resource_id=ana)
    assert (alone.days[0][1], alone.next_free, list(alone.unknown)) == ([], None, [ana])

    look(admin_uri, calendar)
    again = await free(practice)
    assert {leader for slot in again.days[0][1] for leader in slot.resource_ids} == {ana, ben}
    assert not again.unknown
    assert (await free(practice, "visit")).days[0][1]


async def test_reserving_picks_among_those_who_are_known(practice: Practice, admin_uri: str) -> None:
    """Any-of never lands on whom nobody has seen; when only they are left the answer is check later, with who (C-6, B-7)."""
    ana, ben = practice.resources["ana"], practice.resources["ben"]
    await connect(admin_uri, practice.business_id, ana, seen=LONG_AGO)
    for n in range(4):
        answer = await practice.reserve("talk", START + n * HOUR_SECONDS)
        assert answer.resources == [ben]
    for service, resource in (("talk", "ana"), ("visit", None)):
        with pytest.raises(CheckLater) as refused:
            await practice.reserve(service, resource=resource)
        assert (refused.value.code, refused.value.status) == ("check_later", 409)
        assert refused.value.details == {"resourceIds": [ana], "waitlist": "/api/public/booking/waitlist"}
        with pytest.raises(CheckLater):
            await practice.reserve(service, resource=resource, guest=Guest("guest@example.org"))


async def test_a_lost_race_proposes_nobody_who_is_not_known(practice: Practice, admin_uri: str) -> None:
    """Alternatives to a time that is taken are of those whose calendars are known, for clients (C-6, B-22)."""
    ana, ben = practice.resources["ana"], practice.resources["ben"]
    await connect(admin_uri, practice.business_id, ana, seen=LONG_AGO)
    await practice.reserve("talk")
    with pytest.raises(SlotConflict) as lost:
        await practice.reserve("talk")
    found = lost.value.details["alternatives"]
    assert len(found) == 5
    assert {each["resourceId"] for each in found} == {ben}


async def test_what_was_never_offered_stays_so(practice: Practice, admin_uri: str) -> None:
    """A time off the grid is refused as such, whoever's calendar is known: checking later would not help (C-6, A-4)."""
    await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=LONG_AGO)
    with pytest.raises(SlotNotOffered):
        await practice.reserve("visit", START + 60)


async def test_a_client_does_not_move_to_whom_nobody_knows(practice: Practice, admin_uri: str) -> None:
    """A client who reschedules is refused as one who books, and keeps the appointment (C-6, B-16)."""
    booked = await practice.reserve("talk", resource="ana", guest=Guest("guest@example.org"))
    await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=LONG_AGO)
    with pytest.raises(CheckLater):
        await practice.move(booked.made().id, "talk", START + 2 * HOUR_SECONDS, resource="ana")
    moved = await practice.move(booked.made().id, "talk", START + 2 * HOUR_SECONDS)
    assert moved.resource_ids == [practice.resources["ben"]]


async def test_staff_are_hidden_nothing(practice: Practice, admin_uri: str) -> None:
    """Staff book whom the public is not offered: they may know more than a calendar (C-6, B-14)."""
    await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=LONG_AGO)
    wish = Wish(
        party=1,
        key=keyed(None, "appointment", b""),
        service_id=practice.services["visit"],
        start=START,
        end=START + HOUR_SECONDS,
    )
    staff = Staff(practice.business_id, frozenset({Role.ASSISTANT}), key_id=uuid4())
    _, booking = await book_manually(practice.desk, Manual(staff, wish, Contact("guest@example.org")))
    assert booking.state == "confirmed"


async def test_a_series_tells_which_of_it_cannot_be_told(practice: Practice, admin_uri: str) -> None:
    """Whole or in part, a series says check later only where nothing but a calendar stands against it (C-6, B-21)."""
    calendar = await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=LONG_AGO)
    starts = (START, START + DAY_SECONDS)

    def wish(*, partial: bool, starts: tuple[int, ...] = starts) -> SeriesWish:
        each = Wish(party=1, key=keyed(None, "series", b""), service_id=practice.services["visit"])
        return SeriesWish(each=each, key=keyed(None, "series", b""), partial=partial, starts=starts)

    for partial in (False, True):
        with pytest.raises(CheckLater) as refused:
            await reserve_series(practice.desk, practice.business_id, wish(partial=partial))
        assert refused.value.details["resourceIds"] == [practice.resources["ana"]]
        assert {each.code for each in refused.value.details["occurrences"]} == {"check_later"}
    with pytest.raises(SlotNotOffered) as never:
        await reserve_series(practice.desk, practice.business_id, wish(partial=False, starts=(START, START + 60)))
    assert [each.code for each in never.value.details["occurrences"]] == ["check_later", "slot_not_offered"]
    look(admin_uri, calendar)
    made = await reserve_series(practice.desk, practice.business_id, wish(partial=False))
    assert [item.status for item in made.items] == ["held", "held"]


@pytest.mark.parametrize(
    ("seen", "connected", "is_known"),
    [
        (timedelta(minutes=59), timedelta(days=9), True),
        (timedelta(minutes=61), timedelta(0), False),
        (None, timedelta(minutes=59), True),
        (None, timedelta(minutes=61), False),
    ],
)
async def test_a_calendar_lasts_an_hour(
    practice: Practice, admin_uri: str, seen: timedelta | None, connected: timedelta, is_known: bool
) -> None:
    """What was seen of a calendar lasts 60 minutes; one that was never seen is as old as its connection (C-6)."""
    await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=seen, connected=connected)
    assert (practice.resources["ana"] in await leaders(practice)) is is_known


async def test_the_one_that_has_waited_longest_counts(practice: Practice, admin_uri: str) -> None:
    """Of several calendars each must be known; one that does not block, and one taken away, hide nobody (C-6)."""
    ana = practice.resources["ana"]
    await connect(admin_uri, practice.business_id, ana, seen=timedelta(0))
    old = await connect(admin_uri, practice.business_id, ana, seen=LONG_AGO)
    assert ana not in await leaders(practice)
    with psycopg.connect(admin_uri) as connection:
        connection.execute("update calendars set blocks = false where id = %s", [old])
    assert ana in await leaders(practice)
    with psycopg.connect(admin_uri) as connection:
        connection.execute("update calendars set blocks = true where id = %s", [old])
    assert ana not in await leaders(practice)
    disconnect(admin_uri, old)
    assert ana in await leaders(practice)


async def test_the_business_chooses(practice: Practice, admin_uri: str) -> None:
    """With `keep`, or a longer limit, the times stay; each change holds at once, at every server (C-6)."""
    ana = practice.resources["ana"]
    await connect(admin_uri, practice.business_id, ana, seen=LONG_AGO)
    async with beside(practice) as other:
        assert ana not in await leaders(practice) | await leaders(other)
        for key, value in (("calendar_outage", "keep"), ("calendar_freshness_minutes", 240)):
            await change(practice, key, value)
            for server in (practice, other):
                assert ana in await leaders(server)
                held = await server.reserve("visit")
                await server.release(held.made().id)
            await change(practice, key, None)
            for server in (practice, other):
                assert ana not in await leaders(server)
                with pytest.raises(CheckLater):
                    await server.reserve("visit")


async def test_a_calendar_that_comes_binds_at_every_server(practice: Practice, admin_uri: str) -> None:
    """A server that has offered somebody refuses once another has connected a calendar that nobody has seen (C-6)."""
    async with beside(practice) as other:
        for server in (practice, other):
            held = await server.reserve("visit")
            await server.release(held.made().id)
        calendar = await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=LONG_AGO)
        for server in (practice, other):
            with pytest.raises(CheckLater):
                await server.reserve("visit")
        look(admin_uri, calendar)
        for server in (practice, other):
            held = await server.reserve("visit")
            await server.release(held.made().id)


async def test_knowing_costs_nothing(practice: Practice, admin_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is asked about calendars only when what is known of one is over; then once for all who ask (C-6)."""
    asked = 0
    looks_of = snapshots.looks_of

    async def counting(tx: Transaction) -> dict[UUID, Look]:
        nonlocal asked
        asked += 1
        return await looks_of(tx)

    monkeypatch.setattr(snapshots, "looks_of", counting)
    calendar = await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=LATELY)
    await practice.desk.snapshots.refresh(practice.business_id)
    for n in range(3):
        await practice.reserve("visit", START + n * HOUR_SECONDS)
    assert asked == 0
    disconnect(admin_uri, calendar)
    await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=LONG_AGO)
    await practice.desk.snapshots.refresh(practice.business_id)
    refused = await outcomes(*(practice.reserve("visit", START + n * HOUR_SECONDS) for n in range(5, 15)))
    assert {type(each) for each in refused} == {CheckLater}
    assert 1 <= asked <= 2


async def test_groups_are_booked_whoever_is_known(practice: Practice, admin_uri: str) -> None:
    """A schedule has its room and person since it was laid out, and stays for sale (C-6)."""
    await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=LONG_AGO)
    schedule = await practice.add_schedule(3)
    assert (await practice.join(schedule)).outcome == "held"
