"""What a browser sees when its owner comes back from Google: what became of it, in their language."""

from html import escape
from typing import Any

from litestar import Request, Response

from holdfast.kernel.errors import UserError
from holdfast.kernel.http import count_refusal, render_error

_TEXTS = {
    "en": {
        "title": "Calendar",
        "connected": "The calendar is connected",
        "close": "You can close this window.",
        "problem": "The calendar was not connected",
        "authentication_required": "You are not signed in here any more. Sign in, then connect the calendar again.",
        "forbidden": "Only owners may connect calendars.",
        "google_calendar_off": "Calendars of Google are switched off here.",
        "google_not_configured": "This server is not set up for calendars of Google yet.",
        "calendar_authorization_invalid": "This answer of Google belongs to no connection that you have begun in the"
        " last ten minutes. If you have opened this page again, the calendar may well be connected; otherwise connect"
        " it again.",
        "calendar_access_denied": "Access to the calendar was not granted. Connect it again and allow everything that"
        " is asked for.",
        "calendar_grant_incomplete": "Google has granted no lasting access. Remove this server's access in your"
        " account at Google, then connect the calendar again.",
        "calendar_unreachable": "Google does not answer. Try again later.",
        "calendar_quota_exceeded": "Google asks for patience. Try again in some minutes.",
        "calendar_not_there": "This account has no calendar of its own.",
        "else": "Connect the calendar again. If that does not help, ask whoever runs this server.",
    },
    "ru": {
        "title": "Календарь",
        "connected": "Календарь подключён",
        "close": "Это окно можно закрыть.",
        "problem": "Календарь не подключён",
        "authentication_required": "Вы больше не авторизованы на этом сервере. Войдите и подключите календарь ещё раз.",
        "forbidden": "Подключать календари могут только владельцы.",
        "google_calendar_off": "Календари Google здесь выключены.",
        "google_not_configured": "Этот сервер ещё не настроен для календарей Google.",
        "calendar_authorization_invalid": "Этот ответ Google не относится ни к одному подключению, которое вы начали за"
        " последние десять минут. Если вы открыли эту страницу повторно, календарь, возможно, уже подключён; если нет,"
        " подключите его ещё раз.",
        "calendar_access_denied": "Доступ к календарю не разрешён. Подключите его ещё раз и разрешите всё, о чём"
        " просят.",
        "calendar_grant_incomplete": "Google не дал постоянного доступа. Уберите доступ этого сервера в настройках"
        " учётной записи и подключите календарь ещё раз.",
        "calendar_unreachable": "Google не отвечает. Попробуйте позже.",
        "calendar_quota_exceeded": "Google просит подождать. Попробуйте через несколько минут.",
        "calendar_not_there": "У этой учётной записи нет собственного календаря.",
        "else": "Подключите календарь ещё раз. Если не поможет, обратитесь к тому, кто обслуживает этот сервер.",
    },
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    # The address of this page holds what Google has sent.
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}

Call = Request[Any, Any, Any]


def wants_page(request: Call) -> bool:
    """Tell whether a browser asks."""
    return "text/html" in (request.headers.get("Accept") or "")


def show_connected(request: Call) -> Response[str]:
    """Return that it has worked."""
    return _page(request, "connected", _TEXTS[_language(request)]["close"])


def show_problem(request: Call, error: UserError) -> Response[str] | Response[bytes]:
    """Return that it has not, and why; to a program as the problem that it is."""
    if not wants_page(request):
        return render_error(request, error)
    count_refusal(error.code)
    texts = _TEXTS[_language(request)]
    answer = _page(request, "problem", texts.get(error.code, texts["else"]))
    answer.status_code = error.status
    answer.headers.update(error.headers)
    return answer


def _page(request: Call, what: str, why: str) -> Response[str]:
    language = _language(request)
    texts = _TEXTS[language]
    text = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{texts["title"]}</title>'
        '<link rel="stylesheet" href="/static/booking.css"></head>'
        f"<body><main><h1>{texts[what]}</h1><p>{escape(why)}</p></main></body></html>"
    )
    return Response(text, media_type="text/html", headers=_HEADERS)


def _language(request: Call) -> str:
    wished = (request.headers.get("Accept-Language") or "").lower()
    order = [part.split(";")[0].strip()[:2] for part in wished.split(",")]
    return next((language for language in order if language in _TEXTS), "en")
