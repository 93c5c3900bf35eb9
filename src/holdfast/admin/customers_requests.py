"""What is done for one person: a consent written down, what is kept of them handed out, and forgotten."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Response, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.customers_known import Known, known_in
from holdfast.admin.customers_one import PATH as _PATH
from holdfast.admin.customers_one import show
from holdfast.admin.frame import PROBLEMS, Call, checked, database_of, go, read_form
from holdfast.booking.consents_web import Version
from holdfast.identity import consents
from holdfast.identity.consents import Act, Kind, Proof, Said
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError, ValidationFailed
from holdfast.kernel.http import encode_plain
from holdfast.kernel.languages import LANGUAGES, N_, translations
from holdfast.kernel.privacy import Handles
from holdfast.people import requests

_SHOWN = "/admin/customers"
# What is typed by whoever means it.
WORD = N_("forget")
_NOT_TYPED = N_("Type the word to confirm")
_NO_VERSION = N_("Say which version of the document they agreed to")


class ConsentForm(msgspec.Struct, kw_only=True):
    """What staff were told."""

    kind: Kind
    act: Act
    version: Version | None = None


@post(_PATH + "/consents", status_code=200, guards=[Needs(Permission.RECORD_CONSENTS)], exception_handlers=PROBLEMS)
async def admin_customer_consent(request: Call, who: FromPath[str]) -> Response[Any]:
    """Write down a consent, or its withdrawal, that staff were told."""
    form = await read_form(request)
    known, staff = _whom(who), staff_of(request)
    try:
        told = checked(ConsentForm, {name: form.line(name) for name in ("kind", "act", "version")})
        if told.act is Act.GIVEN and told.version is None:
            raise ValidationFailed.at("version", _NO_VERSION)
    except UserError as error:
        return await show(request, who, error, form.as_typed())
    said = Said(told.kind, told.act, told.version, None)
    async with database_of(request).transaction(staff.business_id) as tx:
        for entry in await consents.record_consent(tx, [known.index], said, Proof.STAFF):
            await record(tx, "consent", entry.id, "write_down_consent", staff.actor, after=entry.act)
    return go(f"{_SHOWN}/{who}", done="consent")


@post(_PATH + "/export", status_code=200, guards=[Needs(Permission.ANSWER_PEOPLE)], exception_handlers=PROBLEMS)
async def admin_customer_export(request: Call, who: FromPath[str]) -> Response[Any]:
    """Hand out everything that is kept of a person, as a file for them."""
    form = await read_form(request)
    staff, whom = staff_of(request), _handles(who, form.line("also"))
    async with database_of(request).transaction(staff.business_id) as tx:
        answer = await requests.tell(tx, whom, staff.actor)
    text = msgspec.json.format(encode_plain({"requestId": answer.id, "kept": answer.parts}), indent=2)
    name = f"person-{datetime.now(UTC):%Y-%m-%d}.json"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(text, media_type="application/json", headers=headers)


@post(_PATH + "/erase", status_code=200, guards=[Needs(Permission.ANSWER_PEOPLE)], exception_handlers=PROBLEMS)
async def admin_customer_erase(request: Call, who: FromPath[str]) -> Response[Any]:
    """Forget a person for good, once the word was typed."""
    form = await read_form(request)
    staff, whom = staff_of(request), _handles(who, form.line("also"))

    async def work(tx: Transaction) -> None:
        if form.line("word").casefold() not in _words():
            raise ValidationFailed.at("word", _NOT_TYPED)
        await requests.forget(tx, whom, staff.actor)

    try:
        await database_of(request).run(staff.business_id, work)
    except UserError as error:
        return await show(request, who, error, form.as_typed())
    return go(_SHOWN, done="erased")


handlers: list[HTTPRouteHandler] = [admin_customer_consent, admin_customer_export, admin_customer_erase]


def _words() -> set[str]:
    """Return the word that confirms, in every language: somebody may have changed theirs meanwhile."""
    return {translations(language).gettext(WORD) for language in LANGUAGES}


def _whom(who: str) -> Known:
    known = known_in(who)
    if known is None:
        raise NotFound
    return known


def _handles(who: str, also: str) -> Handles:
    """Return how a person is found: as they were asked for, and by another way that was ticked."""
    first, second = _whom(who), known_in(also)
    if second is None:
        return first.handles
    if second.kind == first.kind:
        raise ValidationFailed.at("also", "is of the same kind")
    return Handles(email=first.handles.email or second.handles.email, phone=first.handles.phone or second.handles.phone)
