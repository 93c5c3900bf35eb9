"""The pages on which staff set up services."""

from holdfast.catalog.refund_terms import Term
from holdfast.catalog.services import services_of
from holdfast.identity.permissions import Role
from holdfast.offerings.services import add_service
from offerings.pages import House
from offerings.setting import OWNER, entries, service, someone


async def test_an_owner_sets_up_a_service(house: House) -> None:
    """From an empty practice an owner is led to a first service, which is what they typed (U-3)."""
    owner = await house.clerk()
    page = await owner.open("/admin/services")
    assert "/admin/resources/new" in page.links
    person = await someone(house.studio, name="Vera")
    page = await owner.open("/admin/services")
    assert "/admin/services/new" in page.links
    sheet = (await owner.open("/admin/services/new")).sheet("/new")
    filled = sheet.filled(
        name="Разговор",
        duration_minutes="45",
        need__0=[str(person)],
        price_minor="1 045,50",
        payment_policy="prepay",
        refund_terms__hours=["24", "2", ""],
        refund_terms__percent=["100", "50", ""],
        min_notice_minutes="3",
        min_notice_minutes__unit="hours",
        cancel_notice_minutes="2",
        cancel_notice_minutes__unit="days",
        max_simultaneous_bookings="1",
    )
    page = await owner.send(filled)
    [made] = await house.studio.run(services_of)
    assert page.path == f"/admin/services/{made.id}?done=created"
    assert (made.slug, made.price_minor, made.refund_terms) == ("razgovor", 104550, (Term(24, 100), Term(2, 50)))
    assert (made.min_notice_minutes, made.cancel_notice_minutes, made.duration_minutes) == (180, 2880, 45)
    assert made.requirements == ((person,),)
    assert "Разговор" in (await owner.open("/admin/services")).text


async def test_a_page_shows_what_is_saved(house: House) -> None:
    """Opening a service and saving it as it stands changes nothing (U-3)."""
    person, room = await someone(house.studio), await house.studio.room()
    draft = service(
        person,
        room,
        buffer_after_minutes=10,
        slot_step_minutes=15,
        price_minor=4550,
        payment_policy="prepay",
        refund_terms=(Term(24, 100),),
        min_notice_minutes=90,
        max_simultaneous_bookings=3,
    )
    made = await house.studio.run(lambda tx: add_service(tx, "talk", draft, OWNER))
    owner = await house.clerk()
    page = await owner.open(f"/admin/services/{made.id}")
    page = await owner.send(page.sheet(str(made.id)))
    assert "Saved" in page.text
    assert await house.studio.run(services_of) == [made]
    assert [action for action, _, _ in entries(house.studio, made.id)] == ["create"]


async def test_what_is_wrong_is_said_at_its_field(house: House) -> None:
    """A form with slips comes back as it was typed, with what is wrong at each field, and nothing is saved (U-3)."""
    person = await someone(house.studio)
    owner = await house.clerk()
    sheet = (await owner.open("/admin/services/new")).sheet("/new")
    typed = sheet.filled(name="", duration_minutes="soon", price_minor="12.345", need__0=[str(person)])
    page = await owner.send(typed, status=400)
    assert {"name", "duration_minutes", "price_minor"} <= set(page.wrong)
    again = page.sheet("/new")
    assert (again.values("duration_minutes"), again.values("price_minor")) == (["soon"], ["12.345"])
    assert again.values("need-0") == [str(person)]
    page = await owner.send(
        again.filled(name="Talk", duration_minutes="50", price_minor="", slug="Bad Slug"), status=400
    )
    assert page.wrong == ["slug"]
    page = await owner.send(page.sheet("/new").filled(slug="talk", need__0=[], need__1=[]), status=400)
    assert page.wrong == ["requirements"]
    assert await house.studio.run(services_of) == []


async def test_two_owners_lose_nothing_of_what_they_typed(house: House) -> None:
    """Who saves second is told what is saved now and keeps what they typed; saving again replaces it (U-3)."""
    person = await someone(house.studio)
    made = await house.studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    first, second = await house.clerk(), await house.clerk()
    path = f"/admin/services/{made.id}"
    mine, theirs = (await first.open(path)).sheet(str(made.id)), (await second.open(path)).sheet(str(made.id))
    await first.send(mine.filled(price_minor="40"))
    page = await second.send(theirs.filled(name="Long talk", duration_minutes="90"), status=409)
    assert "40.00" in page.text
    kept = page.sheet(str(made.id))
    assert (kept.values("name"), kept.values("duration_minutes")) == (["Long talk"], ["90"])
    [now] = await house.studio.run(services_of)
    assert (now.price_minor, now.duration_minutes) == (4000, 50)
    await second.send(kept)
    [now] = await house.studio.run(services_of)
    assert (now.name, now.price_minor, now.duration_minutes) == ("Long talk", 0, 90)


async def test_a_service_is_offered_no_more_and_again(house: House) -> None:
    """A service is taken back by a button and offered again by saving it (U-3)."""
    person = await someone(house.studio)
    made = await house.studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    owner = await house.clerk()
    page = await owner.open(f"/admin/services/{made.id}")
    page = await owner.send(page.sheet("/deactivate"))
    assert page.path == "/admin/services?done=deactivated"
    assert "not offered" in page.text
    page = await owner.open(f"/admin/services/{made.id}")
    assert not any(each.action.endswith("/deactivate") for each in page.sheets)
    await owner.send(page.sheet(str(made.id)))
    assert await house.studio.run(services_of) == [made]


async def test_an_assistant_reads_and_an_editor_does_not(house: House) -> None:
    """An assistant sees services and has no button to change them; their change is refused, an editor sees nothing (D-7)."""
    person = await someone(house.studio)
    made = await house.studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    assistant = await house.clerk(Role.ASSISTANT)
    page = await assistant.open(f"/admin/services/{made.id}")
    assert page.sheet(str(made.id)).buttons == []
    page = await assistant.send(page.sheet(str(made.id)).filled(name="Mine"), status=403)
    assert await house.studio.run(services_of) == [made]
    editor = await house.clerk(Role.EDITOR)
    assert (await editor.open("/admin/services", status=403)).status == 403


async def test_a_service_of_nobody_is_not_there(house: House) -> None:
    """An address that names no service of the business leads nowhere (D-9)."""
    owner = await house.clerk()
    for path in ("/admin/services/nothing", f"/admin/services/{house.practice.business_id}"):
        await owner.open(path, status=404)


async def test_next_free_times_are_told(house: House) -> None:
    """A service tells when clients can book it next, and says so when nobody is ever open (U-3)."""
    person = await someone(house.studio)
    made = await house.studio.run(lambda tx: add_service(tx, "talk", service(person), OWNER))
    owner = await house.clerk(language="ru")
    assert "не видят свободного времени" in (await owner.open(f"/admin/services/{made.id}")).text
    sheet = (await owner.open(f"/admin/resources/{person}")).sheet(str(person))
    await owner.send(sheet.filled(always_open="yes"))
    assert "Ближайшее свободное время" in (await owner.open(f"/admin/services/{made.id}")).text
