"""What a service, a resource and a program are to be: the values that staff give, and what is wrong with them.

The ranges are those of the tables. A problem names its field.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, NamedTuple
from uuid import UUID

from holdfast.availability.walltime import UnknownTimeZone, check_zone
from holdfast.catalog.prices import MAX_MINOR
from holdfast.catalog.programs import ProgramRule
from holdfast.catalog.refund_terms import Term, sound_terms
from holdfast.catalog.resources import Resource
from holdfast.offerings.errors import invalid

NAME_LENGTH = 200
SLUG_LENGTH = 63
MAX_REQUIREMENTS = 10
MAX_PROGRAM_RULES = 100

# Of whom or what a booking takes; pools come and go with their services.
KINDS = ("practitioner", "room", "pool")
POLICIES = ("none", "on_site", "prepay")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_UNSHOWN = {"Cc", "Cs", "Zl", "Zp"}


class Bounds(NamedTuple):
    """The least and the greatest of a whole number."""

    least: int
    most: int


BOUNDS: Mapping[str, Bounds] = MappingProxyType(
    {
        "duration_minutes": Bounds(1, 10_080),
        "buffer_before_minutes": Bounds(0, 1_440),
        "buffer_after_minutes": Bounds(0, 1_440),
        "slot_step_minutes": Bounds(1, 1_440),
        "price_minor": Bounds(0, MAX_MINOR),
        "payment_minutes": Bounds(5, 1_440),
        "hold_minutes": Bounds(1, 1_440),
        "min_notice_minutes": Bounds(0, 525_600),
        "max_horizon_days": Bounds(1, 730),
        "cancel_notice_minutes": Bounds(0, 525_600),
        "max_simultaneous_bookings": Bounds(1, 1_000),
        "capacity": Bounds(1, 1_000),
        "daily_limit": Bounds(1, 1_000),
        "max_capacity": Bounds(1, 1_000_000),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDraft:
    """What a service is to be. Each of the requirements is the resources of which any one will do."""

    name: str
    duration_minutes: int
    requirements: tuple[tuple[UUID, ...], ...]
    buffer_before_minutes: int = 0
    buffer_after_minutes: int = 0
    slot_step_minutes: int | None = None
    price_minor: int = 0
    payment_policy: str = "none"
    payment_minutes: int = 30
    refund_terms: tuple[Term, ...] = ()
    hold_minutes: int = 15
    min_notice_minutes: int = 0
    max_horizon_days: int = 90
    cancel_notice_minutes: int = 0
    max_simultaneous_bookings: int | None = None

    def check(self, resources: Iterable[Resource]) -> None:
        """Raise ValidationFailed with everything that is wrong, given the resources of the business."""
        problems = _common(self) + _payment(self)
        if not self.requirements or not all(self.requirements):
            problems.append(("requirements", "must name somebody or something for each thing needed"))
        if len(self.requirements) > MAX_REQUIREMENTS:
            problems.append(("requirements", f"must be at most {MAX_REQUIREMENTS} things"))
        named = [resource_id for need in self.requirements for resource_id in need]
        if len(set(named)) < len(named):
            problems.append(("requirements", "must name nobody and nothing twice"))
        if set(named) - _usable(resources):
            problems.append(("requirements", "must be resources of the business"))
        _refuse(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceDraft:
    """What a resource is to be; its hours are changed by themselves."""

    name: str
    kind: str
    capacity: int = 1
    daily_limit: int | None = None
    timezone: str | None = None
    always_open: bool = False

    def check(self) -> None:
        """Raise ValidationFailed with everything that is wrong."""
        problems = _common(self) + _zone(self.timezone)
        if self.kind not in KINDS:
            problems.append(("kind", f"must be one of {', '.join(KINDS)}"))
        _refuse(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramDraft:
    """What a program is to be, with its weekly rule and the resources that it takes whole."""

    name: str
    duration_minutes: int
    max_capacity: int
    rules: tuple[ProgramRule, ...] = ()
    resource_ids: tuple[UUID, ...] = ()
    price_minor: int = 0
    payment_policy: str = "none"
    payment_minutes: int = 30
    refund_terms: tuple[Term, ...] = ()
    hold_minutes: int = 15
    cancel_notice_minutes: int = 0
    timezone: str | None = None

    def check(self, resources: Iterable[Resource]) -> None:
        """Raise ValidationFailed with everything that is wrong, given the resources of the business."""
        problems = _common(self) + _payment(self) + _zone(self.timezone)
        if len(self.rules) > MAX_PROGRAM_RULES:
            problems.append(("rules", f"must be at most {MAX_PROGRAM_RULES} starts"))
        if len(set(self.rules)) < len(self.rules):
            problems.append(("rules", "must name no start twice"))
        if set(self.resource_ids) - _usable(resources):
            problems.append(("resource_ids", "must be resources of the business"))
        _refuse(problems)


Draft = ServiceDraft | ResourceDraft | ProgramDraft


def values_of(draft: Draft) -> dict[str, Any]:
    """Return the values of a draft by name."""
    return {field.name: getattr(draft, field.name) for field in fields(draft)}


def is_slug(text: str) -> bool:
    """Return whether a text can be the slug of what is offered."""
    return len(text) <= SLUG_LENGTH and _SLUG.fullmatch(text) is not None


def check_slug(slug: str) -> None:
    """Raise ValidationFailed for what is no slug."""
    if not is_slug(slug):
        _refuse([("slug", f"must be small letters and digits in words joined by hyphens, at most {SLUG_LENGTH}")])


def _common(draft: Draft) -> list[tuple[str, str]]:
    problems = []
    if not draft.name.strip() or len(draft.name) > NAME_LENGTH:
        problems.append(("name", f"must have 1 to {NAME_LENGTH} characters"))
    elif any(unicodedata.category(character) in _UNSHOWN for character in draft.name):
        problems.append(("name", "must be one line that can be shown"))
    for name, value in values_of(draft).items():
        if name in BOUNDS and value is not None and not BOUNDS[name].least <= value <= BOUNDS[name].most:
            problems.append((name, f"must be {BOUNDS[name].least} to {BOUNDS[name].most}"))
    return problems


def _payment(draft: ServiceDraft | ProgramDraft) -> list[tuple[str, str]]:
    problems = []
    if draft.payment_policy not in POLICIES:
        problems.append(("payment_policy", f"must be one of {', '.join(POLICIES)}"))
    if draft.payment_policy == "prepay" and draft.price_minor == 0:
        problems.append(("price_minor", "must be more than nothing where it is paid in advance"))
    try:
        sound_terms(draft.refund_terms)
    except ValueError as error:
        problems.append(("refund_terms", str(error)))
    return problems


def _zone(timezone: str | None) -> list[tuple[str, str]]:
    try:
        if timezone is not None:
            check_zone(timezone)
    except UnknownTimeZone:
        return [("timezone", "must be the name of a time zone")]
    return []


def _usable(resources: Iterable[Resource]) -> set[UUID]:
    return {resource.id for resource in resources}


def _refuse(problems: list[tuple[str, str]]) -> None:
    if problems:
        raise invalid(problems)
