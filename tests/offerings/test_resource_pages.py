"""The pages on which staff set up who and what is booked, with hours."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from booking.studio import NOW
from catalog.holds import hold_places
from holdfast.availability.hours import Override, WeeklyRule
from holdfast.availability.rules import overrides_of, own_overrides_of, replace_rules, rules_of
from holdfast.booking.layouts import lay_out_ahead
from holdfast.identity.businesses import current
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Transaction
from holdfast.offerings.hours import Timetable, timetable_of
from holdfast.offerings.resources import own_resources, resource_of
from holdfast.offerings.services import add_service
from holdfast.offerings.weeks import CLOSED, Week
from offerings.pages import Clerk, House, Sheet
from offerings.setting import OWNER, entries, hours, service, someone

DAY = (NOW + timedelta(days=20)).date()


async def table_of(house: House, resource_id: UUID) -> Timetable:
    """Return when a resource is open."""

    async def work(tx: Transaction) -> Timetable:
        business = await current(tx)
        assert business is not None
        return await timetable_of(tx, business, await resource_of(tx, resource_id))

    return await house.studio.run(work)


def calendar_of(day: date) -> str:
    """Return a calendar file with a whole day."""
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//tests//",
        "BEGIN:VEVENT",
        "UID:a",
        "DTSTAMP:20260101T000000Z",
    ]
    return "\r\n".join([*lines, f"DTSTART;VALUE=DATE:{day:%Y%m%d}", "END:VEVENT", "END:VCALENDAR", ""])


async def week_sheet(clerk: Clerk, resource_id: UUID, query: str = "") -> Sheet:
    """Return the form of a week."""
    return (await clerk.open(f"/admin/resources/{resource_id}/week{query}")).sheet("/week")


async def test_an_owner_sets_up_somebody_with_hours(house: House) -> None:
    """Whoever is added gets hours at once, drawn as a week, and is seen with them (U-3)."""
    owner = await house.clerk()
    assert "Nobody can be booked yet" in (await owner.open("/admin/resources")).text
    sheet = (await owner.open("/admin/resources/new")).sheet("/new")
    page = await owner.send(sheet.filled(name="Комната Девятая", timezone="Asia/Tokyo", daily_limit="6"))
    [made] = await house.studio.run(own_resources)
    assert (made.slug, made.kind, made.timezone, made.daily_limit) == (
        "komnata-devyataya",
        "practitioner",
        "Asia/Tokyo",
        6,
    )
    assert page.path == f"/admin/resources/{made.id}/week?done=created"
    drawn = page.sheet("/week").filled(opens__0=["09:00", "14:00", ""], closes__0=["13:00", "18:00", ""])
    page = await owner.send(drawn.filled(opens__6=["22:00"], closes__6=["02:00"]), do="save")
    assert "The hours are saved" in page.text
    assert (await table_of(house, made.id)).weeks == [
        Week((hours("09:00-13:00", "14:00-18:00"), *[()] * 5, hours("22:00-02:00")))
    ]
    # The same form says the same again, and that is no change.
    await owner.send(await week_sheet(owner, made.id), do="save")
    assert len(entries(house.studio, made.id)) == 2
    assert "09:00–13:00" in (await owner.open("/admin/resources")).text


async def test_slips_of_a_resource_are_said(house: House) -> None:
    """What cannot be saved of a resource comes back with what is wrong (U-3)."""
    owner = await house.clerk()
    sheet = (await owner.open("/admin/resources/new")).sheet("/new")
    page = await owner.send(sheet.filled(name="", capacity="0", timezone="Mars"), status=400)
    assert set(page.wrong) == {"name", "capacity", "timezone"}
    person = await someone(house.studio, "vera")
    page = await owner.send(sheet.filled(name="Vera", slug="vera"), status=409)
    assert page.wrong == ["slug"]
    await house.studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    page = await owner.open(f"/admin/resources/{person}")
    stale = page.sheet(str(person))
    page = await owner.send(page.sheet("/deactivate"), status=409)
    assert "Talk" in page.text
    await owner.send(stale.filled(name="Vera L."))
    page = await owner.send(stale.filled(capacity="3"), status=409)
    assert "Vera L." in page.text
    assert page.sheet(str(person)).values("capacity") == ["3"]
    await owner.send(page.sheet(str(person)))
    [now] = await house.studio.run(own_resources)
    assert (now.name, now.capacity) == ("vera", 3)


async def test_the_buttons_of_a_week_work_without_scripts(house: House) -> None:
    """Another line, a day copied to others and somebody else's hours change the form, and nothing is saved (U-3)."""
    person, other = await someone(house.studio), await someone(house.studio, "other")
    rule = WeeklyRule(2, *hours("08:00-12:00")[0])
    await house.studio.run(lambda tx: replace_rules(tx, other, [rule]))
    owner = await house.clerk()
    usual = (await owner.send(await week_sheet(owner, person), do="usual")).sheet("/week")
    assert [usual.values(f"opens-{n}")[0] for n in range(7)] == ["09:00"] * 5 + ["", ""]
    sheet = (await week_sheet(owner, person)).filled(opens__1="10:00", closes__1="11:00")
    sheet = (await owner.send(sheet, do="more-1")).sheet("/week")
    assert sheet.values("opens-1") == ["10:00", "", ""]
    working = (await owner.send(sheet, do="copy-1-working")).sheet("/week")
    assert [working.values(f"opens-{n}")[0] for n in range(7)] == ["10:00"] * 5 + ["", ""]
    every = (await owner.send(sheet, do="copy-1-all")).sheet("/week")
    assert [every.values(f"closes-{n}")[0] for n in range(7)] == ["11:00"] * 7
    taken = (await owner.send(sheet, do="take")).sheet("/week")
    assert [taken.values(f"opens-{n}")[0] for n in range(7)] == ["", "", "08:00", "", "", "", ""]
    assert (await house.studio.run(rules_of)).keys() == {other}


