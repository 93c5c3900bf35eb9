"""What is exported imports to the same, and is written in the same way again."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings

from availability.calendar_texts import calendar, event
from business_files.test_fuzz import sound_files
from holdfast.availability.ics.reading import read as read_calendar
from holdfast.availability.ics.times import Window
from holdfast.booking.layouts import Layout
from holdfast.business_files.calendars import load_calendar
from holdfast.business_files.demo import demo_text
from holdfast.business_files.errors import NotExpressible
from holdfast.business_files.exporting import export
from holdfast.business_files.importing import Changes, Report, load
from holdfast.business_files.toml_file import read
from holdfast.catalog.programs import programs_of
from holdfast.catalog.refund_terms import Term
from holdfast.catalog.resources import deactivate_resources, resources_of
from holdfast.catalog.services import services_of
from holdfast.identity.businesses import find
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Database, Transaction

T = TypeVar("T")
TABLES = ("resources", "services", "service_resources", "programs", "program_rules", "program_resources")
TABLES += ("availability_rules", "availability_overrides", "calendar_busy_intervals", "program_schedules")


@dataclass
class Practice:
    """A business under a slug of its own."""

    database: Database
    slug: str

    async def load(self, text: str) -> Report:
        """Import a file."""
        return await load(self.database, read(text.replace('"emotional-balance"', f'"{self.slug}"')))

    async def export(self) -> str:
        """Export the business."""
        return await export(self.database, self.slug)

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run a piece of work in one transaction."""
        async with self.database.transaction() as tx:
            business = await find(tx, self.slug)
        assert business
        return await self.database.run(business.id, work)

    async def rows(self) -> dict[str, list[Any]]:
        """Return every row of the business, with the transaction that wrote it."""

        async def work(tx: Transaction) -> dict[str, list[Any]]:
            of_it = {"id": tx.business_id}
            found = {
                table: await tx.rows(
                    f"select t.*, xmin::text from {table} t where business_id = %(id)s order by ctid",  # type: ignore[arg-type]
                    of_it,
                )
                for table in TABLES
            }
            business = await tx.rows("select *, xmin::text from businesses where id = %(id)s", of_it)
            return found | {"businesses": business}

        return await self.run(work)


@pytest_asyncio.fixture
async def practice(database: Database) -> AsyncIterator[Practice]:
    """A business to be imported."""
    yield Practice(database, f"b-{uuid4().hex[:8]}")


def changed_nothing(report: Report) -> bool:
    """Tell whether an import has found everything as it should be."""
    parts = (report.resources, report.services, report.programs)
    same = all(part == Changes(unchanged=part.unchanged) for part in parts)
    return report.business == "unchanged" and same and report.schedules.created + report.schedules.withdrawn == 0


async def test_the_demo_comes_back(practice: Practice) -> None:
    """The exported demo imports without a change, exports to the same bytes, and means what the demo's file means
    (K-2, K-4).
    """
    await practice.load(demo_text())
    before = await practice.rows()
    text = await practice.export()
    report = await practice.load(text)
    assert changed_nothing(report)
    assert report.schedules == Layout()
    assert await practice.rows() == before
    assert await practice.export() == text
    ours, theirs = read(text), read(demo_text().replace('"emotional-balance"', f'"{practice.slug}"'))
    assert ours == theirs


@given(text=sound_files())
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
async def test_what_is_exported_imports_to_the_same(database: Database, text: str) -> None:
    """Whatever has been imported: importing its export writes no row of it, and exporting again gives the same bytes;
    in another business the same file becomes the same (K-2).
    """
    slug = read(text).business.slug
    practice = Practice(database, slug)
    await practice.load(text)
    before = await practice.rows()
    exported = await practice.export()
    assert changed_nothing(await practice.load(exported))
    assert await practice.rows() == before
    assert await practice.export() == exported
    elsewhere = Practice(database, f"b-{uuid4().hex[:8]}")
    await elsewhere.load(exported.replace(f'"{slug}"', f'"{elsewhere.slug}"'))
    assert (await elsewhere.export()).replace(f'"{elsewhere.slug}"', f'"{slug}"') == exported


