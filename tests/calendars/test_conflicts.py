"""What people do to our events: told from what we do, put before staff, decided by them."""

from datetime import timedelta

import pytest

from calendars.exporting import CONFLICTS, OWNER, START, Exporting
from holdfast.identity.permissions import Role

MOVED, DELETED = "calendar_event_moved", "calendar_event_deleted"


async def exported(practice: Exporting, hours: int = 0) -> str:
    """Book somebody, and have that in the calendar."""
    booking_id = await practice.book(hours)
    await practice.export()
    assert practice.states(booking_id) == {"ana": "exported"}
    return booking_id


async def moved(practice: Exporting, booking_id: str, hours: int = 3) -> None:
    """Let a person move an event, and a look meet it."""
    practice.shelves["ana"].move(booking_id, START + timedelta(hours=hours))
    await practice.observe(practice.shelves["ana"].of(booking_id))


async def test_a_move_in_the_calendar_is_put_before_staff_with_both_versions(practice: Exporting) -> None:
    """A moved event is one conflict with both times, however often it is met; booking and event stay (C-5, calendars 19)."""
    booking_id = await exported(practice)
    await moved(practice, booking_id)
    await practice.observe(practice.shelves["ana"].of(booking_id))
    [conflict] = await practice.conflicts()
    at = START + timedelta(hours=3)
    assert (conflict["kind"], conflict["appointment"]["id"]) == ("moved", booking_id)
    assert conflict["appointment"]["start"] == f"{START:%Y-%m-%dT%H:%M:%SZ}"
    assert conflict["event"] == {
        "start": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "end": f"{at + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
    }
    assert await practice.inbox() == [MOVED]
    await practice.until_quiet()
    assert practice.booked_at(booking_id) == START
    assert practice.shelves["ana"].times() == [(int(at.timestamp()), int(at.timestamp()) + 3600)]


async def test_an_accepted_move_is_a_reschedule_by_staff(practice: Exporting) -> None:
    """Accepting moves the booking through admission, in the name of who accepts; the event is right then (C-5, calendars 19)."""
    booking_id = await exported(practice)
    await moved(practice, booking_id)
    [conflict] = await practice.conflicts()
    accepted = await practice.decide(conflict, "accept")
    assert accepted["status"] == "accepted"
    assert practice.booked_at(booking_id) == START + timedelta(hours=3)
    assert await practice.decide(conflict, "accept") == accepted
    await practice.until_quiet()
    [(start, _)] = practice.shelves["ana"].times()
    assert start == int((START + timedelta(hours=3)).timestamp())
    assert practice.states(booking_id) == {"ana": "exported"}
    assert await practice.inbox() == []
    assert practice.log("calendar_conflict") == [("accept", "staff")]
    assert ("reschedule", "staff") in practice.log("booking")
    refused = await practice.tenant.call("POST", f"{CONFLICTS}/{conflict['id']}/ignore", {}, role=OWNER)
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict_decided")


async def test_a_move_onto_taken_time_is_refused_with_alternatives(practice: Exporting) -> None:
    """Accepting a move onto another booking answers slot_conflict, and the conflict stays open (C-5, calendars 19)."""
    booking_id = await exported(practice)
    await practice.book(3)
    await moved(practice, booking_id)
    [conflict] = await practice.conflicts()
    refused = await practice.tenant.call("POST", f"{CONFLICTS}/{conflict['id']}/accept", {}, role=OWNER)
    assert (refused.status_code, refused.json()["code"]) == (409, "slot_conflict")
    assert refused.json()["details"]["alternatives"]
    assert [each["id"] for each in await practice.conflicts()] == [conflict["id"]]
    assert practice.booked_at(booking_id) == START


