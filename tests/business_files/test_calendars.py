"""What importing a calendar file does to the database."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
import pytest_asyncio

from availability.calendar_texts import calendar, event, joined
from holdfast.availability.hours import Override
from holdfast.availability.ics.errors import CalendarFileInvalid
from holdfast.availability.ics.reading import read as read_calendar
from holdfast.availability.ics.times import Window
from holdfast.availability.rules import overrides_of, own_overrides_of
from holdfast.business_files.calendars import CalendarReport, load_calendar, window_around
from holdfast.business_files.demo import demo_text
from holdfast.business_files.errors import HolidaysUseless, NoResourceNamed, SourceInvalid, UnknownResources
from holdfast.business_files.importing import Report, load
from holdfast.business_files.toml_file import read
from holdfast.catalog.resources import resources_of
from holdfast.identity.businesses import find
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Database
from holdfast.kernel.errors import UserError
from holdfast.verify import verify

WINDOW = Window(date(2026, 1, 1), date(2028, 1, 1))
NEW_YEAR = calendar(*event("DTSTART:20270101", "DTEND:20270103"))
WITH_HOURS = ("practitioner-1", "practitioner-2", "practitioner-3", "room", "studio")
# The room is in Tokyo, and has hours of its own on two days.
FILE = demo_text().replace(
    'slug = "room"\n',
    'slug = "room"\ntimezone = "Asia/Tokyo"\noverrides = [{ date = 2027-01-02, hours = ["10:00-12:00"] }]\n',
)


@dataclass
class Practice:
    """The demo business under a slug of its own."""

    database: Database
    slug: str

    async def load(self, change: Callable[[str], str] = str) -> Report:
        """Import the business file."""
        return await load(self.database, read(change(FILE).replace('"emotional-balance"', f'"{self.slug}"')))

    async def bring(
        self, file: bytes, meaning: str = "holidays", *resources: str, source: str = "cal.ics", window: Window = WINDOW
    ) -> CalendarReport:
        """Import a calendar file."""
        return await load_calendar(
            self.database,
            read_calendar(BytesIO(file)),
            meaning=meaning,  # type: ignore[arg-type]
            source=source,
            window=window,
            business=self.slug,
            resources=resources,
        )

    async def id(self) -> UUID:
        """Return the id of the business."""
        async with self.database.transaction() as tx:
            business = await find(tx, self.slug)
        assert business
        return business.id

    async def rows(self) -> dict[str, list[Any]]:
        """Return what calendars have brought, with the transactions that wrote it."""
        statements = {
            "businesses": "select catalog_version, xmin::text from businesses where id = %(id)s",
            "overrides": "select t.*, xmin::text from availability_overrides t where business_id = %(id)s order by id",
            "busy": "select t.*, xmin::text from calendar_busy_intervals t where business_id = %(id)s order by during",
        }
        async with self.database.transaction(await self.id()) as tx:
            return {name: await tx.rows(one, {"id": tx.business_id}) for name, one in statements.items()}  # type: ignore[arg-type]

    async def closed(self) -> dict[str, list[str]]:
        """Return the days on which each resource differs from its weekly hours."""
        async with self.database.transaction(await self.id()) as tx:
            slugs = {each.id: each.slug for each in await resources_of(tx)}
            found = await overrides_of(tx)
        return {slugs[each]: [override.day.isoformat() for override in of_it] for each, of_it in found.items()}

    async def busy(self, slug: str) -> list[str]:
        """Return the busy time of a resource in UTC."""
        async with self.database.transaction(await self.id()) as tx:
            rows = await tx.rows(
                "select lower(during) as starts, upper(during) as ends from calendar_busy_intervals i"
                "  join resources r on r.business_id = i.business_id and r.id = i.resource_id"
                " where i.business_id = %(id)s and r.slug = %(slug)s order by during",
                {"id": tx.business_id, "slug": slug},
            )
        return [f"{row['starts'].astimezone(UTC):%m-%dT%H:%M}/{row['ends'].astimezone(UTC):%H:%M}" for row in rows]


@pytest_asyncio.fixture
async def practice(database: Database, admin_uri: str) -> AsyncIterator[Practice]:
    """A business; its rows are sound when the test has ended."""
    made = Practice(database, f"b-{uuid4().hex[:8]}")
    await made.load()
    yield made
    assert [each.problem for each in verify(admin_uri, lambda _: None) if each.business_id == await made.id()] == []


async def test_holidays_close_whoever_has_hours(practice: Practice) -> None:
    """Holidays close every resource that has opening hours on their days, and no pool (A-1, K-2)."""
    report = await practice.bring(NEW_YEAR)
    assert (report.events, report.days, report.changed, report.unchanged) == (1, 2, WITH_HOURS, ())
    days = ["2027-01-01", "2027-01-02"]
    assert await practice.closed() == dict.fromkeys(WITH_HOURS, days) | {"room": [*days, "2027-01-02"]}


async def test_holidays_of_named_resources_are_theirs(practice: Practice) -> None:
    """Holidays that name resources close these and nobody else (A-1, K-2)."""
    report = await practice.bring(NEW_YEAR, "holidays", "studio", "practitioner-2")
    assert report.changed == ("practitioner-2", "studio")
    assert sorted(await practice.closed()) == ["practitioner-2", "room", "studio"]


@pytest.mark.parametrize(("meaning", "resources"), [("holidays", ()), ("busy", ("room", "studio"))])
async def test_the_same_file_again_writes_nothing(practice: Practice, meaning: str, resources: tuple[str, ...]) -> None:
    """The second import of a calendar file writes no row and raises no version (K-2)."""
    first = await practice.bring(NEW_YEAR, meaning, *resources)
    before = await practice.rows()
    again = await practice.bring(NEW_YEAR, meaning, *resources)
    assert (again.changed, again.unchanged) == ((), first.changed)
    assert await practice.rows() == before


async def test_a_later_version_replaces_its_source_only(practice: Practice) -> None:
    """A later version of a source takes back what the earlier brought, and touches no other source (K-2)."""
    await practice.bring(NEW_YEAR, "holidays", "studio")
    await practice.bring(calendar(*event("DTSTART:20270501")), "holidays", "studio", "room", source="other.ics")
    report = await practice.bring(calendar(*event("DTSTART:20270308")), "holidays", "studio")
    assert report.changed == ("studio",)
    assert await practice.closed() == {"studio": ["2027-03-08", "2027-05-01"], "room": ["2027-01-02", "2027-05-01"]}
    await practice.bring(calendar(), "holidays", "studio", source="other.ics")
    assert await practice.closed() == {"studio": ["2027-03-08"], "room": ["2027-01-02", "2027-05-01"]}


async def test_the_business_file_and_calendars_spare_each_other(practice: Practice) -> None:
    """Importing the business file spares what calendars brought, and a calendar what the business states (K-2)."""
    await practice.bring(NEW_YEAR)
    with_holidays = await practice.rows()
    again = await practice.load()
    assert len(again.resources.unchanged) == len(WITH_HOURS)
    assert await practice.rows() == with_holidays
    await practice.load(lambda text: text.replace("2027-01-02", "2027-02-02"))
    assert (await practice.closed())["room"] == ["2027-01-01", "2027-01-02", "2027-02-02"]
    await practice.bring(calendar())
    assert await practice.closed() == {"room": ["2027-02-02"]}
    async with practice.database.transaction(await practice.id()) as tx:
        [own] = (await own_overrides_of(tx)).values()
    assert [override.day for override in own] == [date(2027, 2, 2)]


async def test_a_holiday_closes_a_day_with_hours_of_its_own(practice: Practice, database: Database) -> None:
    """On a day that one source calls closed it is closed, whatever hours another gives it (A-1)."""
    await practice.bring(NEW_YEAR)
    async with database.transaction(await practice.id()) as tx:
        room = next(each.id for each in await resources_of(tx) if each.slug == "room")
        assert Override(date(2027, 1, 2)) in (await overrides_of(tx))[room]


async def test_busy_time_is_that_of_each_zone(practice: Practice) -> None:
    """Busy time without a zone is in that of its resource, or else of the business (K-2)."""
    floating = calendar(*event("DTSTART:20270105T090000", "DURATION:PT1H"))
    report = await practice.bring(floating, "busy", "room", "studio")
    assert (report.intervals, report.changed) == (1, ("room", "studio"))
    assert await practice.busy("studio") == ["01-05T06:00/07:00"]
    assert await practice.busy("room") == ["01-05T00:00/01:00"]


async def test_programs_skip_holidays_and_busy_time(practice: Practice) -> None:
    """Groups do not take place on a day on which their room is closed or busy, and do again when it is not (A-1)."""
    now = datetime.now(UTC)
    day, window = now.date() + timedelta(days=20), window_around(now)
    whole = calendar(*event(f"DTSTART:{day:%Y%m%d}", "TRANSP:OPAQUE"))
    for meaning, kept in (("holidays", 0), ("busy", 1)):
        taken = await practice.bring(whole, meaning, "studio", window=window)
        assert (taken.schedules.created, taken.schedules.withdrawn) == (0, 1 - kept)
        again = await practice.bring(whole, meaning, "studio", window=window)
        assert (again.changed, again.schedules.created, again.schedules.withdrawn) == ((), 0, 0)
        back = await practice.bring(calendar(), meaning, "studio", window=window)
        assert (back.schedules.created, back.schedules.withdrawn) == (1 - kept, 0)


async def test_only_what_differs_is_written(practice: Practice) -> None:
    """A later version of busy time removes and adds what has changed; the rest keeps its rows (K-2)."""
    hours = [event(f"DTSTART:202701{day:02}T090000Z", "DURATION:PT1H", uid=str(day)) for day in range(1, 29)]
    await practice.bring(calendar(*joined(*hours)), "busy", "studio")
    before = (await practice.rows())["busy"]
    hours[4] = event("DTSTART:20270105T110000Z", "DURATION:PT1H", uid="5")
    report = await practice.bring(calendar(*joined(*hours)), "busy", "studio")
    after = (await practice.rows())["busy"]
    assert report.changed == ("studio",)
    assert [row for row in after if row not in before] == [after[4]]
    assert [row for row in before if row not in after] == [before[4]]


async def test_busy_time_and_holidays_of_one_name_are_two(practice: Practice) -> None:
    """A file that is imported both as busy time and as holidays brings both (K-2)."""
    await practice.bring(NEW_YEAR, "holidays", "studio")
    await practice.bring(NEW_YEAR, "busy", "studio")
    rows = await practice.rows()
    assert (len(rows["overrides"]), len(rows["busy"])) == (3, 1)


@pytest.mark.parametrize(
    ("meaning", "resources", "source", "error"),
    [
        ("busy", (), "cal.ics", NoResourceNamed),
        ("busy", ("nobody", "studio"), "cal.ics", UnknownResources),
        ("holidays", ("nobody",), "cal.ics", UnknownResources),
        ("holidays", ("open-studio-pool",), "cal.ics", HolidaysUseless),
        ("holidays", (), "a\nb", SourceInvalid),
        ("holidays", (), "a" * 201, SourceInvalid),
    ],
)
async def test_what_cannot_be_meant_changes_nothing(
    practice: Practice, meaning: str, resources: tuple[str, ...], source: str, error: type[UserError]
) -> None:
    """Resources that are not there, or that have no hours to close, are told and nothing is changed (K-2)."""
    before = await practice.rows()
    with pytest.raises(error):
        await practice.bring(NEW_YEAR, meaning, *resources, source=source)
    assert await practice.rows() == before


async def test_an_unknown_business_is_told(practice: Practice) -> None:
    """A calendar for a business that does not exist, or for one of several without a name, is refused (K-2)."""
    practice.slug, slug = "nobody", practice.slug
    with pytest.raises(UnknownBusiness):
        await practice.bring(NEW_YEAR)
    await Practice(practice.database, f"{slug}-2").load()
    with pytest.raises(UnknownBusiness, match="Name a business"):
        await load_calendar(practice.database, [], meaning="holidays", source="a", window=WINDOW)
    practice.slug = slug


async def test_what_is_refused_late_changes_nothing(practice: Practice) -> None:
    """A calendar that turns out wrong only in the zone of its second resource leaves nothing of the first (K-2)."""
    await practice.bring(NEW_YEAR)
    before = await practice.rows()
    # A whole day in Moscow, and none in Tokyo.
    moscow = calendar(*event("DTSTART:20270301T210000Z", "DTEND:20270302T210000Z"))
    with pytest.raises(CalendarFileInvalid, match="line 7"):
        await practice.bring(moscow)
    assert await practice.rows() == before
    assert (await practice.bring(moscow, "holidays", "studio")).days == 1


async def test_the_window_reaches_as_far_as_anybody_can_book(practice: Practice) -> None:
    """What recurs for ever is laid out from a year ago to beyond the longest horizon (A-2, K-2)."""
    now = datetime(2026, 11, 21, 23, 30, tzinfo=UTC)
    window = window_around(now)
    assert window == Window(date(2025, 11, 20), date(2028, 11, 30))
    assert (now + timedelta(days=730 + 9)).date() < window.last
    weekly = calendar(*event("DTSTART:20200105T090000Z", "DURATION:PT1H", "RRULE:FREQ=WEEKLY"))
    assert (await practice.bring(weekly, "busy", "studio", window=window)).intervals == 158
