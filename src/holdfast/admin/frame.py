"""The frame of every page of staff: who is signed in, the way around, notices, and what becomes of an error."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
import psycopg
import structlog
from litestar import Request, Response
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.response import Redirect
from markupsafe import Markup

from holdfast.availability.wording import Wording
from holdfast.identity import businesses, users
from holdfast.identity.businesses import Business
from holdfast.identity.calls import entrance_of
from holdfast.identity.guards import READS, staff_of
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel import pages
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import AuthenticationRequired, BodyTooLarge, NotFound, TryLater, UserError, ValidationFailed
from holdfast.kernel.http import count_refusal, decode, decode_fields, path_of, query_of, render_error
from holdfast.kernel.languages import LANGUAGES, N_, chosen, translations

log = structlog.get_logger(__name__)

Call = Request[Any, Any, Any]
T = TypeVar("T")

# As much as a page of text in letters of four bytes each, written as a form is.
MAX_FORM_BYTES = 1_000_000
SIGN_IN = "/admin/login"
_CSRF_FIELD = Markup('<input type="hidden" name="csrf_token" value="{}">')
_LANGUAGE_COOKIE = "holdfast-language"
_LANGUAGE_SECONDS = 365 * 86_400

_FAILED = N_("Something went wrong on our side. Look whether it took effect before you try again.")
_CHECK_THIS = N_("Please check what stands here.")
GROUPS = {
    "day": N_("Day to day"),
    "offer": N_("What can be booked"),
    "public": N_("Publications"),
    "business": N_("The practice"),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A place in the menu, for those who have the permission; `group` is one of GROUPS, a lower `order` comes first."""

    path: str
    label: str
    group: str
    permission: Permission | None
    order: int = 50


