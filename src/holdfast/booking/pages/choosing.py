"""The pages on which a client chooses what, with whom and when (U-1)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from holdfast.availability.slots import Slot
from holdfast.availability.snapshots import Snapshot
from holdfast.availability.walltime import local_day
from holdfast.availability.zone_names import COMMON, looked_up, named
from holdfast.booking.errors import UnknownService
from holdfast.booking.free_time import FreeTime, free_days
from holdfast.booking.pages import groups
from holdfast.booking.pages.month import clock_change, first_of, month_of, next_month, parts_of
from holdfast.booking.pages.opening import PROBLEMS, Call, business_of, desk_of, open_page, party_in, wanted_in
from holdfast.booking.pages.rendering import Page, render
from holdfast.booking.tracked import SLOTS_VIEWED
from holdfast.catalog.resources import Resource
from holdfast.catalog.services import Service
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import date_in
from holdfast.kernel.pages import COMPRESSED

_MONTH = re.compile(r"[0-9]{4}-[0-9]{2}")
# What of an address leads back from the page of zones to where somebody came from.
_WAY_BACK = ("service", "program", "resource", "party", "day", "month", "cursor")
_ZONES_SHOWN = 40
_LONGEST_SEARCH = 100


@get(
    ["/booking/slot", "/{business:str}/booking/slot"],
    exception_handlers=PROBLEMS,
    middleware=[COMPRESSED],
)
async def choose(request: Call) -> Response[str]:
    """Show what can be booked, or when: the free times of a service, or the dates of a group."""
    page, snapshot = await open_page(request, business_of(request))
    asked = request.query_params
    if "service" in asked:
        return await _times(request, page, snapshot, asked["service"])
    if "program" in asked:
        return await groups.dates(request, page, snapshot, asked["program"])
    sells = snapshot.takes_payments
    services = [s for s in snapshot.services.values() if s.active and (sells or not s.due_minor)]
    programs = [p for p in snapshot.programs.values() if p.active and (sells or not p.place_due_minor)]
    return render(page, "services.html", services=services, programs=programs)


@get(
    ["/booking/slot/zone", "/{business:str}/booking/slot/zone"],
    exception_handlers=PROBLEMS,
    middleware=[COMPRESSED],
)
async def choose_zone(request: Call) -> Response[str]:
    """Show the zones that somebody looks for, each with what its clocks show; choosing one leads back."""
    page, snapshot = await open_page(request, business_of(request))
    asked = request.query_params
    text = "".join(c for c in asked.get("q") or "" if c.isprintable()).strip()[:_LONGEST_SEARCH]
    back = {name: asked[name] for name in _WAY_BACK if asked.get(name)}
    if text:
        found = looked_up(text, page.language, _ZONES_SHOWN)
    else:
        own = snapshot.business.timezone
        found = [named(zone, page.language) for zone in dict.fromkeys((page.zone, own, *COMMON))]
    now = int(await desk_of(request).now())
    return render(page, "zone.html", found=found, text=text, back=back, now=now)


handlers: list[HTTPRouteHandler] = [choose, choose_zone]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Whose free time is looked at: of which service, with whom and for how many."""

    request: Call
    page: Page
    service: Service
    resource_id: UUID | None
    party: int
    today: date
    horizon: date

    async def free(self, first: date, last: date) -> FreeTime:
        """Return the free time of the days of [first, last)."""
        desk, business = desk_of(self.request), self.page.business
        assert business is not None, "the page is that of a business"
        return await free_days(
            desk.database,
            desk.snapshots,
            business.id,
            self.service.slug,
            self.page.zone,
            first,
            last,
            resource_id=self.resource_id,
            party=self.party,
        )

    async def month(self, first: date) -> FreeTime:
        """Return the free time of what is left of a month."""
        begin, end = max(first, self.today), min(next_month(first), self.horizon + timedelta(days=1))
        return await self.free(begin, max(end, begin + timedelta(days=1)))


