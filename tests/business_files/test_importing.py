"""What importing a business file does to the database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from catalog.holds import hold_places, hold_slot, release_all
from holdfast.availability.hours import WeeklyRule
from holdfast.availability.rules import rules_of
from holdfast.booking.layouts import Layout
from holdfast.booking.schedules import Schedule, list_schedules
from holdfast.business_files.demo import demo_text
from holdfast.business_files.importing import Changes, Report, load
from holdfast.business_files.toml_file import read
from holdfast.catalog.errors import CapacityBelowPeak
from holdfast.catalog.programs import programs_of
from holdfast.catalog.resources import resources_of
from holdfast.catalog.services import services_of
from holdfast.identity.businesses import find
from holdfast.kernel.database import Database, Transaction
from holdfast.verify import verify

T = TypeVar("T")
TABLES = ("resources", "services", "service_resources", "programs", "program_rules", "program_resources")
TABLES += ("program_schedules", "schedule_deviations", "claims", "availability_rules", "availability_overrides")
RESOURCES = ("practitioner-1", "practitioner-2", "practitioner-3", "room", "studio")
SERVICES = ("individual-session", "intro-call", "couple-session", "open-studio")
# An hour of the business that does not pass while the tests run.
LATER = f"{(datetime.now(ZoneInfo('Europe/Moscow')).hour + 5) % 24:02}"
HALF_AN_HOUR_LATER = (f'"day", at = "{LATER}:00"', f'"day", at = "{LATER}:30"')
PROGRAMS = ("morning-group", "open-lecture")


@dataclass
class Practice:
    """The demo business under a slug of its own."""

    database: Database
    slug: str

    async def load(self, *changes: tuple[str, str]) -> Report:
        """Import the demo with some of its text replaced."""
        text = demo_text().replace('"emotional-balance"', f'"{self.slug}"').replace("07:30", f"{LATER}:00")
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return await load(self.database, read(text))

    async def id(self) -> UUID:
        """Return the id of the business."""
        async with self.database.transaction() as tx:
            business = await find(tx, self.slug)
        assert business
        return business.id

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run a piece of work in one transaction."""
        return await self.database.run(await self.id(), work)

    async def rows(self) -> dict[str, list[Any]]:
        """Return every row of the business, with the transaction that wrote it."""

        async def work(tx: Transaction) -> dict[str, list[Any]]:
            values = {"id": tx.business_id}
            found = {
                table: await tx.rows(
                    f"select t.*, xmin::text from {table} t where business_id = %(id)s order by ctid",  # type: ignore[arg-type]
                    values,
                )
                for table in TABLES
            }
            return found | {
                "businesses": await tx.rows("select *, xmin::text from businesses where id = %(id)s", values)
            }

        return await self.run(work)

    async def schedules(self, slug: str = "morning-group") -> list[Schedule]:
        """Return the coming schedules of a program."""
        return (await self.run(lambda tx: list_schedules(tx, slug, limit=1000))).schedules


@pytest_asyncio.fixture
async def practice(database: Database, admin_uri: str) -> AsyncIterator[Practice]:
    """A business to be imported; its rows are sound when the test has ended."""
    made = Practice(database, f"b-{uuid4().hex[:8]}")
    yield made
    violations = [each.problem for each in verify(admin_uri, lambda _: None) if each.business_id == await made.id()]
    assert violations == []
    await made.run(release_all)


def without(entry: str) -> tuple[str, str]:
    """Return the change that takes an entry out of the demo."""
    head, found, tail = demo_text().partition(f'slug = "{entry}"\n')
    assert found
    body = tail.partition("\n\n")[0].rstrip("\n")
    header = head.splitlines()[-1]
    return f"{header}\n{found}{body}\n", ""


