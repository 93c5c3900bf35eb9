"""Whatever frees a place, the first in line is offered it, as a hold (W-1)."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from booking.opened import HOUR_SECONDS, START
from booking.waiting import Line, fill
from holdfast.availability.busy import replace_busy
from holdfast.availability.hours import Override
from holdfast.availability.ics.times import Span
from holdfast.availability.rules import replace_overrides
from holdfast.booking import blocks, outcomes
from holdfast.booking.bookings import keyed
from holdfast.booking.schedules import set_capacity as set_schedule_capacity
from holdfast.catalog.resources import set_capacity
from holdfast.kernel.audit import Actor

HOUR = timedelta(hours=1)
STAFF = Actor.staff(UUID(int=7))


async def test_a_cancelled_appointment_is_offered(line: Line) -> None:
    """Who waits for a taken time is offered nothing, and its place as a hold once it is cancelled (W-1)."""
    [appointment] = await fill(line)
    waits = await line.wait()
    assert await line.turn() == 0
    assert await line.states(waits) == ["waiting"]

    await line.practice.cancel(appointment)
    assert await line.turn() == 1
    request = await line.read(waits)
    assert request.status == "offered"
    assert request.offer is not None
    held = await line.practice.read(request.offer.booking_id)
    assert (held.state, int(held.starts_at.timestamp()), held.party_size) == ("held", START, 1)
    assert (request.offer.start, request.offer.end) == (held.starts_at, held.ends_at)
    assert request.offer.expires_at == held.expires_at
    assert await line.turn() == 0


async def test_a_hold_that_has_run_out_is_offered(line: Line) -> None:
    """The place of a hold that has run out goes to who waits, though nobody has swept it (W-1, B-4)."""
    held = await line.practice.reserve("talk")
    waits = await line.wait()
    assert await line.turn() == 0
    await line.practice.run_out(held.id)
    assert await line.turn() == 1
    assert await line.states(waits) == ["offered"]


async def test_a_released_hold_is_offered(line: Line) -> None:
    """The place of a hold that was given back goes to who waits (W-1)."""
    held = await line.practice.reserve("talk")
    waits = await line.wait()
    assert await line.turn() == 0
    await line.practice.release(held.made().id)
    assert await line.turn() == 1
    assert await line.states(waits) == ["offered"]


async def test_a_refunded_appointment_is_offered(line: Line) -> None:
    """The place of an appointment that was refunded goes to who waits (W-1, B-18)."""
    [appointment] = await fill(line)
    waits = await line.wait()
    assert await line.turn() == 0
    booking = await line.practice.read(appointment)
    await line.run(
        lambda tx: outcomes.refund(tx, appointment, expected_version=booking.version, reason=None, actor=STAFF)
    )
    assert await line.turn() == 1
    assert await line.states(waits) == ["offered"]


async def test_an_appointment_that_moves_away_is_offered(line: Line) -> None:
    """The place that an appointment leaves when it is moved goes to who waits, and that to which it moves does not
    (W-1, B-16).
    """
    [appointment] = await fill(line)
    waits = await line.wait(hours=2)
    await line.practice.move(appointment, "talk", START + HOUR_SECONDS)
    assert await line.turn() == 1
    offer = (await line.read(waits)).offer
    assert offer is not None
    assert int(offer.start.timestamp()) == START


async def test_a_raised_capacity_of_a_schedule_is_offered(line: Line) -> None:
    """When a full schedule gets more places, those who wait are offered them in their order (W-1, B-20)."""
    schedule = await line.practice.add_schedule(1)
    await line.practice.commit((await line.practice.join(schedule)).made().id)
    waits = [await line.wait(schedule=schedule) for _ in range(3)]
    assert await line.turn() == 0
    await line.run(lambda tx: set_schedule_capacity(tx, schedule, 3))
    assert await line.turn() == 2
    assert await line.states(*waits) == ["offered", "offered", "waiting"]


async def test_a_raised_capacity_of_a_resource_is_offered(line: Line) -> None:
    """When a full resource gets more places, who waits is offered them (W-1, B-2)."""
    await fill(line, "dance", party=4)
    waits = [await line.wait("dance", party=2), await line.wait("dance", party=2)]
    assert await line.turn() == 0
    await line.run(lambda tx: set_capacity(tx, line.practice.resources["hall"], 6))
    assert await line.turn() == 1
    assert await line.states(*waits) == ["offered", "waiting"]


async def test_a_removed_block_is_offered(line: Line) -> None:
    """The time of a block that was removed goes to who waits (W-1)."""
    ana = line.practice.resources["ana"]
    begins = datetime.fromtimestamp(START, UTC)
    wanted = blocks.Wanted(ana, begins, begins + HOUR, None)
    made = await blocks.block(
        line.practice.desk.database, line.practice.business_id, wanted, keyed(None, "block", b""), STAFF
    )
    waits = await line.wait()
    assert await line.turn() == 0
    await line.run(lambda tx: blocks.unblock(tx, made.id, STAFF))
    assert await line.turn() == 1
    assert await line.states(waits) == ["offered"]


async def test_removed_busy_time_is_offered(line: Line) -> None:
    """Time that an outside calendar leaves goes to who waits (W-1, C-2)."""
    ana = line.practice.resources["ana"]
    busy = [Span(START, START + HOUR_SECONDS)]
    await line.run(lambda tx: replace_busy(tx, ana, busy, source="ics"))
    waits = await line.wait()
    assert await line.turn() == 0
    await line.run(lambda tx: replace_busy(tx, ana, [], source="ics"))
    assert await line.turn() == 1
    assert await line.states(waits) == ["offered"]


async def test_changed_opening_hours_are_offered(line: Line) -> None:
    """A day that is opened after all is offered to who waits for it, also by a worker that knows it as closed (W-1)."""
    ana = line.practice.resources["ana"]
    day = datetime.fromtimestamp(START, UTC).date()
    closed = [Override(day)]
    await line.run(lambda tx: tx.run("update resources set always_open = false where id = %s", [ana]))
    await line.run(lambda tx: replace_overrides(tx, ana, closed))
    waits = await line.wait(hours=24)
    assert await line.turn() == 0
    opened = [Override(day, datetime.min.time().replace(hour=9), datetime.min.time().replace(hour=17))]
    await line.run(lambda tx: replace_overrides(tx, ana, opened))
    assert await line.turn() == 1
    offer = (await line.read(waits)).offer
    assert offer is not None
    assert int(offer.start.timestamp()) == START + 9 * HOUR_SECONDS
