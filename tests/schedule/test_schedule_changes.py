"""What staff do from the calendar: move and take back, cancel, note outcomes, book by hand, block and free time."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from booking.opened import HOUR_SECONDS, START
from holdfast.booking.unpaid import confirm_paid
from holdfast.catalog.refund_terms import Term
from holdfast.identity.permissions import Role
from schedule.office import PATH, ZONE, Clerk, Office, day_of
from wording import say

TEN, NOON = START + 9 * HOUR_SECONDS, START + 11 * HOUR_SECONDS
DAY = day_of(START)


def typed(at: int) -> dict[str, str]:
    """Return an instant as it is typed."""
    local = datetime.fromtimestamp(at, ZoneInfo(ZONE))
    return {"date": local.date().isoformat(), "time": local.strftime("%H:%M")}


async def drop(clerk: Clerk, booking_id: UUID, start: int, who: UUID, status: int = 200, **more: str) -> Any:
    """Drop an appointment somewhere, as the script of the calendar does."""
    page = await clerk.open(f"{PATH}?view=day&day={DAY}")
    version = more.pop("version", page.item(booking_id)["data-v"])
    fields = {"start": str(start), "resource": str(who), "version": version, "drop": "yes", **more}
    return await clerk.send((f"{PATH}/bookings/{booking_id}/move", fields), status, part=True)


async def test_an_appointment_is_moved_by_its_form(office: Office) -> None:
    """The form moves an appointment to another time and to somebody else, off the grid of slots, and leads back to its day; who
    did it stands in the history (B-15, B-16, U-3).
    """
    booked = await office.book("talk", TEN)
    clerk = await office.clerk(Role.ASSISTANT)
    form = (await clerk.sheet(booked)).form("/move")
    later = NOON + 25 * 60
    await clerk.send(form, **typed(later), resource=str(office.practice.resources["ben"]))
    moved = await office.practice.read(booked)
    assert (await office.start_of(booked), moved.resource_ids) == (later, [office.practice.resources["ben"]])
    entry = "select actor_id from audit_log where aggregate_id = %s and action = 'reschedule'"
    assert await office.rows(entry, booked) == [{"actor_id": clerk.user_id}]


async def test_a_drop_is_taken_back(office: Office) -> None:
    """A drop moves at once and offers to take it back; taken back, the appointment is where it was, with whom it was (U-3)."""
    booked = await office.book("talk", TEN)
    clerk = await office.clerk()
    told = await drop(clerk, booked, NOON, office.practice.resources["ben"])
    assert await office.start_of(booked) == NOON
    await clerk.send(told.form("/move"), 200, part=True)
    assert await office.start_of(booked) == TEN
    assert (await office.practice.read(booked)).resource_ids == [office.practice.resources["ana"]]


async def test_a_drop_is_not_taken_back_over_somebody_else(office: Office) -> None:
    """Where the old time was taken meanwhile, the appointment stays where it is, and that is said (B-1, U-3)."""
    booked = await office.book("talk", TEN)
    clerk = await office.clerk()
    told = await drop(clerk, booked, NOON, office.practice.resources["ana"])
    await office.book("talk", TEN)
    refused = await clerk.send(told.form("/move"), 409, part=True)
    assert say("en", "Its old time has been taken meanwhile: the appointment stays where it is now.") in refused.text
    assert await office.start_of(booked) == NOON


async def test_a_drop_on_somebody_else_is_refused_in_words(office: Office) -> None:
    """A drop where somebody else has the time changes nothing, says so, and says what is free nearby (B-8, U-3)."""
    booked, other = await office.book("talk", TEN), await office.book("talk", NOON)
    clerk = await office.clerk()
    refused = await drop(clerk, booked, NOON, office.practice.resources["ana"], 409)
    assert say("en", "Somebody else has this time.") in refused.text
    assert say("en", "Free nearby:") in refused.text
    assert "<html" not in refused.source
    assert (await office.start_of(booked), await office.start_of(other)) == (TEN, NOON)
    clerk.browser.http.headers["Accept-Language"] = "ru"
    assert (
        say("ru", "Somebody else has this time.")
        in (await drop(clerk, booked, NOON, office.practice.resources["ana"], 409)).text
    )


async def test_a_drop_keeps_whom_it_is_with(office: Office) -> None:
    """What is dragged within the column of a room that only takes part stays with its practitioner (U-3)."""
    await office.practice.add_service("pair", ["ana", "ben"], ["room"])
    booked = await office.book("pair", TEN, resource="ben")
    clerk = await office.clerk()
    room = office.practice.resources["room"]
    await drop(clerk, booked, NOON, room, **{"from": str(room)})
    assert set((await office.practice.read(booked)).resource_ids) == {room, office.practice.resources["ben"]}
    assert await office.start_of(booked) == NOON


async def test_who_comes_too_late_is_told_what_has_changed(office: Office) -> None:
    """Of two who change one appointment the second changes nothing: the page says who did what meanwhile, keeps what was typed,
    and a second sending goes by the version that is now (B-15, U-3).
    """
    booked = await office.book("talk", TEN)
    first, second = await office.clerk(), await office.clerk(Role.ASSISTANT)
    seen = (await second.sheet(booked)).form("/move")
    await first.send((await first.sheet(booked)).form("/move"), **typed(NOON))
    wanted = typed(NOON + HOUR_SECONDS)
    late = await second.send(seen, 409, **wanted)
    assert say("en", "Since you opened it:") in late.text
    assert "Guest: moved to" in late.text
    assert await office.start_of(booked) == NOON
    again = late.form("/move")
    assert {name: again[1][name] for name in wanted} == wanted
    await second.send(again)
    assert await office.start_of(booked) == NOON + HOUR_SECONDS


async def test_cancelling_says_beforehand_what_goes_back(office: Office) -> None:
    """The form says what was paid and what can go back of it; so much goes back, for the reason that was given (B-17, P-6, U-3)."""
    await office.practice.open_account()
    terms = {"price_minor": 4_000, "payment_policy": "prepay", "refund_terms": [Term(1, 50)]}
    await office.practice.add_service("paid", ["ana"], **terms)
    booked = await office.practice.await_payment("paid", TEN)
    await office.practice.pay(booked)
    await office.entered.database.run(office.business_id, lambda tx: confirm_paid(tx, booked))
    clerk = await office.clerk()
    sheet = await clerk.sheet(booked)
    assert "€40.00" in sheet.text
    assert "€20.00" in sheet.text
    form = sheet.form("/cancel")
    assert form[1]["refund"] == "100"
    told = await clerk.send(form, 200, part=True, refund="50", reason="Came down with a cold")
    assert "€20.00" in told.text
    after = await office.practice.read(booked)
    assert (after.state, after.refund_percent) == ("cancelled", 50)
    reasons = "select count(*) as n from audit_log where aggregate_id = %s and reason_id is not null"
    assert await office.rows(reasons, booked) == [{"n": 1}]
    assert "already cancelled" in (await clerk.send(form, 400)).text


async def test_an_outcome_is_noted_and_corrected(office: Office) -> None:
    """After the start it is noted whether the client came, and corrected; before it the page does not ask (B-19, U-3)."""
    ahead = await office.book("talk", TEN)
    clerk = await office.clerk()
    sheet = await clerk.sheet(ahead)
    assert not any(action.endswith("/outcome") for action in sheet.forms)
    fields = {"version": sheet.form("/move")[1]["version"], "outcome": "completed"}
    await clerk.send((f"{PATH}/bookings/{ahead}/outcome", fields), 409)
    past = await _by_hand(office, clerk, START - 11 * 86_400 + 9 * HOUR_SECONDS)
    for outcome in ("completed", "no_show"):
        await clerk.send((await clerk.sheet(past)).form("/outcome"), outcome=outcome)
        assert (await office.practice.read(past)).state == outcome
    await clerk.send((await clerk.sheet(past)).form("/outcome"), 400, outcome="forgotten")


async def test_an_appointment_is_made_by_hand_once(office: Office) -> None:
    """The form makes a confirmed appointment at the chosen place; sent twice it makes one, in the name of who sent it (B-9, B-14)."""
    clerk = await office.clerk(Role.ASSISTANT)
    form = (await clerk.open(f"{PATH}/new?at={TEN}&who={office.practice.resources['ben']}")).form("/new")
    for _ in range(2):
        await clerk.send(form, guestName="Guest Seven", guestPhone="+49 30 123456")
    [made] = await office.rows("select id, state, starts_at from bookings")
    assert (made["state"], int(made["starts_at"].timestamp())) == ("confirmed", TEN)
    assert (await office.practice.read(made["id"])).resource_ids == [office.practice.resources["ben"]]
    [entry] = await office.rows("select action, actor_id from audit_log where aggregate_id = %s", made["id"])
    assert entry == {"action": "book", "actor_id": clerk.user_id}
    sheet = await clerk.sheet(made["id"])
    assert "Guest Seven" in sheet.text
    assert "+49 30 123456" in sheet.text


@pytest.mark.parametrize(
    ("wrong", "typed_in"),
    [
        ("guestName", {}),
        ("guestEmail", {"guestEmail": "nobody"}),
        ("partySize", {"guestName": "M", "partySize": "none"}),
        ("time", {"guestName": "M", "time": "late"}),
        ("date", {"guestName": "M", "date": ""}),
        ("service", {"guestName": "M", "service": "x"}),
    ],
)
async def test_a_slip_is_shown_beside_its_field(office: Office, wrong: str, typed_in: dict[str, str]) -> None:
    """What is wrong is named at its field, what was typed stands there still, and nothing is booked (U-3)."""
    clerk = await office.clerk()
    form = (await clerk.open(f"{PATH}/new?at={TEN}")).form("/new")
    page = await clerk.send(form, 400, **typed_in)
    assert f'id="{wrong}-wrong"' in page.source
    assert {name: page.form("/new")[1][name] for name in typed_in if name != "service"} == {
        name: value for name, value in typed_in.items() if name != "service"
    }
    assert await office.rows("select id from bookings") == []


async def test_only_owners_go_beyond_opening_hours(office: Office) -> None:
    """Outside of opening hours nobody is booked unless an owner says so and why; an assistant is not even asked (B-14, U-3)."""
    await office.practice.desk.database.run(
        office.business_id,
        lambda tx: tx.run("update resources set always_open = false where kind = 'room' and slug = 'ana'"),
    )
    await office.practice.add_service("visit", ["ana"])
    owner, assistant = await office.clerk(), await office.clerk(Role.ASSISTANT)
    address = f"{PATH}/new?at={TEN}"
    visit = {"service": str(office.practice.services["visit"]), "guestName": "Guest Seven"}
    form = (await assistant.open(address)).form("/new")
    assert 'name="override"' not in (await assistant.open(address)).source
    refused = await assistant.send(form, 422, **visit)
    assert "Nobody who could take it is open at this time." in refused.text
    await assistant.send(form, 403, **visit, override="yes", reason="A friend")
    form = (await owner.open(address)).form("/new")
    await owner.send(form, 400, **visit, override="yes")
    await owner.send(form, **visit, override="yes", reason="Cannot come at another time")
    assert len(await office.rows("select id from bookings")) == 1


async def test_a_place_in_a_group_is_booked_by_hand(office: Office) -> None:
    """From a group somebody is added to it, who then stands among those who come (B-14, U-3)."""
    group = await office.practice.add_schedule(2, starts=TEN)
    clerk = await office.clerk()
    await clerk.send((await clerk.open(f"{PATH}/new?group={group}")).form("/new"), guestName="Guest Seven")
    page = await clerk.open(f"{PATH}/groups/{group}")
    assert "1 of 2 places taken" in page.text
    assert "Guest Seven" in page.text


async def test_a_time_that_comes_twice_is_asked_about(office: Office) -> None:
    """Half past two of the day when clocks go back is asked about and means what is answered; of the day when they go forward it
    is refused (A-5, U-3).
    """
    clerk = await office.clerk()
    form = (await clerk.open(f"{PATH}/new?at={TEN}")).form("/new")
    guest = {"guestName": "Guest Seven", "time": "02:30"}
    asked = await clerk.send(form, 400, **guest, date="2027-10-31")
    assert 'name="occurrence"' in asked.source
    await clerk.send(asked.form("/new"), occurrence="second")
    [made] = await office.rows("select starts_at from bookings")
    meant = datetime(2027, 10, 31, 2, 30, fold=1, tzinfo=ZoneInfo(ZONE))
    assert made["starts_at"].timestamp() == meant.timestamp()
    refused = await clerk.send(form, 400, **guest, date="2027-03-28")
    assert "Clocks skip this time on that day." in refused.text


async def test_time_is_blocked_and_freed(office: Office) -> None:
    """A block keeps its time free and is told to whoever listens; it opens with its reason, and is removed; over an appointment it
    is refused, and what is in the way is said (B-20, U-3).
    """
    clerk = await office.clerk(Role.ASSISTANT)
    ana = office.practice.resources["ana"]
    await office.book("talk", NOON)
    form = (await clerk.open(f"{PATH}/block?at={TEN}&who={ana}")).form("/block")
    refused = await clerk.send(form, 409, until_time="14:00")
    assert "an appointment" in refused.text
    await clerk.send(form, reason="Supervision")
    [block] = await office.rows("select id from blocks")
    sheet = await clerk.open(f"{PATH}/blocks/{block['id']}")
    assert "Supervision" in sheet.text
    await clerk.send(sheet.form("/remove"))
    assert await office.rows("select id from blocks") == []
    told = await office.rows("select type, payload from outbox_events where type like 'Time%%' order by version", *())
    assert [(fact["type"], fact["payload"]) for fact in told] == [
        ("TimeBlocked", {"resourceId": str(ana)}),
        ("TimeUnblocked", {"resourceId": str(ana)}),
    ]
    await clerk.send(sheet.form("/remove"), 404)


async def test_a_hold_can_be_looked_at_only(office: Office) -> None:
    """A hold opens with the time that is left, and with nothing to be done to it; so does what was cancelled (U-3)."""
    held = (await office.practice.reserve("talk", TEN, resource="ana")).made().id
    clerk = await office.clerk()
    sheet = await clerk.sheet(held)
    assert "minutes left" in sheet.text
    assert [action for action in sheet.forms if "schedule" in action] == []
    await clerk.send((f"{PATH}/bookings/{held}/move", {"version": "1", "start": str(NOON)}), 404)


async def _by_hand(office: Office, clerk: Clerk, start: int) -> Any:
    form = (await clerk.open(f"{PATH}/new?at={start}&who={office.practice.resources['ana']}")).form("/new")
    await clerk.send(form, guestName="Guest Seven")
    at = datetime.fromtimestamp(start, ZoneInfo(ZONE))
    [row] = await office.rows("select id from bookings where starts_at = %s and starts_at < %s", at, at + timedelta(1))
    return row["id"]
