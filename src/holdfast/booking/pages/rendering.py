"""Rendering: one page's language, zone and links; templates of this folder; headers that keep the page to itself."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_percent
from babel.units import format_unit
from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response

from holdfast.availability.walltime import UnknownTimeZone, check_zone, local_text
from holdfast.booking.pages.texts import TEXTS
from holdfast.catalog.prices import text_of
from holdfast.identity.businesses import Business
from holdfast.kernel.errors import UserError

_templates = Environment(
    loader=PackageLoader("holdfast.booking", "pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

# English with a clock of 24 hours, which nobody misreads.
_LOCALES = {"en": "en_GB", "ru": "ru"}

_OWN = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
)
# Of the page with the form of Stripe, as Stripe asks for it.
PAYING = (
    f"{_OWN}; script-src 'self' https://js.stripe.com https://*.js.stripe.com; connect-src https://api.stripe.com;"
    " frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com"
)

_HEADERS = {
    "Content-Security-Policy": _OWN,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Page:
    """Whose page it is, and in which language and zone it speaks."""

    business: Business | None
    language: str
    zone: str
    choices: dict[str, str]
    is_https: bool = True

    def text(self, name: str, **values: Any) -> str:
        """Return a text of the interface."""
        return TEXTS[self.language][name].format(**values)

    def link(self, path: str, **query: Any) -> str:
        """Return a link inside this business that keeps the chosen language and zone."""
        start = "" if self.business is None else f"/{self.business.slug}"
        kept = {**self.choices, **{k: str(v) for k, v in query.items() if v is not None}}
        return f"{start}{path}" + (f"?{urlencode(kept)}" if kept else "")

    def local(self, at: int | datetime) -> datetime:
        """Return an instant in the zone of the page."""
        seconds = at if isinstance(at, int) else int(at.timestamp())
        return datetime.fromisoformat(local_text(seconds, self.zone))

    def day(self, day: date) -> str:
        """Return a date in words, with its year when it is not this one."""
        year = "" if day.year == datetime.now(UTC).year else " y"
        return format_date(day, f"EEEE, d MMMM{year}", locale=_LOCALES[self.language])

    def time(self, at: datetime) -> str:
        """Return the time of day of a local time."""
        return format_time(at.replace(tzinfo=None), "short", locale=_LOCALES[self.language])

    @property
    def leading_on(self) -> str:
        """Return what a page may load and lead to whose form leads on to a payment provider, wherever that is.

        By http only from a page that came so itself, as on the machine of whoever tries it.
        """
        return f"{_OWN} https:" + ("" if self.is_https else " http:")

    def problem(self, error: UserError) -> str:
        """Return an error in the language of the page."""
        texts = TEXTS[self.language]
        return texts.get(error.code) or (error.message if self.language == "en" else texts["problem"])

    def percent(self, percent: int) -> str:
        """Return so many percent in words."""
        return format_percent(Decimal(percent) / 100, locale=_LOCALES[self.language])

    def hours(self, hours: int) -> str:
        """Return so many hours, or days where they are whole ones, in words."""
        days, rest = divmod(hours, 24)
        unit, count = ("duration-hour", hours) if rest or days < 3 else ("duration-day", days)
        return str(format_unit(count, unit, locale=_LOCALES[self.language]))

    def minutes(self, minutes: int) -> str:
        """Return so many minutes in words."""
        return str(format_unit(minutes, "duration-minute", locale=_LOCALES[self.language]))

    def price(self, price_minor: int, currency: str | None = None) -> str:
        """Return an amount, in the currency of the business if none is named."""
        if self.business is None or price_minor == 0:
            return self.text("free")
        currency = currency or self.business.currency
        # To the unit: by custom some currencies are shown without the decimals that are charged all the same.
        amount = Decimal(text_of(price_minor, currency))
        text = format_currency(amount, currency, locale=_LOCALES[self.language], decimal_quantization=False)
        # A sign stands at its number, letters do not.
        return re.sub(r"(?<=[^\W\d_])(?=\d)", "\u00a0", text)


def page_of(request: Request[Any, Any, Any], business: Business | None) -> Page:
    """Return the page for a request: ?lang and ?tz win, then the browser's language and the zone of the business."""
    choices = {}
    language = request.query_params.get("lang") or ""
    if language in TEXTS:
        choices["lang"] = language
    else:
        wished = (request.headers.get("Accept-Language") or "").lower()
        order = [part.split(";")[0].strip()[:2] for part in wished.split(",")]
        fallback = business.locale[:2] if business is not None else "en"
        language = next((x for x in [*order, fallback] if x in TEXTS), "en")
    zone = business.timezone if business is not None else "UTC"
    asked = request.query_params.get("tz")
    if asked:
        # A zone that does not exist is as good as none.
        with suppress(UnknownTimeZone):
            zone = choices["tz"] = check_zone(asked)
    return Page(business, language, zone, choices, request.app.state.entrance.cookies.is_https(request))


def render(page: Page, template: str, status: int = 200, *, policy: str | None = None, **values: Any) -> Response[str]:
    """Return a template as a page; `policy` is what it may load and lead to, if not only what is ours."""
    other = next(x for x in TEXTS if x != page.language)
    text = _templates.get_template(template).render(page=page, t=page.text, other_language=other, **values)
    headers = _HEADERS if policy is None else {**_HEADERS, "Content-Security-Policy": policy}
    return Response(text, status_code=status, media_type="text/html", headers=headers)