@pytest.mark.parametrize(
    ("opens", "closes", "said"),
    [
        (["09:00", "10:00"], ["11:00", "12:00"], "overlap"),
        (["09:00"], [""], "two times"),
        (["25:00"], ["26:00"], "like 09:00"),
        (["09:00"], ["09:00"], "does not close when it opens"),
    ],
)
async def test_wrong_hours_are_said_at_their_day(house: House, opens: list[str], closes: list[str], said: str) -> None:
    """Hours that cannot be come back as they were typed, with what is wrong beside the day (U-3)."""
    person = await someone(house.studio)
    owner = await house.clerk()
    sheet = (await week_sheet(owner, person)).filled(opens__3=opens, closes__3=closes)
    page = await owner.send(sheet, status=400, do="save")
    assert page.wrong == ["day-3"]
    assert said in page.text
    assert page.sheet("/week").values("opens-3")[: len(opens)] == opens
    assert (await table_of(house, person)).weeks == [Week(CLOSED)]


async def test_other_hours_from_a_day_on(house: House) -> None:
    """A week from a day on leaves the hours before it, is shown beside them, and is taken out again (U-3)."""
    person = await someone(house.studio)
    owner = await house.clerk()
    await owner.send((await week_sheet(owner, person)).filled(opens__0="09:00", closes__0="17:00"), do="save")
    [usual] = (await table_of(house, person)).weeks
    sheet = await week_sheet(owner, person, "?new=1")
    page = await owner.send(sheet.filled(valid_from=str(DAY), opens__0="12:00", closes__0="20:00"), do="save")
    assert page.path.endswith(f"on={DAY}&done=saved")
    weeks = (await table_of(house, person)).weeks
    assert weeks == [
        Week(usual.days, None, DAY - timedelta(days=1)),
        Week((hours("12:00-20:00"), *[()] * 6), DAY),
    ]
    page = await owner.open(f"/admin/resources/{person}/week")
    assert f"?on={DAY}" in page.links
    await owner.send(await week_sheet(owner, person, f"?on={DAY}"), do="remove")
    assert (await table_of(house, person)).weeks == [usual]
    sheet = await week_sheet(owner, person)
    page = await owner.send(sheet.filled(valid_from="2027-02-01", valid_until="2027-01-01"), status=400, do="save")
    assert page.wrong == ["valid_until"]


async def test_two_who_draw_a_week_are_told(house: House) -> None:
    """Who draws a week that was changed meanwhile is shown how it is now, and keeps what they drew (U-3)."""
    person = await someone(house.studio)
    first, second = await house.clerk(), await house.clerk()
    mine, theirs = await week_sheet(first, person), await week_sheet(second, person)
    await first.send(mine.filled(opens__4="06:30", closes__4="07:45"), do="save")
    page = await second.send(theirs.filled(opens__0="10:00", closes__0="16:00"), status=409, do="save")
    assert "06:30–07:45" in page.text
    kept = page.sheet("/week")
    assert kept.values("opens-0")[0] == "10:00"
    await second.send(kept, do="save")
    [now] = (await table_of(house, person)).weeks
    assert now.days[0] == hours("10:00-16:00")
    assert now.days[4] == ()


async def test_days_are_closed_and_opened_again(house: House) -> None:
    """Days are closed from one to another, seen in the calendar, and given back to the week by a button (U-3)."""
    person = await someone(house.studio)
    owner = await house.clerk()
    path = f"/admin/resources/{person}/days"
    sheet = (await owner.open(path)).sheet("/days")
    last = DAY + timedelta(days=2)
    page = await owner.send(sheet.filled(first_day=str(DAY), last_day=str(last), what="closed"))
    assert "The days are saved" in page.text
    own = (await house.studio.run(own_overrides_of))[person]
    assert own == [Override(DAY + timedelta(days=n)) for n in range(3)]
    page = await owner.open(f"{path}?day={DAY}")
    forms = [each for each in page.sheets if each.action == path]
    changed = forms[-1].filled(what="hours", opens=["10:00", "13:00"], closes=["12:00", "14:00"])
    assert changed.values("first_day") == [str(DAY)]
    await owner.send(changed)
    own = (await house.studio.run(own_overrides_of))[person]
    assert [each for each in own if each.day == DAY] == [
        Override(DAY, *each) for each in hours("10:00-12:00", "13:00-14:00")
    ]
    page = await owner.open(path)
    while given_back := next((each for each in page.sheets if each.values("what") == ["week"]), None):
        await owner.send(given_back)
        page = await owner.open(path)
    assert await house.studio.run(own_overrides_of) == {}


