"""Definitions of quizzes and rituals: made, given new versions, published, archived."""

from typing import Any
from uuid import UUID

import msgspec

from holdfast.booking.errors import VersionConflict, VersionRequired
from holdfast.booking.views import Locale
from holdfast.interactive.errors import InteractiveStepNotAllowed
from holdfast.interactive.shapes import Definition, check, kind_of
from holdfast.interactive.states import TRANSITIONS, InteractiveState, Kind
from holdfast.kernel.audit import Actor, emit, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.http import Instant, Slug
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import page_of, place_of
from holdfast.kernel.sql import load

_SQL = load("holdfast.interactive")

_EVENTS = {InteractiveState.PUBLISHED: "InteractivePublished", InteractiveState.ARCHIVED: "InteractiveArchived"}
_ACTIONS = {InteractiveState.PUBLISHED: "publish", InteractiveState.ARCHIVED: "archive"}


class DefinitionBody(msgspec.Struct, rename="camel", kw_only=True):
    """A new quiz or ritual, a draft."""

    slug: Slug
    locale: Locale
    definition: Definition
    business_id: UUID | None = None


class VersionBody(msgspec.Struct, rename="camel", kw_only=True):
    """A new version of a quiz or ritual."""

    definition: Definition
    expected_version: int | None = None
    business_id: UUID | None = None


class DefinitionCard(msgspec.Struct, rename="camel", kw_only=True):
    """A quiz or ritual in a list; `definitionVersion` is its newest, `publishedVersion` the one of new runs."""

    id: UUID
    kind: Kind
    slug: str
    locale: str
    status: InteractiveState
    version: int
    definition_version: int
    published_version: int | None
    title: str
    created_at: Instant
    updated_at: Instant


class DefinitionView(msgspec.Struct, rename="camel", kw_only=True):
    """A quiz or ritual with its newest definition."""

    id: UUID
    kind: Kind
    slug: str
    locale: str
    status: InteractiveState
    version: int
    definition_version: int
    published_version: int | None
    definition: Definition
    created_at: Instant
    updated_at: Instant


class DefinitionsView(msgspec.Struct, rename="camel"):
    """A page of quizzes and rituals, the newest first; `nextCursor` leads to the next one."""

    interactives: list[DefinitionCard]
    next_cursor: str | None


class DefinitionVersionView(msgspec.Struct, rename="camel", kw_only=True):
    """A version of a quiz or ritual."""

    number: int
    definition: Definition
    created_at: Instant


async def create(tx: Transaction, wanted: DefinitionBody, actor: Actor) -> DefinitionView:
    """Make a draft with its first version; raises InteractiveSlugTaken, ValidationFailed."""
    check(wanted.definition)
    definition_id = new_id()
    values = {"kind": kind_of(wanted.definition), "slug": wanted.slug, "locale": wanted.locale}
    await tx.run(_SQL["add_definition"], {"business_id": tx.business_id, "id": definition_id, **values})
    await _add_version(tx, definition_id, wanted.definition, actor)
    await record(tx, "interactive", definition_id, "create", actor, after=InteractiveState.DRAFT)
    return await read(tx, definition_id)


async def read(tx: Transaction, definition_id: UUID) -> DefinitionView:
    """Return a quiz or ritual with its newest definition; raises NotFound."""
    values = {"business_id": tx.business_id, "id": definition_id}
    found = await tx.first(DefinitionView, _SQL["read_definition"], values)
    if found is None:
        raise NotFound
    return found


async def list_definitions(
    tx: Transaction, *, kind: Kind | None, state: InteractiveState | None, cursor: str | None, limit: int
) -> DefinitionsView:
    """Return quizzes and rituals, the newest first; raises ValidationFailed for a wrong cursor."""
    after, after_id = place_of(cursor)
    page: dict[str, Any] = {"after": after, "after_id": after_id, "limit": limit + 1}
    values = {"business_id": tx.business_id, "kind": kind, "state": state, **page}
    found = await tx.all(DefinitionCard, _SQL["list_definitions"], values)
    return DefinitionsView(*page_of(found, limit, lambda each: (each.created_at, each.id)))


async def read_version(tx: Transaction, definition_id: UUID, number: int) -> DefinitionVersionView:
    """Return a version; raises NotFound."""
    values = {"business_id": tx.business_id, "id": definition_id, "number": number}
    found = await tx.first(DefinitionVersionView, _SQL["read_version"], values)
    if found is None:
        raise NotFound
    return found


async def add_version(
    tx: Transaction, definition_id: UUID, definition: Definition, *, expected_version: int | None, actor: Actor
) -> DefinitionView:
    """Add a version; runs are of the published one until this one is published.

    Raises NotFound, VersionRequired, VersionConflict; ValidationFailed, also for a quiz in place of a ritual.
    """
    check(definition)
    before = await _locked(tx, definition_id, expected_version)
    if kind_of(definition) != before.kind:
        raise ValidationFailed.at("definition.kind", f"must stay {before.kind}")
    number = await _add_version(tx, definition_id, definition, actor)
    await tx.run(_SQL["touch_definition"], {"business_id": tx.business_id, "id": definition_id})
    await record(tx, "interactive", definition_id, "save", actor, before=before.definition_version, after=number)
    return await read(tx, definition_id)


async def move(
    tx: Transaction, definition_id: UUID, goal: InteractiveState, *, expected_version: int | None, actor: Actor
) -> DefinitionView:
    """Publish the newest version, or archive; what is published can be published anew once it has a newer version.

    Runs that have begun go on with the version with which they began. Raises NotFound, VersionRequired,
    VersionConflict, InteractiveStepNotAllowed.
    """
    before = await _locked(tx, definition_id, expected_version)
    anew = before.status == goal == InteractiveState.PUBLISHED and before.published_version != before.definition_version
    if goal not in TRANSITIONS[before.status] and not anew:
        raise InteractiveStepNotAllowed(details={"status": before.status})
    number = before.definition_version
    values = {"business_id": tx.business_id, "id": definition_id, "state": goal, "number": number}
    await tx.run(_SQL["move_definition"], values)
    version = await record(tx, "interactive", definition_id, _ACTIONS[goal], actor, before=before.status, after=goal)
    fact = {"kind": before.kind, "slug": before.slug, "definitionVersion": number}
    await emit(tx, definition_id, version, _EVENTS[goal], fact)
    return await read(tx, definition_id)


async def _locked(tx: Transaction, definition_id: UUID, expected_version: int | None) -> DefinitionView:
    await tx.run(_SQL["lock_definition"], {"business_id": tx.business_id, "id": definition_id})
    found = await read(tx, definition_id)
    if expected_version is None:
        raise VersionRequired("Name the version that you saw, by If-Match or expectedVersion")
    if expected_version != found.version:
        raise VersionConflict("It was changed in the meantime", details={"currentVersion": found.version})
    return found


async def _add_version(tx: Transaction, definition_id: UUID, definition: Definition, actor: Actor) -> int:
    content = msgspec.json.encode(definition).decode()
    values = {"business_id": tx.business_id, "id": definition_id, "definition": content, "actor_id": actor.id}
    number: int = await tx.value(_SQL["add_version"], values)
    return number
