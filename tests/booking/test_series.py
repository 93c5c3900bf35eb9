"""A series at the desk: held whole or item by item, by whom, and what becomes of it."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
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
    violations,
)
from booking.serial import cancel, commit, days, held, release, series
from holdfast.booking.errors import (
    AlreadyCancelled,
    AppointmentNotFound,
    IdempotencyKeyReused,
    NotChangeable,
    ReservationNotFoundOrExpired,
    SlotConflict,
    SlotNotOffered,
    UnknownService,
)
from holdfast.catalog.services import put_service


@pytest_asyncio.fixture
async def practice(app_uri: str, admin_uri: str) -> AsyncIterator[Practice]:
    """A business with two practitioners and a studio, open around the clock; its rows are sound in the end."""
    async with open_practice(app_uri) as opened:
        await opened.add_resource("ana")
        await opened.add_resource("ben")
        await opened.add_resource("studio", capacity=3)
        await opened.add_service("talk", ["ana"])
        await opened.add_service("anyone", ["ana", "ben"])
        await opened.add_service("open", ["studio"], slot_step_minutes=15)
        yield opened
        assert violations(admin_uri) == []


def bookings(admin_uri: str, practice: Practice) -> int:
    """Return how many bookings there are."""
    return count(admin_uri, "select count(*) from bookings where business_id = %s", practice.business_id)


async def test_a_series_is_held_whole(practice: Practice, admin_uri: str) -> None:
    """Every occurrence is a hold of its own, in order of time, and all run out at one instant (B-21, B-1)."""
    made = await series(practice, "talk", days(10)[::-1])
    assert [int(item.start.timestamp()) for item in made.items] == days(10)
    assert made.status == "held"
    assert {(item.status, item.expires_at) for item in made.items} == {("held", made.items[0].expires_at)}
    assert bookings(admin_uri, practice) == len(set(held(made))) == 10
    for start in days(10):
        with pytest.raises(SlotConflict):
            await practice.reserve("talk", start)


async def test_a_conflict_at_the_seventh_is_refused(practice: Practice, admin_uri: str) -> None:
    """A series that is taken at occurrence 7 holds nothing, and says which one it was (B-21, B-22, field pain 3)."""
    await practice.reserve("talk", days(10)[6])
    with pytest.raises(SlotConflict) as refused:
        await series(practice, "talk", days(10))
    told = refused.value.details["occurrences"]
    assert [item.status for item in told] == ["free"] * 6 + ["refused"] + ["free"] * 3
    assert [item.code for item in told if item.code] == ["slot_conflict"]
    near = refused.value.details["alternatives"]
    assert len(near) == 5
    assert all(abs(told[6].start - datetime.fromisoformat(slot["start"])) <= timedelta(days=1) for slot in near)
    assert bookings(admin_uri, practice) == 1
    assert count(admin_uri, "select count(*) from claims where business_id = %s", practice.business_id) == 1


async def test_a_conflict_at_the_seventh_is_reported(practice: Practice) -> None:
    """With `partial` the other nine are held, and the seventh is told with its reason (B-21, field pain 3)."""
    await practice.reserve("talk", days(10)[6])
    made = await series(practice, "talk", days(10), partial=True)
    assert [item.status for item in made.items] == ["held"] * 6 + ["refused"] + ["held"] * 3
    assert (made.items[6].code, made.items[6].reservation_id) == ("slot_conflict", None)
    assert len(held(made)) == 9


async def test_nothing_that_fits_is_no_series(practice: Practice, admin_uri: str) -> None:
    """Where nothing fits, `partial` is refused like the whole, and no series is left behind (B-21)."""
    for start in days(3):
        await practice.reserve("talk", start)
    with pytest.raises(SlotConflict):
        await series(practice, "talk", days(3), partial=True)
    with pytest.raises(SlotNotOffered) as refused:
        await series(practice, "talk", [start + 60 for start in days(3)], partial=True)
    assert [item.code for item in refused.value.details["occurrences"]] == ["slot_not_offered"] * 3
    assert count(admin_uri, "select count(*) from booking_series where business_id = %s", practice.business_id) == 0


async def test_what_is_not_offered_is_told_beside_what_is_taken(practice: Practice) -> None:
    """Off grid, too far and taken are told apart; the conflict leads, and alone the offer is 422 (B-21, A-4)."""
    far = START + 1_000 * DAY_SECONDS
    with pytest.raises(SlotNotOffered) as refused:
        await series(practice, "talk", [START, START + DAY_SECONDS + 60, far])
    told = refused.value.details["occurrences"]
    assert [item.status for item in told] == ["free", "refused", "refused"]
    assert told[1].message != told[2].message
    await practice.reserve("talk", START)
    with pytest.raises(SlotConflict) as conflict:
        await series(practice, "talk", [START, START + DAY_SECONDS + 60, far])
    codes = [item.code for item in conflict.value.details["occurrences"]]
    assert codes == ["slot_conflict", "slot_not_offered", "slot_not_offered"]


async def test_holds_that_ran_out_do_not_stand_in_the_way(practice: Practice) -> None:
    """A series gets places whose holds have run out, though nobody has swept them (B-21, B-4)."""
    former = await series(practice, "talk", days(5))
    await practice.run_out(*held(former)[1:4])
    with pytest.raises(SlotConflict) as refused:
        await series(practice, "talk", days(5))
    assert [item.status for item in refused.value.details["occurrences"]] == ["refused", *["free"] * 3, "refused"]
    made = await series(practice, "talk", days(5)[1:4])
    assert len(held(made)) == 3


async def test_one_practitioner_throughout(practice: Practice) -> None:
    """Of several who are free one serves the whole series; another one steps in only where that one is taken (B-21)."""
    first = await series(practice, "anyone", days(6))
    [leader] = {tuple(item.resource_ids or ()) for item in first.items}
    others = [r for r in (practice.resources["ana"], practice.resources["ben"]) if r not in leader]
    second = await series(practice, "anyone", days(6))
    assert {tuple(item.resource_ids or ()) for item in second.items} == {tuple(others)}
    with pytest.raises(SlotConflict):
        await series(practice, "anyone", days(6))

    later = days(6, START + HOUR_SECONDS)
    await practice.reserve("talk", later[2])
    served = []
    for _ in range(4):
        made = await series(practice, "anyone", later[:2] + later[3:])
        served += {tuple(item.resource_ids or ()) for item in made.items}
        await release(practice, made)
    # Whoever comes first does so in turn.
    assert len(served) == 4
    assert served[:2] == served[2:]
    assert served[0] != served[1]
    made = await series(practice, "anyone", later)
    assert made.items[2].resource_ids == [practice.resources["ben"]]


async def test_whoever_can_serve_most_is_preferred(practice: Practice) -> None:
    """Who is closed on some of the days comes after who is open on all of them (B-21)."""
    ana = [practice.business_id, practice.resources["ana"]]
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.run("update resources set always_open = false where business_id = %s and id = %s", ana)
        await tx.run(
            "insert into availability_rules (business_id, resource_id, weekday, opens, closes)"
            " select %s, %s, weekday, '00:00', '23:00' from generate_series(0, 6) weekday",
            ana,
        )
        await tx.run(
            "insert into availability_overrides (business_id, resource_id, day) values (%s, %s, to_timestamp(%s)::date)",
            [*ana, START],
        )
    for n in range(4):
        made = await series(practice, "anyone", days(3, START + n * HOUR_SECONDS))
        assert {tuple(item.resource_ids or ()) for item in made.items} == {(practice.resources["ben"],)}


async def test_neighbours_with_different_hours(practice: Practice) -> None:
    """Where only one is open at first and two later, neighbours within the buffer go to the two (B-21, B-8)."""
    await practice.add_service("careful", ["ana", "ben"], buffer_after_minutes=30)
    ben = [practice.business_id, practice.resources["ben"]]
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.run("update resources set always_open = false where business_id = %s and id = %s", ben)
        await tx.run(
            "insert into availability_rules (business_id, resource_id, weekday, opens, closes)"
            " select %s, %s, weekday, '09:00', '23:00' from generate_series(0, 6) weekday",
            ben,
        )
    for n in range(4):
        morning = START + (8 + 24 * n) * HOUR_SECONDS
        made = await series(practice, "careful", [morning, morning + HOUR_SECONDS])
        assert [item.resource_ids for item in made.items] == [[practice.resources["ana"]], [practice.resources["ben"]]]


async def test_several_pools_fill_one_after_the_other(practice: Practice) -> None:
    """Occurrences that overlap go on to the next pool when their own series has filled the first (B-21, B-3)."""
    await practice.add_resource("hall", capacity=2)
    await practice.add_service("either", ["studio", "hall"], slot_step_minutes=15)
    await series(practice, "open", [START, START + HOUR_SECONDS])
    made = await series(practice, "either", [START + n * 900 for n in range(4)])
    used = [item.resource_ids for item in made.items]
    assert sorted(used.count([practice.resources[name]]) for name in ("studio", "hall")) == [2, 2]


@pytest.mark.parametrize(("service", "capacity"), [("open", 3), ("limited", 2), ("anyone", 2)])
async def test_occurrences_that_overlap_each_other(practice: Practice, service: str, capacity: int) -> None:
    """Occurrences that overlap take a place each, and what does not fit beside its own series is refused (B-21, B-2)."""
    await practice.add_resource("cleo")
    await practice.add_service("limited", ["ana", "ben", "cleo"], max_simultaneous_bookings=2, slot_step_minutes=15)
    await practice.add_service("anyone", ["ana", "ben"], slot_step_minutes=15)
    starts = [START + n * 900 for n in range(4)]
    made = await series(practice, service, starts[:capacity])
    assert len(held(made)) == capacity
    await release(practice, made)
    with pytest.raises(SlotConflict) as refused:
        await series(practice, service, starts)
    told = [item.status for item in refused.value.details["occurrences"]]
    assert told == ["free"] * capacity + ["refused"] * (4 - capacity)
    partial = await series(practice, service, starts, partial=True)
    assert len(held(partial)) == capacity


async def test_buffers_between_occurrences(practice: Practice) -> None:
    """Occurrences that follow each other more closely than the buffer allows are not held with one person (B-21, B-8)."""
    await practice.add_service("careful", ["ana"], buffer_after_minutes=30)
    with pytest.raises(SlotConflict):
        await series(practice, "careful", [START, START + HOUR_SECONDS])
    made = await series(practice, "careful", [START, START + 2 * HOUR_SECONDS])
    assert len(held(made)) == 2


async def test_a_daily_limit_counts_the_series_itself(practice: Practice) -> None:
    """A daily limit holds among the occurrences of one series, which spread to who has room that day (B-21, A-2)."""
    await practice.add_resource("dora", daily_limit=2)
    await practice.add_service("dora", ["dora"])
    starts = [START + n * HOUR_SECONDS for n in range(3)]
    with pytest.raises(SlotConflict) as refused:
        await series(practice, "dora", starts)
    assert [item.status for item in refused.value.details["occurrences"]] == ["free", "free", "refused"]
    made = await series(practice, "dora", [*starts[:2], START + DAY_SECONDS])
    assert len(held(made)) == 3


async def test_a_party_takes_its_places_each_time(practice: Practice) -> None:
    """A party takes all its places at each occurrence, or the series is refused (B-21, B-5)."""
    made = await series(practice, "open", days(3), party=2)
    with pytest.raises(SlotConflict):
        await series(practice, "open", days(3), party=2)
    assert len(held(await series(practice, "open", days(3), party=1))) == 3
    await release(practice, made)
    assert len(held(await series(practice, "open", days(3), party=2))) == 3


async def test_an_old_picture_of_the_business(practice: Practice) -> None:
    """What another server has changed binds a series at once, in what it allows and what it refuses (B-21, A-4)."""
    async with beside(practice) as other:
        assert len(held(await series(other, "talk", days(2)))) == 2
        await practice.desk.database.run(
            practice.business_id,
            lambda tx: put_service(
                tx,
                slug="talk",
                name="talk",
                duration_minutes=60,
                slot_step_minutes=30,
                max_horizon_days=730,
                requirements=[[practice.resources["ana"]]],
            ),
        )
        half = [start + HOUR_SECONDS + 1_800 for start in days(2)]
        assert len(held(await series(other, "talk", half))) == 2


async def test_a_key_makes_one_series(practice: Practice, admin_uri: str) -> None:
    """The same key and request have one effect and one answer; another request or operation is refused (B-9, B-21)."""
    key = str(uuid4())
    await practice.reserve("talk", days(4)[1])
    first = await series(practice, "talk", days(4), partial=True, key=key)
    again = await series(practice, "talk", days(4), partial=True, key=key)
    assert again.replayed
    assert (again.series_id, again.items) == (first.series_id, first.items)
    with pytest.raises(IdempotencyKeyReused):
        await series(practice, "talk", days(3), partial=True, key=key)
    with pytest.raises(IdempotencyKeyReused):
        await practice.reserve("talk", START + HOUR_SECONDS, key=key)
    single = str(uuid4())
    await practice.reserve("talk", START + 2 * HOUR_SECONDS, key=single)
    with pytest.raises(IdempotencyKeyReused):
        await series(practice, "talk", days(2, START + 3 * HOUR_SECONDS), key=single)
    assert bookings(admin_uri, practice) == 5


async def test_a_replay_outlives_everything(practice: Practice) -> None:
    """A repeated key has its first answer after release and when the service is gone (B-9, B-21)."""
    first = await series(practice, "talk", days(2), key="once")
    await release(practice, first)
    async with practice.desk.database.transaction(practice.business_id) as tx:
        await tx.run("update services set active = false where id = %s", [practice.services["talk"]])
    again = await series(practice, "talk", days(2), key="once")
    assert again.series_id == first.series_id
    with pytest.raises(UnknownService):
        await series(practice, "talk", days(2))


async def test_commit_is_whole(practice: Practice, admin_uri: str) -> None:
    """One commit makes all holds appointments; one that ran out leaves all as they were, and is named (B-21, B-11)."""
    made = await series(practice, "talk", days(3))
    await practice.run_out(held(made)[1])
    with pytest.raises(ReservationNotFoundOrExpired) as gone:
        await commit(practice, made)
    assert gone.value.status == 410
    assert [item["reservationId"] for item in gone.value.details["expired"]] == [held(made)[1]]
    assert {(await practice.read(booking)).status for booking in held(made)} == {"held", "expired"}

    other = await series(practice, "talk", days(3, START + HOUR_SECONDS))
    await practice.release(held(other)[0])
    done = await commit(practice, other)
    assert [a.id for a in done.appointments] == held(other)[1:]
    assert not done.repeated
    again = await commit(practice, other)
    assert again.repeated
    assert again.nonce == done.nonce
    assert [(a.id, a.nonce, a.version) for a in again.appointments] == [
        (a.id, a.nonce, a.version) for a in done.appointments
    ]
    events = "select count(*) from outbox_events where business_id = %s and type = 'AppointmentConfirmed'"
    assert count(admin_uri, events, practice.business_id) == 2


async def test_release_is_whole_and_repeatable(practice: Practice) -> None:
    """A release gives all holds back, is repeatable, and undoes neither appointments nor what ran out (B-21, B-12)."""
    made = await series(practice, "talk", days(3))
    await release(practice, made)
    await release(practice, made)
    assert {(await practice.read(booking)).status for booking in held(made)} == {"released"}
    booked = await series(practice, "talk", days(3))
    await commit(practice, booked)
    with pytest.raises(NotChangeable):
        await release(practice, booked)
    late = await series(practice, "talk", days(2, START + HOUR_SECONDS))
    await practice.run_out(*held(late))
    with pytest.raises(ReservationNotFoundOrExpired):
        await release(practice, late)
    with pytest.raises(ReservationNotFoundOrExpired):
        await commit(practice, made)


async def test_cancel_one_the_following_all(practice: Practice, admin_uri: str) -> None:
    """One, one with those that begin later, or all are cancelled; each place is free once, each change is told (B-21, B-17)."""
    made = await series(practice, "talk", days(6))
    ids = held(made)
    await commit(practice, made)
    await practice.cancel(ids[4])
    # The second one now lies after the fourth.
    await practice.move(ids[1], "talk", START + 20 * DAY_SECONDS)
    following = await cancel(practice, made, since=ids[3])
    assert [(item.appointment_id, item.code) for item in following.items] == [
        (ids[1], None),
        (ids[3], None),
        (ids[4], "RESERVATION_ALREADY_CANCELLED"),
        (ids[5], None),
    ]
    assert following.status == "confirmed"
    rest = await cancel(practice, made)
    assert [item.status for item in rest.items] == ["cancelled"] * 6
    assert [item.code is None for item in rest.items] == [True, False, True, False, False, False]
    assert rest.status == "cancelled"
    with pytest.raises(AlreadyCancelled):
        await cancel(practice, made)
    with pytest.raises(AppointmentNotFound):
        await cancel(practice, made, since=uuid4())
    told = "select count(*) from audit_log a join bookings b on b.id = a.aggregate_id where b.business_id = %s and {}"
    cancelled = told.format("action = 'cancel' and to_state = 'cancelled' and a.version = b.version")
    assert count(admin_uri, cancelled, practice.business_id) == 6
    assert len(held(await series(practice, "talk", days(6)))) == 6


async def test_what_has_begun_stays(practice: Practice) -> None:
    """What is past the time for cancelling stays, with its reason, and what comes later is cancelled (B-21, B-17)."""
    await practice.add_service("strict", ["ana"], cancel_notice_minutes=24 * 60 * 12)
    made = await series(practice, "strict", days(12))
    await commit(practice, made)
    answer = await cancel(practice, made)
    codes = [item.code for item in answer.items]
    closed = codes.count("CANCELLATION_CLOSED")
    assert codes == ["CANCELLATION_CLOSED"] * closed + [None] * (12 - closed)
    assert 0 < closed < 12
    assert [item.status for item in answer.items] == ["confirmed"] * closed + ["cancelled"] * (12 - closed)


async def test_a_booking_is_in_one_series(practice: Practice, admin_uri: str) -> None:
    """The database refuses a booking in two series, and one position for two bookings (B-21)."""
    made = await series(practice, "talk", days(2))
    other = await series(practice, "talk", days(2, START + HOUR_SECONDS))
    insert = "insert into series_bookings values (%s, %s, %s, %s)"
    with psycopg.connect(admin_uri, autocommit=True) as admin:
        for position, booking in [(3, held(made)[0]), (1, (await practice.reserve("anyone")).id), (0, held(made)[0])]:
            with pytest.raises(psycopg.IntegrityError):
                admin.execute(insert, [practice.business_id, other.series_id, position, booking])
