"""Charts that the server draws: bars by day, one above the other, as SVG without a line of script (ADR 32).

The drawing is stretched to the room there is; its letters are text of the page beside it, so that they stay readable on
a phone. What it shows stands in a table as well, and in a title that can be heard.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from holdfast.availability.wording import Wording

HEIGHT = 100
_GAP = 0.2
# As many bars as can be told apart; longer spans are drawn by the week.
_MAX_BARS = 62
_WEEK = 7


@dataclass(frozen=True, slots=True)
class Series:
    """What is counted: its name, and a number for each day; what is only the rest of a whole is drawn pale."""

    label: str
    values: Sequence[int]
    is_rest: bool = False


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a bar, in units of the drawing; `tone` is the colour of its series."""

    tone: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Bar:
    """A day, or the week that begins on it, with what is told where somebody points at it."""

    words: str
    x: float
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing of `width` by HEIGHT, its scale and what stands below it."""

    title: str
    summary: str
    width: int
    bars: tuple[Bar, ...]
    legend: tuple[tuple[str, str], ...]
    scale: tuple[str, ...]
    below: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Return whether there is nothing to be seen."""
        return not any(bar.pieces for bar in self.bars)


def chart(w: Wording, title: str, days: Sequence[date], series: Sequence[Series]) -> Chart:
    """Return a chart of bars by day, or by week where there are many days; the first series stands at the bottom."""
    first_days, columns = _columns(days, [one.values for one in series])
    top = _top(max((sum(column) for column in columns), default=0))
    tones = ["rest" if one.is_rest else str(number) for number, one in enumerate(series, 1)]
    bars = tuple(
        _bar(place, list(zip(tones, column, strict=True)), top, _words(w, day, column, [one.label for one in series]))
        for place, (day, column) in enumerate(zip(first_days, columns, strict=True))
    )
    totals = ", ".join(f"{one.label}: {w.number(sum(one.values))}" for one in series)
    shown = dict.fromkeys([0, len(first_days) // 2, len(first_days) - 1])
    return Chart(
        title,
        totals,
        max(len(first_days), 1),
        bars,
        tuple((tone, one.label) for tone, one in zip(tones, series, strict=True)),
        (w.number(top), w.number(top // 2), "0"),
        tuple(w.short_day(first_days[place]) for place in shown if first_days),
    )


def _columns(days: Sequence[date], values: Sequence[Sequence[int]]) -> tuple[list[date], list[list[int]]]:
    if len(days) <= _MAX_BARS:
        return list(days), [[each[place] for each in values] for place in range(len(days))]
    weeks: dict[date, list[int]] = {}
    for place, day in enumerate(days):
        monday = day - timedelta(days=day.weekday())
        sums = weeks.setdefault(monday, [0] * len(values))
        for number, each in enumerate(values):
            sums[number] += each[place]
    return list(weeks), list(weeks.values())


def _top(most: int) -> int:
    """Return the end of the scale: an even number of one or two digits and noughts, so that half of it is one too."""
    for power in range(12):
        for step in (2, 4, 6, 8, 10):
            if most <= step * 10**power:
                return step * int(10**power)
    return most


def _bar(place: int, column: Sequence[tuple[str, int]], top: int, words: str) -> Bar:
    pieces, below = [], 0.0
    for tone, count in column:
        height = round(HEIGHT * count / top, 2)
        if height > 0:
            y = round(HEIGHT - below - height, 2)
            pieces.append(Piece(tone, place + _GAP / 2, y, 1 - _GAP, height))
            below += height
    return Bar(words, place, tuple(pieces))


def _words(w: Wording, day: date, column: Sequence[int], labels: Sequence[str]) -> str:
    told = ", ".join(f"{label}: {w.number(count)}" for label, count in zip(labels, column, strict=True))
    return f"{w.full_day(day)}: {told}"
