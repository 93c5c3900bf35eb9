"""Brings holidays and busy time from a calendar file into a business, in one transaction (A-1, K-2)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal
from uuid import UUID

from holdfast.availability.busy import replace_busy
from holdfast.availability.hours import Override
from holdfast.availability.ics.reading import Calendar
from holdfast.availability.ics.times import Span, Window, busy_spans, whole_days
from holdfast.availability.rules import replace_overrides
from holdfast.booking.layouts import Layout, lay_out_ahead
from holdfast.business_files.errors import HolidaysUseless, NoResourceNamed, SourceInvalid, UnknownResources
from holdfast.catalog.resources import Resource, resources_of
from holdfast.identity import businesses
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Database, Transaction

Meaning = Literal["holidays", "busy"]

# What recurs for ever is laid out from a year ago to as far ahead as the longest horizon of a service lets anybody
# book (730 days), and as the longest booking with its buffers lasts from there (9 days).
DAYS_BACK: Final = 366
DAYS_AHEAD: Final = 740
_SOURCE_LENGTH: Final = 200


@dataclass(frozen=True, slots=True)
class CalendarReport:
    """What an import of a calendar file has done.

    `events` were in the file; `days` or `intervals` come of it, for each resource. Changed are the resources for
    which that was news. Programs do not take place where their resources are closed or busy: `schedules` says what has
    become of theirs.
    """

    business_id: UUID
    meaning: Meaning
    source: str
    first_day: date
    last_day: date
    events: int
    days: int
    intervals: int
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    schedules: Layout


def window_around(now: datetime) -> Window:
    """Return the days for which calendar files are read."""
    today = now.astimezone(UTC).date()
    return Window(today - timedelta(days=DAYS_BACK), today + timedelta(days=DAYS_AHEAD))


async def load_calendar(
    database: Database,
    calendars: Sequence[Calendar],
    *,
    meaning: Meaning,
    source: str,
    window: Window,
    business: str | None = None,
    resources: Collection[str] = (),
) -> CalendarReport:
    """Make these resources (slugs) have what the file says, and nothing else of the same source.

    What other sources and the business file say stays as it is; a second time nothing changes. Holidays without named
    resources are for all that have opening hours. Without a named business it is the only one.
    Raises UnknownBusiness, UnknownResources, NoResourceNamed, HolidaysUseless, SourceInvalid, CalendarFileInvalid.
    """

    async def work(tx: Transaction) -> CalendarReport:
        found = await (businesses.only(tx) if business is None else businesses.find(tx, business))
        if found is None:
            raise UnknownBusiness(None if business else "Name a business: there is not exactly one")
        own = await tx.act_for(found.id)
        return await put_calendar(own, calendars, meaning=meaning, source=source, window=window, resources=resources)

    return await database.run(None, work)


async def put_calendar(
    tx: Transaction,
    calendars: Sequence[Calendar],
    *,
    meaning: Meaning,
    source: str,
    window: Window,
    resources: Collection[str] = (),
) -> CalendarReport:
    """Do the same for the business of the transaction.

    Raises UnknownBusiness, UnknownResources, NoResourceNamed, HolidaysUseless, SourceInvalid, CalendarFileInvalid.
    """
    if not source.isprintable() or not 0 < len(source) <= _SOURCE_LENGTH:
        raise SourceInvalid
    # Imports of one business come one after the other.
    found = await businesses.lock(tx)
    if found is None:
        raise UnknownBusiness
    chosen = _chosen(await resources_of(tx), meaning, resources)
    zones = {each.timezone or found.timezone for each in chosen}
    days: dict[str, list[date]] = {}
    spans: dict[str, list[Span]] = {}
    for zone in zones:
        if meaning == "holidays":
            days[zone] = whole_days(calendars, zone, window)
        else:
            spans[zone] = busy_spans(calendars, zone, window)
    changed = set()
    for each in chosen:
        zone = each.timezone or found.timezone
        if meaning == "holidays":
            closed = [Override(day) for day in days[zone]]
            news = await replace_overrides(tx, each.id, closed, source=f"file:{source}")
        else:
            news = any(await replace_busy(tx, each.id, spans[zone], source=f"file:{source}"))
        changed |= {each.slug} if news else set()
    return CalendarReport(
        business_id=found.id,
        meaning=meaning,
        source=source,
        first_day=window.first,
        last_day=window.last,
        events=sum(len(calendar.events) for calendar in calendars),
        days=max(map(len, days.values()), default=0),
        intervals=max(map(len, spans.values()), default=0),
        changed=tuple(each.slug for each in chosen if each.slug in changed),
        unchanged=tuple(each.slug for each in chosen if each.slug not in changed),
        schedules=await lay_out_ahead(tx),
    )


def _chosen(known: Sequence[Resource], meaning: Meaning, slugs: Collection[str]) -> list[Resource]:
    active = [each for each in known if each.active]
    unknown = sorted(set(slugs) - {each.slug for each in active})
    if unknown:
        raise UnknownResources(f"There is no resource {', '.join(unknown)}", details={"resources": unknown})
    chosen = [each for each in active if each.slug in slugs]
    if meaning == "busy":
        if not chosen:
            raise NoResourceNamed
        return chosen
    useless = sorted(each.slug for each in chosen if each.always_open)
    if useless:
        raise HolidaysUseless(details={"resources": useless})
    return chosen or [each for each in active if not each.always_open]
