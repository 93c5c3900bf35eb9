"""Writes a business as the file that imports to it (K-2): the same bytes for the same business."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, time
from typing import Final
from uuid import UUID

from holdfast.availability.hours import Override, WeeklyRule
from holdfast.availability.rules import own_overrides_of, rules_of
from holdfast.business_files.errors import NotExpressible
from holdfast.business_files.shape import DAYS
from holdfast.catalog.prices import text_of
from holdfast.catalog.programs import Program, programs_of
from holdfast.catalog.resources import Resource, resources_of
from holdfast.catalog.services import Service, services_of
from holdfast.identity import businesses
from holdfast.identity.businesses import Business
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Database, Transaction

Rules = tuple[WeeklyRule, ...]
Value = bool | int | date | str | Sequence["Value"] | Mapping[str, "Value"]

_MIDNIGHT: Final = time(0)
_LINE_LENGTH: Final = 100


async def export(database: Database, business: str | None = None) -> str:
    """Return the file of a business (slug or id); without one, of the only business.

    What is no longer offered is left out, as is what calendar files have brought: it comes from them again.
    Raises UnknownBusiness; NotExpressible when a service needs what is no longer offered.
    """

    async def work(tx: Transaction) -> str:
        found = await (businesses.only(tx) if business is None else businesses.find(tx, business))
        if found is None:
            raise UnknownBusiness(None if business else "Name a business: there is not exactly one")
        own = await tx.act_for(found.id)
        # So that no import changes one part while another is read.
        await businesses.lock(own)
        return await _text(own, found)

    return await database.run(None, work)


async def _text(tx: Transaction, business: Business) -> str:
    services = [each for each in await services_of(tx) if each.active]
    pools = {each.pool_id for each in services}
    resources = [each for each in await resources_of(tx) if each.active and each.id not in pools]
    slugs = {each.id: each.slug for each in resources}
    rules = {each: tuple(sorted(of_it, key=_order)) for each, of_it in (await rules_of(tx)).items()}
    overrides = await own_overrides_of(tx)
    shared = _shared_hours([rules.get(each.id, ()) for each in resources if not each.always_open])
    parts = [
        "[business]",
        *_pairs(
            slug=business.slug,
            name=business.name,
            timezone=business.timezone,
            currency=business.currency,
            locale=business.locale,
        ),
        *_hours("hours", shared),
    ]
    for resource in resources:
        own = rules.get(resource.id, ())
        parts += _resource(resource, None if own == shared else own, overrides.get(resource.id, ()))
    for service in services:
        parts += _service(service, slugs, business.currency)
    for program in await programs_of(tx):
        if program.active:
            parts += _program(program, slugs, business.currency)
    return "\n".join(parts) + "\n"


def _shared_hours(hours: Iterable[Rules]) -> Rules:
    """Return the hours of most resources: they stand once, at the top."""
    counted = Counter(each for each in hours if each)
    return max(counted, key=lambda each: (counted[each], [_order(rule) for rule in each]), default=())


def _resource(resource: Resource, own: Rules | None, overrides: Iterable[Override]) -> list[str]:
    lines = [
        *("", "[[resources]]"),
        *_pairs(slug=resource.slug, name=resource.name, kind=resource.kind),
        *_unless(capacity=(resource.capacity, 1), daily_limit=(resource.daily_limit, None)),
        *_unless(timezone=(resource.timezone, None), always_open=(resource.always_open, False)),
    ]
    if resource.always_open:
        return lines
    if own == ():
        lines += _pairs(hours=[])
    elif own is not None:
        lines += _hours("resources.hours", own)
    days: dict[date, list[Override]] = {}
    for override in overrides:
        days.setdefault(override.day, []).append(override)
    for day in sorted(days):
        # A day may be closed by one override and have hours by others; then it is closed, and both are kept.
        windows = [
            _window(each.opens, each.closes) for each in days[day] if each.opens is not None and each.closes is not None
        ]
        closed = len(windows) < len(days[day])
        if closed:
            lines += ["", "[[resources.overrides]]", *_pairs(date=day, hours=[])]
        if windows:
            lines += ["", "[[resources.overrides]]", *_pairs(date=day, hours=sorted(windows))]
    return lines


def _service(service: Service, slugs: Mapping[UUID, str], currency: str) -> list[str]:
    requires = [_named(service.slug, each, slugs) for each in service.requirements]
    return [
        *("", "[[services]]"),
        *_pairs(slug=service.slug, name=service.name, duration_minutes=service.duration_minutes),
        *_unless(
            buffer_before_minutes=(service.buffer_before_minutes, 0),
            buffer_after_minutes=(service.buffer_after_minutes, 0),
            slot_step_minutes=(service.slot_step_minutes, None),
        ),
        *_price(service, currency),
        *_unless(
            min_notice_minutes=(service.min_notice_minutes, 0),
            max_horizon_days=(service.max_horizon_days, 90),
            cancel_notice_minutes=(service.cancel_notice_minutes, 0),
            max_simultaneous_bookings=(service.max_simultaneous_bookings, None),
        ),
        *_pairs(requires=requires),
    ]


def _program(program: Program, slugs: Mapping[UUID, str], currency: str) -> list[str]:
    starts: dict[time, list[int]] = {}
    for rule in program.rules:
        starts.setdefault(rule.starts, []).append(rule.weekday)
    schedule: list[Value] = [
        {"every": day, "at": _clock(at)}
        for at, weekdays in sorted(starts.items())
        for day in (["day"] if len(weekdays) == len(DAYS) else [DAYS[weekday] for weekday in sorted(weekdays)])
    ]
    uses = _named(program.slug, program.resource_ids, slugs)
    return [
        *("", "[[programs]]"),
        *_pairs(
            slug=program.slug,
            name=program.name,
            duration_minutes=program.duration_minutes,
            capacity=program.max_capacity,
        ),
        *_price(program, currency),
        *_unless(cancel_notice_minutes=(program.cancel_notice_minutes, 0), timezone=(program.timezone, None)),
        *_unless(uses=(uses, []), schedule=(schedule, [])),
    ]


def _price(offered: Service | Program, currency: str) -> list[str]:
    price = text_of(offered.price_minor, currency) if offered.price_minor else None
    refunds: list[Value] = [
        {"hours_before": term.hours_before, "percent": term.percent} for term in offered.refund_terms
    ]
    return _unless(
        price=(price, None),
        payment=(offered.payment_policy, "none"),
        payment_minutes=(offered.payment_minutes, 30),
        refunds=(refunds, []),
        hold_minutes=(offered.hold_minutes, 15),
    )


def _named(slug: str, ids: Iterable[UUID], slugs: Mapping[UUID, str]) -> list[Value]:
    """Return the slugs of resources in their order. Raises NotExpressible when one is no longer offered."""
    wanted = set(ids)
    if wanted - slugs.keys():
        raise NotExpressible(f"{slug} needs a resource that is no longer offered", details={"slug": slug})
    return [name for resource_id, name in slugs.items() if resource_id in wanted]


def _hours(header: str, rules: Rules) -> list[str]:
    """Return the tables of weekly hours, one for each time for which they are valid."""
    seasons: dict[tuple[date | None, date | None], list[list[Value]]] = {}
    for rule in rules:
        week = seasons.setdefault((rule.valid_from, rule.valid_until), [[] for _ in DAYS])
        week[rule.weekday].append(_window(rule.opens, rule.closes))
    lines: list[str] = []
    for (valid_from, valid_until), week in seasons.items():
        lines += ["", f"[{header}]" if len(seasons) == 1 else f"[[{header}]]"]
        lines += _unless(valid_from=(valid_from, None), valid_until=(valid_until, None))
        usual = max(week, key=lambda windows: (week.count(windows), windows != []))
        every_day = usual if week.count(usual) > len(DAYS) // 2 else []
        lines += _unless(every_day=(every_day, []))
        for day, windows in zip(DAYS, week, strict=True):
            lines += _unless(**{day: (windows, every_day)})
    return lines


def _order(rule: WeeklyRule) -> tuple[date, date, int, time, time]:
    """Put rules in the order of the file: by season, and then as the week goes."""
    return rule.valid_from or date.min, rule.valid_until or date.max, rule.weekday, rule.opens, rule.closes


def _window(opens: time, closes: time) -> str:
    return f"{_clock(opens)}-{'24:00' if closes == _MIDNIGHT else _clock(closes)}"


def _clock(at: time) -> str:
    return at.isoformat("seconds" if at.second else "minutes")


def _pairs(**values: Value) -> list[str]:
    return [f"{key} = {_toml(value)}" for key, value in values.items()]


def _unless(**values: tuple[Value | None, Value | None]) -> list[str]:
    """Return the keys that differ from what they are without being given."""
    return [f"{key} = {_toml(value)}" for key, (value, usual) in values.items() if value is not None and value != usual]


def _toml(value: Value) -> str:
    """Return a value as TOML has it, each part on a line of its own where the line would be long."""
    if isinstance(value, str | bool | int):
        # What JSON makes of these is TOML, but for the one character that a name cannot have (DEL).
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + " }"
    parts = [_toml(part) for part in value]
    line = f"[{', '.join(parts)}]"
    return line if len(line) <= _LINE_LENGTH else "[\n  " + ",\n  ".join(parts) + ",\n]"
