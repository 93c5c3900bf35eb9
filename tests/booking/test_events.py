"""The engine tells analytics what clients do: each step once, at the moment at which it succeeds (A-7, B-22, D-6)."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from booking.opened import HOUR_SECONDS, START, Practice, open_practice, outcomes
from booking.staffed import app_on
from holdfast.booking import tracked
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import ReservationNotFoundOrExpired, SlotConflict
from holdfast.kernel.tracking import slug

if TYPE_CHECKING:
    from holdfast.booking.reservations import Reservations

TALK = {"service_slug": "talk"}
SUBMITTED = (tracked.DETAILS_SUBMITTED, TALK)
CONFIRMED = (tracked.CONFIRMED, TALK)
CONFLICT = (tracked.CONFLICT, TALK)


def selected(start: int = START, zone: str = "UTC") -> tuple[str, dict[str, str]]:
    """Return the event of a chosen slot."""
    at = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (tracked.SLOT_SELECTED, {**TALK, "slot_start_at": at, "timezone": zone})


@pytest_asyncio.fixture
async def practice(app_uri: str) -> AsyncIterator[Practice]:
    """A business with one practitioner, who is there around the clock."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_service("talk", ["ana"])
        yield opened


async def told(practice: Practice) -> list[tuple[str, dict[str, str]]]:
    """Return the events of the business that are written, each as often as it happened."""
    await practice.desk.events.flush()
    async with practice.desk.database.transaction(practice.business_id) as tx:
        rows = await tx.rows(
            "select name, properties, times from analytics_events order by occurred_at, name, properties"
        )
    return [(row["name"], row["properties"]) for row in rows for _ in range(row["times"])]


def alike(found: list[tuple[str, dict[str, str]]], *wanted: tuple[str, dict[str, str]]) -> bool:
    """Tell whether just these events were told, in whatever order."""
    return sorted((name, sorted(of.items())) for name, of in found) == sorted(
        (name, sorted(of.items())) for name, of in wanted
    )


async def test_each_step_is_told_once(practice: Practice) -> None:
    """Choosing, submitting and confirming are told, and none of them again when its request is repeated (A-7, D-6)."""
    held = await practice.reserve("talk", key="one")
    assert alike(await told(practice), selected())
    assert (await practice.reserve("talk", key="one")).outcome == "replayed"
    await practice.commit(held.made().id)
    await practice.commit(held.made().id)
    assert alike(await told(practice), selected(), SUBMITTED, CONFIRMED)


async def test_booking_in_one_call_is_all_steps(practice: Practice) -> None:
    """What is booked at once was chosen, submitted and confirmed, however often it is repeated (A-7, D-6)."""
    guest = Guest("guest@example.org", "+7 912 345-67-89", "Guest", "Asia/Tokyo")
    for _ in range(2):
        await practice.reserve("talk", key="one", guest=guest)
    assert alike(await told(practice), selected(), SUBMITTED, CONFIRMED)


async def test_every_lost_race_is_told(practice: Practice) -> None:
    """Of twenty at once one is told to have chosen, and nineteen to have met a conflict (A-7, B-22)."""
    results = await outcomes(*(practice.reserve("talk") for _ in range(20)))
    assert sum(isinstance(result, SlotConflict) for result in results) == 19
    assert alike(await told(practice), selected(), *[CONFLICT] * 19)


async def test_details_that_come_too_late_are_no_confirmation(practice: Practice) -> None:
    """Details for a hold that has run out were submitted and confirmed nothing (D-6)."""
    held = await practice.reserve("talk")
    await practice.run_out(held.id)
    with pytest.raises(ReservationNotFoundOrExpired):
        await practice.commit(held.made().id)
    assert alike(await told(practice), selected(), SUBMITTED)


async def test_a_group_is_not_in_the_funnel(practice: Practice) -> None:
    """Places of a group are chosen without a slot, and tell nothing of the funnel of services (A-7)."""
    answer = await practice.join(await practice.add_schedule(3))
    await practice.commit(answer.made().id)
    assert await told(practice) == []


async def test_a_process_that_has_not_met_the_business_tells_too(practice: Practice, app_uri: str) -> None:
    """A commit is told also by a process that has yet to learn what the service is called (D-6)."""
    held = await practice.reserve("talk")
    async with open_practice(app_uri) as other:
        desk: Reservations = other.desk
        await desk.commit(practice.business_id, held.made().id, Guest("guest@example.org"))
        for telling in tuple(desk._telling):
            await telling
        await desk.events.flush()
    assert alike(await told(practice), selected(), SUBMITTED, CONFIRMED)


async def test_a_service_whose_name_could_be_a_number_is_not_told(practice: Practice) -> None:
    """A slug with so many digits that it could be a telephone number is left out, and the booking is made (D-6)."""
    await practice.add_service("room-2026-11-21", ["ana"])
    assert slug("room-2026-11-21") is None
    assert (await practice.reserve("room-2026-11-21")).outcome == "held"
    assert await told(practice) == []


async def business_slug(practice: Practice) -> str:
    """Return the slug of the business."""
    async with practice.desk.database.transaction(practice.business_id) as tx:
        return str(await tx.value("select slug from businesses where id = %s", [practice.business_id]))


async def test_what_clients_do_over_http_is_written_before_the_server_ends(
    practice: Practice, app_uri: str, admin_uri: str
) -> None:
    """Views by API and page and a whole series are told, and nothing is lost when the server ends at once (A-7, D-6)."""
    business = await business_slug(practice)
    day = datetime.fromtimestamp(START, UTC).date().isoformat()
    series = {
        "businessId": str(practice.business_id),
        "serviceId": str(practice.services["talk"]),
        "starts": [datetime.fromtimestamp(START + n * HOUR_SECONDS, UTC).isoformat() for n in range(3)],
        "timezone": "Asia/Tokyo",
        "idempotencyKey": "series",
    }
    async with app_on(app_uri, admin_uri) as client:
        asked = {"service_slug": "talk", "business": business, "tz": "Asia/Tokyo", "from": day}
        assert (await client.get("/api/public/booking/slots", params=asked)).status_code == 200
        assert (await client.get("/api/public/booking/slots", params=asked | {"service_slug": "no"})).status_code == 404
        page = await client.get(f"/{business}/booking/slot", params={"service": "talk", "tz": "Asia/Tokyo"})
        assert page.status_code == 200
        for _ in range(2):
            held = await client.post("/api/booking/series", json=series)
            assert held.status_code in {200, 201}, held.text
        for _ in range(2):
            path = f"/api/booking/series/{held.json()['seriesId']}/commit"
            done = await client.post(path, json={"guestEmail": "guest@example.org"})
            assert done.status_code in {200, 201}, done.text
    viewed = (tracked.SLOTS_VIEWED, {**TALK, "timezone": "Asia/Tokyo"})
    chosen = [selected(START + n * HOUR_SECONDS, "Asia/Tokyo") for n in range(3)]
    assert alike(await told(practice), viewed, viewed, *chosen, *[SUBMITTED, CONFIRMED] * 3)
