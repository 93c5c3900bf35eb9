"""Races about one booking: exactly one of two changes wins, and a repeated request has one effect."""

import asyncio
import json
from uuid import uuid4

import msgspec
import psycopg
import pytest

from booking.opened import (
    DAY_SECONDS,
    HOUR_SECONDS,
    START,
    Practice,
    beside,
    count,
    outcomes,
)
from holdfast.booking import bookings
from holdfast.booking.admission import Answer, CommitAnswer, Request, instant, queries
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import (
    AlreadyCancelled,
    CapacityExceeded,
    IdempotencyKeyReused,
    NotChangeable,
    ReservationNotFoundOrExpired,
    SlotConflict,
    VersionConflict,
)
from holdfast.booking.schedules import CapacityBelowTaken
from holdfast.booking.schedules import set_capacity as set_schedule_capacity
from holdfast.booking.views import ChangedView
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.resources import set_capacity
from holdfast.kernel.errors import TryLater
from holdfast.kernel.ids import new_id
from journeys.practice import ENVELOPE
from races.meeting import met


async def test_commit_and_expiry_cannot_both_win(practice: Practice) -> None:
    """A reservation that is swept while it is committed ends in exactly one of the two states (B-4, B-11)."""
    ends = set()
    for n in range(40):
        answer = await practice.reserve("talk", START + n * HOUR_SECONDS, ttl=1)
        booking_id = answer.made().id
        async with practice.desk.database.transaction(practice.business_id) as tx:
            # The hold ends within the next milliseconds, while both are on their way.
            await tx.run(
                "update bookings set version = version + 1,"
                " expires_at = clock_timestamp() + make_interval(secs => %s) where id = %s",
                [n % 4 / 1000, booking_id],
            )
        sweeps = (practice.desk.admission.sweep(practice.business_id) for _ in range(2))
        committed, *_ = await outcomes(practice.commit(booking_id), *sweeps)
        await practice.desk.admission.sweep(practice.business_id)
        state = (await practice.read(booking_id)).state
        ends.add(state)
        assert (state == "confirmed") == isinstance(committed, CommitAnswer)
        assert (state == "confirmed") != isinstance(committed, ReservationNotFoundOrExpired)
    assert ends <= {"confirmed", "expired"}


async def test_an_expired_hold_needs_no_sweeper(practice: Practice) -> None:
    """The place of a hold that has run out is free at once for everybody, though no job has run (B-3, B-4, pain 9)."""
    for service, places in (("talk", 1), ("dance", 4), ("anyone", 2)):
        held = [await practice.reserve(service) for _ in range(places)]
        await practice.run_out(*(a.id for a in held))
        answers = await outcomes(*(practice.reserve(service) for _ in range(places + 3)))
        assert sum(isinstance(a, Answer) for a in answers) == places
        assert sum(isinstance(a, SlotConflict) for a in answers) == 3
        for answer in answers:
            if isinstance(answer, Answer):
                await practice.release(answer.made().id)
    schedule = await practice.add_schedule(3)
    held = [await practice.join(schedule) for _ in range(3)]
    await practice.run_out(*(a.id for a in held))
    answers = await outcomes(*(practice.join(schedule) for _ in range(9)))
    assert sum(isinstance(a, Answer) for a in answers) == 3
    for answer in held:
        with pytest.raises(ReservationNotFoundOrExpired) as gone:
            await practice.commit(answer.made().id)
        assert gone.value.status == 410


@pytest.mark.parametrize("service", ["talk", "anyone", "dance"])
async def test_one_key_has_one_effect(practice: Practice, service: str) -> None:
    """One request sent many times at once, over several servers, is one reservation with one answer (B-9)."""
    async with beside(practice) as other:
        for n in range(5):
            start, key = START + n * HOUR_SECONDS, str(uuid4())
            answers = await outcomes(
                *(desk.reserve(service, start, key=key) for _ in range(20) for desk in (practice, other))
            )
            made = [a for a in answers if isinstance(a, Answer)]
            assert len(made) == 40
            assert len({(a.id, a.state, a.expires, tuple(a.resources)) for a in made}) == 1
            assert sum(a.outcome == "replayed" for a in made) == 39


