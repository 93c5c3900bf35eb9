"""The audit log: who has done what and when, the newest first, with filters and a way to the thing."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.audit_words import ACTIONS, ACTORS, KINDS, STATES
from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Entry, database_of, page_in, render
from holdfast.admin.linking import link_to
from holdfast.availability.walltime import opening_instant
from holdfast.identity.calls import id_named, number_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import names_of
from holdfast.kernel import audit
from holdfast.kernel.audit import Filters
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import date_in

PATH = "/admin/audit"
ENTRY = Entry(PATH, N_("Who did what"), "business", Permission.READ_AUDIT, 90)
_READ = [Needs(Permission.READ_AUDIT)]
_LIMIT = 50
_FIELDS = ("kind", "action", "actor", "id", "from", "to")


@dataclass(frozen=True, slots=True)
class Line:
    """An entry as a person reads it; `thing` is where what it is about can be seen."""

    entry: audit.Entry
    who: str
    done: str
    before: str | None
    after: str | None
    thing: str | None


@get(PATH, guards=_READ, exception_handlers=PROBLEMS)
async def admin_audit(request: Call) -> Response[Any]:
    """Show a page of the log."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        asked = {name: request.query_params.get(name, "") for name in _FIELDS}
        filters = _filters(page, asked)
        found, following = await audit.find_entries(
            tx, filters, cursor=request.query_params.get("cursor") or None, limit=_LIMIT
        )
        names = await names_of(tx, (entry.actor_id for entry in found))
    return render(
        page,
        "audit.html",
        request=request,
        asked=asked,
        lines=[_line(request, page, entry, names) for entry in found],
        following=following and _at(asked, cursor=following),
        only=lambda **more: _at(asked, **more),
        **_choices(page),
    )


@post(f"{PATH}/{{thing_id:str}}/{{version:str}}/reason", status_code=200, guards=_READ, exception_handlers=PROBLEMS)
async def admin_audit_reason(request: Call, thing_id: FromPath[str], version: FromPath[str]) -> Response[Any]:
    """Show why something was done, in the words of whoever did it; that it was read stands in the log as well."""
    staff = staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        entry = await audit.find_entry(tx, id_named(thing_id), number_named(version))
        reason = await audit.read_reason(tx, entry, staff.actor)
        names = await names_of(tx, [entry.actor_id])
    line = _line(request, page, entry, names)
    return render(page, "audit_reason.html", request=request, line=line, reason=reason)


handlers: list[HTTPRouteHandler] = [admin_audit, admin_audit_reason]


def _filters(page: AdminPage, asked: Mapping[str, str]) -> Filters:
    """Return what was asked for; whatever names nothing is left out, and days are those of the business."""
    since, until = date_in(asked["from"], "from"), date_in(asked["to"], "to")
    actor = asked["actor"]
    return Filters(
        kind=asked["kind"] if asked["kind"] in KINDS else None,
        aggregate_id=uuid_or_none(asked["id"].strip()),
        action=asked["action"] if asked["action"] in ACTIONS else None,
        actor=actor if actor in ACTORS else None,
        actor_id=uuid_or_none(actor),
        since=None if since is None else _midnight(since, page),
        until=None if until is None else _midnight(until + timedelta(days=1), page),
    )


def _midnight(day: date, page: AdminPage) -> datetime:
    return datetime.fromtimestamp(opening_instant(day, time(), page.business.timezone), UTC)


def _at(asked: Mapping[str, str], **more: object) -> str:
    wishes = {**asked, **more}
    return f"{PATH}?{urlencode({name: str(value) for name, value in wishes.items() if value})}"


def _choices(page: AdminPage) -> dict[str, Any]:
    """Return what each filter offers, in words and in their order."""

    def told(words: Mapping[str, str]) -> list[tuple[str, str]]:
        return sorted(((word, page.text(said)) for word, said in words.items()), key=lambda pair: pair[1].casefold())

    return {"kinds": told(KINDS), "actions": _once(told(ACTIONS)), "actors": told(ACTORS)}


def _once(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Tell actions apart that are said alike: what was made may be a key or a user."""
    said = [words for _, words in pairs]
    return [(word, words if said.count(words) == 1 else f"{words} ({word})") for word, words in pairs]


def _line(request: Call, page: AdminPage, entry: audit.Entry, names: Mapping[UUID, str]) -> Line:
    who = _known(page, ACTORS, entry.actor)
    if entry.actor_id is not None:
        who = names.get(entry.actor_id, who)
    return Line(
        entry,
        who,
        page.text(
            N_("%(thing)s %(done)s"),
            thing=_known(page, KINDS, entry.kind),
            done=_known(page, ACTIONS, entry.action),
        ),
        _state(page, entry.from_state),
        _state(page, entry.to_state),
        link_to(request, entry.kind, entry.aggregate_id),
    )


def _state(page: AdminPage, state: str | None) -> str | None:
    """Return a state in words, or as it is written; of an id, which tells nobody anything, nothing."""
    if state is None or uuid_or_none(state) is not None:
        return None
    return ", ".join(_known(page, STATES, word) for word in state.split(", "))


def _known(page: AdminPage, words: Mapping[str, str], word: str) -> str:
    """Return what a word of the log says, or the word itself where another release has written it."""
    return page.text(words[word]) if word in words else word
