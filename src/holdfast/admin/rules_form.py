"""Hours as they stand in a form: rows of two times for each day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time

from holdfast.admin.frame import Form
from holdfast.admin.typed import Typed
from holdfast.kernel.languages import N_
from holdfast.offerings.weeks import DAYS, MAX_INTERVALS, Interval, Intervals, Week

MAX_ROWS = MAX_INTERVALS

Row = tuple[str, str]


@dataclass(slots=True)
class WeekForm:
    """A week as it is typed."""

    days: list[list[Row]]
    valid_from: str = ""
    valid_until: str = ""


def as_drawn(week: Week) -> WeekForm:
    """Return a week as the form has it."""
    days = [rows_of(intervals) for intervals in week.days]
    return WeekForm(days, str(week.valid_from or ""), str(week.valid_until or ""))


def rows_of(intervals: Intervals) -> list[Row]:
    """Return hours as rows of a form."""
    return [(f"{each.opens:%H:%M}", f"{each.closes:%H:%M}") for each in intervals]


def drawn_from(form: Form) -> WeekForm:
    """Return the week that was typed; rows without any time are gone."""
    days = [rows_in(form, f"opens-{n}", f"closes-{n}") for n in DAYS]
    return WeekForm(days, form.line("valid_from"), form.line("valid_until"))


def rows_in(form: Form, opens: str, closes: str) -> list[Row]:
    """Return the rows of two fields, without those that are empty."""
    rows = zip(form.lines(opens), form.lines(closes), strict=False)
    return [row for row in rows if any(row)][: MAX_ROWS + 1]


def intervals_in(typed: Typed, field: str, rows: Sequence[Row]) -> Intervals:
    """Return the hours that rows mean, in order; what is wrong is kept under the field."""
    found = []
    for opens, closes in rows:
        if not (opens and closes):
            if opens or closes:
                typed.refuse(field, N_("Each line has two times: when it opens, when it closes."))
            continue
        begin, end = typed.time(field, opens), typed.time(field, closes)
        if begin is None or end is None:
            continue
        if begin == end and begin != time(0):
            typed.refuse(field, N_("It does not close when it opens. All day is 00:00 to 00:00."))
        found.append(Interval(begin, end))
    return tuple(sorted(set(found)))


def readable(rows: Sequence[Row]) -> list[Interval]:
    """Return the rows that are hours already, for their bars."""
    found = []
    for opens, closes in rows:
        try:
            found.append(Interval(time.fromisoformat(opens), time.fromisoformat(closes)))
        except ValueError:
            continue
    return found
