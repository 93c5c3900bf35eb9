"""Offers to those who wait: who is next, for how long, and what becomes of an offer (W-1)."""

import asyncio
import json
from datetime import timedelta
from types import SimpleNamespace
from uuid import UUID

import pytest

from booking.opened import HOUR_SECONDS, START
from booking.waiting import Line, fill, open_line
from calendars.watched import connect, disconnect
from holdfast.booking import personal
from holdfast.booking.errors import NotChangeable
from holdfast.booking.offers import PAUSE_SECONDS, Offers
from holdfast.booking.unpaid import end_unpaid
from holdfast.catalog.resources import set_capacity
from holdfast.kernel.audit import SYSTEM, Actor
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.privacy import Handles

HOUR = timedelta(hours=1)
STAFF = Actor.staff(UUID(int=7))


async def test_an_offer_goes_on_until_somebody_takes_it(line: Line) -> None:
    """An offer that is not taken passes to the next and the next; who was passed is told, and is not asked again (W-1)."""
    [appointment] = await fill(line)
    waits = [await line.wait() for _ in range(4)]
    await line.practice.cancel(appointment)
    for n in range(3):
        assert await line.turn() == 1
        assert await line.offered(*waits) == [waits[n]]
        await line.run_out(waits[n])
        # Its owner sees it at once, whenever it is written down.
        assert await line.states(waits[n]) == ["passed"]
    assert await line.turn() == 1
    await line.accept(waits[3])
    assert await line.turn() == 0
    assert [await line.stored(request) for request in waits] == ["passed", "passed", "passed", "accepted"]
    for passed in waits[:3]:
        assert await line.events(passed) == ["WaitlistOffered", "WaitlistPassed"]
    assert await line.events(waits[3]) == ["WaitlistOffered"]


async def test_asking_anew_goes_to_the_end(line: Line) -> None:
    """Whose offer has passed may ask anew, and comes after those who wait meanwhile (W-1)."""
    [appointment] = await fill(line)
    first, second = await line.wait(), await line.wait()
    await line.practice.cancel(appointment)
    await line.turn()
    await line.run_out(first)
    assert await line.wait(email=line.emails[first]) == first
    assert await line.states(first, second) == ["waiting", "waiting"]
    await line.turn()
    assert await line.offered(first, second) == [second]
    await line.run_out(second)
    await line.turn()
    assert await line.offered(first, second) == [first]
    assert await line.events(first) == ["WaitlistOffered", "WaitlistPassed", "WaitlistOffered"]


async def test_whoever_cancels_what_they_accepted_may_wait_again(line: Line) -> None:
    """An accepted request stays accepted while its appointment stands, and begins anew when that is cancelled (W-1)."""
    waits = await line.wait()
    await line.turn()
    await line.accept(waits)
    booking = await line.booking_of(waits)
    assert await line.wait(email=line.emails[waits]) == waits
    assert await line.states(waits) == ["accepted"]
    await line.practice.cancel(booking)
    await line.wait(email=line.emails[waits])
    assert await line.states(waits) == ["waiting"]


async def test_opting_out_gives_the_offer_to_the_next(line: Line) -> None:
    """Whoever opts out while they are offered a place gives it back at once, and the next is offered it (W-1)."""
    first, second = await line.wait(), await line.wait()
    assert await line.turn() == 1
    booking = await line.booking_of(first)
    await line.withdraw(first)
    assert (await line.practice.read(booking)).state == "released"
    assert await line.stored(first) == "withdrawn"
    assert await line.turn() == 1
    assert await line.states(first, second) == ["withdrawn", "offered"]


async def test_opting_out_too_late_cancels_nothing(line: Line) -> None:
    """Whoever has accepted an offer and then opts out keeps the appointment and is told to cancel it; when that is done,
    there is nothing left to opt out of (W-1).
    """
    waits = await line.wait()
    await line.turn()
    booking = await line.booking_of(waits)
    await line.accept(waits)
    # Whether the worker has come by since or not.
    for _ in range(2):
        with pytest.raises(NotChangeable, match="cancel the appointment instead") as refused:
            await line.withdraw(waits)
        assert refused.value.details == {"status": "confirmed", "appointmentId": booking}
        assert await line.states(waits) == ["accepted"]
        await line.turn()
    assert (await line.practice.read(booking)).state == "confirmed"
    await line.practice.cancel(booking)
    await line.withdraw(waits)
    assert await line.stored(waits) == "accepted"


