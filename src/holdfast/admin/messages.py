"""What the practice writes to clients: each message in its languages, previewed, tried out, in versions (W-2)."""

from collections.abc import Mapping
from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import (
    MAX_FORM_BYTES,
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    Form,
    checked,
    database_of,
    go,
    page_in,
    read_form,
    render,
)
from holdfast.admin.messages_html import as_shown
from holdfast.admin.writing import Slip, raw, slip_of, typed_in
from holdfast.administration import templates
from holdfast.administration.errors import UnknownTemplate
from holdfast.administration.templates import MESSAGES, Channel, Locale, Name, Template, Text
from holdfast.administration.templates_web import TextBody
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import number_in
from holdfast.notifications.on_request import Trial, send_test

_PATH = "/admin/messages"
_ONE = f"{_PATH}/{{kind:str}}/{{locale:str}}/{{channel:str}}"
_MAX_VERSION = 999_999_999
# The last of them that can be looked at from the page.
_VERSIONS = 20
ENTRY = Entry(_PATH, N_("Messages"), "business", Permission.WRITE_TEMPLATES, 40)
_GUARDS = [Needs(Permission.WRITE_TEMPLATES)]

KINDS = {
    "appointment_confirmed": N_("Appointment confirmed"),
    "appointment_changed": N_("Appointment moved"),
    "appointment_cancelled": N_("Appointment cancelled"),
    "appointment_reminder": N_("Reminder before an appointment"),
    "series_confirmed": N_("Several appointments confirmed"),
    "series_cancelled": N_("Several appointments cancelled"),
    "waitlist_offer": N_("A free time for somebody who waits"),
    "user_invitation": N_("Invitation of a colleague"),
}
CHANNELS = {
    Channel.EMAIL: N_("Mail, as text"),
    Channel.EMAIL_HTML: N_("Mail, as HTML"),
    Channel.SMS: N_("Text message (SMS)"),
}
_PLACEHOLDERS = {
    "business_name": N_("What the practice is called"),
    "guest_name": N_("What the client is called"),
    "service_name": N_("What was booked"),
    "practitioner_name": N_("To whom the client comes"),
    "start": N_("Date and time at which it begins"),
    "former_start": N_("Date and time before it was moved"),
    "end": N_("Time at which it ends"),
    "timezone": N_("The time zone of these times"),
    "places": N_("For how many, where it is more than one"),
    "price": N_("What it costs, where it costs something"),
    "refund": N_("What becomes of what was paid"),
    "manage_link": N_("Where the client sees, moves or cancels it"),
    "booking_link": N_("Where somebody books"),
    "appointments": N_("All appointments, one on each line"),
    "offer_link": N_("Where the free time is taken"),
    "offer_ends": N_("Until when it is kept free"),
    "user_name": N_("What the colleague is called"),
    "invitation_link": N_("Where the colleague chooses a password"),
    "invitation_ends": N_("Until when the invitation holds"),
}
_NOTICES = {
    "written": N_("It is kept, and in use from now on."),
    "reset": N_("The usual text is in use again; yours is kept among the versions."),
    "tested": N_("A test is on its way to your own address."),
}


