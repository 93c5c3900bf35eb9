"""What staff do with quizzes and rituals: write, publish, archive, and see how often they are gone through."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking.calls import expected_version
from holdfast.identity.calls import Call, id_named, number_named, own_business
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.interactive import definitions, runs
from holdfast.interactive.definitions import (
    DefinitionBody,
    DefinitionsView,
    DefinitionVersionView,
    DefinitionView,
    VersionBody,
)
from holdfast.interactive.shapes import Definition, Quiz, check, kind_of, range_of
from holdfast.interactive.states import InteractiveState, Kind
from holdfast.kernel.database import Database
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.lists import date_in, number_in, word_in

_MAX_LIMIT = 500
_MAX_DAYS = 366


class CheckBody(msgspec.Struct):
    """A definition that is only to be looked at."""

    definition: Definition


class CheckedView(msgspec.Struct, rename="camel"):
    """A definition is as it should be; of a quiz, what answers can add up to."""

    kind: Kind
    least_points: int | None
    most_points: int | None


class StepBody(msgspec.Struct, rename="camel", kw_only=True):
    """A step of a quiz or ritual."""

    expected_version: int | None = None
    business_id: UUID | None = None


_STEP = documented(StepBody, headers=("If-Match",), answers=DefinitionView, security="StaffKey")


@get(
    "/api/admin/interactives",
    guards=[Needs(Permission.READ_CONTENT)],
    opt=documented(query=("kind", "status", "cursor", "limit"), answers=DefinitionsView, security="StaffKey"),
)
async def list_interactives(request: Call) -> Response[bytes]:
    """Return quizzes and rituals, the newest first."""
    asked = request.query_params
    kind = word_in(asked.get("kind"), "kind", Kind)
    state = word_in(asked.get("status"), "status", InteractiveState)
    limit = number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)
    async with _database(request).reading(staff_of(request).business_id) as tx:
        page = await definitions.list_definitions(
            tx, kind=kind, state=state, cursor=asked.get("cursor") or None, limit=limit
        )
    return json_response(page)


@post(
    "/api/admin/interactives",
    guards=[Needs(Permission.WRITE_CONTENT)],
    opt=documented(DefinitionBody, answers=DefinitionView, security="StaffKey"),
)
async def add_interactive(request: Call) -> Response[bytes]:
    """Make a quiz or a ritual, a draft."""
    data = decode(DefinitionBody, await request.body())
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    async with _database(request).transaction(business_id) as tx:
        made = await definitions.create(tx, data, staff.actor)
    return _shown(made, 201)


@post(
    "/api/admin/interactives/check",
    status_code=200,
    guards=[Needs(Permission.WRITE_CONTENT)],
    opt=documented(CheckBody, answers=CheckedView, security="StaffKey"),
)
async def check_interactive(request: Call) -> Response[bytes]:
    """Look whether a definition is as it should be, and store nothing."""
    definition = decode(CheckBody, await request.body()).definition
    check(definition)
    least, most = range_of(definition) if isinstance(definition, Quiz) else (None, None)
    return json_response(CheckedView(kind_of(definition), least, most))


@get(
    "/api/admin/interactives/{definition_id:str}",
    guards=[Needs(Permission.READ_CONTENT)],
    opt=documented(answers=DefinitionView, security="StaffKey"),
)
async def read_interactive(request: Call, definition_id: FromPath[str]) -> Response[bytes]:
    """Return a quiz or ritual with its newest definition."""
    async with _database(request).reading(staff_of(request).business_id) as tx:
        return _shown(await definitions.read(tx, id_named(definition_id)))


@post(
    "/api/admin/interactives/{definition_id:str}/versions",
    guards=[Needs(Permission.WRITE_CONTENT)],
    opt=documented(VersionBody, headers=("If-Match",), answers=DefinitionView, security="StaffKey"),
)
async def add_interactive_version(request: Call, definition_id: FromPath[str]) -> Response[bytes]:
    """Add a version; new runs are of the published one until this one is published."""
    data = decode(VersionBody, await request.body())
    expected = expected_version(request, data.expected_version)
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    async with _database(request).transaction(business_id) as tx:
        changed = await definitions.add_version(
            tx, id_named(definition_id), data.definition, expected_version=expected, actor=staff.actor
        )
    return _shown(changed, 201)


@get(
    "/api/admin/interactives/{definition_id:str}/versions/{number:str}",
    guards=[Needs(Permission.READ_CONTENT)],
    opt=documented(answers=DefinitionVersionView, security="StaffKey"),
)
async def read_interactive_version(
    request: Call, definition_id: FromPath[str], number: FromPath[str]
) -> Response[bytes]:
    """Return a version of a quiz or ritual."""
    async with _database(request).reading(staff_of(request).business_id) as tx:
        return json_response(await definitions.read_version(tx, id_named(definition_id), number_named(number)))


@post(
    "/api/admin/interactives/{definition_id:str}/publish",
    status_code=200,
    guards=[Needs(Permission.PUBLISH_CONTENT)],
    opt=_STEP,
)
async def publish_interactive(request: Call, definition_id: FromPath[str]) -> Response[bytes]:
    """Let new runs be of the newest version."""
    return await _move(request, definition_id, InteractiveState.PUBLISHED)


@post(
    "/api/admin/interactives/{definition_id:str}/archive",
    status_code=200,
    guards=[Needs(Permission.PUBLISH_CONTENT)],
    opt=_STEP,
)
async def archive_interactive(request: Call, definition_id: FromPath[str]) -> Response[bytes]:
    """Let no new run begin; those that have begun may finish."""
    return await _move(request, definition_id, InteractiveState.ARCHIVED)


@get(
    "/api/admin/interactives/{definition_id:str}/statistics",
    guards=[Needs(Permission.READ_CONTENT)],
    opt=documented(query=("from", "to"), answers=runs.RunsView, security="StaffKey"),
)
async def interactive_statistics(request: Call, definition_id: FromPath[str]) -> Response[bytes]:
    """Return starts, completions and levels by day in UTC, from `from` to `to` (exclusive), else of the last 30 days.

    Of a day on which fewer than five have finished, neither levels nor durations are told.
    """
    asked = request.query_params
    first, last = runs.default_range(datetime.now(UTC).date())
    first, last = date_in(asked.get("from"), "from") or first, date_in(asked.get("to"), "to") or last
    if not 0 < (last - first).days <= _MAX_DAYS:
        raise ValidationFailed.at("to", f"must be after from, by {_MAX_DAYS} days at most")
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        return json_response(await runs.count(tx, id_named(definition_id), first, last))


handlers = [
    *(list_interactives, add_interactive, check_interactive, read_interactive),
    *(add_interactive_version, read_interactive_version),
    *(publish_interactive, archive_interactive, interactive_statistics),
]


async def _move(request: Call, definition_id: str, goal: InteractiveState) -> Response[bytes]:
    data = decode(StepBody, await request.body())
    expected = expected_version(request, data.expected_version)
    staff = staff_of(request)
    business_id = own_business(staff, data.business_id)
    async with _database(request).transaction(business_id) as tx:
        moved = await definitions.move(tx, id_named(definition_id), goal, expected_version=expected, actor=staff.actor)
    return _shown(moved)


def _shown(shown: DefinitionView, status: int = 200) -> Response[bytes]:
    return json_response(shown, status, {"ETag": f'"{shown.version}"'})


def _database(request: Call) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]