async def test_the_demo_is_as_promised(practice: Practice) -> None:
    """The demo business has the hours, resources, services, programs and schedules that are promised of it (K-4)."""
    report = await practice.load()
    assert report == Report(
        await practice.id(),
        "created",
        Changes(created=RESOURCES),
        Changes(created=SERVICES),
        Changes(created=PROGRAMS),
        Layout(created=56 + 8),
    )
    async with practice.database.transaction() as tx:
        business = await find(tx, practice.slug)
    assert business
    assert (business.name, business.timezone) == ("Эмоциональный баланс", "Europe/Moscow")
    assert (business.currency, business.locale) == ("RUB", "ru")

    resources = {each.slug: each for each in await practice.run(resources_of)}
    capacities = dict.fromkeys(RESOURCES[:4], 1) | {"studio": 12, "open-studio-pool": 12}
    assert {slug: each.capacity for slug, each in resources.items()} == capacities
    hours = [WeeklyRule(weekday, time(9), time(21)) for weekday in range(7)]
    assert await practice.run(rules_of) == {resources[slug].id: hours for slug in RESOURCES}

    services = {each.slug: each for each in await practice.run(services_of)}
    practitioners = tuple(resources[slug].id for slug in RESOURCES[:3])
    room, studio = (resources["room"].id,), (resources["studio"].id,)
    told = {
        slug: (each.duration_minutes, each.buffer_after_minutes, each.slot_step_minutes, each.requirements)
        for slug, each in services.items()
    }
    assert told == {
        "individual-session": (50, 10, None, (practitioners,)),
        "intro-call": (20, 0, None, (practitioners,)),
        "couple-session": (80, 0, None, (practitioners, room)),
        "open-studio": (60, 0, 15, (studio,)),
    }
    assert {slug: (each.payment_policy, each.price_minor > 0) for slug, each in services.items()} == {
        "individual-session": ("on_site", True),
        "intro-call": ("none", False),
        "couple-session": ("on_site", True),
        "open-studio": ("on_site", True),
    }
    assert services["open-studio"].max_simultaneous_bookings == 12
    assert services["open-studio"].pool_id == resources["open-studio-pool"].id

    group, lecture = await practice.run(programs_of)
    assert (group.max_capacity, group.resource_ids, len(group.rules)) == (12, studio, 7)
    assert (lecture.max_capacity, lecture.resource_ids, [rule.weekday for rule in lecture.rules]) == (500, (), [5])
    assert {program.payment_policy for program in (group, lecture)} <= {"none", "on_site"}


async def test_a_second_import_writes_nothing(practice: Practice) -> None:
    """An import of what is there already writes not one row, and says that all is unchanged (K-2)."""
    first = await practice.load()
    before = await practice.rows()
    assert await practice.load() == Report(
        first.business_id,
        "unchanged",
        Changes(unchanged=RESOURCES),
        Changes(unchanged=SERVICES),
        Changes(unchanged=PROGRAMS),
        Layout(),
    )
    assert await practice.rows() == before


async def test_imports_at_once_make_one_business(practice: Practice) -> None:
    """Several imports of one file at once end as one import does (K-2)."""
    reports = await asyncio.gather(*(practice.load() for _ in range(4)))
    assert sorted(report.schedules.created for report in reports) == [0, 0, 0, 64]
    assert sorted(len(report.services.created) for report in reports) == [0, 0, 0, 4]
    assert len(await practice.schedules()) == 56


async def test_what_changed_is_reported(practice: Practice) -> None:
    """What a file says otherwise is updated and named in the report, and nothing else is (K-2)."""
    await practice.load()
    before = await practice.rows()
    report = await practice.load(
        ('locale = "ru"', 'locale = "en"'),
        ('name = "Кабинет"\nkind = "room"', 'name = "Кабинет"\nkind = "room"\nhours.monday = ["10:00-11:00"]'),
        ('"3500.00"', '"3600.00"'),
        ('price = "800.00"', 'price = "900.00"'),
    )
    assert report.business == "updated"
    assert (report.resources.updated, report.services.updated) == (("room",), ("individual-session",))
    assert (report.programs.updated, report.schedules) == (("morning-group",), Layout())
    after = await practice.rows()
    assert after["businesses"][0]["catalog_version"] > before["businesses"][0]["catalog_version"]
    assert {table for table in TABLES if after[table] != before[table]} == {
        "services",
        "programs",
        "availability_rules",
    }


async def test_what_the_file_names_no_more_is_deactivated(practice: Practice) -> None:
    """What is left out is deactivated and reported, never deleted; back in the file it is as it was (K-2)."""
    await practice.load()
    before = await practice.rows()
    gone = [without(entry) for entry in ("practitioner-3", "intro-call", "open-studio", "open-lecture")]
    report = await practice.load(*gone, ('"practitioner-2", "practitioner-3"', '"practitioner-2"'))
    assert report.resources.deactivated == ("practitioner-3",)
    assert report.services.deactivated == ("intro-call", "open-studio")
    assert (report.programs.deactivated, report.schedules.withdrawn) == (("open-lecture",), 8)
    inactive = [
        each.slug
        for kind in (resources_of, services_of, programs_of)
        for each in await practice.run(kind)  # type: ignore[arg-type]
        if not each.active
    ]
    assert inactive == ["practitioner-3", "open-studio-pool", "intro-call", "open-studio", "open-lecture"]

    report = await practice.load()
    assert (report.resources.updated, report.programs.updated) == (("practitioner-3",), ("open-lecture",))
    assert report.schedules.created == 8
    plain = [{**row, "xmin": 0} for row in before["services"]]
    assert sorted([{**row, "xmin": 0} for row in (await practice.rows())["services"]], key=by_id) == sorted(
        plain, key=by_id
    )