class Form:
    """An HTML form that was sent: its fields as they were typed."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self.fields = fields

    def line(self, name: str) -> str:
        """Return a field as one line, without what cannot be seen; empty if it is missing."""
        values = self.fields.get(name) or [""]
        return "".join(c for c in values[-1] if c.isprintable()).strip()

    def lines(self, name: str) -> list[str]:
        """Return all fields of a name, each as one line."""
        return ["".join(c for c in value if c.isprintable()).strip() for value in self.fields.get(name, ())]

    def text(self, name: str) -> str:
        """Return a field with its line breaks; empty if it is missing."""
        values = self.fields.get(name) or [""]
        return "".join(c for c in values[-1] if c.isprintable() or c in "\n\t").strip()

    def ticked(self, name: str) -> bool:
        """Return whether a box is ticked."""
        return bool(self.line(name))

    def as_typed(self) -> dict[str, str]:
        """Return what was typed, to be shown again: the last field of each name."""
        return {name: values[-1] for name, values in self.fields.items()}


@dataclass(frozen=True, slots=True)
class AdminPage:
    """A page for somebody who is signed in, in their language and the zone of the business."""

    staff: Staff
    user_name: str
    business: Business
    wording: Wording
    csrf: str
    path: str
    query: str
    # Of htmx, which wants a part of the page only.
    is_part: bool
    # Whether the address was read, and not a form sent to it, which may be all that the address is for.
    is_read: bool = True

    def place_of(self, entries: Sequence[Entry]) -> str:
        """Return the path of the entry of the menu that the page is, or lies below: the nearest of them."""
        here = f"{self.path.rstrip('/')}/"
        above = [entry.path for entry in entries if here.startswith(f"{entry.path.rstrip('/')}/")]
        return max(above, key=len, default="")

    @property
    def language(self) -> str:
        """Return the language of the page."""
        return self.wording.language

    def may(self, permission: Permission | None) -> bool:
        """Return whether whoever sees the page has a permission."""
        return permission is None or self.staff.may(permission)

    def text(self, message: str, **values: Any) -> str:
        """Return a text of the interface, marked by N_, with its placeholders %(name)s filled."""
        return translations(self.language).gettext(message) % values

    def in_language(self, language: str) -> str:
        """Return the address of this page in another language."""
        kept = [(name, value) for name, value in parse_qsl(self.query) if name not in {"lang", "done"}]
        return f"{self.path if self.is_read else '/admin'}?{urlencode([*kept, ('lang', language)])}"


async def open_page(request: Call) -> AdminPage:
    """Return the page of whoever is signed in; a guard has let them pass."""
    staff = staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        return await page_in(tx, request)


async def page_in(tx: Transaction, request: Call) -> AdminPage:
    """Return the page of whoever is signed in, read in a transaction that is open already."""
    staff = staff_of(request)
    business = await businesses.find(tx, str(staff.business_id))
    assert business is not None, "businesses stay"
    name = "" if staff.user_id is None else (await users.find(tx, staff.user_id)).name
    token = entrance_of(request).cookies.token_in(request)
    page = AdminPage(
        staff=staff,
        user_name=name,
        business=business,
        wording=Wording(language_of(request, business.locale), business.timezone, business.currency),
        csrf="" if token is None else token.csrf,
        path=path_of(request),
        query=query_of(request),
        is_part="HX-Request" in request.headers,
        is_read=request.method in READS,
    )
    request.state.admin_page = page
    return page


def language_of(request: Call, fallback: str = "en") -> str:
    """Return the language of a page of staff: as just chosen, as chosen before, or as the browser says."""
    wishes = (request.query_params.get("lang"), request.cookies.get(_LANGUAGE_COOKIE))
    return chosen(*wishes, accepted=request.headers.get("Accept-Language"), fallback=fallback)


def database_of(request: Call) -> Database:
    """Return the database."""
    return request.app.state.database  # type: ignore[no-any-return]


async def read_form(request: Call) -> Form:
    """Return the form that was sent; raises ValidationFailed for what is none."""
    return Form(decode_fields(await request.body()))


def render(
    page: AdminPage,
    template: str,
    status: int = 200,
    *,
    request: Call,
    notices: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    policy: str | None = None,
    **values: Any,
) -> Response[str]:
    """Return a template of this package as a page.

    `notices` are the texts (marked by N_) that `?done=...` may ask for: what has just been done. `policy` is what the
    page may load, if not only what is ours. Where htmx asks for a part, a template may leave out the frame by
    `page.is_part`.
    """
    done = (notices or {}).get(request.query_params.get("done", ""))
    text = pages.html(
        "holdfast.admin",
        "templates",
        page.language,
        template,
        page=page,
        w=page.wording,
        menu=_menu(request, page),
        place=page.place_of(request.app.state.admin_entries),
        notice=None if done is None else page.text(done),
        csrf=lambda: _CSRF_FIELD.format(page.csrf),
        **values,
    )
    return pages.page_response(text, status, policy=policy, headers={**language_kept(request), **(headers or {})})


def go(path: str, done: str | None = None, **query: Any) -> Response[Any]:
    """Lead on after a form, with a notice about what was done; whatever is None is left out of the address."""
    asked = {name: str(value) for name, value in {**query, "done": done}.items() if value is not None}
    return Redirect(path + (f"?{urlencode(asked)}" if asked else ""), status_code=303)


def words(language: str, error: UserError) -> str:
    """Return an error as whoever sees the page should read it."""
    told = translations(language).gettext(error.message)
    if language == "en" or told != error.message:
        return told
    return translations(language).gettext(type(error).message)


def wrong_fields(language: str, error: ValidationFailed) -> dict[str, str]:
    """Return what is wrong with each field that an error names, in words."""
    say = translations(language).gettext
    found = error.details.get("errors") or []
    told = {one["field"]: say(one["message"]) for one in found}
    if language == "en":
        return told
    # What a decoder says of a member is English, and meant for whoever calls the API.
    plain = {one["field"]: one["message"] for one in found}
    return {name: say(_CHECK_THIS) if text == plain[name] else text for name, text in told.items()}


def show_problem(request: Call, error: Exception) -> Response[Any]:
    """Show an error as a page in words, or as a notice where htmx asks; whoever is not signed in is led to sign in."""
    if isinstance(error, AuthenticationRequired):
        return _to_sign_in(request)
    if isinstance(error, psycopg.OperationalError):
        log.warning("database_unavailable", error=type(error).__name__)
        error = TryLater()
    if isinstance(error, RequestEntityTooLarge):
        error = BodyTooLarge()
    assert isinstance(error, UserError), "nothing else is shown here"
    count_refusal(error.code)
    page: AdminPage | None = request.state.get("admin_page")
    language = language_of(request) if page is None else page.language
    values = {
        "error": error,
        "told": words(language, error),
        "fields": wrong_fields(language, error) if isinstance(error, ValidationFailed) else {},
        "page": page,
    }
    if "HX-Request" in request.headers:
        text = pages.html("holdfast.admin", "templates", language, "frame_slip.html", **values)
        retarget = {"HX-Retarget": "#slips", "HX-Reswap": "innerHTML"}
        return pages.page_response(text, error.status, headers=error.headers | retarget)
    text = pages.html("holdfast.admin", "templates", language, "frame_problem.html", **values)
    return pages.page_response(text, error.status, headers=error.headers)


def show_failure(request: Call, error: Exception) -> Response[Any]:
    """Show what nobody foresaw as a page that leads on; the log has it, and nothing of it is shown."""
    answer = render_error(request, error)
    if answer.status_code != HTTPStatus.INTERNAL_SERVER_ERROR:
        return answer
    language = language_of(request)
    values = {"told": translations(language).gettext(_FAILED), "fields": {}}
    template = "frame_slip.html" if "HX-Request" in request.headers else "frame_problem.html"
    text = pages.html("holdfast.admin", "templates", language, template, **values)
    return pages.page_response(text, HTTPStatus.INTERNAL_SERVER_ERROR)


def show_no_page(request: Call, error: Exception) -> Response[Any]:
    """Show that there is no page of staff at an address; below others there are no pages, so a problem is told."""
    if not f"{path_of(request)}/".startswith("/admin/"):
        return render_error(request, error)
    return show_problem(request, NotFound())


PROBLEMS: Any = {
    **dict.fromkeys((UserError, psycopg.OperationalError, RequestEntityTooLarge), show_problem),
    Exception: show_failure,
}


def local_path(text: str | None, otherwise: str) -> str:
    """Return an address of these pages as it is, else another one: no link of somebody else leads away from here."""
    if text is None or not text.startswith("/admin") or "\\" in text or not text.isprintable() or text[6:7] not in "/?":
        return otherwise
    return text


def _to_sign_in(request: Call) -> Response[Any]:
    wanted = path_of(request) + (f"?{query}" if (query := query_of(request)) else "")
    path = SIGN_IN if request.method != "GET" else f"{SIGN_IN}?next={quote(wanted, safe='')}"
    if "HX-Request" in request.headers:
        return Response(None, status_code=401, headers={"HX-Redirect": SIGN_IN})
    return Redirect(path, status_code=303)


def _menu(request: Call, page: AdminPage) -> list[tuple[str, list[Entry]]]:
    entries: Sequence[Entry] = request.app.state.admin_entries
    shown = [
        (label, sorted((e for e in entries if e.group == group and page.may(e.permission)), key=lambda e: e.order))
        for group, label in GROUPS.items()
    ]
    return [(label, found) for label, found in shown if found]


def language_kept(request: Call) -> dict[str, str]:
    """Return the header by which a browser remembers the language that was just chosen, if one was."""
    language = request.query_params.get("lang")
    if language not in LANGUAGES:
        return {}
    secure = "; Secure" if entrance_of(request).cookies.is_https(request) else ""
    attributes = f"Path=/admin; Max-Age={_LANGUAGE_SECONDS}; SameSite=Lax; HttpOnly{secure}"
    return {"Set-Cookie": f"{_LANGUAGE_COOKIE}={language}; {attributes}"}


def checked(shape: type[T], members: Mapping[str, Any]) -> T:
    """Return what was typed as the struct of an edge; a member that is empty counts as absent.

    Raises ValidationFailed, which names the member.
    """
    return decode(shape, msgspec.json.encode({name: None if value == "" else value for name, value in members.items()}))
