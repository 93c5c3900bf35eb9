"""What the API of offerings takes and shows. Times of day are wall times; money is in minor units."""

from datetime import date, time
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from holdfast.availability.hours import Override
from holdfast.catalog.programs import Program, ProgramRule
from holdfast.catalog.refund_terms import Term
from holdfast.catalog.resources import Resource
from holdfast.catalog.services import Service
from holdfast.kernel.http import Line
from holdfast.offerings.drafts import ProgramDraft, ResourceDraft, ServiceDraft
from holdfast.offerings.hours import MAX_DAYS, Timetable
from holdfast.offerings.states import seen
from holdfast.offerings.weeks import MAX_INTERVALS, Interval, Intervals, Week

Seen = Annotated[str, msgspec.Meta(max_length=40)]
SlugText = Annotated[str, msgspec.Meta(max_length=63)]
Policy = Literal["none", "on_site", "prepay"]
Terms = Annotated[list["TermView"], msgspec.Meta(max_length=20)]
Day = Annotated[list["IntervalView"], msgspec.Meta(max_length=MAX_INTERVALS)]


class View(msgspec.Struct, rename="camel", kw_only=True):
    """Something of the API; its members are named as there."""


class TermView(View, kw_only=True):
    """Who cancels at least so many hours before the start gets so many percent back."""

    hours_before: int
    percent: int


class ServiceBody(View, kw_only=True):
    """What a service is to be; each of the requirements is the resources of which any one will do."""

    name: Line
    duration_minutes: int
    requirements: list[list[UUID]]
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    slot_step_minutes: int | None = None
    price_minor: int = 0
    payment_policy: Policy = "none"
    payment_minutes: int = 30
    refund_terms: Terms = []
    hold_minutes: int = 15
    min_notice_minutes: int = 0
    max_horizon_days: int = 90
    cancel_notice_minutes: int = 0
    max_simultaneous_bookings: int | None = None

    def draft(self) -> ServiceDraft:
        """Return the same as a draft."""
        given = {field: getattr(self, field) for field in ServiceDraft.__slots__}
        needs = tuple(tuple(sorted(need)) for need in self.requirements)
        return ServiceDraft(**given | {"requirements": needs, "refund_terms": _terms(self.refund_terms)})


class NewServiceBody(ServiceBody, kw_only=True):
    """A new service, with the slug that it keeps."""

    slug: SlugText


class SeenServiceBody(ServiceBody, kw_only=True):
    """A service as it is to be, and the state that the change was made from."""

    seen: Seen


class ServiceView(ServiceBody, kw_only=True):
    """A service as it is; `seen` is what its state is known by."""

    id: UUID
    slug: str
    active: bool
    seen: str

    @classmethod
    def of(cls, service: Service) -> "ServiceView":
        """Return a service as it is shown."""
        given = {field: getattr(service, field) for field in (*ServiceDraft.__slots__, "id", "slug", "active")}
        terms = [TermView(hours_before=each.hours_before, percent=each.percent) for each in service.refund_terms]
        needs = [list(need) for need in service.requirements]
        return cls(**given | {"refund_terms": terms, "requirements": needs, "seen": seen(service)})


class ResourceBody(View, kw_only=True):
    """What a resource is to be."""

    name: Line
    kind: Literal["practitioner", "room", "pool"]
    capacity: int = 1
    daily_limit: int | None = None
    timezone: Line | None = None
    always_open: bool = False

    def draft(self) -> ResourceDraft:
        """Return the same as a draft."""
        return ResourceDraft(**{field: getattr(self, field) for field in ResourceDraft.__slots__})


class NewResourceBody(ResourceBody, kw_only=True):
    """A new resource, with the slug that it keeps."""

    slug: SlugText


class SeenResourceBody(ResourceBody, kw_only=True):
    """A resource as it is to be, and the state that the change was made from."""

    seen: Seen


class SetUpResource(ResourceBody, kw_only=True):
    """A resource as it is; `seen` is what its state is known by."""

    id: UUID
    slug: str
    active: bool
    seen: str

    @classmethod
    def of(cls, resource: Resource) -> "SetUpResource":
        """Return a resource as it is shown."""
        fields = (*ResourceDraft.__slots__, "id", "slug", "active")
        return cls(**{field: getattr(resource, field) for field in fields}, seen=seen(resource))


class ProgramRuleView(View, kw_only=True):
    """A start at a wall time on a weekday; 0 is Monday."""

    weekday: Annotated[int, msgspec.Meta(ge=0, le=6)]
    starts: time


