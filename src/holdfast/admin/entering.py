"""Coming in by a page: signing in and out, and choosing the password to which an invitation entitles."""

import math
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from holdfast.admin.account import PASSWORD_RULE, TOO_PLAIN, TWICE, typed_password
from holdfast.admin.frame import (
    PROBLEMS,
    SIGN_IN,
    Call,
    checked,
    database_of,
    go,
    language_kept,
    language_of,
    local_path,
    read_form,
    words,
)
from holdfast.identity import logins, passwords
from holdfast.identity.calls import entrance_of
from holdfast.identity.cookies import check_origin
from holdfast.identity.errors import InvitationInvalid
from holdfast.identity.guards import SignedIn, staff_of
from holdfast.identity.login_web import SignInBody
from holdfast.kernel.errors import TooManyRequests, UserError, ValidationFailed
from holdfast.kernel.http import count_refusal
from holdfast.kernel.languages import N_, translations
from holdfast.kernel.pages import html, page_response

_HOME = "/admin"
INVITATION = "/admin/invitation"
_DONE = {
    "out": N_("You have signed out."),
    "chosen": N_("Your password is chosen. Sign in with it."),
}


@get(SIGN_IN, exception_handlers=PROBLEMS)
async def admin_sign_in_page(request: Call) -> Response[Any]:
    """Show the form."""
    typed = {"email": "", "business": request.query_params.get("business") or ""}
    return _form(request, typed, done=request.query_params.get("done"))


@post(SIGN_IN, status_code=200, exception_handlers=PROBLEMS)
async def admin_sign_in(request: Call) -> Response[Any]:
    """Sign in, and lead on to where somebody wanted to go."""
    check_origin(request)
    form = await read_form(request)
    typed = {"email": form.line("email"), "business": form.line("business"), "next": form.line("next")}
    entrance = entrance_of(request)
    try:
        body = checked(SignInBody, {**typed, "password": typed_password(form, "password")})
        business = await request.app.state.tenancy.named(body.business)
        token = await entrance.sign_in(
            business.id,
            body.email,
            body.password,
            client=entrance.cookies.client_of(request),
            device=request.headers.get("User-Agent"),
        )
    except UserError as refused:
        count_refusal(refused.code)
        return _form(request, typed, refused)
    response = go(local_path(typed["next"], _HOME))
    response.headers.update(entrance.cookies.giving(request, token))
    return response


@post("/admin/logout", status_code=200, guards=[SignedIn()], exception_handlers=PROBLEMS)
async def admin_sign_out(request: Call) -> Response[Any]:
    """End the login of this browser."""
    staff = staff_of(request)
    assert staff.user_id is not None, "users sign in"
    assert staff.login_id is not None, "by a login"
    async with database_of(request).transaction(staff.business_id) as tx:
        await logins.end(tx, staff.user_id, staff.login_id, actor=staff.actor)
    response = go(SIGN_IN, done="out")
    response.headers.update(entrance_of(request).cookies.taking_back(request))
    return response


@get(INVITATION, exception_handlers=PROBLEMS)
async def admin_invitation_page(request: Call) -> Response[Any]:
    """Ask whoever was invited for a password."""
    code = request.query_params.get("code", "")
    try:
        await entrance_of(request).check_invitation(code)
    except InvitationInvalid as refused:
        count_refusal(refused.code)
        return _invited(request, None, status=refused.status)
    return _invited(request, code)


@post(INVITATION, status_code=200, exception_handlers=PROBLEMS)
async def admin_invitation(request: Call) -> Response[Any]:
    """Take the password that somebody has chosen, once."""
    check_origin(request)
    form, entrance = await read_form(request), entrance_of(request)
    code, chosen = form.line("code"), typed_password(form, "chosen")
    try:
        business_id = await entrance.check_invitation(code)
        passwords.check(chosen)
        if chosen != typed_password(form, "again"):
            return _invited(request, code, {"again": TWICE})
        await entrance.accept(code, chosen)
    except InvitationInvalid as refused:
        count_refusal(refused.code)
        return _invited(request, None, status=refused.status)
    except ValidationFailed as refused:
        count_refusal(refused.code)
        return _invited(request, code, {"chosen": TOO_PLAIN})
    return go(SIGN_IN, done="chosen", business=business_id)


handlers: list[HTTPRouteHandler] = [
    admin_sign_in_page,
    admin_sign_in,
    admin_sign_out,
    admin_invitation_page,
    admin_invitation,
]


def _form(
    request: Call, typed: dict[str, str], refused: UserError | None = None, done: str | None = None
) -> Response[Any]:
    language = language_of(request)
    wanted = typed.get("next") or request.query_params.get("next") or ""
    asks_business = isinstance(refused, ValidationFailed) and "business" in str(refused)
    text = html(
        "holdfast.admin",
        "templates",
        language,
        "entering.html",
        typed=typed,
        wanted=local_path(wanted, ""),
        asks_business=asks_business,
        slip=None if refused is None else _told(language, refused, asks_business=asks_business),
        done=_DONE.get(done or ""),
        kept_query=_kept(next=local_path(wanted, ""), business=typed["business"]),
    )
    headers = refused.headers if isinstance(refused, TooManyRequests) else {}
    status = 200 if refused is None else refused.status
    return page_response(text, status, headers={**language_kept(request), **headers})


def _told(language: str, refused: UserError, *, asks_business: bool) -> str:
    say = translations(language)
    if isinstance(refused, TooManyRequests):
        minutes = math.ceil(refused.retry_after_seconds / 60)
        return say.ngettext(
            "Too many attempts. Try again in %(num)s minute.",
            "Too many attempts. Try again in %(num)s minutes.",
            minutes,
        ) % {"num": minutes}
    if asks_business:
        return say.gettext(N_("This server has several practices. Say which one is yours."))
    if isinstance(refused, ValidationFailed):
        return say.gettext(N_("Enter your e-mail address and your password."))
    return words(language, refused)


def _invited(request: Call, code: str | None, wrong: dict[str, str] | None = None, status: int = 200) -> Response[Any]:
    language = language_of(request)
    say = translations(language).gettext
    text = html(
        "holdfast.admin",
        "templates",
        language,
        "entering_invited.html",
        code=code,
        wrong={name: say(told) for name, told in (wrong or {}).items()},
        rule=PASSWORD_RULE,
        kept_query=_kept(code=code),
    )
    return page_response(text, 400 if wrong else status, headers=language_kept(request))


def _kept(**query: str | None) -> str:
    """Return what another language of the page is asked for with, besides the language."""
    asked = {name: value for name, value in query.items() if value}
    return f"{urlencode(asked)}&" if asked else ""