def by_id(row: dict[str, Any]) -> UUID:
    """Return the id of a row."""
    row_id: UUID = row["id"]
    return row_id


async def test_a_refused_import_changes_nothing(practice: Practice) -> None:
    """An import that would leave fewer places than are booked at one moment changes nothing (K-2, B-2)."""
    await practice.load()
    resources = {each.slug: each.id for each in await practice.run(resources_of)}
    services = {each.slug: each.id for each in await practice.run(services_of)}
    start = (await practice.schedules())[3].start + timedelta(hours=3)
    for seat in (1, 12):
        seats = {resources["studio"]: seat, resources["open-studio-pool"]: seat}
        await practice.run(
            lambda tx, seats=seats: hold_slot(tx, services["open-studio"], seats, start, start + timedelta(hours=1))
        )
    before = await practice.rows()
    for slug, *change in (
        ("studio", "capacity = 12\n\n\n", "capacity = 1\n\n\n"),
        ("open-studio-pool", "max_simultaneous_bookings = 12", "max_simultaneous_bookings = 1"),
    ):
        with pytest.raises(CapacityBelowPeak, match=f"^{slug}: the capacity cannot be lowered to 1: 2 places"):
            await practice.load(
                ('name = "Эмоциональный баланс"', 'name = "Other"'), without("intro-call"), (change[0], change[1])
            )
        assert await practice.rows() == before
    report = await practice.load(("max_simultaneous_bookings = 12", "max_simultaneous_bookings = 2"))
    assert report.services.updated == ("open-studio",)


async def test_schedules_follow_a_changed_rule(practice: Practice) -> None:
    """When a rule changes, schedules that nobody booked move with it; booked ones stay and are reported (K-2)."""
    await practice.load()
    before = await practice.schedules()
    booked = before[3]
    await practice.run(lambda tx: hold_places(tx, booked.id, booked.start, 2))
    report = await practice.load(HALF_AN_HOUR_LATER)
    assert (report.schedules.created, report.schedules.withdrawn) == (55, 55)
    told = [(each.program_slug, each.start, each.kind) for each in report.schedules.deviations]
    assert told == [
        ("morning-group", booked.start, "booked"),
        ("morning-group", booked.start + timedelta(minutes=30), "taken"),
    ]
    half_an_hour = timedelta(minutes=30)
    expected = [each.start + (half_an_hour if each.id != booked.id else timedelta()) for each in before]
    assert [each.start for each in await practice.schedules()] == expected
    again = await practice.load(HALF_AN_HOUR_LATER)
    assert again.schedules == Layout(deviations=report.schedules.deviations)


@pytest.mark.parametrize(
    "change",
    [
        ('timezone = "Europe/Moscow"', 'timezone = "Asia/Tokyo"'),
        ("duration_minutes = 60\ncapacity = 12", "duration_minutes = 45\ncapacity = 12"),
        ('uses = ["studio"]', 'uses = ["room"]'),
    ],
)
async def test_schedules_follow_zone_length_and_room(practice: Practice, change: tuple[str, str]) -> None:
    """Another time zone, duration or room of a program moves its unbooked schedules there, and no others (K-2)."""
    await practice.load()
    report = await practice.load(change)
    whole = "timezone" not in change[0]
    assert (report.schedules.created, report.schedules.withdrawn) == ((56, 56) if whole else (64, 64))
    assert report.schedules.deviations == ()
    assert len(await practice.schedules()) == 56


async def test_schedules_follow_the_capacity(practice: Practice) -> None:
    """The capacity of a program becomes that of its coming schedules, and those with more taken are reported (B-20)."""
    await practice.load()
    full = (await practice.schedules())[0]
    await practice.run(lambda tx: hold_places(tx, full.id, full.start, 11))
    report = await practice.load(("capacity = 12\nprice", "capacity = 10\nprice"))
    [crowded] = report.schedules.deviations
    assert (crowded.start, crowded.kind, report.schedules.withdrawn) == (full.start, "crowded", 0)
    assert [each.max_capacity for each in await practice.schedules()] == [12] + 55 * [10]
    report = await practice.load(("capacity = 12\nprice", "capacity = 14\nprice"))
    assert report.schedules.deviations == ()
    assert [each.max_capacity for each in await practice.schedules()] == 56 * [14]
