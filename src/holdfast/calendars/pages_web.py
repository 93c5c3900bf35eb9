"""What a browser sees when its owner comes back from Google: one sentence, in their language."""

from html import escape
from typing import Any

from litestar import Request, Response

from holdfast.kernel.errors import UserError
from holdfast.kernel.http import count_refusal

_TEXTS = {
    "en": {
        "title": "Calendar",
        "connected": "The calendar is connected. You can close this window.",
        "problem": "The calendar was not connected.",
    },
    "ru": {
        "title": "Календарь",
        "connected": "Календарь подключён. Это окно можно закрыть.",
        "problem": "Календарь не подключён.",
        "google_calendar_off": "Календари Google здесь выключены.",
        "google_not_configured": "Этот сервер ещё не настроен для календарей Google.",
        "calendar_authorization_invalid": "Ответ Google не подходит ни к одному начатому подключению, или прошло больше"
        " десяти минут. Подключите календарь ещё раз.",
        "calendar_access_denied": "Доступ к календарю не разрешён. Подключите его ещё раз и разрешите всё, о чём"
        " просят.",
        "calendar_grant_incomplete": "Google не дал постоянного доступа. Уберите доступ этого сервера в настройках"
        " учётной записи и подключите календарь ещё раз.",
        "calendar_unreachable": "Google не отвечает. Попробуйте позже.",
    },
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
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
    return _page(request, "connected", "")


def show_problem(request: Call, error: UserError) -> Response[str]:
    """Return that it has not, and why."""
    count_refusal(error.code)
    texts = _TEXTS[_language(request)]
    why = texts.get(error.code, error.message if texts is _TEXTS["en"] else "")
    answer = _page(request, "problem", why)
    answer.status_code = error.status
    return answer


def _page(request: Call, what: str, why: str) -> Response[str]:
    language = _language(request)
    texts = _TEXTS[language]
    text = (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>{texts["title"]}</title></head>'
        f"<body><main><h1>{texts[what]}</h1>{f'<p>{escape(why)}</p>' if why else ''}</main></body></html>"
    )
    return Response(text, media_type="text/html", headers=_HEADERS)


def _language(request: Call) -> str:
    wished = (request.headers.get("Accept-Language") or "").lower()
    order = [part.split(";")[0].strip()[:2] for part in wished.split(",")]
    return next((language for language in order if language in _TEXTS), "en")
