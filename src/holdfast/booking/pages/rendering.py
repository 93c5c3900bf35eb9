"""Rendering: one page's language, zone and links; templates of this folder; headers that keep the page to itself."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from babel.dates import format_date, format_time
from babel.numbers import format_currency
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

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'",
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

    def problem(self, error: UserError) -> str:
        """Return an error in the language of the page."""
        texts = TEXTS[self.language]
        return texts.get(error.code) or (error.message if self.language == "en" else texts["problem"])

    def price(self, price_minor: int) -> str:
        """Return an amount in the currency of the business."""
        if self.business is None or price_minor == 0:
            return self.text("free")
        currency = self.business.currency
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
    return Page(business, language, zone, choices)


def render(page: Page, template: str, status: int = 200, **values: Any) -> Response[str]:
    """Return a template as a page."""
    other = next(x for x in TEXTS if x != page.language)
    text = _templates.get_template(template).render(page=page, t=page.text, other_language=other, **values)
    return Response(text, status_code=status, media_type="text/html", headers=_HEADERS)
