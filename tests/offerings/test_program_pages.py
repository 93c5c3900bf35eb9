"""The pages on which staff set up programs and their dates."""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from booking.studio import NOW
from catalog.holds import hold_places, release_all
from holdfast.catalog.programs import ProgramRule, programs_of
from holdfast.identity.permissions import Role
from holdfast.offerings.drafts import ProgramDraft
from holdfast.offerings.programs import Coming, add_program, coming
from offerings.pages import Clerk, House, Sheet
from offerings.setting import OWNER, someone

# On the hour, so that no rule of these tests means it.
SOON = NOW.replace(minute=0, second=0, microsecond=0) + timedelta(days=2)


async def made(house: House, **more: object) -> UUID:
    """Offer a program of every Monday at half past seven."""
    given = {"name": "Circle", "duration_minutes": 60, "max_capacity": 8, "rules": (ProgramRule(0, time(19, 30)),)}
    draft = ProgramDraft(**{**given, **more})  # type: ignore[arg-type]
    return (await house.studio.run(lambda tx: add_program(tx, "circle", draft, OWNER))).id


async def ahead(house: House, program_id: UUID) -> list[Coming]:
    """Return every coming schedule."""
    return (await house.studio.run(lambda tx: coming(tx, program_id, limit=200))).schedules


async def form_of(clerk: Clerk, program_id: UUID, schedule: Coming | None = None) -> Sheet:
    """Return the form of one date, or that by which a date is added."""
    page = await clerk.open(f"/admin/programs/{program_id}/dates")
    return page.sheet("/dates" if schedule is None else f"/{schedule.id}")


async def test_an_owner_sets_up_a_program(house: House) -> None:
    """A program is what its form says, and has its dates at once (U-3)."""
    hall = await someone(house.studio, "hall", kind="room")
    owner = await house.clerk()
    assert "/admin/programs/new" in (await owner.open("/admin/programs")).links
    sheet = (await owner.open("/admin/programs/new")).sheet("/new")
    filled = sheet.filled(
        name="Утренний круг",
        max_capacity="12",
        uses=[str(hall)],
        rule__time__0="07:30",
        rule__days__0=["0", "3"],
        rule__time__1="19:00",
        rule__days__1=["0"],
        price_minor="8",
        payment_policy="on_site",
        timezone="Asia/Tokyo",
    )
    page = await owner.send(filled)
    [program] = await house.studio.run(programs_of)
    assert page.path == f"/admin/programs/{program.id}/dates?done=created"
    assert (program.slug, program.max_capacity, program.price_minor) == ("utrenniy-krug", 12, 800)
    assert program.rules == (ProgramRule(0, time(7, 30)), ProgramRule(0, time(19)), ProgramRule(3, time(7, 30)))
    assert program.resource_ids == (hall,)
    assert len(await ahead(house, program.id)) == 24
    assert "Asia/Tokyo" in page.text
    assert "0 of 12" in page.text
    page = await owner.open(f"/admin/programs/{program.id}")
    await owner.send(page.sheet(str(program.id)))
    assert await house.studio.run(programs_of) == [program]
    assert "Утренний круг" in (await owner.open("/admin/programs")).text


async def test_slips_of_a_program_are_said(house: House) -> None:
    """What cannot be saved of a program comes back with what is wrong, and with what was typed (U-3)."""
    owner = await house.clerk()
    sheet = (await owner.open("/admin/programs/new")).sheet("/new")
    page = await owner.send(
        sheet.filled(name="", max_capacity="0", rule__time__0="07:30", payment_policy="prepay"), status=400
    )
    assert set(page.wrong) == {"name", "max_capacity", "rules", "price_minor"}
    assert page.sheet("/new").values("rule-time-0") == ["07:30"]
    program_id = await made(house)
    page = await owner.send(sheet.filled(name="Circle", slug="circle"), status=409)
    assert page.wrong == ["slug"]
    path = f"/admin/programs/{program_id}"
    stale = (await owner.open(path)).sheet(str(program_id))
    await owner.send(stale.filled(max_capacity="9"))
    page = await owner.send(stale.filled(rule__days__0=["2"]), status=409)
    assert "9" in page.text
    await owner.send(page.sheet(str(program_id)))
    [now] = await house.studio.run(programs_of)
    assert (now.max_capacity, now.rules) == (8, (ProgramRule(2, time(19, 30)),))


