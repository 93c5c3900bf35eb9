"""What is one's own: the password, the browsers in which one is signed in, the language."""

from typing import Any

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import PROBLEMS, Call, Form, database_of, go, page_in, read_form, render, words
from holdfast.admin.users import ROLES
from holdfast.identity import logins, users
from holdfast.identity.calls import entrance_of
from holdfast.identity.errors import UnknownLogin, WrongCredentials
from holdfast.identity.guards import SignedIn, staff_of
from holdfast.identity.passwords import MAX_LENGTH
from holdfast.kernel.errors import TooManyRequests, UserError, ValidationFailed
from holdfast.kernel.http import count_refusal
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_

PATH = "/admin/account"
PASSWORD_RULE = N_(
    "At least 12 characters, four of them different. A few words that you remember are better than symbols."
)
TOO_PLAIN = N_("This is too short, or too much of one sign.")
TWICE = N_("The two are not the same.")
_DONE = {
    "password": N_("Your password is changed. You are signed out everywhere but here."),
    "ended": N_("That browser is signed out."),
}
# What a browser calls itself, from the most telling on.
_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("YaBrowser/", "Yandex Browser"), ("Firefox/", "Firefox"))
_MORE_BROWSERS = (("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "macOS"))
_MORE_SYSTEMS = (("CrOS", "ChromeOS"), ("Linux", "Linux"))


@get(PATH, guards=[SignedIn()], exception_handlers=PROBLEMS)
async def admin_account(request: Call) -> Response[Any]:
    """Show who one is, and where one is signed in."""
    return await _page(request)


@post(f"{PATH}/password", status_code=200, guards=[SignedIn()], exception_handlers=PROBLEMS)
async def admin_account_password(request: Call) -> Response[Any]:
    """Change one's own password; every other login ends."""
    form, entrance = await read_form(request), entrance_of(request)
    current, chosen = typed_password(form, "current"), typed_password(form, "chosen")
    try:
        if chosen != typed_password(form, "again"):
            raise ValidationFailed.at("again", TWICE)
        client = entrance.cookies.client_of(request)
        # As long as a password can be: more is none, and costs nothing.
        await entrance.change_password(staff_of(request), current[:MAX_LENGTH], chosen, client=client)
    except (WrongCredentials, ValidationFailed, TooManyRequests) as refused:
        count_refusal(refused.code)
        return await _page(request, refused)
    return go(PATH, done="password")


@post(f"{PATH}/logins/{{login_id:str}}/end", status_code=200, guards=[SignedIn()], exception_handlers=PROBLEMS)
async def admin_account_end_login(request: Call, login_id: FromPath[str]) -> Response[Any]:
    """Sign oneself out of one browser."""
    staff, wanted = staff_of(request), uuid_or_none(login_id)
    assert staff.user_id is not None, "users sign in"
    if wanted is None:
        raise UnknownLogin
    async with database_of(request).transaction(staff.business_id) as tx:
        await page_in(tx, request)
        await logins.end(tx, staff.user_id, wanted, actor=staff.actor)
    return go(PATH, done="ended")


handlers: list[HTTPRouteHandler] = [admin_account, admin_account_password, admin_account_end_login]


def typed_password(form: Form, name: str) -> str:
    """Return a password as it was typed: a blank or a sign that cannot be seen may be part of it."""
    return form.fields.get(name, [""])[-1]


def browser_named(device: str | None) -> str | None:
    """Return a browser as people call it; None for one that nobody has heard of."""
    told = device or ""
    browser = next((name for sign, name in (*_BROWSERS, *_MORE_BROWSERS) if sign in told), None)
    system = next((name for sign, name in (*_SYSTEMS, *_MORE_SYSTEMS) if sign in told), None)
    return " · ".join(name for name in (browser, system) if name) or None


async def _page(request: Call, refused: UserError | None = None) -> Response[Any]:
    staff = staff_of(request)
    assert staff.user_id is not None, "users sign in"
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        user = await users.find(tx, staff.user_id)
        found = await logins.logins_of(tx, staff.user_id, entrance_of(request).terms)
    wrong: dict[str, str] = {}
    if isinstance(refused, WrongCredentials):
        wrong = {"current": page.text(N_("This is not your current password."))}
    elif isinstance(refused, ValidationFailed):
        wrong = {"again": page.text(TWICE)} if "again" in str(refused) else {"chosen": page.text(TOO_PLAIN)}
    return render(
        page,
        "account.html",
        # Whoever is signed in is not asked to sign in again.
        200 if refused is None else 400 if wrong else refused.status,
        request=request,
        headers=refused.headers if isinstance(refused, TooManyRequests) else None,
        notices=_DONE,
        user=user,
        roles=ROLES,
        logins=[(login, browser_named(login.device)) for login in found],
        wrong=wrong,
        told=words(page.language, refused) if refused is not None and not wrong else None,
        rule=PASSWORD_RULE,
    )