async def test_one_key_of_a_group(practice: Practice, admin_uri: str) -> None:
    """A repeated request for places in a group takes them once, also when the group is full by now (B-9, B-20)."""
    schedule = await practice.add_schedule(2)
    answers = await outcomes(*(practice.join(schedule, 2, key="same") for _ in range(30)))
    assert len({a.id for a in answers if isinstance(a, Answer)}) == 1
    assert all(isinstance(a, Answer) for a in answers)
    assert count(admin_uri, "select taken from program_schedules where id = %s", schedule) == 2


async def test_a_key_is_one_request(practice: Practice) -> None:
    """The same key for another request, or another operation, is refused, whoever is first (B-9)."""
    await practice.reserve("talk", key="k")
    with pytest.raises(IdempotencyKeyReused):
        await practice.reserve("talk", START + HOUR_SECONDS, key="k")
    with pytest.raises(IdempotencyKeyReused):
        await practice.reserve("talk", key="k", guest=Guest("guest@example.org"))
    answers = await outcomes(*(practice.reserve("talk", START + n * HOUR_SECONDS, key="other") for n in range(5, 15)))
    assert sum(isinstance(a, Answer) for a in answers) == 1
    assert sum(isinstance(a, IdempotencyKeyReused) for a in answers) == 9


async def test_the_answer_stays_whatever_became_of_the_booking(practice: Practice) -> None:
    """A key is answered as it was at first after the hold was extended, committed, moved and cancelled (B-9)."""
    first = await practice.reserve("talk", key="k")
    booking_id = first.made().id
    await practice.commit(booking_id)
    await practice.move(booking_id, "talk", START + DAY_SECONDS)
    await practice.cancel(booking_id)
    again = await practice.reserve("talk", key="k")
    assert again.outcome == "replayed"
    assert again.made() == first.made()
    assert again.resources == first.resources
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.run("update services set active = false where business_id = %s", [practice.business_id])
    await practice.desk.snapshots.refresh(practice.business_id)
    assert (await practice.reserve("talk", key="k")).made() == first.made()


async def test_commit_is_repeatable(practice: Practice) -> None:
    """Simultaneous commits of one reservation make one appointment with one nonce (B-11)."""
    answer = await practice.reserve("talk")
    commits = await outcomes(*(practice.commit(answer.made().id) for _ in range(30)))
    assert {type(c) for c in commits} == {CommitAnswer}
    assert len({c.nonce for c in commits if isinstance(c, CommitAnswer)}) == 1
    assert sum(c.outcome == "committed" for c in commits if isinstance(c, CommitAnswer)) == 1


async def test_capacity_comes_back_once(practice: Practice, admin_uri: str) -> None:
    """However often an appointment is cancelled at once, its places come back once (B-17, field pain 9)."""
    schedule = await practice.add_schedule(5)
    answer = await practice.join(schedule, 3)
    await practice.commit(answer.made().id)
    results = await outcomes(*(practice.cancel(answer.made().id) for _ in range(10)))
    assert sum(isinstance(r, ChangedView) for r in results) == 1
    assert sum(isinstance(r, AlreadyCancelled) for r in results) == 9
    assert count(admin_uri, "select taken from program_schedules where id = %s", schedule) == 0
    with pytest.raises(NotChangeable):
        await practice.release(answer.made().id)


async def test_a_cancellation_with_a_key_is_repeatable(practice: Practice) -> None:
    """A cancellation repeated with its key is answered alike, all at once or later (B-9, B-17)."""
    answer = await practice.reserve("talk")
    await practice.commit(answer.made().id)
    results = await outcomes(*(practice.cancel(answer.made().id, key="c") for _ in range(10)))
    assert sum(isinstance(r, ChangedView) and not r.replayed for r in results) == 1
    assert sum(isinstance(r, ChangedView) and r.replayed for r in results) == 9


