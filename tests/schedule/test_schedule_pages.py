"""What the calendar of staff shows, and to whom."""

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from booking.opened import HOUR_SECONDS, START, open_practice
from holdfast.availability.busy import replace_busy
from holdfast.availability.hours import WeeklyRule
from holdfast.availability.ics.times import Span
from holdfast.availability.rules import replace_rules
from holdfast.catalog.resources import put_resource
from holdfast.identity.permissions import Role
from schedule.office import PATH, ZONE, Office, day_of
from wording import say

# Ten in the morning, and noon, of Berlin in winter as in summer or an hour later.
TEN, NOON = START + 9 * HOUR_SECONDS, START + 11 * HOUR_SECONDS
DAY = day_of(START)
AUTUMN = date(2027, 10, 31)


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that this process sends."""
    sent: list[str] = []
    execute = psycopg.AsyncCursor.execute

    async def noted(self: Any, query: Any, *more: Any, **options: Any) -> Any:
        sent.append(str(query))
        return await execute(self, query, *more, **options)

    monkeypatch.setattr(psycopg.AsyncCursor, "execute", noted)
    return sent


async def test_it_shows_what_takes_the_time(office: Office) -> None:
    """A day shows appointments by name, service and state, holds with the time that is left, groups with the places taken, and
    blocks; a buffer is told apart from what it follows (U-3).
    """
    booked = await office.book("talk", TEN)
    held = (await office.practice.reserve("talk", TEN, resource="ben", ttl=600)).made().id
    group = await office.practice.add_schedule(5, starts=NOON)
    await office.practice.join(group, 2)
    clerk = await office.clerk()
    await clerk.send(
        await _block_form(clerk, NOON, office.practice.resources["ben"]), until_time="15:00", reason="supervision"
    )
    page = await clerk.open(f"{PATH}?view=day&day={DAY}")
    assert page.words_of(booked).split() == [*_clock(TEN), "Guest", "Seven", "talk"]
    assert "confirmed" in page.item(booked)["class"]
    assert say("en", "held") in page.words_of(held)
    assert "10 minutes left" in page.words_of(held)
    assert "2 of 5 places taken" in page.words_of(group)
    assert [given["href"].split("/")[-2] for given in page.having("block")] == ["blocks"]
    assert "supervision" not in page.text, "what somebody wrote is not for the overview"
    assert len(page.having("buffer")) == 2
    assert page.having("now") == []


async def test_each_end_of_an_appointment_is_told_in_words(office: Office) -> None:
    """Who came, who did not, and what was cancelled is said in words; what was cancelled is shown where somebody asks (U-3)."""
    past = START - 11 * 86_400 + 9 * HOUR_SECONDS
    booked = [await _by_hand(office, past + n * 2 * HOUR_SECONDS) for n in range(2)]
    clerk = await office.clerk()
    for booking_id, outcome in zip(booked, ("completed", "no_show"), strict=True):
        await clerk.send((await clerk.sheet(booking_id)).form("/outcome"), outcome=outcome)
    gone = await office.book("talk", TEN)
    await clerk.send((await clerk.sheet(gone)).form("/cancel"))
    page = await clerk.open(f"{PATH}?view=day&day={day_of(past)}")
    assert say("en", "completed") in page.words_of(booked[0])
    assert say("en", "did not come") in page.words_of(booked[1])
    assert str(gone) not in (await clerk.open(f"{PATH}?view=day&day={DAY}")).source
    shown = await clerk.open(f"{PATH}?view=day&day={DAY}&ended=yes")
    assert say("en", "cancelled") in shown.words_of(gone)
    assert "mv" not in shown.item(gone)["class"].split(), "it cannot be moved"


async def test_hours_and_external_calendars_are_behind(office: Office) -> None:
    """Outside of opening hours is shaded, and what an external calendar says is shown as busy, without being ours (U-3)."""
    rules = [WeeklyRule(weekday, time(9), time(17)) for weekday in range(7)]

    async def open_cora(tx: Any) -> None:
        cora = await put_resource(tx, slug="cora", name="cora", kind="practitioner")
        await replace_rules(tx, cora, rules)
        await replace_busy(tx, cora, [Span(TEN, TEN + HOUR_SECONDS), Span(TEN + 1_800, NOON)], source="elsewhere")

    await office.entered.database.run(office.business_id, open_cora)
    clerk = await office.clerk()
    page = await clerk.open(f"{PATH}?view=day&day={DAY}")
    [busy] = page.having("busy")
    assert "href" not in busy
    assert say("en", "Busy elsewhere") in page.text
    # The others are open around the clock.
    assert len(page.having("closed")) == 2


async def test_the_address_says_who_what_and_when(office: Office) -> None:
    """A week, a list, some of the people and some kinds are asked for by the address, and links keep the rest of it (U-3)."""
    early = await office.book("talk", TEN)
    late = await office.book("talk", TEN + 86_400, resource="ben")
    clerk = await office.clerk()
    ana, ben = (office.practice.resources[name] for name in ("ana", "ben"))
    monday = DAY - timedelta(days=DAY.weekday())
    week = await clerk.open(f"{PATH}?view=week&day={monday}&who={ana}&who={ben}")
    assert [given["data-who"] for given in week.having("col")] == [str(ana), str(ben)] * 7
    for view in ("day", "list"):
        only = await clerk.open(f"{PATH}?view={view}&day={DAY}&who={ben}")
        assert str(early) not in only.source
        assert f"who={ben}" in only.source
    assert str(late) in only.source
    assert str(early) in (await clerk.open(f"{PATH}?view=list&day={DAY}")).source
    assert str(early) not in (await clerk.open(f"{PATH}?view=list&day={DAY + timedelta(days=1)}")).source
    groups = await clerk.open(f"{PATH}?view=list&day={DAY}&kind=group")
    assert str(early) not in groups.source
    assert (await clerk.open(f"{PATH}?day=tomorrow", 400)).status == 400


async def test_on_a_phone_it_is_a_list(office: Office) -> None:
    """A phone that asks for no view gets the list, and any view that it asks for (U-3)."""
    clerk = await office.clerk()
    phone = {"User-Agent": "Mozilla/5.0 (Linux; Android 16) Mobile Safari"}
    clerk.browser.http.headers.update(phone)
    assert (await clerk.open(PATH)).having("agenda")
    assert (await clerk.open(f"{PATH}?view=day")).having("board")


async def test_practitioners_see_their_own_week(office: Office) -> None:
    """Whoever is a resource sees the own week unasked, and others on request (U-3)."""
    ana = office.practice.resources["ana"]
    clerk = await office.clerk(Role.ASSISTANT, resource_ids=[ana])
    week = await clerk.open(f"{PATH}?view=week&day={DAY}")
    assert {given["data-who"] for given in week.having("col")} == {str(ana)}


async def test_a_wall_stands_between_calendars(office: Office, app_uri: str, admin_uri: str) -> None:
    """Nothing of another business is in a calendar, nor opens by its number (D-1, H-4)."""
    clerk = await office.clerk()
    async with open_practice(app_uri) as other:
        await other.add_resource("ana")
        await other.add_service("talk", ["ana"])
        made = await other.reserve("talk", TEN)
        theirs, block = made.made().id, other.resources["ana"]
        page = await clerk.open(f"{PATH}?view=day&day={DAY}&who={block}")
        assert str(theirs) not in page.source
        for path in (f"bookings/{theirs}", f"groups/{theirs}", f"blocks/{theirs}"):
            await clerk.open(f"{PATH}/{path}", 404)
        moved = (f"{PATH}/bookings/{theirs}/move", {"version": "1", "start": str(NOON)})
        await clerk.send(moved, 404)
        # What reads past the policies looks itself whose transaction it is.
        within = "select id from schedule_window(%s, %s, to_timestamp(%s), to_timestamp(%s), true)"
        asked = (other.business_id, [other.resources["ana"]], START, START + 86_400)
        assert await office.rows(within, *asked) == []
        async with other.desk.database.transaction(other.business_id) as tx:
            assert [row["id"] for row in await tx.rows(within, list(asked))] == [theirs]
        await other.release(theirs)


async def test_days_of_another_length_are_shown_right(office: Office) -> None:
    """On the day with an hour twice, appointments at both halves past two stand in their own hours, and the day says how long it
    is (A-5, U-3).
    """
    first = int(datetime(2027, 10, 31, 2, 30, tzinfo=ZoneInfo(ZONE)).timestamp())
    earlier, later = await _by_hand(office, first), await _by_hand(office, first + HOUR_SECONDS, "ben")
    clerk = await office.clerk()
    page = await clerk.open(f"{PATH}?view=day&day={AUTUMN}")
    assert "25 hours" in page.text
    rows = [next(c for c in page.item(b)["class"].split() if c[0] == "f") for b in (earlier, later)]
    assert [int(r[1:]) for r in rows] == [31, 43]
    assert "23 hours" in (await clerk.open(f"{PATH}?view=week&day=2027-03-28")).text


async def test_more_bookings_are_no_more_statements(office: Office, statements: list[str]) -> None:
    """The calendar is read in as many statements with ten times as many bookings in it."""
    clerk = await office.clerk()
    asked = f"{PATH}?view=week&day={DAY}"
    counts = []
    for bookings in (1, 10):
        for n in range(bookings):
            await office.book("talk", START + n * 2 * HOUR_SECONDS, resource="ben" if bookings == 1 else "ana")
        await clerk.open(asked)
        statements.clear()
        await clerk.open(asked)
        # The use of a login is noted once a minute.
        counts.append(len([sent for sent in statements if not sent.startswith("update logins")]))
    assert counts[0] == counts[1] <= 14


async def test_a_script_is_given_the_grid_alone(office: Office) -> None:
    """What a script loads anew is the grid without the page around it, the same as the page has (U-3)."""
    await office.book("talk", TEN)
    clerk = await office.clerk()
    asked = f"{PATH}?view=day&day={DAY}"
    part = (await clerk.open(asked, part=True)).source.strip()
    assert part.startswith('<div class="board')
    assert "<html" not in part
    assert part in (await clerk.open(asked)).source


async def _by_hand(office: Office, start: int, who: str = "ana") -> Any:
    clerk = await office.clerk()
    at = datetime.fromtimestamp(start, ZoneInfo(ZONE))
    form = (await clerk.open(f"{PATH}/new?at={start}&who={office.practice.resources[who]}")).form("/new")
    await clerk.send(form, guestName="Guest Seven", service=str(office.practice.services["talk"]))
    rows = await office.rows("select id from bookings where starts_at = %s order by id desc limit 1", at)
    return rows[0]["id"]


async def _block_form(clerk: Any, at: int, who: Any) -> Any:
    return (await clerk.open(f"{PATH}/block?at={at}&who={who}")).form("/block")


def _clock(at: int) -> list[str]:
    return [datetime.fromtimestamp(at, ZoneInfo(ZONE)).strftime("%H:%M")]