async def _times(request: Call, page: Page, snapshot: Snapshot, slug: str) -> Response[str]:
    service = snapshot.service(slug)
    if service is None:
        raise UnknownService
    desk = desk_of(request)
    today = local_day(int(await desk.now()), page.zone)
    most = most_together(snapshot, service)
    party = min(party_in(request.query_params.get("party")), most)
    horizon = today + timedelta(days=service.max_horizon_days)
    wanted = _Wanted(request, page, service, wanted_in(request), party, today, horizon)
    day, month = _asked(request, today, horizon)
    first = first_of(month or day or today)
    found = await wanted.month(first)
    soonest = _first_free(found.days, day or today) or await _later(wanted, found, page.zone)
    if day is None and month is None and soonest is not None and first_of(soonest) != first:
        # Whoever has asked for no month sees the first one in which something is free.
        first = first_of(soonest)
        found = await wanted.month(first)
    by_day = dict(found.days)
    chosen = day or _first_free(found.days, first)
    change = None if chosen is None else clock_change(chosen, page.zone)
    desk.events.add(snapshot.business.id, SLOTS_VIEWED, service_slug=slug, timezone=page.zone)
    return render(
        page,
        "times.html",
        service=service,
        month=month_of(first, {each: len(slots) for each, slots in found.days}, today, horizon),
        chosen=chosen,
        parts=parts_of(by_day.get(chosen, []), page.words, change) if chosen else [],
        change=change,
        soonest=soonest,
        unknown=[snapshot.resources[r].name for r in found.unknown if r in snapshot.resources],
        leaders=_leaders(snapshot, service),
        wanted=wanted.resource_id,
        party=party,
        most=most,
        asked=day or (month if month != first_of(today) else None),
        kept={"service": slug, "resource": wanted.resource_id, "party": party if party > 1 else None},
        key=new_id(),
    )


def most_together(snapshot: Snapshot, service: Service) -> int:
    """Return how many people can be booked together: one where a booking is of a party of any size."""
    needs = [*service.requirements, *([(service.pool_id,)] if service.pool_id else [])]
    sizes = (
        max((snapshot.resources[r].capacity for r in need if r in snapshot.resources), default=1) for need in needs
    )
    return min((size for size in sizes if size > 1), default=1)


async def _later(wanted: _Wanted, found: FreeTime, zone: str) -> date | None:
    """Return the first free day after a month; None when there is none up to the horizon."""
    if found.next_free is not None:
        return local_day(found.next_free, zone)
    end = found.days[-1][0] + timedelta(days=1)
    if not any(slots for _, slots in found.days) or end > wanted.horizon:
        return None
    after = await wanted.free(end, end + timedelta(days=1))
    return _first_free(after.days, end) or (None if after.next_free is None else local_day(after.next_free, zone))


def _first_free(days: Sequence[tuple[date, Sequence[Slot]]], least: date) -> date | None:
    return next((day for day, slots in days if slots and day >= least), None)


def _asked(request: Call, today: date, horizon: date) -> tuple[date | None, date | None]:
    """Return the day and the month that an address names, within what can be booked; raises ValidationFailed."""
    day = date_in(request.query_params.get("day") or None, "day")
    text = request.query_params.get("month") or ""
    month = None
    if text:
        try:
            month = datetime.fromisoformat(f"{text}-01").date() if _MONTH.fullmatch(text) else None
        except ValueError:
            month = None
        if month is None:
            raise ValidationFailed.at("month", "must be a month like 2026-11")
        month = min(max(month, first_of(today)), first_of(horizon))
    return None if day is None else min(max(day, today), horizon), month


def _leaders(snapshot: Snapshot, service: Service) -> list[Resource]:
    """Return whom a client may choose."""
    found = (snapshot.resources.get(r) for need in service.requirements[:1] for r in need)
    return [resource for resource in found if resource is not None and resource.active]