async def test_what_is_paid_in_advance_comes_back(practice: Practice) -> None:
    """How long a place waits for its payment and what a cancellation gives back are imported, exported and imported
    to the same; a change of only them is one (K-2, P-6).
    """
    refunds = "refunds = [{ hours_before = 2, percent = 0 }, { hours_before = 24, percent = 50 }]\npayment_minutes = 10"
    text = demo_text().replace('payment = "on_site"\n', f'payment = "prepay"\n{refunds}\n')
    await practice.load(demo_text().replace('"on_site"', '"prepay"'))
    report = await practice.load(text)
    paid = text.count('"prepay"')
    assert len(report.services.updated + report.programs.updated) == paid > 1
    terms = {(each.payment_minutes, each.refund_terms) for each in await practice.run(services_of) if each.price_minor}
    terms |= {(each.payment_minutes, each.refund_terms) for each in await practice.run(programs_of) if each.price_minor}
    assert terms == {(10, (Term(24, 50), Term(2, 0)))}
    exported = await practice.export()
    table = "refunds = [{ hours_before = 24, percent = 50 }, { hours_before = 2, percent = 0 }]"
    assert exported.count(table) == exported.count("payment_minutes = 10") == paid
    assert changed_nothing(await practice.load(exported))


async def test_hours_are_written_to_be_read(practice: Practice) -> None:
    """Hours that most resources share stand once; a day that differs is named, and so is a time of the year (K-2)."""
    hours = """every_day = ["09:00-13:00", "14:00-24:00"]\nsunday = []\nfriday = ["22:00-02:00"]"""
    own = 'hours = [{ monday = ["10:00-11:30"], valid_from = 2027-06-01 }, { monday = ["08:00-09:00"] }]\n'
    text = demo_text().replace('every_day = ["09:00-21:00"]', hours).replace('slug = "room"\n', f'slug = "room"\n{own}')
    text = text.replace('slug = "studio"\n', 'slug = "studio"\nhours = []\n')
    text = text.replace('slug = "practitioner-3"\n', 'slug = "practitioner-3"\nalways_open = true\n')
    await practice.load(text)
    exported = await practice.export()
    week = ["[hours]", 'every_day = ["09:00-13:00", "14:00-24:00"]', 'friday = ["22:00-02:00"]', "sunday = []"]
    assert "\n".join(week) + "\n" in exported
    season = ["[[resources.hours]]", 'monday = ["08:00-09:00"]', "", "[[resources.hours]]", "valid_from = 2027-06-01"]
    assert "\n".join(season) + "\n" in exported
    assert exported.count("every_day") == exported.count("hours = []") == exported.count("always_open = true") == 1


async def test_what_calendars_brought_is_left_to_them(practice: Practice) -> None:
    """Days and times that calendar files have brought are not exported, and stay when the export is imported (K-2)."""
    text = demo_text().replace(
        'slug = "room"\n', 'slug = "room"\noverrides = [{ date = 2027-01-02, hours = ["10:00-12:00"] }]\n'
    )
    await practice.load(text)
    for meaning in ("holidays", "busy"):
        await load_calendar(
            practice.database,
            read_calendar(BytesIO(calendar(*event("DTSTART:20270101", "DTEND:20270103")))),
            meaning=meaning,  # type: ignore[arg-type]
            source="cal.ics",
            window=Window(date(2026, 1, 1), date(2028, 1, 1)),
            business=practice.slug,
            resources=["room"],
        )
    before = await practice.rows()
    exported = await practice.export()
    assert exported.count("2027-01-0") == exported.count('date = 2027-01-02\nhours = ["10:00-12:00"]') == 1
    assert changed_nothing(await practice.load(exported))
    assert await practice.rows() == before


async def test_what_is_no_longer_offered_is_left_out(practice: Practice) -> None:
    """What the business has given up is not in the file, and importing it does not bring it back (K-2)."""
    await practice.load(demo_text())
    given_up = demo_text().partition('[[services]]\nslug = "intro-call"')
    rest = given_up[2].partition("\n\n[[services]]")
    await practice.load(given_up[0] + "[[services]]" + rest[2])
    exported = await practice.export()
    assert "intro-call" not in exported
    before = await practice.rows()
    assert changed_nothing(await practice.load(exported))
    assert await practice.rows() == before


async def test_what_no_file_can_say_is_told(practice: Practice) -> None:
    """A service that needs a resource which is no longer offered cannot be exported, and is named (K-2)."""
    await practice.load(demo_text())

    async def give_up(tx: Transaction) -> None:
        rooms: list[UUID] = [each.id for each in await resources_of(tx) if each.slug == "room"]
        await deactivate_resources(tx, rooms)

    await practice.run(give_up)
    with pytest.raises(NotExpressible, match="couple-session needs a resource that is no longer offered"):
        await practice.export()


async def test_nobody_can_be_exported(database: Database) -> None:
    """A business that does not exist is told (K-2)."""
    with pytest.raises(UnknownBusiness):
        await export(database, "nobody")
