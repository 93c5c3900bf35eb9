"""Rendering: one page's language, zone and links; templates of this folder; headers that keep the page to itself."""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from litestar import Request, Response

from holdfast.availability.walltime import UnknownTimeZone, check_zone
from holdfast.availability.wording import Wording
from holdfast.availability.zone_names import distance, named
from holdfast.identity.businesses import Business
from holdfast.kernel.errors import UserError
from holdfast.kernel.languages import LANGUAGES, N_, chosen, translations
from holdfast.kernel.pages import CLOSED, html, page_response

# Of the page with the form of Stripe, as Stripe asks for it.
PAYING = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'; script-src 'self' https://js.stripe.com https://*.js.stripe.com;"
    " connect-src https://api.stripe.com;"
    " frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com"
)

# Says that a page is shown within one of somebody else; links on it keep it so.
_EMBED = "embed"

# What an error says to a client, who knows nothing of calls and bodies.
_PROBLEMS = {
    "RESERVATION_NOT_FOUND_OR_EXPIRED": N_("This time is no longer held for you. Please choose one again."),
    "slot_not_offered": N_("This time cannot be booked. Please choose another one."),
    "overloaded": N_("We cannot take bookings at this moment. Nothing was booked; please try again in a minute."),
    "too_many_requests": N_("This is too often. Nothing was booked; please try again in a minute."),
    "outcome_unknown": N_("We do not know yet whether this worked. Send the form again: it takes effect only once."),
    "validation_failed": N_("Something is wrong with this address or form. Nothing was booked; please start again."),
    "authentication_required": N_("This link is not complete. Please open it just as you have got it."),
}
_PROBLEM = N_("Something went wrong. Nothing was booked; please start again.")


@dataclass(frozen=True, slots=True)
class Page:
    """Whose page it is, and in which language and zone it speaks."""

    business: Business | None
    language: str
    zone: str
    choices: dict[str, str]
    is_https: bool = True
    # Who may show the page within theirs: nobody, or our own pages and the sites that the business names.
    framers: str = "'none'"

    @property
    def is_embedded(self) -> bool:
        """Return whether the page is shown within one of somebody else."""
        return _EMBED in self.choices

    @property
    def words(self) -> Wording:
        """Return how dates and amounts are said on it."""
        return Wording(self.language, self.zone, None if self.business is None else self.business.currency)

    def text(self, message: str, **values: Any) -> str:
        """Return a text of the interface, marked by N_, with its placeholders %(name)s filled."""
        return translations(self.language).gettext(message) % values

    def link(self, path: str, **query: Any) -> str:
        """Return a link inside this business that keeps the chosen language and zone."""
        start = "" if self.business is None else f"/{self.business.slug}"
        kept = {**self.choices, **{k: str(v) for k, v in query.items() if v is not None}}
        return f"{start}{path}" + (f"?{urlencode(kept)}" if kept else "")

    def local(self, at: int | datetime) -> datetime:
        """Return an instant in the zone of the page."""
        return self.words.local(at)

    @property
    def city(self) -> str:
        """Return the city by which its zone is known."""
        return named(self.zone, self.language).city

    def at(self, at: int | datetime, zone: str) -> datetime:
        """Return an instant in another zone."""
        return replace(self.words, zone=zone).local(at)

    def distance(self, at: int | datetime, zone: str) -> str:
        """Return how far the clocks of a zone are ahead of UTC at an instant."""
        return distance(self.at(at, zone).utcoffset())

    def day(self, day: date) -> str:
        """Return a date in words, with its year when it is not this one."""
        return self.words.day(day)

    def time(self, at: datetime) -> str:
        """Return the time of day of a local time."""
        return self.words.time(at)

    @property
    def leading_on(self) -> str:
        """Return what a page may load and lead to whose form leads on to a payment provider, wherever that is.

        By http only from a page that came so itself, as on the machine of whoever tries it.
        """
        elsewhere = "https:" if self.is_https else "https: http:"
        return CLOSED.replace("form-action 'self'", f"form-action 'self' {elsewhere}")

    def problem(self, error: UserError) -> str:
        """Return an error in the language of the page."""
        known = _PROBLEMS.get(error.code)
        if known is not None:
            return self.text(known)
        said = translations(self.language).gettext(error.message)
        # What is said of one case only is in no catalogue.
        return said if self.language == "en" or said != error.message else self.text(_PROBLEM)

    def percent(self, percent: int) -> str:
        """Return so many percent in words."""
        return self.words.percent(percent)

    def hours(self, hours: int) -> str:
        """Return so many hours, or days where they are whole ones, in words."""
        return self.words.hours(hours)

    def month(self, day: date) -> str:
        """Return the month of a date, with its year."""
        return self.words.month(day)

    def weekday(self, number: int) -> str:
        """Return the name of a day of the week in few letters, 0 for Monday."""
        return self.words.weekday(number, short=True)

    def minutes(self, minutes: int) -> str:
        """Return so many minutes in words."""
        return self.words.minutes(minutes)

    def price(self, price_minor: int, currency: str | None = None) -> str:
        """Return an amount, in the currency of the business if none is named."""
        if self.business is None or price_minor == 0:
            return self.text(N_("free of charge"))
        return self.words.price(price_minor, currency)


def page_of(request: Request[Any, Any, Any], business: Business | None) -> Page:
    """Return the page for a request: ?lang and ?tz win, then the browser's language and the zone of the business."""
    choices = {}
    wished = request.query_params.get("lang") or ""
    if wished in LANGUAGES:
        choices["lang"] = wished
    fallback = business.locale if business is not None else "en"
    language = chosen(wished, accepted=request.headers.get("Accept-Language"), fallback=fallback)
    zone = business.timezone if business is not None else "UTC"
    if request.query_params.get(_EMBED) == "1":
        choices[_EMBED] = "1"
    asked = request.query_params.get("tz")
    if asked:
        # A zone that does not exist is as good as none.
        with suppress(UnknownTimeZone):
            zone = choices["tz"] = check_zone(asked)
    return Page(business, language, zone, choices, request.app.state.entrance.cookies.is_https(request))


def render(page: Page, template: str, status: int = 200, *, policy: str | None = None, **values: Any) -> Response[str]:
    """Return a template as a page; `policy` is what it may load and lead to, if not only what is ours."""
    other = next(x for x in LANGUAGES if x != page.language)
    if page.is_embedded:
        policy = (policy or CLOSED).replace("frame-ancestors 'none'", f"frame-ancestors {page.framers}")
    text = html("holdfast.booking", "pages", page.language, template, page=page, other_language=other, **values)
    return page_response(text, status, policy=policy)