@get(_PATH, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_messages(request: Call) -> Response[Any]:
    """Show which messages there are, and of which the practice has texts of its own."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        own = {(each.kind, each.locale, each.channel): each for each in await templates.in_use(tx)}
    return render(
        page,
        "messages.html",
        request=request,
        messages=list(MESSAGES),
        own=own,
        kinds=KINDS,
        channels=CHANNELS,
        locales=list(Locale),
    )


@get(_ONE, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_message(
    request: Call, kind: FromPath[str], locale: FromPath[str], channel: FromPath[str]
) -> Response[Any]:
    """Show a text in the editor: the one in use, or an earlier version of it."""
    return await _editor(request, templates.named(kind, locale, channel))


@post(_ONE, status_code=200, guards=_GUARDS, exception_handlers=PROBLEMS, request_max_body_size=MAX_FORM_BYTES)
async def admin_message_write(
    request: Call, kind: FromPath[str], locale: FromPath[str], channel: FromPath[str]
) -> Response[Any]:
    """Write the next version, which is in use at once."""
    form, staff, name = await read_form(request), staff_of(request), templates.named(kind, locale, channel)

    async def work(tx: Transaction) -> Template:
        seen = number_in(form.line("version"), "version", 0, 0, _MAX_VERSION)
        return await templates.write(tx, name, _text(name, form), expected_version=seen, staff=staff)

    try:
        await database_of(request).run(staff.business_id, work)
    except UserError as refused:
        return await _editor(request, name, form, refused)
    return go(_address(name), done="written")


@post(
    f"{_ONE}/preview",
    status_code=200,
    guards=_GUARDS,
    exception_handlers=PROBLEMS,
    request_max_body_size=MAX_FORM_BYTES,
)
async def admin_message_preview(
    request: Call, kind: FromPath[str], locale: FromPath[str], channel: FromPath[str]
) -> Response[Any]:
    """Show what is typed as a client would see it; nothing is kept."""
    form, name = await read_form(request), templates.named(kind, locale, channel)
    return await _editor(request, name, form)


@post(
    f"{_ONE}/test", status_code=200, guards=_GUARDS, exception_handlers=PROBLEMS, request_max_body_size=MAX_FORM_BYTES
)
async def admin_message_test(
    request: Call, kind: FromPath[str], locale: FromPath[str], channel: FromPath[str]
) -> Response[Any]:
    """Send what is typed, with examples, to whoever is signed in; nothing is kept of the text."""
    form, staff, name = await read_form(request), staff_of(request), templates.named(kind, locale, channel)

    async def work(tx: Transaction) -> Trial:
        page = await page_in(tx, request)
        return await send_test(tx, staff, name, _text(name, form), page.language, request.app.state.mail)

    try:
        await database_of(request).run(staff.business_id, work)
    except UserError as refused:
        return await _editor(request, name, form, refused)
    return await _editor(request, name, form, done="tested")


@post(f"{_ONE}/reset", status_code=200, guards=_GUARDS, exception_handlers=PROBLEMS)
async def admin_message_reset(
    request: Call, kind: FromPath[str], locale: FromPath[str], channel: FromPath[str]
) -> Response[Any]:
    """Let the usual text be the next version."""
    form, staff, name = await read_form(request), staff_of(request), templates.named(kind, locale, channel)

    async def work(tx: Transaction) -> Template:
        seen = number_in(form.line("version"), "version", 0, 0, _MAX_VERSION)
        return await templates.write(tx, name, templates.usual(name), expected_version=seen, staff=staff)

    try:
        await database_of(request).run(staff.business_id, work)
    except UnknownTemplate:
        raise
    except UserError as refused:
        return await _editor(request, name, None, refused)
    return go(_address(name), done="reset")


handlers: list[HTTPRouteHandler] = [
    admin_messages,
    admin_message,
    admin_message_write,
    admin_message_preview,
    admin_message_test,
    admin_message_reset,
]


def _text(name: Name, form: Form) -> Text:
    """Return what was typed; raises ValidationFailed."""
    body = checked(TextBody, {"subject": _subject(name, form), "body": raw(form, "body")})
    return Text(body.subject, body.body)


def _subject(name: Name, form: Form) -> str | None:
    return raw(form, "subject") if name.channel.has_subject else None


async def _editor(
    request: Call, name: Name, form: Form | None = None, refused: UserError | None = None, done: str | None = None
) -> Response[Any]:
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        own = await _own(tx, name, None)
        asked = number_in(request.query_params.get("version"), "version", 0, 1, _MAX_VERSION)
        looked_at = await templates.find(tx, name, asked) if asked else own
    usual = _usual(name)
    kept = looked_at.text if looked_at else usual
    typed: Mapping[str, str] = typed_in(form) if form else {"subject": kept.subject or "", "body": kept.body}
    slip = None if refused is None else slip_of(page, refused, form)
    shown, problem = _previewed(page, name, typed, form)
    return render(
        page,
        "messages_preview.html" if page.is_part else "messages_one.html",
        200 if slip is None else slip.status,
        request=request,
        notices=_NOTICES,
        done=None if done is None else page.text(_NOTICES[done]),
        name=name,
        address=_address(name),
        own=own,
        looked_at=looked_at,
        usual=usual,
        has_usual=usual.body != "",
        is_usual=own is None or own.text == usual,
        is_writable=templates.may_write(page.staff, name.kind),
        typed=typed,
        slip=slip,
        shown=shown,
        problem=problem,
        as_html=as_shown(shown.body) if shown and name.channel is Channel.EMAIL_HTML else None,
        placeholders={each: (_PLACEHOLDERS.get(each), example) for each, example in MESSAGES[name.kind].items()},
        versions=range(own.version, max(0, own.version - _VERSIONS), -1) if own else [],
        kinds=KINDS,
        channels=CHANNELS,
        locales=list(Locale),
    )


def _previewed(
    page: AdminPage, name: Name, typed: Mapping[str, str], form: Form | None
) -> tuple[Text | None, Slip | None]:
    """Return a text as a client would see it, or why nobody would."""
    try:
        if form is not None:
            return templates.preview(name, _text(name, form)), None
        return templates.preview(
            name, Text(typed["subject"] if name.channel.has_subject else None, typed["body"])
        ), None
    except UserError as wrong:
        return None, slip_of(page, wrong, form)


async def _own(tx: Transaction, name: Name, version: int | None) -> Template | None:
    try:
        return await templates.find(tx, name, version)
    except UnknownTemplate:
        return None


def _usual(name: Name) -> Text:
    """Return what is usual; nothing on a channel by which nothing is sent."""
    try:
        return templates.usual(name)
    except UnknownTemplate:
        return Text("" if name.channel.has_subject else None, "")


def _address(name: Name) -> str:
    return f"{_PATH}/{name.kind}/{name.locale}/{name.channel}"
