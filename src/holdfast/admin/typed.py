"""What is typed into the forms of what can be booked: numbers, lengths of time, money, days and times of day."""

import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from datetime import date, time

from holdfast.admin.frame import AdminPage, Form
from holdfast.catalog.prices import decimals_of, minor_of, text_of
from holdfast.catalog.refund_terms import ALL, MAX_HOURS, Term, sound_terms
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError
from holdfast.kernel.http import count_refusal
from holdfast.kernel.languages import N_
from holdfast.offerings.drafts import BOUNDS, NAME_LENGTH, Bounds
from holdfast.offerings.errors import member_of
from holdfast.offerings.weeks import is_meant

# What a length of time is typed in, in minutes.
UNITS = {"minutes": 1, "hours": 60, "days": 1_440}
UNIT_NAMES = [("minutes", N_("minutes")), ("hours", N_("hours")), ("days", N_("days"))]

_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_TIME = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00", re.ASCII)
_SAMPLE_UNITS = 45


class Typed:
    """The fields of a form as they are meant; what is wrong with one is kept under its name, in words."""

    def __init__(self, page: AdminPage, form: Form) -> None:
        self.form = form
        self.wrong: dict[str, str] = {}
        self._page = page

    def refuse(self, name: str, message: str, **values: object) -> None:
        """Keep what is wrong with a field, unless something is already."""
        self.wrong.setdefault(name, self._page.text(message, **values))

    def name(self, field: str = "name") -> str:
        """Return a name for people to see."""
        text = self.form.line(field)
        if not text:
            self.refuse(field, N_("Give it a name."))
        elif len(text) > NAME_LENGTH:
            self.refuse(field, N_("At most %(most)s characters."), most=NAME_LENGTH)
        return text

    def whole(self, field: str, bounds: Bounds | None = None) -> int:
        """Return a whole number that has to be there."""
        found = self.whole_or_none(field, bounds)
        if found is None:
            self._refuse_number(field, bounds or BOUNDS[field])
            return 0
        return found

    def whole_or_none(self, field: str, bounds: Bounds | None = None) -> int | None:
        """Return a whole number, or None where nothing is typed."""
        text = self.form.line(field).replace(" ", "").replace("\u00a0", "")
        if not text:
            return None
        least, most = bounds = bounds or BOUNDS[field]
        number = int(text) if _NUMBER.fullmatch(text) else None
        if number is None or not least <= number <= most:
            self._refuse_number(field, bounds)
            return least
        return number

    def minutes(self, field: str) -> int:
        """Return a length of time in minutes, typed as a number with its unit."""
        unit = UNITS.get(self.form.line(f"{field}-unit"), 1)
        number = self.whole_or_none(field, Bounds(0, BOUNDS[field].most))
        found = (number or 0) * unit
        if found > BOUNDS[field].most:
            self.refuse(field, N_("At most %(most)s."), most=self._page.wording.hours(BOUNDS[field].most // 60))
            return 0
        return found

    def money(self, field: str) -> int:
        """Return an amount in minor units of the currency of the business; nothing typed is nothing."""
        currency = self._page.business.currency
        text = re.sub(r"[\s\u00a0]", "", self.form.line(field)).replace(",", ".")
        try:
            return minor_of(text or "0", currency)
        except ValueError:
            sample = text_of(_SAMPLE_UNITS * 10 ** decimals_of(currency), currency)
            self.refuse(field, N_("Write an amount like %(sample)s."), sample=sample)
            return 0

    def word(self, field: str, words: Collection[str]) -> str:
        """Return one of several words."""
        text = self.form.line(field)
        if text not in words:
            self.refuse(field, N_("Choose one of these."))
            return next(iter(words))
        return text

    def day(self, field: str) -> date | None:
        """Return a day, or None where nothing is typed."""
        text = self.form.line(field)
        try:
            found = date.fromisoformat(text) if text else None
        except ValueError:
            found = date.max
        if found is not None and not is_meant(found):
            self.refuse(field, N_("Write a day like 2026-12-31."))
            return None
        return found

    def time(self, field: str, text: str) -> time | None:
        """Return a time of day that was typed into one of several fields; 24:00 is the end of the day."""
        if _TIME.fullmatch(text) is None:
            self.refuse(field, N_("Write times like 09:00."))
            return None
        return time(0) if text == "24:00" else time.fromisoformat(text.zfill(5))

    def terms(self, field: str) -> tuple[Term, ...]:
        """Return who gets how much back: rows of hours before the start and percents."""
        found = []
        rows = zip(self.form.lines(f"{field}-hours"), self.form.lines(f"{field}-percent"), strict=False)
        for hours, percent in rows:
            if not hours and not percent:
                continue
            if not (_NUMBER.fullmatch(hours) and _NUMBER.fullmatch(percent)):
                self.refuse(field, N_("Write hours and percent as whole numbers, both in each line."))
            elif int(hours) > MAX_HOURS or int(percent) > ALL:
                self.refuse(field, N_("At most %(hours)s hours and 100 percent."), hours=MAX_HOURS)
            else:
                found.append(Term(int(hours), int(percent)))
        try:
            return sound_terms(found)
        except ValueError:
            self.refuse(field, N_("Whoever cancels later never gets more back, and each line has other hours."))
            return ()

    def _refuse_number(self, field: str, bounds: Bounds) -> None:
        number = self._page.wording.number
        self.refuse(
            field,
            N_("A whole number from %(least)s to %(most)s."),
            least=number(bounds.least),
            most=number(bounds.most),
        )


async def refused(tx: Transaction, change: Callable[[], Awaitable[object]]) -> UserError | None:
    """Make a change; return why it was refused, after which nothing of it is left and the transaction goes on."""
    try:
        async with tx.connection.transaction():
            await change()
    except UserError as error:
        count_refusal(error.code)
        return error
    return None


def in_unit(minutes: int) -> tuple[str, str]:
    """Return a length of time as a number and its unit, the largest that it is a whole number of."""
    if minutes == 0:
        return "", "hours"
    unit = next(name for name, size in reversed(UNITS.items()) if minutes % size == 0)
    return str(minutes // UNITS[unit]), unit


def wrong_of(page: AdminPage, error: UserError, messages: Mapping[str, str]) -> dict[str, str]:
    """Return which fields a refusal is about, in words: `messages` has one for each field that can be refused."""
    told = {each.get("field") for each in error.details.get("errors") or [error.details]}
    return {field: page.text(message) for field, message in messages.items() if member_of(field) in told}


def differing(
    page: AdminPage, labels: Mapping[str, str], now: Mapping[str, str], typed: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return the fields that are other now than what is typed, by their labels: what somebody else has changed."""
    return [
        (page.text(label), now.get(name) or "—") for name, label in labels.items() if now.get(name) != typed.get(name)
    ]
