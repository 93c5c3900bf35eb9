"""Brings a business to the state that its file describes, in one transaction."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar
from uuid import UUID

from holdfast.availability.hours import Override, WeeklyRule
from holdfast.availability.rules import own_overrides_of, replace_overrides, replace_rules, rules_of
from holdfast.booking.layouts import Layout, lay_out_ahead
from holdfast.business_files.shape import BusinessFile, ProgramEntry, ResourceEntry, ServiceEntry
from holdfast.catalog.prices import minor_of
from holdfast.catalog.programs import Program, deactivate_programs, programs_of, put_program
from holdfast.catalog.resources import Resource, deactivate_resources, put_resource, resources_of
from holdfast.catalog.services import Service, deactivate_services, put_service, services_of
from holdfast.identity import businesses
from holdfast.identity.businesses import Business
from holdfast.kernel.database import Database, Transaction


@dataclass(frozen=True, slots=True)
class Changes:
    """The slugs of what was created, updated, left as it was, and deactivated because the file names it no more."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    deactivated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """What an import has done."""

    business_id: UUID
    business: Literal["created", "updated", "unchanged"]
    resources: Changes
    services: Changes
    programs: Changes
    schedules: Layout


@dataclass(frozen=True, slots=True)
class _OpenResource:
    """A resource with its hours."""

    id: UUID
    resource: Resource
    rules: frozenset[WeeklyRule]
    overrides: frozenset[Override]


@dataclass(frozen=True, slots=True)
class _State:
    """A business as the database has it, by slug."""

    resources: Mapping[str, _OpenResource]
    services: Mapping[str, Service]
    programs: Mapping[str, Program]


Named = ResourceEntry | ServiceEntry | ProgramEntry
T = TypeVar("T", _OpenResource, Service, Program)


async def load(database: Database, file: BusinessFile) -> Report:
    """Make the business be what the file says; a second time this changes nothing.

    What the file names no more is deactivated; what calendar files have brought stays. Raises CapacityBelowPeak, after
    which nothing has changed.
    """

    async def work(tx: Transaction) -> Report:
        before = await businesses.find(tx, file.business.slug)
        business = await businesses.put(
            tx,
            slug=file.business.slug,
            name=file.business.name,
            timezone=file.business.timezone,
            currency=file.business.currency,
            locale=file.business.locale,
        )
        return await _load(await tx.act_for(business.id), file, before, business)

    return await database.run(None, work)


async def _load(tx: Transaction, file: BusinessFile, known: Business | None, business: Business) -> Report:
    before = await _state(tx)
    gone = await _deactivate(tx, file, before)
    ids = await _put_resources(tx, file)
    await _put_services(tx, file, ids)
    await _put_programs(tx, file, ids)
    after = await _state(tx)
    return Report(
        business_id=business.id,
        business="created" if known is None else "unchanged" if known == business else "updated",
        resources=_changes(before.resources, after.resources, file.resources, gone),
        services=_changes(before.services, after.services, file.services, gone),
        programs=_changes(before.programs, after.programs, file.programs, gone),
        schedules=await lay_out_ahead(tx),
    )


async def _state(tx: Transaction) -> _State:
    rules, overrides = await rules_of(tx), await own_overrides_of(tx)
    return _State(
        {
            each.slug: _OpenResource(
                each.id, each, frozenset(rules.get(each.id, ())), frozenset(overrides.get(each.id, ()))
            )
            for each in await resources_of(tx)
        },
        {service.slug: service for service in await services_of(tx)},
        {program.slug: program for program in await programs_of(tx)},
    )


async def _deactivate(tx: Transaction, file: BusinessFile, state: _State) -> frozenset[UUID]:
    """Deactivate what the file names no more, except pools: they go with their services. Return the ids."""
    pools = {service.pool_id for service in state.services.values()}
    resources = _unnamed([each.resource for each in state.resources.values()], file.resources) - pools
    services = _unnamed(state.services.values(), file.services)
    programs = _unnamed(state.programs.values(), file.programs)
    await deactivate_programs(tx, programs)
    await deactivate_services(tx, services)
    await deactivate_resources(tx, resources)
    return resources | services | programs


def _unnamed(kept: Iterable[Resource | Service | Program], named: Iterable[Named]) -> frozenset[UUID]:
    slugs = {entry.slug for entry in named}
    return frozenset(each.id for each in kept if each.active and each.slug not in slugs)


async def _put_resources(tx: Transaction, file: BusinessFile) -> dict[str, UUID]:
    ids: dict[str, UUID] = {}
    for entry in file.resources:
        resource_id = await put_resource(
            tx,
            slug=entry.slug,
            name=entry.name,
            kind=entry.kind,
            capacity=entry.capacity,
            daily_limit=entry.daily_limit,
            timezone=entry.timezone,
            always_open=entry.always_open,
        )
        await replace_rules(tx, resource_id, entry.rules(file.hours))
        await replace_overrides(tx, resource_id, [each for day in entry.overrides for each in day.overrides()])
        ids[entry.slug] = resource_id
    return ids


async def _put_services(tx: Transaction, file: BusinessFile, resources: Mapping[str, UUID]) -> None:
    for entry in file.services:
        await put_service(
            tx,
            slug=entry.slug,
            name=entry.name,
            duration_minutes=entry.duration_minutes,
            requirements=[[resources[slug] for slug in requirement] for requirement in entry.requires],
            buffer_before_minutes=entry.buffer_before_minutes,
            buffer_after_minutes=entry.buffer_after_minutes,
            slot_step_minutes=entry.slot_step_minutes,
            price_minor=minor_of(entry.price, file.business.currency),
            payment_policy=entry.payment,
            payment_minutes=entry.payment_minutes,
            refund_terms=entry.refund_terms(),
            hold_minutes=entry.hold_minutes,
            min_notice_minutes=entry.min_notice_minutes,
            max_horizon_days=entry.max_horizon_days,
            cancel_notice_minutes=entry.cancel_notice_minutes,
            max_simultaneous_bookings=entry.max_simultaneous_bookings,
        )


async def _put_programs(tx: Transaction, file: BusinessFile, resources: Mapping[str, UUID]) -> None:
    for entry in file.programs:
        await put_program(
            tx,
            slug=entry.slug,
            name=entry.name,
            duration_minutes=entry.duration_minutes,
            max_capacity=entry.capacity,
            rules=entry.rules(),
            resource_ids=[resources[slug] for slug in entry.uses],
            price_minor=minor_of(entry.price, file.business.currency),
            payment_policy=entry.payment,
            payment_minutes=entry.payment_minutes,
            refund_terms=entry.refund_terms(),
            hold_minutes=entry.hold_minutes,
            cancel_notice_minutes=entry.cancel_notice_minutes,
            timezone=entry.timezone,
        )


def _changes(
    before: Mapping[str, T], after: Mapping[str, T], named: Iterable[Named], gone: Collection[UUID]
) -> Changes:
    slugs = [entry.slug for entry in named]
    return Changes(
        created=tuple(slug for slug in slugs if slug not in before),
        updated=tuple(slug for slug in slugs if slug in before and before[slug] != after[slug]),
        unchanged=tuple(slug for slug in slugs if slug in before and before[slug] == after[slug]),
        deactivated=tuple(slug for slug, each in before.items() if each.id in gone),
    )
