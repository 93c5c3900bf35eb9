"""Dates, times and amounts in words: in a language, in a zone, for a currency (U-4, A-5)."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal

from babel.core import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_currency, format_decimal, format_percent
from babel.units import format_unit

from holdfast.availability.walltime import local_text
from holdfast.catalog.prices import text_of
from holdfast.kernel.languages import LOCALES, translations


@dataclass(frozen=True, slots=True)
class Wording:
    """How things are said to somebody: `zone` is where they read a clock, `currency` what is meant if none is named."""

    language: str
    zone: str
    currency: str | None = None

    @property
    def locale(self) -> str:
        """Return by which name Babel knows the language."""
        return LOCALES[self.language]

    def text(self, message: str) -> str:
        """Return a text of the interface, without placeholders, in the language."""
        return translations(self.language).gettext(message)

    def local(self, at: int | datetime) -> datetime:
        """Return an instant, as such or in epoch seconds, in the zone."""
        seconds = at if isinstance(at, int) else int(at.timestamp())
        return datetime.fromisoformat(local_text(seconds, self.zone))

    def day(self, day: date) -> str:
        """Return a date in words, with its year when it is not this one: Saturday, 21 November."""
        year = "" if day.year == datetime.now(UTC).year else " y"
        return format_date(day, f"EEEE, d MMMM{year}", locale=self.locale)

    def short_day(self, day: date) -> str:
        """Return a date in few letters: Sat, 21 Nov."""
        return format_date(day, "EEE, d MMM", locale=self.locale)

    def full_day(self, day: date) -> str:
        """Return a date with its year: 21 Nov 2026."""
        return format_date(day, "d MMM y", locale=self.locale)

    def month(self, day: date) -> str:
        """Return the month of a date, with its year, by itself: November 2026."""
        return format_date(day, "LLLL y", locale=self.locale)

    def weekday(self, number: int, *, short: bool = False) -> str:
        """Return the name of a day of the week, 0 for Monday."""
        width = "abbreviated" if short else "wide"
        return str(Locale.parse(self.locale).days["stand-alone"][width][number])

    def time(self, at: datetime | time) -> str:
        """Return the time of day of a local time."""
        plain = at.replace(tzinfo=None)
        return format_time(plain, "HH:mm", locale=self.locale)

    def moment(self, at: int | datetime) -> str:
        """Return an instant as date and time in the zone: Saturday, 21 November, 15:00."""
        local = self.local(at)
        return f"{self.day(local.date())}, {self.time(local)}"

    def short_moment(self, at: int | datetime) -> str:
        """Return an instant in few letters, for tables: 21 Nov 2026, 15:00."""
        local = self.local(at)
        return f"{self.full_day(local.date())}, {self.time(local)}"

    def number(self, number: int) -> str:
        """Return a whole number with its thousands apart."""
        return format_decimal(number, locale=self.locale)

    def percent(self, percent: int) -> str:
        """Return so many percent in words."""
        return format_percent(Decimal(percent) / 100, locale=self.locale)

    def hours(self, hours: int) -> str:
        """Return so many hours, or days where they are whole ones, in words."""
        days, rest = divmod(hours, 24)
        unit, count = ("duration-hour", hours) if rest or days < 3 else ("duration-day", days)
        return str(format_unit(count, unit, locale=self.locale))

    def minutes(self, minutes: int) -> str:
        """Return so many minutes in words."""
        return str(format_unit(minutes, "duration-minute", locale=self.locale))

    def price(self, price_minor: int, currency: str | None = None) -> str:
        """Return an amount, in the wording's currency if none is named; 0 is an amount as well."""
        currency = currency or self.currency
        assert currency is not None, "an amount is in a currency"
        # To the unit: by custom some currencies are shown without the decimals that are charged all the same.
        amount = (
            Decimal(text_of(price_minor, currency)) if price_minor >= 0 else -Decimal(text_of(-price_minor, currency))
        )
        text = format_currency(amount, currency, locale=self.locale, decimal_quantization=False)
        # A sign stands at its number, letters do not.
        return re.sub(r"(?<=[^\W\d_])(?=\d)", "\u00a0", text)
