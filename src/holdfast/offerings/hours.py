"""When a resource is open, as staff set it up: weeks, and days that differ from them."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from holdfast.availability.hours import Hours, Override, WeeklyRule
from holdfast.availability.rules import overrides_of, own_overrides_of, replace_overrides, replace_rules, rules_of
from holdfast.availability.walltime import local_day
from holdfast.booking.layouts import Layout, clock, lay_out_ahead
from holdfast.catalog.resources import Resource
from holdfast.identity.businesses import Business
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load
from holdfast.offerings import weeks as weekly
from holdfast.offerings.ahead import Opening, check_left_outside
from holdfast.offerings.entries import note_change
from holdfast.offerings.errors import invalid
from holdfast.offerings.resources import KIND, resource_of
from holdfast.offerings.states import begin, check_seen, seen
from holdfast.offerings.weeks import Intervals, Week

_SQL = load(__package__)

MAX_DAYS = 366
# Weekly rules of one resource, so that nobody makes a table of them that every server has to read.
_MAX_RULES = 1_000
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Source:
    """A calendar file that has brought closed days of a resource."""

    source: str
    days: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Timetable:
    """When a resource is open: rules, and overrides of its own and of calendar files, in the wall time of its zone."""

    zone: str
    today: date
    always_open: bool
    rules: tuple[WeeklyRule, ...]
    own: tuple[Override, ...]
    brought: tuple[Override, ...]
    sources: tuple[Source, ...] = ()

    @property
    def weeks(self) -> list[Week]:
        """Return its weeks, from the earliest on."""
        return weekly.weeks_of(self.rules)

    @property
    def seen_weeks(self) -> str:
        """Return what its weeks are known by."""
        return seen(sorted(map(repr, self.rules)))

    @property
    def seen_days(self) -> str:
        """Return what its own days are known by."""
        return seen(sorted(map(repr, self.own)))

    def week_on(self, day: date) -> Week:
        """Return the week that holds on a day."""
        return next(week for week in self.weeks if week.is_on(day))

    def hours_on(self, day: date) -> Intervals:
        """Return the hours of a day, whatever they come from."""
        found = [each for each in (*self.own, *self.brought) if each.day == day]
        if found:
            return _intervals(found)
        return self.week_on(day).days[day.weekday()]

    def opening(self, rules: Iterable[WeeklyRule] | None = None, own: Iterable[Override] | None = None) -> Opening:
        """Return when it is open, or would be with other rules or days of its own."""
        overrides = [*(self.own if own is None else own), *self.brought]
        hours = Hours(self.zone, self.rules if rules is None else rules, overrides, always_open=self.always_open)
        closed = frozenset() if self.always_open else {each.day for each in overrides if each.opens is None}
        return Opening(hours, self.zone, closed)


async def timetable_of(tx: Transaction, business: Business, resource: Resource) -> Timetable:
    """Return when a resource is open."""
    zone = resource.timezone or business.timezone
    every, own = await overrides_of(tx), await own_overrides_of(tx)
    stated = tuple(own.get(resource.id, ()))
    brought = list(every.get(resource.id, ()))
    for each in stated:
        brought.remove(each)
    sources = await tx.all(Source, _SQL["sources_of"], {"business_id": tx.business_id, "resource_id": resource.id})
    return Timetable(
        zone=zone,
        today=local_day(int((await clock(tx)).timestamp()), zone),
        always_open=resource.always_open,
        rules=tuple((await rules_of(tx)).get(resource.id, ())),
        own=stated,
        brought=tuple(brought),
        sources=tuple(sources),
    )


async def change_week(
    tx: Transaction, resource_id: UUID, wanted: Week, told: str, actor: Actor, *, accepted: str | None = None
) -> None:
    """Give a resource these hours for the time in which the week holds, if its weeks are still as `told`.

    Raises NotFound, ChangedMeanwhile, ValidationFailed; LeavesBookings unless that is `accepted`.
    """
    before, resource = await _begin(tx, resource_id)
    check_seen(told, before.seen_weeks)
    weeks = weekly.with_week(before.weeks, wanted)
    rules = weekly.rules_of(weeks)
    if len(rules) > _MAX_RULES:
        raise invalid([("days", "must not be so many different weeks")])
    await check_left_outside(tx, resource.id, before.opening(), before.opening(rules=rules), accepted)
    await replace_rules(tx, resource.id, rules)
    was = [_week_told(week) for week in before.weeks]
    await note_change(
        tx, KIND, resource.id, "change", actor, {"hours": was}, {"hours": [_week_told(week) for week in weeks]}
    )


async def change_days(
    tx: Transaction,
    resource_id: UUID,
    days: Collection[date],
    hours: Intervals | None,
    told: str,
    actor: Actor,
    *,
    accepted: str | None = None,
) -> Layout:
    """Give days hours of their own (none: closed), or with None those of the week again; lay out programs anew.

    What calendar files say of a day stays beside it. Raises NotFound, ChangedMeanwhile, ValidationFailed;
    LeavesBookings unless that is `accepted`.
    """
    before, resource = await _begin(tx, resource_id)
    check_seen(told, before.seen_days)
    _check_days(days, hours)
    own = [each for each in before.own if each.day not in days] + [
        override for day in sorted(days) for override in _overrides(day, hours)
    ]
    await check_left_outside(tx, resource.id, before.opening(), before.opening(own=own), accepted)
    await replace_overrides(tx, resource.id, own)
    was, now = _days_told(before.own, days), _days_told(own, days)
    await note_change(tx, KIND, resource.id, "change", actor, {"days": was}, {"days": now})
    return await lay_out_ahead(tx)


async def forget_source(tx: Transaction, resource_id: UUID, source: str, actor: Actor) -> Layout:
    """Take out of a resource what a calendar file has brought; repeated, it changes nothing. Raises NotFound."""
    _, resource = await _begin(tx, resource_id)
    if await replace_overrides(tx, resource.id, [], source=source):
        await note_change(tx, KIND, resource.id, "change", actor, {"source": source}, {"source": None})
    return await lay_out_ahead(tx)


def days_between(first: date, last: date) -> list[date]:
    """Return the days from one to another, both included, at most a year of them. Raises ValidationFailed."""
    if last < first:
        raise invalid([("last_day", "must not be before the first day")])
    if (last - first).days >= MAX_DAYS:
        raise invalid([("last_day", f"must be at most {MAX_DAYS} days in all")])
    return [first + _DAY * number for number in range((last - first).days + 1)]


async def _begin(tx: Transaction, resource_id: UUID) -> tuple[Timetable, Resource]:
    business = await begin(tx)
    resource = await resource_of(tx, resource_id)
    return await timetable_of(tx, business, resource), resource


def _check_days(days: Collection[date], hours: Intervals | None) -> None:
    problems = []
    if not 0 < len(days) <= MAX_DAYS:
        problems.append(("days", f"must be 1 to {MAX_DAYS} days"))
    if not all(map(weekly.is_meant, days)):
        problems.append(("days", f"must be from {weekly.FIRST_DAY} to {weekly.LAST_DAY}"))
    problem = weekly.overlap_in(hours or ())
    if problem:
        problems.append(("hours", problem))
    if problems:
        raise invalid(problems)


def _overrides(day: date, hours: Intervals | None) -> list[Override]:
    if hours is None:
        return []
    return [Override(day, *interval) for interval in hours] or [Override(day)]


def _intervals(overrides: Sequence[Override]) -> Intervals:
    if any(each.opens is None for each in overrides):
        return ()
    return tuple(
        sorted(
            weekly.Interval(each.opens, each.closes)
            for each in overrides
            if each.opens is not None and each.closes is not None
        )
    )


def _week_told(week: Week) -> dict[str, object]:
    days = [[f"{each.opens:%H:%M}-{each.closes:%H:%M}" for each in day] for day in week.days]
    return {"from": week.valid_from, "until": week.valid_until, "days": days}


def _days_told(overrides: Iterable[Override], days: Collection[date]) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {}
    for each in overrides:
        if each.day in days:
            hours = [] if each.opens is None else [f"{each.opens:%H:%M}-{each.closes:%H:%M}"]
            told.setdefault(each.day.isoformat(), []).extend(hours)
    return told