async def test_a_program_is_offered_no_more(house: House) -> None:
    """A program is taken back by a button, its dates with it (U-3)."""
    program_id = await made(house)
    owner = await house.clerk()
    page = await owner.open(f"/admin/programs/{program_id}")
    page = await owner.send(page.sheet("/deactivate"))
    assert "not offered" in page.text
    assert await ahead(house, program_id) == []
    page = await owner.open(f"/admin/programs/{program_id}/dates")
    assert [each for each in page.sheets if each.action.endswith("/dates")] == []


async def test_single_dates_are_added_moved_and_left_out(house: House) -> None:
    """An assistant adds a date, changes its places, moves it, leaves it out and lets it take place again (U-3)."""
    program_id = await made(house)
    assistant = await house.clerk(Role.ASSISTANT)
    sheet = await form_of(assistant, program_id)
    await assistant.send(sheet.filled(day=f"{SOON:%Y-%m-%d}", time=f"{SOON:%H:%M}", max_capacity="3"))
    [added] = [each for each in await ahead(house, program_id) if each.by_hand]
    assert (added.start, added.max_capacity) == (SOON, 3)
    await assistant.send((await form_of(assistant, program_id, added)).filled(max_capacity="4"), do="places")
    other = SOON + timedelta(days=1)
    moved = (await form_of(assistant, program_id, added)).filled(day=f"{other:%Y-%m-%d}", time=f"{other:%H:%M}")
    await assistant.send(moved, do="move")
    [now] = [each for each in await ahead(house, program_id) if each.by_hand]
    assert (now.start, now.max_capacity) == (other, 4)
    regular = next(each for each in await ahead(house, program_id) if not each.by_hand)
    await assistant.send(await form_of(assistant, program_id, regular), do="remove")
    page = await assistant.open(f"/admin/programs/{program_id}/dates")
    assert "does not take place" in page.text
    await assistant.send(page.sheet(f"/{regular.id}"), do="restore")
    assert not any(each.removed for each in await ahead(house, program_id))


async def test_why_a_date_is_not_changed_is_said(house: House) -> None:
    """A date that cannot be is refused in words, with what was typed; one that is booked stays where it is (B-20, U-3)."""
    hall = await someone(house.studio, "hall", kind="room", name="Great hall")
    program_id = await made(house, resource_ids=(hall,))
    owner = await house.clerk(language="ru")
    first = (await ahead(house, program_id))[0]
    sheet = await form_of(owner, program_id)
    for day, at, said, status in (
        ("", "10:00", "Укажите день", 400),
        (f"{SOON:%Y-%m-%d}", "10", "Напишите время", 400),
        ("2020-01-01", "10:00", "уже прошло", 400),
        (f"{first.start:%Y-%m-%d}", f"{first.start:%H:%M}", "уже проходит", 409),
        (f"{first.start:%Y-%m-%d}", f"{first.start - timedelta(minutes=30):%H:%M}", "Great hall", 409),
    ):
        page = await owner.send(sheet.filled(day=day, time=at), status=status)
        assert said in page.text
        assert page.sheet("/dates").values("time") == [at]
    await house.studio.run(lambda tx: hold_places(tx, first.id, first.start, 3))
    page = await owner.open(f"/admin/programs/{program_id}/dates")
    [bookings] = [link for link in page.links if link.startswith("/admin/bookings?")]
    assert bookings == f"/admin/bookings?service={program_id}&from={first.start:%Y-%m-%d}&to={first.start:%Y-%m-%d}"
    await owner.open(bookings)
    sheet = await form_of(owner, program_id, first)
    page = await owner.send(sheet.filled(max_capacity="2"), status=409, do="places")
    assert "Занято мест: 3" in page.text
    for do in ("remove", "move"):
        wanted = sheet.filled(day=f"{SOON:%Y-%m-%d}", time="10:00")
        page = await owner.send(wanted, status=409, do=do)
        assert "занято мест: 3" in page.text
    assert (await ahead(house, program_id))[0].start == first.start
    await house.studio.run(release_all)
    assert datetime.now(UTC) < first.start