async def test_opting_out_of_an_offer_that_has_run_out(line: Line) -> None:
    """Who opts out when the offer is over already has opted out (W-1)."""
    waits = await line.wait()
    await line.turn()
    await line.run_out(waits)
    await line.withdraw(waits)
    assert await line.stored(waits) == "withdrawn"


async def test_whoever_asked_first_and_fits_is_offered(line: Line) -> None:
    """Among overlapping windows, practitioners and parties, a place goes to whoever asked first of those who fit it; who
    does not fit keeps their turn and starves nobody behind them (W-1).
    """
    hall = line.practice.resources["hall"]
    await fill(line, "dance", START, hours=3, party=3)
    large = await line.wait("dance", START, 3, party=4)
    later = await line.wait("dance", START + 2 * HOUR_SECONDS, 1)
    wide = await line.wait("dance", START, 3)
    narrow = await line.wait("dance", START + HOUR_SECONDS, 1)
    # One place is left in each hour: `later` gets the third, `wide` the first, `narrow` the second.
    assert await line.turn() == 3
    assert await line.offered(large, later, wide, narrow) == [later, wide, narrow]
    starts = []
    for request in (later, wide, narrow):
        offer = (await line.read(request)).offer
        assert offer is not None
        starts.append((int(offer.start.timestamp()) - START) // HOUR_SECONDS)
    assert starts == [2, 0, 1]
    # A party that fits at last is before those who asked later.
    last = await line.wait("dance", START, 1, party=3)
    await line.run(lambda tx: set_capacity(tx, hall, 8))
    assert await line.turn() == 1
    assert await line.states(large, last) == ["offered", "waiting"]


async def test_who_waits_for_another_time_is_passed_by(line: Line) -> None:
    """A free hour goes to who waits for it, also before those who asked earlier for hours that are taken (W-1)."""
    await fill(line)
    early, late = await line.wait(), await line.wait(start=START + HOUR_SECONDS)
    assert await line.turn() == 1
    assert await line.states(early, late) == ["waiting", "offered"]


async def test_services_that_share_a_person_share_a_line(line: Line) -> None:
    """A freed hour goes to whoever asked first, whichever of the services that it could be used for they want (W-1)."""
    await line.practice.add_service("short", ["ana"], minutes=30)
    [appointment] = await fill(line)
    first, second = await line.wait("short"), await line.wait("talk")
    await line.practice.cancel(appointment)
    assert await line.turn() == 1
    assert await line.states(first, second) == ["offered", "waiting"]


async def test_any_practitioner_is_any(line: Line) -> None:
    """Who waits for anybody is offered whoever becomes free (W-1, B-7)."""
    made = [(await line.practice.reserve("anyone", resource=who)).made().id for who in ("ana", "ben")]
    waits = await line.wait("anyone")
    assert await line.turn() == 0
    await line.practice.release(made[1])
    assert await line.turn() == 1
    booking = await line.practice.read(await line.booking_of(waits))
    assert booking.resource_ids == [line.practice.resources["ben"]]


async def test_a_party_is_offered_places_together(line: Line) -> None:
    """Of two places of a group, the pair that asked first gets both; a single one before a pair that does not fit is
    served, and the pair keeps waiting (W-1, B-5).
    """
    schedule = await line.practice.add_schedule(4)
    made = [(await line.practice.join(schedule, 2)).made().id for _ in range(2)]
    pair, single, second_pair = [await line.wait(schedule=schedule, party=party) for party in (2, 1, 2)]
    await line.practice.release(made[0])
    assert await line.turn() == 1
    assert await line.states(pair, single, second_pair) == ["offered", "waiting", "waiting"]
    await line.practice.release(made[1])
    assert await line.turn() == 1
    assert await line.states(single, second_pair) == ["offered", "waiting"]


async def test_every_free_place_is_offered(line: Line) -> None:
    """Where many wait for many places, each place is offered, to as many as there are (W-1)."""
    waits = [await line.wait(hours=5) for _ in range(7)]
    assert await line.turn() == 5
    assert await line.offered(*waits) == waits[:5]
    starts = set()
    for request in waits[:5]:
        offer = (await line.read(request)).offer
        assert offer is not None
        starts.add(offer.start)
    assert len(starts) == 5


async def lasts(line: Line, request: UUID) -> int:
    """Return how many seconds an offer lasts."""
    booking = await line.practice.read(await line.booking_of(request))
    assert booking.expires_at is not None
    assert booking.expires_at < booking.starts_at
    return round((booking.expires_at - booking.held_at).total_seconds())


@pytest.mark.parametrize("minutes", [None, 5, 1_440])
async def test_an_offer_lasts_as_the_setting_says(line: Line, minutes: int | None) -> None:
    """An offer lasts as long as the setting says, two hours by default, however long holds of the service do (W-1)."""
    await line.change("waitlist_offer_minutes", minutes)
    waits = [await line.wait(), await line.wait(schedule=await line.practice.add_schedule(1, hold_minutes=5))]
    assert await line.turn() == 2
    assert [await lasts(line, request) for request in waits] == [(minutes or 120) * 60] * 2


async def test_an_offer_ends_when_the_place_could_not_be_booked_any_more(line: Line) -> None:
    """No offer lasts beyond the start less the notice of the service; what begins within minutes is not offered (W-1)."""
    await line.practice.add_service("soon", ["ben"], min_notice_minutes=120)
    now = int(await line.practice.desk.now())
    start = (now + 130 * 60) // HOUR_SECONDS * HOUR_SECONDS + HOUR_SECONDS
    soon = await line.wait("soon", start)
    near = await line.wait(schedule=await line.practice.add_schedule(1, starts=now + 1_800))
    too_near = await line.wait(schedule=await line.practice.add_schedule(1, starts=now + 240))
    assert await line.turn() == 2
    assert abs(await lasts(line, soon) - (start - 7_200 - now)) < 60
    assert 1_700 < await lasts(line, near) <= 1_800
    assert await line.states(too_near) == ["waiting"]


async def test_what_is_over_passes(line: Line) -> None:
    """A request whose window is over, or whose schedule has begun or is offered no more, passes without an offer, and that
    is told (W-1).
    """
    begun, gone, coming = [await line.practice.add_schedule(1) for _ in range(3)]
    window, of_begun, of_gone, of_coming = (
        await line.wait(),
        await line.wait(schedule=begun),
        await line.wait(schedule=gone),
        await line.wait(schedule=coming),
    )
    past = "tstzrange(now() - interval '2 hours', now() - interval '1 second')"
    for change, about in (
        (f"update waitlist_requests set wanted = {past} where id = %s", window),
        ("update program_schedules set starts_at = now() - interval '1 second' where id = %s", begun),
        ("update program_schedules set withdrawn = 'staff' where id = %s", gone),
    ):
        await line.run(lambda tx, change=change, about=about: tx.run(change, [about]))
    assert await line.turn() == 1
    assert await line.states(window, of_begun, of_gone, of_coming) == ["passed", "passed", "passed", "offered"]
    assert await line.events(window) == await line.events(of_begun) == ["WaitlistPassed"]
    await line.run(
        lambda tx: tx.run("update program_schedules set starts_at = ends_at - interval '1 hour' where id = %s", [begun])
    )


async def test_what_is_not_for_sale_is_not_offered(line: Line) -> None:
    """Who waits for a service or a program that is out of sale, or beyond the horizon, keeps waiting and keeps nobody else
    from their turn (W-1, A-4).
    """
    await line.practice.add_service("near", ["ben"])
    await line.run(lambda tx: tx.run("update services set max_horizon_days = 5 where slug = 'near'"))
    schedule = await line.practice.add_schedule(1)
    waits = [await line.wait("dance"), await line.wait("near"), await line.wait(schedule=schedule), await line.wait()]
    for table in ("services", "programs"):
        name = "dance" if table == "services" else next(iter(line.practice.programs))
        await line.run(lambda tx, t=table, n=name: tx.run(f"update {t} set active = false where slug = %s", [n]))
    assert await line.turn() == 1
    assert await line.states(*waits) == ["waiting", "waiting", "waiting", "offered"]
    for table in ("services", "programs"):
        await line.run(lambda tx, t=table: tx.run(f"update {t} set active = true"))
    made = await line.turn()
    assert await line.states(*waits) == ["offered", "waiting", "offered", "offered"]
    assert made == 2


async def test_prepaid_services_of_a_business_that_takes_no_payments_wait(line: Line) -> None:
    """Who waits for what has to be paid, at a business that cannot be paid any more, keeps waiting and keeps nobody else from
    their turn (W-1).
    """
    schedule = await line.practice.add_schedule(1)
    prepaid, group, free = await line.wait("dance"), await line.wait(schedule=schedule), await line.wait()
    change = "update {} set payment_policy = 'prepay', price_minor = 100 where {}"
    await line.run(lambda tx: tx.run(change.format("services", "slug = 'dance'")))
    await line.run(lambda tx: tx.run(change.format("programs", "true")))
    assert await line.turn() == 1
    assert await line.states(prepaid, group, free) == ["waiting", "waiting", "offered"]


async def test_an_offer_that_has_to_be_paid(line: Line) -> None:
    """An offer of what has to be paid is accepted when it is committed; when it is not paid in time, its place goes to the
    next, and the request stays accepted until its owner asks anew (W-1, P-1).
    """
    await line.practice.open_account()
    change = "update services set payment_policy = 'prepay', price_minor = 100 where slug = 'talk'"
    await line.run(lambda tx: tx.run(change))
    first, second = await line.wait(), await line.wait()
    assert await line.turn() == 1
    await line.accept(first)
    booking = await line.practice.read(await line.booking_of(first))
    assert (booking.state, booking.due_minor) == ("pending_payment", 100)
    assert await line.turn() == 0
    assert await line.stored(first) == "accepted"
    assert await line.run(lambda tx: end_unpaid(tx, booking.id, now=True))
    assert await line.turn() == 1
    assert await line.states(first, second) == ["accepted", "offered"]
    await line.wait(email=line.emails[first])
    assert await line.states(first) == ["waiting"]


async def test_who_is_hidden_is_not_offered(line: Line, admin_uri: str) -> None:
    """Nobody who waits is offered somebody whose calendar has not answered for too long, until it does (W-1, C-6)."""
    practice = line.practice
    calendar = await connect(admin_uri, practice.business_id, practice.resources["ana"], seen=timedelta(hours=3))
    await line.run(lambda tx: tx.run("update businesses set catalog_version = catalog_version + 1"))
    talk, anyone = await line.wait(), await line.wait("anyone")
    assert await line.turn() == 1
    assert await line.states(talk, anyone) == ["waiting", "offered"]
    booking = await practice.read(await line.booking_of(anyone))
    assert booking.resource_ids == [practice.resources["ben"]]
    disconnect(admin_uri, calendar)
    await line.run(lambda tx: tx.run("update businesses set catalog_version = catalog_version + 1"))
    assert await line.turn() == 1
    assert await line.states(talk) == ["offered"]


async def test_a_forgotten_person_is_offered_nothing(line: Line) -> None:
    """When a person is forgotten, what they were offered goes to the next, and nobody but them loses anything (W-1, D-8)."""
    first, second = await line.wait(), await line.wait()
    await line.turn()
    booking = await line.booking_of(first)
    keys = await line.practice.desk.database.keys(line.practice.business_id)
    whom = Handles(email=keys.index_email(line.emails[first]))
    assert (await line.run(lambda tx: personal.forget(tx, whom, SYSTEM)))["waitlist"] == 1
    assert (await line.practice.read(booking)).state == "released"
    assert await line.turn() == 1
    assert await line.states(second) == ["offered"]
    # Whoever comes back after that has a history that goes on.
    assert await line.wait(email=line.emails[first]) == first
    await line.withdraw(second)
    await line.turn()
    assert await line.events(first) == ["WaitlistOffered", "WaitlistOffered"]


async def test_events_of_the_waitlist_have_ids_only(line: Line) -> None:
    """What others are told of an offer are ids, and nothing of whom it is for (W-1, D-5)."""
    waits = await line.wait()
    await line.turn()
    booking = await line.booking_of(waits)
    await line.run_out(waits)
    await line.turn()
    told = await line.rows(
        "select version, type, payload from outbox_events where aggregate_id = %s order by version", waits
    )
    named = {
        "waitlistId": str(waits),
        "reservationId": str(booking),
        "serviceId": str(line.practice.services["talk"]),
        "scheduleId": None,
    }
    assert [(row["version"], row["type"]) for row in told] == [(1, "WaitlistOffered"), (2, "WaitlistPassed")]
    assert [row["payload"] for row in told] == [named, named]
    [row] = await line.rows("select row_to_json(w)::text as text from waitlist_requests w where id = %s", waits)
    assert line.emails[waits] not in row["text"] + json.dumps([row["payload"] for row in told])


async def test_tenants_wait_apart(line: Line, app_uri: str) -> None:
    """A place of one business is offered to nobody of another, whose requests are not there for it (W-1, D-9)."""
    async with open_line(app_uri) as other:
        mine, theirs = await line.wait(), await other.wait()
        assert await line.turn() == 1
        assert await line.states(mine) == ["offered"]
        assert await other.states(theirs) == ["waiting"]
        assert await line.rows("select id from waitlist_requests where id = %s", theirs) == []
        assert await other.turn() == 1


async def test_an_offer_that_is_broken_off_leaves_nothing(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that dies between hold and request leaves neither; the next one makes the offer (W-1)."""
    waits = await line.wait()

    async def die(*_: object) -> None:
        raise SystemError

    with monkeypatch.context() as patch:
        patch.setattr("holdfast.booking.waitlist.tell", die)
        with pytest.raises(SystemError):
            await line.turn()
    assert await line.stored(waits) == "waiting"
    assert await line.rows("select id from bookings") == []
    assert await line.turn(Offers(line.practice.desk.database)) == 1
    assert await line.states(waits) == ["offered"]


async def test_rounds_come_to_every_business(line: Line, app_uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However few businesses a round has, all are come to in turn; one that fails is logged and keeps nobody else from
    theirs (W-1).
    """
    monkeypatch.setattr("holdfast.booking.offers._BUSINESSES_A_ROUND", 2)
    async with open_line(app_uri) as second, open_line(app_uri) as third:
        lines = (line, second, third)
        waits = [await each.wait() for each in lines]
        whole = line.offers.offer_of

        async def fail_at_the_second(business_id: UUID) -> int:
            if business_id == second.practice.business_id:
                raise LookupError
            return await whole(business_id)

        monkeypatch.setattr(line.offers, "offer_of", fail_at_the_second)
        waited_for = await line.rows("select count(*) as n from businesses_waited_for(null, 1000)")
        for _ in range(waited_for[0]["n"] // 2 + 1):
            await line.offers.go_round()
        stand = [await each.states(request) for each, request in zip(lines, waits, strict=True)]
        assert stand == [["offered"], ["waiting"], ["offered"]]


async def test_a_worker_leaves_a_business_to_another(line: Line) -> None:
    """While one worker offers places of a business, another passes it by instead of overtaking (W-1)."""
    waits = await line.wait()
    async with line.practice.desk.database.transaction(line.practice.business_id) as tx:
        lock = "select pg_try_advisory_xact_lock(hashtextextended('waitlist ' || %s::text, 0))"
        assert await tx.value(lock, [line.practice.business_id])
        assert await line.turn() == 0
    assert await line.states(waits) == ["waiting"]
    assert await line.turn() == 1


async def test_offering_goes_on_after_a_failure(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """A round that fails, as while the database is away, is followed by others, at once while there is something to do (W-1)."""
    rounds = iter([LookupError(), 1, asyncio.CancelledError()])
    pauses = []

    async def go_round() -> int:
        result = next(rounds)
        if isinstance(result, BaseException):
            raise result
        return result

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr(line.offers, "go_round", go_round)
    monkeypatch.setattr("holdfast.booking.offers.asyncio", SimpleNamespace(sleep=pause))
    with pytest.raises(asyncio.CancelledError):
        await line.offers.keep_up()
    assert pauses == [PAUSE_SECONDS]


@pytest.mark.parametrize("party", [5, 100])
async def test_nobody_waits_for_what_never_comes(line: Line, party: int) -> None:
    """A party that what a service needs has never places for is refused by name, and one that fits waits; what one party
    takes whole takes any (W-1, H-2).
    """
    with pytest.raises(ValidationFailed) as refused:
        await line.wait("dance", party=party)
    assert [error["field"] for error in refused.value.details["errors"]] == ["partySize"]
    fits = [await line.wait("dance", party=4), await line.wait("talk", party=party)]
    assert await line.states(*fits) == ["waiting", "waiting"]
