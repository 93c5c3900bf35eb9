"""Where a browser is led that comes back from Google: to the page of the integrations, with what became of it."""

from typing import Any

from litestar import Request, Response
from litestar.response import Redirect

from holdfast.kernel.errors import UserError
from holdfast.kernel.http import count_refusal, render_error

Call = Request[Any, Any, Any]

_INTEGRATIONS = "/admin/settings/integrations"
# The address that Google has led to holds a code: it is passed on to nobody.
_HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}


def wants_page(request: Call) -> bool:
    """Tell whether a browser asks."""
    return "text/html" in (request.headers.get("Accept") or "")


def show_connected() -> Redirect:
    """Lead to the calendars, which are connected."""
    return Redirect(f"{_INTEGRATIONS}?done=connected", status_code=303, headers=_HEADERS)


def show_problem(request: Call, error: UserError) -> Redirect | Response[bytes]:
    """Lead to where a calendar is connected, with why this one is not; tell a program the problem that it is."""
    if not wants_page(request):
        return render_error(request, error)
    count_refusal(error.code)
    return Redirect(f"{_INTEGRATIONS}?problem={error.code}", status_code=303, headers=_HEADERS)
