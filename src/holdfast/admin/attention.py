"""The inbox of what needs a person, by how soon: taken on, put aside, done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.attention_words import SEVERITIES, STATUSES, WORDS, words_of
from holdfast.admin.frame import (
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    Form,
    checked,
    database_of,
    go,
    local_path,
    page_in,
    read_form,
    render,
)
from holdfast.admin.linking import link_to
from holdfast.administration.attention_web import ResolveBody
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import names_of
from holdfast.kernel import attention
from holdfast.kernel.attention import Item, Severity, Status
from holdfast.kernel.database import Transaction
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import cursor_after, number_in, place_of, word_in

PATH = "/admin/inbox"
ENTRY = Entry(PATH, N_("Inbox"), "day", Permission.WORK_INBOX, 15)
_WORK = [Needs(Permission.WORK_INBOX)]
_LIMIT = 50
# Of this century, in epoch seconds.
_BEGINNING = 1_000_000_000
_SNOOZES = {"1": N_("for an hour"), "24": N_("for a day"), "72": N_("for three days"), "168": N_("for a week")}
_DONE = {
    "assigned": N_("You have taken it on."),
    "returned": N_("It is for everybody again."),
    "snoozed": N_("It is put aside and comes back by itself."),
    "finished": N_("It is done."),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """Which items somebody wants to see."""

    status: Status
    severity: Severity | None
    kind: str | None
    mine: bool
    cursor: str | None

    def at(self, **other: Any) -> str:
        """Return the address of the inbox with other wishes; the cursor goes unless it is given."""
        wishes = {
            "status": None if self.status is Status.OPEN else self.status,
            "severity": self.severity,
            "kind": self.kind,
            "mine": "yes" if self.mine else None,
            **other,
        }
        query = urlencode({name: str(value) for name, value in wishes.items() if value})
        return f"{PATH}?{query}" if query else PATH


@dataclass(frozen=True, slots=True)
class Part:
    """The items of one severity; `more` leads to those that have no room here."""

    severity: Severity
    items: Sequence[Item]
    more: str | None


@get(PATH, guards=_WORK, exception_handlers=PROBLEMS)
async def admin_inbox(request: Call) -> Response[Any]:
    """Show what needs a person, the most urgent first."""
    asked = _asked(request)
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        parts = [await _part(tx, asked, severity, page) for severity in reversed(Severity) if _shows(asked, severity)]
        counts = await attention.count_open(tx)
        names = await names_of(
            tx, [id_ for part in parts for i in part.items for id_ in (i.assignee_id, i.resolved_by)]
        )
    return render(
        page,
        "attention.html",
        request=request,
        notices=_DONE,
        asked=asked,
        parts=[part for part in parts if part.items],
        counts=counts,
        names=names,
        words_of=words_of,
        severities=SEVERITIES,
        severities_in_words=[(severity, page.text(SEVERITIES[severity])) for severity in reversed(Severity)],
        tones={Severity.URGENT: "bad", Severity.WARNING: "warn", Severity.INFO: "cool"},
        statuses=STATUSES,
        snoozes_in_words=[(hours, page.text(said)) for hours, said in _SNOOZES.items()],
        kinds=sorted(((kind, page.text(each.title)) for kind, each in WORDS.items()), key=lambda each: each[1]),
        link=lambda item: link_to(request, *words_of(item.kind).about(item.subject_id, item.details)),
        here=asked.at(cursor=asked.cursor),
        now=int(datetime.now(UTC).timestamp()),
    )


@get(f"{PATH}/news", guards=_WORK, exception_handlers=PROBLEMS)
async def admin_inbox_news(request: Call) -> Response[Any]:
    """Say how many items have come up since a page was made."""
    since = _since(request.query_params.get("since", ""))
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        counts = await attention.count_open(tx, since)
    return render(page, "attention_news.html", request=request, newer=counts.newer)


@post(f"{PATH}/{{item_id:str}}/assign", status_code=200, guards=_WORK, exception_handlers=PROBLEMS)
async def admin_inbox_assign(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Take an item on, or give it back to all."""
    form, staff = await read_form(request), staff_of(request)
    mine = form.line("to") == "me"
    async with database_of(request).transaction(staff.business_id) as tx:
        await page_in(tx, request)
        await attention.assign(tx, id_named(item_id), staff.id if mine else None, staff.actor)
    return _back(form, "assigned" if mine else "returned")


@post(f"{PATH}/{{item_id:str}}/snooze", status_code=200, guards=_WORK, exception_handlers=PROBLEMS)
async def admin_inbox_snooze(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Put an item aside for some hours."""
    form, staff = await read_form(request), staff_of(request)
    until = datetime.now(UTC) + timedelta(hours=number_in(form.line("hours"), "hours", 24, 1, 8_000))
    async with database_of(request).transaction(staff.business_id) as tx:
        await page_in(tx, request)
        await attention.snooze(tx, id_named(item_id), until, staff.actor)
    return _back(form, "snoozed")


@post(f"{PATH}/{{item_id:str}}/resolve", status_code=200, guards=_WORK, exception_handlers=PROBLEMS)
async def admin_inbox_resolve(request: Call, item_id: FromPath[str]) -> Response[Any]:
    """Say that an item needs nobody any more, and why."""
    form, staff = await read_form(request), staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        await page_in(tx, request)
        body = checked(ResolveBody, {"reason": form.text("reason")})
        await attention.resolve(tx, id_named(item_id), staff.actor, body.reason)
    return _back(form, "finished")


handlers: list[HTTPRouteHandler] = [
    admin_inbox,
    admin_inbox_news,
    admin_inbox_assign,
    admin_inbox_snooze,
    admin_inbox_resolve,
]


def _asked(request: Call) -> Asked:
    query = request.query_params
    kind = query.get("kind")
    return Asked(
        status=word_in(query.get("status"), "status", Status) or Status.OPEN,
        severity=word_in(query.get("severity"), "severity", Severity),
        kind=kind if kind in WORDS else None,
        mine=bool(query.get("mine")),
        cursor=query.get("cursor") or None,
    )


def _shows(asked: Asked, severity: Severity) -> bool:
    return asked.severity in {None, severity}


async def _part(tx: Transaction, asked: Asked, severity: Severity, page: AdminPage) -> Part:
    """Return a page of the items of a severity; the cursor is of that severity alone."""
    wanted: dict[str, Any] = {
        "severity": severity,
        "kind": asked.kind,
        "assignee_id": page.staff.id if asked.mine else None,
        "limit": _LIMIT + 1,
    }
    place = place_of(asked.cursor if asked.severity else None)
    if asked.status is Status.RESOLVED:
        found = await attention.find_resolved(tx, before=place, **wanted)
    else:
        found = await attention.find_items(tx, status=asked.status, after=place, **wanted)
    shown, more = found[:_LIMIT], None
    if len(found) > _LIMIT:
        more = asked.at(severity=severity, cursor=cursor_after(shown[-1].raised_at, shown[-1].id))
    return Part(severity, shown, more)


def _back(form: Form, done: str) -> Response[Any]:
    address, _, query = local_path(form.line("back"), PATH).partition("?")
    return go(address, **dict(parse_qsl(query)) | {"done": done})


def _since(text: str) -> datetime:
    """Return the time of epoch seconds; now for what is none, after which nothing has come up yet."""
    is_time = text.isascii() and text.isdigit() and len(text) == len(str(_BEGINNING))
    return datetime.fromtimestamp(int(text), UTC) if is_time else datetime.now(UTC)