async def test_moves_race_for_one_place(practice: Practice) -> None:
    """Of ten appointments that move to one slot one arrives; the others stay where they were (B-16)."""
    made = [await practice.reserve("talk", START + n * HOUR_SECONDS) for n in range(10)]
    for answer in made:
        await practice.commit(answer.made().id)
    goal = START + 5 * DAY_SECONDS
    results = await outcomes(*(practice.move(a.made().id, "talk", goal) for a in made))
    assert sum(isinstance(r, ChangedView) for r in results) == 1
    conflicts = [r for r in results if isinstance(r, SlotConflict)]
    assert len(conflicts) == 9
    assert {c.message for c in conflicts} == {"No available capacity for the new time slot"}
    assert all(c.details["alternatives"] for c in conflicts)
    starts = [int((await practice.read(a.made().id)).starts_at.timestamp()) for a in made]
    assert max(starts) == goal
    assert len(set(starts)) == 10


async def test_two_appointments_change_places(practice: Practice) -> None:
    """Appointments that move onto each other's overlapping times at once do not deadlock (B-6, B-16)."""
    for n in range(10):
        day = START + n * DAY_SECONDS
        made = [
            await practice.reserve("anyone", day + h * HOUR_SECONDS, resource=r) for h in (0, 1) for r in ("ana", "ben")
        ]
        for answer in made:
            await practice.commit(answer.made().id)
        moves = (practice.move(a.made().id, "anyone", day + (1 - i // 2) * HOUR_SECONDS) for i, a in enumerate(made))
        results = await outcomes(*moves)
        assert {type(r) for r in results} <= {SlotConflict, ChangedView}


async def test_move_and_cancel(practice: Practice) -> None:
    """An appointment moved and cancelled at once ends cancelled, without a place anywhere (B-16, B-17)."""
    for n in range(15):
        answer = await practice.reserve("dance", START + n * HOUR_SECONDS, party=3)
        await practice.commit(answer.made().id)
        await outcomes(
            practice.move(answer.made().id, "dance", START + (n + 200) * HOUR_SECONDS),
            practice.cancel(answer.made().id),
        )
        assert (await practice.read(answer.made().id)).state == "cancelled"


async def test_the_stale_version_loses(practice: Practice) -> None:
    """Of two changes that saw the same version one wins, the other is told the current one (B-15)."""
    answer = await practice.reserve("talk")
    await practice.commit(answer.made().id)
    results = await outcomes(
        *(practice.move(answer.made().id, "talk", START + n * DAY_SECONDS, expected_version=2) for n in (1, 2))
    )
    conflict = next(r for r in results if isinstance(r, VersionConflict))
    assert conflict.details == {"currentVersion": 3}
    assert sum(isinstance(r, ChangedView) for r in results) == 1


async def test_moving_between_schedules(practice: Practice, admin_uri: str) -> None:
    """Moving to a full schedule changes nothing; moving to one with room moves the counters together (B-16, B-20)."""
    start, full, roomy = [await practice.add_schedule(places) for places in (4, 2, 10)]
    answers = [await practice.join(start) for _ in range(4)]
    for answer in answers:
        await practice.commit(answer.made().id)
    results = await outcomes(*(practice.move(a.made().id, schedule=full) for a in answers))
    assert sum(isinstance(r, CapacityExceeded) for r in results) == 2
    await outcomes(*(practice.move(a.made().id, schedule=roomy) for a in answers))
    taken = [count(admin_uri, "select taken from program_schedules where id = %s", s) for s in (start, full, roomy)]
    assert taken == [0, 0, 4]


async def test_capacity_is_lowered_to_the_peak_and_no_further(practice: Practice) -> None:
    """While others book, a resource's capacity is lowered only to its future peak, a schedule's to what is taken (B-2)."""
    database, business_id = practice.desk.database, practice.business_id
    for n in range(12):
        start = START + n * HOUR_SECONDS
        booked = [practice.reserve("dance", start, party=2) for _ in range(2)]
        lowered = database.run(business_id, lambda tx: set_capacity(tx, practice.resources["hall"], 2))
        *answers, change = await outcomes(*booked, lowered)
        held = sum(isinstance(a, Answer) for a in answers)
        assert (held == 2) == isinstance(change, CapacityBelowPeak)
        for answer in answers:
            if isinstance(answer, Answer):
                await practice.release(answer.made().id)
        await database.run(business_id, lambda tx: set_capacity(tx, practice.resources["hall"], 4))
        await practice.desk.snapshots.refresh(business_id)
    schedule = await practice.add_schedule(5)
    await practice.join(schedule, 3)
    with pytest.raises(CapacityBelowTaken):
        await database.run(business_id, lambda tx: set_schedule_capacity(tx, schedule, 2))
    await database.run(business_id, lambda tx: set_schedule_capacity(tx, schedule, 3))
    with pytest.raises(CapacityExceeded):
        await practice.join(schedule)


async def test_lost_connections_are_repeated_with_their_keys(practice: Practice, admin_uri: str) -> None:
    """When connections break under requests in flight, each request takes effect at most once, and all are answered (B-1)."""
    schedule = await practice.add_schedule(1_000)

    async def cut() -> None:
        for _ in range(15):
            await asyncio.to_thread(_cut_connections, admin_uri)
            await practice.join(schedule, key=str(uuid4()))

    calls = [practice.join(schedule) for _ in range(100)]
    keys = [str(uuid4()) for _ in range(100)]
    results = await outcomes(cut(), *calls, *(practice.join(schedule, key=k) for k in keys))
    made = [a for a in results[1:] if isinstance(a, Answer)]
    retried = await outcomes(*(practice.join(schedule, key=k) for k in keys))
    assert all(isinstance(a, Answer) for a in retried)
    ids = {a.id for a in [*made, *retried] if isinstance(a, Answer)}
    in_database = count(admin_uri, "select count(*) from bookings where schedule_id = %s", schedule)
    assert in_database >= len(ids)
    # Whoever got no answer had no key and heard that the outcome is unknown or that nothing was done.
    assert in_database - 15 <= len(ids) + sum(isinstance(a, Exception) for a in results)


def _cut_connections(admin_uri: str) -> None:
    with psycopg.connect(admin_uri, autocommit=True) as admin:
        admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and query like '%admit(%' and pid <> pg_backend_pid()"
        )


async def test_a_forgotten_lock_is_no_hang(practice: Practice, admin_uri: str) -> None:
    """When somebody outside sits on a lock, requests hear in time that they may try later, and nothing has happened (H-3)."""
    schedule = await practice.add_schedule(10)
    with psycopg.connect(admin_uri) as stuck:
        stuck.execute("select from program_schedules where id = %s for update", [schedule])
        results = await outcomes(*(practice.join(schedule) for _ in range(5)))
        assert {type(r) for r in results} == {TryLater}
    assert count(admin_uri, "select count(*) from bookings where schedule_id = %s", schedule) == 0
    assert isinstance(await practice.join(schedule), Answer)


@pytest.mark.parametrize("wish", ["schedule", "solo", "needs", "hall"])
@pytest.mark.parametrize("books", [False, True])
async def test_a_repetition_meets_its_first_attempt(practice: Practice, app_uri: str, wish: str, books: bool) -> None:
    """A batch repeated while its first attempt is still on its way is answered like the first, and done once (B-1)."""
    snapshot = await practice.desk.snapshots.get(practice.business_id)
    assert snapshot is not None, "the business exists"
    booked = {"nonce": "ab" * 16, "contact": ENVELOPE.hex(), "chain_key": "00" * 32} if books else {}
    request = Request(id=new_id(), operation="book", party=2, ttl=60, **booked)
    if wish == "schedule":
        request.schedule = await practice.add_schedule(3)
    else:
        request.service, request.catalog, request.price, request.currency = (
            practice.services["anyone"],
            snapshot.version,
            0,
            "EUR",
        )
        request.starts = request.claims_from = instant(START)
        request.ends = request.claims_to = instant(START + HOUR_SECONDS)
        request.notice_seconds, request.horizon_seconds = 0, 10**8
        if wish == "solo":
            request.solo = practice.resources["ana"]
        elif wish == "needs":
            request.needs = [[practice.resources["ana"]], [practice.resources["ben"]]]
        else:
            request.needs = [[practice.resources["hall"]], [practice.resources["ben"]]]
    request.n = 1
    batch = msgspec.json.encode({str(practice.business_id): [request]}).decode()
    async with (
        await psycopg.AsyncConnection.connect(app_uri) as first,
        await psycopg.AsyncConnection.connect(app_uri, autocommit=True) as second,
    ):
        began = await (await first.execute(queries["admit_batch"], {"batch": batch, "repeated": False})).fetchall()
        repetition = asyncio.create_task(second.execute(queries["admit_batch"], {"batch": batch, "repeated": True}))
        await met(app_uri, second.info.backend_pid, repetition)
        assert not repetition.done()
        await first.commit()
        repeated = await (await repetition).fetchall()
    [told], [again] = (json.loads(rows[0][1]) for rows in (began, repeated))
    for answer in (told, again):
        del answer["now"]
        answer["resources"].sort()
    assert again == {**told, "nonce": told.get("nonce")}
    assert told["outcome"] == ("confirmed" if books else "held")


async def test_a_resource_that_grows_under_a_request(practice: Practice) -> None:
    """A request that meets a change of its resource's capacity is checked anew and admitted, never an error (B-2)."""
    database, business_id = practice.desk.database, practice.business_id
    for n in range(10):
        start = START + n * HOUR_SECONDS
        size = 2 - n % 2
        change = database.run(business_id, lambda tx, size=size: set_capacity(tx, practice.resources["ana"], size))
        results = await outcomes(practice.reserve("talk", start), change, practice.reserve("talk", start + DAY_SECONDS))
        assert [type(r) for r in results] == [Answer, type(None), Answer]


async def test_a_capacity_is_lowered_past_what_has_ended(practice: Practice) -> None:
    """An ended claim in a seat that a running one needs does not keep a capacity from being lowered (B-2)."""
    now = int(await practice.desk.now())
    running = (await practice.reserve("dance")).made().id
    ended = (await practice.reserve("dance", START + HOUR_SECONDS)).made().id
    for booking_id in (running, ended):
        await practice.commit(booking_id)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        for booking_id, seat, begins, ends in (
            (ended, 1, now - 2 * HOUR_SECONDS, now - 600),
            (running, 4, now - HOUR_SECONDS, now + HOUR_SECONDS),
        ):
            await tx.run(
                "update bookings set starts_at = to_timestamp(%s), ends_at = to_timestamp(%s), version = version + 1"
                " where id = %s",
                [begins, ends, booking_id],
            )
            await tx.run(
                "update claims set seat = %s, during = tstzrange(to_timestamp(%s), to_timestamp(%s))"
                " where booking_id = %s",
                [seat, begins, ends, booking_id],
            )
            await tx.run(
                "select record_changes(%s, array[%s::uuid], array[%s::bytea], 'test', 'confirmed', 'test', null, 'Test')",
                [practice.business_id, booking_id, (await tx.keys()).chain_key(booking_id)],
            )
    await practice.desk.database.run(practice.business_id, lambda tx: set_capacity(tx, practice.resources["hall"], 3))
    async with practice.desk.database.transaction(practice.business_id) as tx:
        seat = await tx.value("select seat from claims where booking_id = %s", [running])
    assert seat == 1


async def test_a_slot_does_not_become_a_group(practice: Practice) -> None:
    """Whatever asks, a booking of a slot moves to no schedule, where its claims would stay behind (B-16)."""
    held = await practice.reserve("talk")
    await practice.commit(held.made().id)
    request = Request(id=held.made().id, operation="move", party=1, schedule=await practice.add_schedule(5))
    with pytest.raises(psycopg.errors.InvalidParameterValue):
        async with practice.desk.database.transaction(practice.business_id) as tx:
            await bookings.move(tx, held.made().id, request, expected_version=None, reason=None)