async def test_slips_of_days_are_said(house: House) -> None:
    """Days without a first one, backwards, or open without hours come back with what is wrong (U-3)."""
    person = await someone(house.studio)
    owner = await house.clerk()
    path = f"/admin/resources/{person}/days"
    sheet = (await owner.open(path)).sheet("/days")
    assert (await owner.send(sheet, status=400)).wrong == ["first_day"]
    backwards = sheet.filled(first_day=str(DAY), last_day=str(DAY - timedelta(days=1)))
    assert (await owner.send(backwards, status=400)).wrong == ["last_day"]
    assert (await owner.send(sheet.filled(first_day=str(DAY), what="hours"), status=400)).wrong == ["hours"]
    overlapping = sheet.filled(first_day=str(DAY), what="hours", opens=["09:00", "10:00"], closes=["11:00", "12:00"])
    assert (await owner.send(overlapping, status=400)).wrong == ["hours"]
    assert (await owner.send(sheet.filled(first_day="9999-12-31"), status=400)).wrong == ["first_day"]
    stale = sheet.filled(first_day=str(DAY))
    await owner.send(stale)
    page = await owner.send(stale.filled(first_day=str(DAY + timedelta(days=1))), status=409)
    assert "meanwhile" in page.text
    assert len((await house.studio.run(own_overrides_of))[person]) == 1


async def test_bookings_under_a_closed_day_are_listed_first(house: House) -> None:
    """Closing a day on which somebody is booked, by hand or by a file, lists them first, and is done once confirmed (U-3)."""
    hall = await someone(house.studio, "hall", kind="room")
    program = await house.studio.program("12:00", resource_ids=[hall])
    await house.studio.run(lay_out_ahead)
    at = next(each for each in await house.studio.listed(limit=1000) if each.start.date() == DAY)
    await house.studio.run(lambda tx: hold_places(tx, at.id, at.start, 1))
    owner = await house.clerk()
    path = f"/admin/resources/{hall}/days"
    sheet = (await owner.open(path)).sheet("/days")
    page = await owner.send(sheet.filled(first_day=str(DAY)), status=409)
    assert program.name in page.text
    assert await house.studio.run(own_overrides_of) == {}
    await owner.send(next(each for each in page.sheets if each.values("accepted")))
    assert (await house.studio.run(own_overrides_of))[hall] == [Override(DAY)]
    assert any(each.id == at.id for each in await house.studio.listed(limit=1000))
    page = await owner.open(path)
    await owner.send(next(each for each in page.sheets if each.values("what") == ["week"]))
    sheet = (await owner.open(path)).sheet("/days/file").filled(source="Holidays", text=calendar_of(DAY))
    page = await owner.send(sheet, status=409)
    assert await house.studio.run(overrides_of) == {}
    await owner.send(page.sheet("/days/file").filled(text=calendar_of(DAY)))
    assert (await house.studio.run(overrides_of))[hall] == [Override(DAY)]
    await house.studio.run(
        lambda tx: tx.run(
            "update bookings set state = 'released', version = version + 1 where business_id = %s", [tx.business_id]
        )
    )


async def test_holidays_come_from_a_file(house: House) -> None:
    """The whole days of a calendar file are closed beside the days of one's own, replaced by its name, and taken out (A-1)."""
    person = await someone(house.studio)
    owner = await house.clerk()
    path = f"/admin/resources/{person}/days"

    for day in (DAY, DAY + timedelta(days=1)):
        sheet = (await owner.open(path)).sheet("/days/file")
        await owner.send(sheet.filled(source="Holidays", text=calendar_of(day)))
        assert (await house.studio.run(overrides_of))[person] == [Override(day)]
    page = await owner.send(sheet.filled(source="Other", text="no calendar"), status=422)
    assert page.sheet("/days/file").values("source") == ["Other"]
    page = await owner.send(sheet.filled(source="", text=calendar_of(DAY)), status=400)
    assert page.wrong == ["source"]
    page = await owner.open(path)
    assert "Holidays" in page.text
    await owner.send(page.sheet("/days/forget"))
    assert await house.studio.run(overrides_of) == {}


async def test_an_assistant_sees_hours_and_changes_none(house: House) -> None:
    """An assistant sees weeks and days without the forms that change them (D-7)."""
    person = await someone(house.studio)
    assistant = await house.clerk(Role.ASSISTANT)
    page = await assistant.open(f"/admin/resources/{person}/days")
    assert [each.action for each in page.sheets if "/resources/" in each.action] == []
    page = await assistant.open(f"/admin/resources/{person}/week")
    assert page.sheet("/week").values("opens-0") == []
    await assistant.send(page.sheet("/week").filled(opens__0="09:00", closes__0="10:00"), status=403, do="save")
    assert await house.studio.run(rules_of) == {}
