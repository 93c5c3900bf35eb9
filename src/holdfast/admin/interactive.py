"""Quizzes and rituals: the list, the definition with its check, publishing, and how often they are gone through."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.charts import Series, chart
from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    Form,
    database_of,
    go,
    page_in,
    read_form,
    render,
)
from holdfast.admin.writing import raw, slip_of, typed_in
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.interactive import definitions, runs
from holdfast.interactive.definitions import DefinitionBody, DefinitionView, VersionBody
from holdfast.interactive.runs import RunsView
from holdfast.interactive.shapes import Quiz, check, range_of, stored
from holdfast.interactive.states import InteractiveState, Kind
from holdfast.interactive.web import CheckBody
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError, ValidationFailed
from holdfast.kernel.http import decode
from holdfast.kernel.languages import LANGUAGES, N_
from holdfast.kernel.lists import number_in, word_in

_PATH = "/admin/interactives"
_LIMIT = 50
_MAX_NUMBER = 999_999_999
ENTRY = Entry(_PATH, N_("Quizzes and rituals"), "public", Permission.READ_CONTENT, 20)
_READ, _WRITE = [Needs(Permission.READ_CONTENT)], [Needs(Permission.WRITE_CONTENT)]
_PUBLISH = [Needs(Permission.PUBLISH_CONTENT)]

KINDS = {Kind.QUIZ: N_("Quiz"), Kind.RITUAL: N_("Ritual")}
STATES = {
    InteractiveState.DRAFT: N_("Draft"),
    InteractiveState.PUBLISHED: N_("Published"),
    InteractiveState.ARCHIVED: N_("Archived"),
}
_NOTICES = {
    "created": N_("The draft is kept."),
    "saved": N_("Saved as a new version. Visitors go through the published one until this one is published."),
    "publish": N_("It is published: whoever begins now goes through this version."),
    "archive": N_("It is archived: nobody can begin it any more, and who has begun may finish."),
}
# What somebody begins with who has never written one.
_EXAMPLES = {
    Kind.QUIZ: {
        "kind": "quiz",
        "title": "How do you sleep?",
        "intro": "One question, no diagnosis.",
        "questions": [
            {
                "id": "nights",
                "text": "How often do you wake up at night?",
                "options": [
                    {"id": "rarely", "text": "Rarely", "points": 0},
                    {"id": "often", "text": "Often", "points": 2},
                ],
            }
        ],
        "levels": [
            {"id": "calm", "from": 0, "to": 1, "title": "Calm nights", "text": "Keep what you do."},
            {"id": "restless", "from": 2, "to": 2, "title": "Restless nights", "text": "Look at our exercises."},
        ],
    },
    Kind.RITUAL: {
        "kind": "ritual",
        "title": "Three breaths",
        "intro": "Sit down.",
        "steps": [{"id": "in", "text": "Breathe in slowly.", "durationSeconds": 5}],
    },
}


@get(_PATH, guards=_READ, exception_handlers=PROBLEMS)
async def admin_interactives(request: Call) -> Response[Any]:
    """Show quizzes and rituals, the newest first."""
    asked = request.query_params
    kind = word_in(asked.get("kind"), "kind", Kind)
    state = word_in(asked.get("status"), "status", InteractiveState)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        cursor = asked.get("cursor") or None
        found = await definitions.list_definitions(tx, kind=kind, state=state, cursor=cursor, limit=_LIMIT)
    return render(
        page,
        "interactive.html",
        request=request,
        items=found.interactives,
        cursor=found.next_cursor,
        chosen={"kind": kind or "", "status": state or ""},
        kinds=KINDS,
        states=STATES,
    )


@get(f"{_PATH}/new", guards=_WRITE, exception_handlers=PROBLEMS)
async def admin_interactive_new(request: Call) -> Response[Any]:
    """Show an example to begin with."""
    return await _shown(request, None)


@post(f"{_PATH}/new", status_code=200, guards=_WRITE, exception_handlers=PROBLEMS, request_max_body_size=MAX_FORM_BYTES)
async def admin_interactive_add(request: Call) -> Response[Any]:
    """Make a draft, or only check the definition."""
    form, staff = await read_form(request), staff_of(request)
    try:
        definition = _definition(form)
        if form.ticked("check"):
            return await _shown(request, None, form, checked=_checked(definition))
        typed = {"slug": raw(form, "slug"), "locale": form.line("locale"), "definition": definition}
        body = decode(DefinitionBody, msgspec.json.encode(typed))
        made = await database_of(request).run(staff.business_id, lambda tx: definitions.create(tx, body, staff.actor))
    except UserError as refused:
        return await _shown(request, None, form, refused)
    return go(f"{_PATH}/{made.id}", done="created")


@get(f"{_PATH}/{{definition_id:str}}", guards=_READ, exception_handlers=PROBLEMS)
async def admin_interactive(request: Call, definition_id: FromPath[str]) -> Response[Any]:
    """Show a quiz or ritual with its figures."""
    return await _shown(request, id_named(definition_id))


@post(
    f"{_PATH}/{{definition_id:str}}",
    status_code=200,
    guards=_WRITE,
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def admin_interactive_save(request: Call, definition_id: FromPath[str]) -> Response[Any]:
    """Save a new version, or only check it."""
    form, staff, wanted = await read_form(request), staff_of(request), id_named(definition_id)

    async def work(tx: Transaction) -> DefinitionView:
        body = decode(VersionBody, msgspec.json.encode({"definition": _definition(form)}))
        return await definitions.add_version(
            tx, wanted, body.definition, expected_version=_version(form), actor=staff.actor
        )

    try:
        if form.ticked("check"):
            return await _shown(request, wanted, form, checked=_checked(_definition(form)))
        await database_of(request).run(staff.business_id, work)
    except NotFound:
        raise
    except UserError as refused:
        return await _shown(request, wanted, form, refused)
    return go(f"{_PATH}/{wanted}", done="saved")


@post(f"{_PATH}/{{definition_id:str}}/publish", status_code=200, guards=_PUBLISH, exception_handlers=PROBLEMS)
async def admin_interactive_publish(request: Call, definition_id: FromPath[str]) -> Response[Any]:
    """Let new runs be of the newest version."""
    return await _move(request, definition_id, InteractiveState.PUBLISHED, "publish")


@post(f"{_PATH}/{{definition_id:str}}/archive", status_code=200, guards=_PUBLISH, exception_handlers=PROBLEMS)
async def admin_interactive_archive(request: Call, definition_id: FromPath[str]) -> Response[Any]:
    """Let no new run begin."""
    return await _move(request, definition_id, InteractiveState.ARCHIVED, "archive")


handlers: list[HTTPRouteHandler] = [
    admin_interactives,
    admin_interactive_new,
    admin_interactive_add,
    admin_interactive,
    admin_interactive_save,
    admin_interactive_publish,
    admin_interactive_archive,
]


async def _move(request: Call, definition_id: str, goal: InteractiveState, done: str) -> Response[Any]:
    form, staff, wanted = await read_form(request), staff_of(request), id_named(definition_id)

    async def work(tx: Transaction) -> DefinitionView:
        return await definitions.move(tx, wanted, goal, expected_version=_version(form), actor=staff.actor)

    try:
        await database_of(request).run(staff.business_id, work)
    except NotFound:
        raise
    except UserError as refused:
        return await _shown(request, wanted, None, refused)
    return go(f"{_PATH}/{wanted}", done=done)


async def _shown(
    request: Call,
    wanted: UUID | None,
    form: Form | None = None,
    refused: UserError | None = None,
    checked: tuple[int, int] | None = None,
) -> Response[Any]:
    first, last = runs.default_range(datetime.now(UTC).date())
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        item = None if wanted is None else await definitions.read(tx, wanted)
        told = None if wanted is None else await runs.count(tx, wanted, first, last)
    slip = None if refused is None else slip_of(page, refused, form)
    kind = word_in(request.query_params.get("kind"), "kind", Kind) or Kind.QUIZ
    kept = _EXAMPLES[kind] if item is None else msgspec.to_builtins(item.definition)
    definition = None if item is None else stored(kept)
    typed = (
        typed_in(form)
        if form is not None
        else {
            "definition": json.dumps(kept, ensure_ascii=False, indent=2),
            "slug": "",
            "locale": page.business.locale[:2],
        }
    )
    return render(
        page,
        "interactive_item.html",
        200 if slip is None else slip.status,
        request=request,
        notices=_NOTICES,
        item=item,
        title=None if definition is None else definition.title,
        kept=json.dumps(kept, ensure_ascii=False, indent=2),
        typed=typed,
        slip=slip,
        is_checked=form is not None and refused is None,
        points=checked,
        told=told,
        levels={level.id: level.title for level in definition.levels} if isinstance(definition, Quiz) else {},
        chart=None if told is None else _chart(page, told, first, last),
        locales=LANGUAGES,
        kinds=KINDS,
        states=STATES,
        is_writable=page.may(Permission.WRITE_CONTENT),
    )


def _definition(form: Form) -> Any:
    """Return the definition that was typed; raises ValidationFailed where it is no JSON."""
    try:
        return msgspec.json.decode(raw(form, "definition") or "null")
    except msgspec.DecodeError as malformed:
        raise ValidationFailed.at("definition", f"is not JSON: {malformed}") from None


def _checked(definition: Any) -> tuple[int, int] | None:
    """Return what answers can add up to; raises ValidationFailed with all that is wrong."""
    found = decode(CheckBody, msgspec.json.encode({"definition": definition})).definition
    check(found)
    return range_of(found) if isinstance(found, Quiz) else None


def _chart(page: AdminPage, told: RunsView, first: date, last: date) -> Any:
    days = [first + timedelta(days=number) for number in range((last - first).days)]
    by_day = {day.date: day for day in told.days}
    finished = [by_day[str(day)].completions if str(day) in by_day else 0 for day in days]
    begun = [by_day[str(day)].starts if str(day) in by_day else 0 for day in days]
    return chart(
        page.wording,
        page.text(N_("Runs by day")),
        days,
        [
            Series(page.text(N_("Finished")), finished),
            Series(
                page.text(N_("Left before the end")),
                [b - f for b, f in zip(begun, finished, strict=True)],
                is_rest=True,
            ),
        ],
    )


def _version(form: Form) -> int:
    return number_in(form.line("version"), "version", 0, 0, _MAX_NUMBER)