class ProgramBody(View, kw_only=True):
    """What a program is to be, with its weekly rule and what it takes whole."""

    name: Line
    duration_minutes: int
    max_capacity: int
    rules: Annotated[list[ProgramRuleView], msgspec.Meta(max_length=100)] = []
    resource_ids: list[UUID] = []
    price_minor: int = 0
    payment_policy: Policy = "none"
    payment_minutes: int = 30
    refund_terms: Terms = []
    hold_minutes: int = 15
    cancel_notice_minutes: int = 0
    timezone: Line | None = None

    def draft(self) -> ProgramDraft:
        """Return the same as a draft."""
        given = {field: getattr(self, field) for field in ProgramDraft.__slots__}
        rules = tuple(sorted(ProgramRule(rule.weekday, wall(rule.starts)) for rule in self.rules))
        uses = tuple(sorted(set(self.resource_ids)))
        return ProgramDraft(**given | {"rules": rules, "resource_ids": uses, "refund_terms": _terms(self.refund_terms)})


class NewProgramBody(ProgramBody, kw_only=True):
    """A new program, with the slug that it keeps."""

    slug: SlugText


class SeenProgramBody(ProgramBody, kw_only=True):
    """A program as it is to be, and the state that the change was made from."""

    seen: Seen


class SetUpProgram(ProgramBody, kw_only=True):
    """A program as it is; `seen` is what its state is known by."""

    id: UUID
    slug: str
    active: bool
    seen: str

    @classmethod
    def of(cls, program: Program) -> "SetUpProgram":
        """Return a program as it is shown."""
        given = {field: getattr(program, field) for field in (*ProgramDraft.__slots__, "id", "slug", "active")}
        terms = [TermView(hours_before=each.hours_before, percent=each.percent) for each in program.refund_terms]
        rules = [ProgramRuleView(weekday=rule.weekday, starts=rule.starts) for rule in program.rules]
        parts = {"refund_terms": terms, "rules": rules, "resource_ids": list(program.resource_ids)}
        return cls(**given | parts | {"seen": seen(program)})


class SeenBody(View, kw_only=True):
    """The state that a change was made from."""

    seen: Seen


class IntervalView(View, kw_only=True):
    """Open from one wall time to another; at or before it the next day, 00:00 is midnight."""

    opens: time
    closes: time


class WeekBody(View, kw_only=True):
    """The hours of the weekdays, Monday first, from a day until another (both included); null is for ever."""

    days: Annotated[list[Day], msgspec.Meta(min_length=7, max_length=7)]
    valid_from: date | None = None
    valid_until: date | None = None

    def week(self) -> Week:
        """Return the same as a week."""
        return Week(tuple(map(intervals, self.days)), self.valid_from, self.valid_until)


class SeenWeekBody(WeekBody, kw_only=True):
    """A week, and the state of the weeks that it was made from; `accept` agrees to what would be outside."""

    seen: Seen
    accept: Seen | None = None


class SeenDaysBody(View, kw_only=True):
    """Days with their hours: none is closed, null is as the week says."""

    days: Annotated[list[date], msgspec.Meta(min_length=1, max_length=MAX_DAYS)]
    seen: Seen
    hours: Day | None = None
    accept: Seen | None = None


class DayView(View, kw_only=True):
    """A day that differs from the week; without hours it is closed."""

    day: date
    hours: list[IntervalView]


class HoursView(View, kw_only=True):
    """When a resource is open, in wall times of its zone: weeks one after another, and its own days that differ."""

    timezone: str
    always_open: bool
    weeks: list[WeekBody]
    days: list[DayView]
    seen_weeks: str
    seen_days: str

    @classmethod
    def of(cls, table: Timetable) -> "HoursView":
        """Return hours as they are shown."""
        weeks = [
            WeekBody(days=[_shown(day) for day in week.days], valid_from=week.valid_from, valid_until=week.valid_until)
            for week in table.weeks
        ]
        days = [DayView(day=day, hours=_own(table.own, day)) for day in sorted({each.day for each in table.own})]
        return cls(
            timezone=table.zone,
            always_open=table.always_open,
            weeks=weeks,
            days=days,
            seen_weeks=table.seen_weeks,
            seen_days=table.seen_days,
        )


def intervals(day: list[IntervalView]) -> Intervals:
    """Return the hours of a day, in order."""
    return tuple(sorted({Interval(wall(each.opens), wall(each.closes)) for each in day}))


def wall(at: time) -> time:
    """Return a time of day to the minute, which no zone says anything about."""
    return time(at.hour, at.minute)


def _shown(day: Intervals) -> list[IntervalView]:
    return [IntervalView(opens=each.opens, closes=each.closes) for each in day]


def _own(overrides: tuple[Override, ...], day: date) -> list[IntervalView]:
    found = [each for each in overrides if each.day == day]
    return [
        IntervalView(opens=each.opens, closes=each.closes)
        for each in found
        if each.opens is not None and each.closes is not None
    ]


def _terms(terms: list[TermView]) -> tuple[Term, ...]:
    return tuple(Term(each.hours_before, each.percent) for each in terms)