async def test_a_restored_event_is_written_back(practice: Exporting) -> None:
    """Restoring writes a moved event back, and a deleted one under its id (C-5, calendars 19)."""
    first, second = await exported(practice), await exported(practice, 5)
    await moved(practice, first)
    practice.shelves["ana"].delete(second)
    await practice.observe(practice.shelves["ana"].of(second))
    assert sorted(await practice.inbox()) == [DELETED, MOVED]
    for conflict in await practice.conflicts():
        assert (await practice.decide(conflict, "restore"))["status"] == "restored"
    # A look that comes before the export finds what it has found, and nothing new.
    await practice.observe(practice.shelves["ana"].of(first))
    await practice.observe(practice.shelves["ana"].of(second))
    await practice.until_quiet()
    assert [start for start, _ in practice.shelves["ana"].times()] == [
        int((START + timedelta(hours=hours)).timestamp()) for hours in (0, 5)
    ]
    assert await practice.inbox() == []
    assert await practice.conflicts() == []


async def test_an_accepted_deletion_cancels(practice: Exporting) -> None:
    """Accepting that an event was deleted cancels the booking, by staff (C-5, calendars 19)."""
    booking_id = await exported(practice)
    practice.shelves["ana"].delete(booking_id)
    await practice.observe(practice.shelves["ana"].of(booking_id))
    [conflict] = await practice.conflicts()
    assert (conflict["kind"], conflict["event"]) == ("deleted", None)
    await practice.decide(conflict, "accept")
    assert ("cancel", "staff") in practice.log("booking")
    await practice.until_quiet()
    assert practice.states(booking_id) == {"ana": "removed"}
    assert await practice.inbox() == []


@pytest.mark.parametrize("deleted", [False, True])
async def test_what_is_ignored_stays_until_the_booking_changes(practice: Exporting, *, deleted: bool) -> None:
    """An ignored event stays as it was left, is not compared, and follows the booking when that is moved (C-5)."""
    booking_id = await exported(practice)
    shelf = practice.shelves["ana"]
    if deleted:
        shelf.delete(booking_id)
        await practice.observe(shelf.of(booking_id))
    else:
        await moved(practice, booking_id)
    [conflict] = await practice.conflicts()
    await practice.decide(conflict, "ignore")
    left = shelf.times()
    await practice.observe(shelf.of(booking_id))
    await practice.until_quiet()
    assert shelf.times() == left
    assert await practice.inbox() == []
    # Another version, at the time that was decided about.
    shelf.retitle(booking_id, "Something else")
    await practice.reschedule(booking_id, 6)
    await practice.until_quiet()
    assert [start for start, _ in shelf.times()] == [int((START + timedelta(hours=6)).timestamp())]
    assert await practice.inbox() == []


async def test_a_conflict_ends_when_the_calendar_is_put_right(practice: Exporting) -> None:
    """A person who moves the event back ends the conflict, which settles by itself (C-5)."""
    booking_id = await exported(practice)
    await moved(practice, booking_id)
    await moved(practice, booking_id, 0)
    assert await practice.inbox() == []
    assert [each["status"] for each in await practice.conflicts("superseded")] == ["superseded"]
    assert practice.states(booking_id) == {"ana": "exported"}
    assert practice.log("attention_item") == [("settle", "system")]
    assert practice.due() == 0


@pytest.mark.parametrize("deleted", [False, True])
async def test_who_undoes_what_an_export_has_met_lets_it_go_on(practice: Exporting, *, deleted: bool) -> None:
    """An event that is back as we had written it, before the booking was moved, follows the booking again (C-5)."""
    booking_id = await exported(practice)
    shelf = practice.shelves["ana"]
    if deleted:
        shelf.delete(booking_id)
    else:
        shelf.move(booking_id, START + timedelta(hours=3))
    await practice.reschedule(booking_id, 6)
    await practice.until_quiet()
    assert await practice.inbox() == [DELETED if deleted else MOVED]
    await moved(practice, booking_id, 0)
    assert await practice.inbox() == []
    await practice.until_quiet()
    assert [start for start, _ in shelf.times()] == [int((START + timedelta(hours=6)).timestamp())]
    assert await practice.inbox() == []


async def test_a_person_who_goes_on_is_followed(practice: Exporting) -> None:
    """Moved again and then deleted, an event has one open conflict, with what was done last (C-5)."""
    booking_id = await exported(practice)
    await moved(practice, booking_id, 3)
    await moved(practice, booking_id, 4)
    [conflict] = await practice.conflicts()
    assert conflict["event"]["start"] == f"{START + timedelta(hours=4):%Y-%m-%dT%H:%M:%SZ}"
    practice.shelves["ana"].delete(booking_id)
    await practice.observe(practice.shelves["ana"].of(booking_id))
    [conflict] = await practice.conflicts()
    assert conflict["kind"] == "deleted"
    assert await practice.inbox() == [DELETED]


