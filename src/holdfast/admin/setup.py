"""The first setup: a business if there is none, and its first owner, by a link that whoever runs the server has."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler

from holdfast.admin.account import PASSWORD_RULE, TOO_PLAIN, TWICE, typed_password
from holdfast.admin.frame import (
    PROBLEMS,
    SIGN_IN,
    Call,
    Form,
    checked,
    database_of,
    go,
    language_kept,
    language_of,
    read_form,
    words,
)
from holdfast.admin.settings_business import CURRENCIES, LOCALES, typed_of, wrong_in
from holdfast.availability.walltime import zones
from holdfast.identity import passwords
from holdfast.identity.businesses import Business
from holdfast.identity.calls import entrance_of
from holdfast.identity.cookies import check_origin
from holdfast.identity.errors import SetupOver
from holdfast.identity.setup import Setup, Vacancy
from holdfast.identity.users_web import Contact
from holdfast.kernel.errors import TooManyRequests, UserError, ValidationFailed
from holdfast.kernel.http import count_refusal
from holdfast.kernel.languages import N_, translations
from holdfast.kernel.pages import html, page_response

PATH = "/admin/setup"
_BUSINESS = ("name", "slug", "timezone", "currency", "locale")
_OF_LANGUAGE = {"en": ("Europe/London", "EUR"), "ru": ("Europe/Moscow", "RUB")}
_NAME = N_("Enter a name of at most 200 characters.")
_EMAIL = N_("This is no e-mail address.")


@get(PATH, exception_handlers=PROBLEMS)
async def admin_setup_page(request: Call) -> Response[Any]:
    """Ask for what a new server has to know, or say that it knows it already."""
    code, setup = request.query_params.get("code", ""), _setup(request)
    language = language_of(request)
    async with database_of(request).transaction() as tx:
        found = await setup.vacancy(tx)
    if found is None or not code:
        return _page(request, "setup_closed.html", 200, is_done=found is None)
    try:
        found = await _opened(request, code)
    except (SetupOver, TooManyRequests) as refused:
        return _closed(request, refused)
    zone, currency = _OF_LANGUAGE[language]
    typed = {"timezone": zone, "currency": currency, "locale": language}
    return _form(request, found, code, typed)


@post(PATH, status_code=200, exception_handlers=PROBLEMS)
async def admin_setup(request: Call) -> Response[Any]:
    """Make what was asked for, and sign the owner in."""
    check_origin(request)
    form = await read_form(request)
    code = form.line("code")
    try:
        found = await _opened(request, code)
    except (SetupOver, TooManyRequests) as refused:
        return _closed(request, refused)
    typed = {"owner": form.line("owner"), "email": form.line("email")}
    if found.business is None:
        typed |= typed_of(form, *_BUSINESS)
    wrong = _wrong(form, typed)
    if wrong:
        return _form(request, found, code, typed, wrong)
    try:
        business = found.business or await _setup(request).add_business(
            database_of(request), code, **{name: typed[name] for name in _BUSINESS}
        )
        return await _enter(request, code, business, typed, typed_password(form, "chosen"))
    except SetupOver as refused:
        return _closed(request, refused)


handlers: list[HTTPRouteHandler] = [admin_setup_page, admin_setup]


async def _opened(request: Call, code: str) -> Vacancy:
    """Return what a code opens; a wrong one is counted. Raises SetupOver, TooManyRequests."""
    try:
        async with database_of(request).transaction() as tx:
            return await _setup(request).opened(tx, code)
    except SetupOver:
        entrance = entrance_of(request)
        await entrance.count_guess("setup", entrance.cookies.client_of(request))
        raise


async def _enter(
    request: Call, code: str, business: Business, typed: Mapping[str, str], password: str
) -> Response[Any]:
    """Make the owner and sign them in. Raises SetupOver when somebody else was faster."""
    entrance = entrance_of(request)
    kept = await entrance.passwords.hashed(password)
    await _setup(request).add_owner(database_of(request), code, email=typed["email"], name=typed["owner"], kept=kept)
    token = await entrance.sign_in(
        business.id,
        typed["email"],
        password,
        client=entrance.cookies.client_of(request),
        device=request.headers.get("User-Agent"),
    )
    response = go("/admin", done="setup")
    response.headers.update(entrance.cookies.giving(request, token))
    return response


def _wrong(form: Form, typed: Mapping[str, str]) -> dict[str, str]:
    """Return what is wrong with each field, in words that are still to be translated."""
    wrong = wrong_in(typed)
    if "name" in wrong and not form.line("slug"):
        # It would be made from the name.
        wrong.pop("slug", None)
    for field, member, said in (("owner", "name", _NAME), ("email", "email", _EMAIL)):
        contact = {"name": "Owner", "email": "owner@example.org", member: typed[field]}
        try:
            checked(Contact, contact)
        except ValidationFailed:
            wrong[field] = said
    chosen = typed_password(form, "chosen")
    try:
        passwords.check(chosen)
    except ValidationFailed:
        wrong["chosen"] = TOO_PLAIN
    else:
        if chosen != typed_password(form, "again"):
            wrong["again"] = TWICE
    return wrong


def _setup(request: Call) -> Setup:
    return request.app.state.setup  # type: ignore[no-any-return]


def _form(
    request: Call, found: Vacancy, code: str, typed: Mapping[str, str], wrong: Mapping[str, str] | None = None
) -> Response[Any]:
    language = language_of(request)
    say = translations(language).gettext
    if wrong:
        count_refusal(ValidationFailed.code)
    return _page(
        request,
        "setup.html",
        400 if wrong else 200,
        business=found.business,
        code=code,
        kept_query=f"{urlencode({'code': code})}&",
        typed=dict.fromkeys(("name", "slug", "owner", "email"), "") | dict(typed),
        wrong={name: say(told) for name, told in (wrong or {}).items()},
        zones=[(zone, zone) for zone in zones()],
        currencies=CURRENCIES,
        locales=LOCALES,
        rule=PASSWORD_RULE,
    )


def _closed(request: Call, refused: UserError) -> Response[Any]:
    count_refusal(refused.code)
    told = words(language_of(request), refused)
    return _page(request, "setup_closed.html", refused.status, refused.headers, is_done=False, told=told)


def _page(
    request: Call, template: str, status: int, headers: Mapping[str, str] | None = None, **shown: Any
) -> Response[Any]:
    shown.setdefault("told", None)
    text = html("holdfast.admin", "templates", language_of(request), template, sign_in=SIGN_IN, **shown)
    return page_response(text, status, headers={**language_kept(request), **(headers or {})})