async def test_a_change_that_moves_nothing_leaves_the_conflict_to_staff(practice: Exporting) -> None:
    """A note about the appointment neither ends a conflict nor writes over what a person has done (C-5)."""
    booking_id = await exported(practice)
    await moved(practice, booking_id)
    [conflict] = await practice.conflicts()
    await practice.note(booking_id)
    await practice.until_quiet()
    assert [each["id"] for each in await practice.conflicts()] == [conflict["id"]]
    [(start, _)] = practice.shelves["ana"].times()
    assert start == int((START + timedelta(hours=3)).timestamp())
    assert (await practice.decide(conflict, "accept"))["status"] == "accepted"


async def test_a_booking_that_is_moved_meanwhile_leaves_the_human_move_in_the_inbox(practice: Exporting) -> None:
    """Rescheduled while a conflict is open, a booking has a conflict of its new version; nothing is written over (C-5)."""
    booking_id = await exported(practice)
    await moved(practice, booking_id)
    [before] = await practice.conflicts()
    await practice.reschedule(booking_id, 6)
    [outdated] = await practice.conflicts()
    assert outdated["outdated"]
    refused = await practice.tenant.call("POST", f"{CONFLICTS}/{before['id']}/restore", {}, role=OWNER)
    assert refused.json()["details"] == {"status": "superseded"}
    await practice.until_quiet()
    [after] = await practice.conflicts()
    assert after["id"] != before["id"]
    assert not after["outdated"]
    await practice.decide(after, "restore")
    await practice.until_quiet()
    [(start, _)] = practice.shelves["ana"].times()
    assert start == int((START + timedelta(hours=6)).timestamp())


@pytest.mark.parametrize("deleted", [False, True])
async def test_a_cancelled_booking_takes_its_event_away_whatever_was_done_to_it(
    practice: Exporting, *, deleted: bool
) -> None:
    """Cancelled while a conflict is open, a booking leaves no event and no open conflict (C-3, C-5)."""
    booking_id = await exported(practice)
    if deleted:
        practice.shelves["ana"].delete(booking_id)
        await practice.observe(practice.shelves["ana"].of(booking_id))
    else:
        await moved(practice, booking_id)
    await practice.cancel(booking_id)
    await practice.until_quiet()
    assert practice.shelves["ana"].times() == []
    assert await practice.conflicts() == []
    assert await practice.inbox() == []
    assert len(await practice.conflicts("superseded")) == 1


async def test_others_learn_nothing_of_conflicts(practice: Exporting) -> None:
    """An unknown conflict is not found, a word that is none is refused, an editor may not decide (H-4)."""
    call = practice.tenant.call
    for path in ("nothing", "00000000-0000-4000-8000-000000000000"):
        for action in ("accept", "restore", "ignore"):
            answer = await call("POST", f"{CONFLICTS}/{path}/{action}", {}, role=OWNER)
            assert answer.status_code == 404
    assert (await call("GET", f"{CONFLICTS}?status=gone", role=OWNER)).status_code == 400
    assert (await call("GET", f"{CONFLICTS}?appointmentId=x", role=OWNER)).status_code == 400
    assert (await call("GET", CONFLICTS, role=Role.EDITOR)).status_code == 403


async def test_conflicts_are_listed_page_by_page(practice: Exporting) -> None:
    """Conflicts come in the order in which they came up, each on one page."""
    bookings = [await exported(practice, hours) for hours in (0, 4, 8)]
    for hours, booking_id in enumerate(bookings):
        await moved(practice, booking_id, 20 + 2 * hours)
    seen, cursor = [], ""
    while cursor is not None:
        page = await practice.tenant.done("GET", f"{CONFLICTS}?limit=2&cursor={cursor}", role=OWNER)
        seen += [each["appointment"]["id"] for each in page["conflicts"]]
        cursor = page["nextCursor"]
    assert seen == bookings
