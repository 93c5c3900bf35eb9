"""The calendar as it is drawn: days and whoever is shown as columns, in which everything has its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from itertools import pairwise
from uuid import UUID

from holdfast.admin.schedule_axis import DAY_MINUTES, HOUR, Axis, Day, Lanes, Rows, axis_of, clusters
from holdfast.admin.schedule_reading import PATH, Asked, Entry
from holdfast.availability.snapshots import Snapshot
from holdfast.availability.wording import Wording
from holdfast.booking.states import BookingState
from holdfast.catalog.resources import Resource
from holdfast.kernel.languages import N_

# What is shown at least, where nobody is open and nothing takes place.
_FIRST_HOUR, _LAST_HOUR = 9, 18
_DAY_SECONDS = 86_400
_ONE_ROW = Rows(1, 1)

STATES = {
    BookingState.HELD: N_("held"),
    BookingState.PENDING_PAYMENT: N_("awaits payment"),
    BookingState.CONFIRMED: N_("confirmed"),
    BookingState.COMPLETED: N_("completed"),
    BookingState.NO_SHOW: N_("did not come"),
    BookingState.CANCELLED: N_("cancelled"),
    BookingState.REFUNDED: N_("refunded"),
    BookingState.EXPIRED: N_("expired"),
    BookingState.RELEASED: N_("given back"),
}


@dataclass(slots=True)
class Item:
    """Something that takes place, as it is shown."""

    entry: Entry
    title: str
    detail: str
    starts: str
    ends: str
    path: str | None
    rows: Rows = _ONE_ROW

    @property
    def look(self) -> str:
        """Return by which class it is drawn."""
        return self.entry.state or self.entry.kind

    @property
    def left_minutes(self) -> int | None:
        """Return for how many minutes its place still waits; None when it does not."""
        left = self.entry.left_seconds
        return None if left is None else max(-(-left // 60), 1)

    def within(self, outer: Rows) -> "Item":
        """Return the same with its rows counted from the first one of a part of the grid."""
        return replace(self, rows=Rows(self.rows.first - outer.first + 1, self.rows.height))

    @property
    def minutes(self) -> int:
        """Return how long it takes."""
        return (self.entry.end - self.entry.start) // 60


@dataclass(slots=True)
class Column:
    """A day of somebody."""

    day: Day
    resource: Resource | None
    closed: list[Rows] = field(default_factory=list)
    gaps: list[Rows] = field(default_factory=list)
    busy: list[Item] = field(default_factory=list)
    buffers: list[Rows] = field(default_factory=list)
    clusters: list[Lanes] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    now: int | None = None

    @property
    def stretches(self) -> str:
        """Return where on the axis its instants are, for scripts: minute, epoch seconds, minutes, for each stretch."""
        return " ".join(f"{s.minute}:{s.begins}:{(s.ends - s.begins) // 60}" for s in self.day.stretches)


@dataclass(frozen=True, slots=True)
class Board:
    """All that is drawn; `loose` is whether groups that take no room have columns of their own."""

    axis: Axis
    resources: Sequence[Resource]
    columns: Sequence[Column]
    loose: bool

    @property
    def days(self) -> Sequence[Day]:
        """Return the days."""
        return self.axis.days

    @property
    def width(self) -> int:
        """Return of how many columns a day consists."""
        return len(self.resources) + self.loose


@dataclass(frozen=True, slots=True)
class Picture:
    """What a calendar is drawn of."""

    asked: Asked
    snapshot: Snapshot
    resources: Sequence[Resource]
    entries: Sequence[Entry]
    names: Mapping[UUID, str]
    w: Wording

    def item(self, entry: Entry) -> Item:
        """Return something as it is shown."""
        starts, ends = (self.w.local(at) for at in (entry.start, entry.end))
        snapshot, offering = self.snapshot, entry.offering_id
        service = snapshot.services.get(offering) if offering and entry.kind == "booking" else None
        program = snapshot.programs.get(offering) if offering and entry.kind == "group" else None
        title = {
            "booking": self.names.get(entry.id) or self.w.text(N_("No name yet")),
            "group": "" if program is None else program.name,
            "block": self.w.text(N_("Blocked")),
            "busy": self.w.text(N_("Busy elsewhere")),
        }[entry.kind]
        folder = {"booking": "bookings", "group": "groups", "block": "blocks"}.get(entry.kind)
        return Item(
            entry=entry,
            title=title,
            detail="" if service is None else service.name,
            # As Wording.time() says it, which takes a third of the time of a week's calendar.
            starts=f"{starts:%H:%M}",
            ends=f"{ends:%H:%M}",
            path=None if folder is None else f"{PATH}/{folder}/{entry.id}",
        )


def drawn(picture: Picture) -> Board:
    """Return the calendar of a day or a week."""
    asked, zone = picture.asked, picture.snapshot.business.timezone
    axis = axis_of(asked.first, asked.days, zone)
    found = [entry for entry in picture.entries if entry.kind in asked.kinds]
    windows = {r.id: _windows(picture.snapshot, r, axis) for r in picture.resources}
    axis = axis.shows(*_hours(axis, windows, found))
    loose = any(entry.resource_id is None for entry in found)
    by_place: dict[UUID | None, list[Entry]] = {}
    for entry in found:
        by_place.setdefault(entry.resource_id, []).append(entry)
    now = int(datetime.now(UTC).timestamp())
    columns = []
    for day in axis.days:
        for resource in [*picture.resources, *([None] if loose else [])]:
            place = None if resource is None else resource.id
            column = Column(day, resource, gaps=axis.gaps(day))
            if place is not None:
                column.closed = _closed(axis, day, windows[place])
            here = axis.place(day, now, now + 1, 1)
            column.now = None if here is None else here.first
            _fill(column, axis, by_place.get(place, ()), picture)
            columns.append(column)
    return Board(axis, picture.resources, columns, loose)


def listed(picture: Picture) -> list[tuple[date, list[tuple[Item, list[Resource]]]]]:
    """Return what takes place day by day, each thing once with those whom it takes."""
    asked, zone = picture.asked, picture.snapshot.business.timezone
    days = []
    for day in axis_of(asked.first, asked.days, zone).days:
        # What external calendars say has no number: it is told apart by whose it is.
        once: dict[tuple[str, UUID, int], tuple[Item, list[Resource]]] = {}
        for entry in picture.entries:
            if entry.kind in asked.kinds and entry.start < day.ends and entry.end > day.begins:
                key = (entry.kind, entry.id, entry.start)
                _, whom = once.setdefault(key, (picture.item(entry), []))
                if entry.resource_id is not None:
                    whom.append(picture.snapshot.resources[entry.resource_id])
        days.append((day.day, list(once.values())))
    return days


def _fill(column: Column, axis: Axis, found: Sequence[Entry], picture: Picture) -> None:
    day = column.day
    for entry in found:
        rows = axis.place(day, entry.start, entry.end)
        if rows is None:
            continue
        item = picture.item(entry)
        item.rows = rows
        if entry.kind == "busy":
            column.busy.append(item)
            continue
        column.items.append(item)
        before, after = int(entry.taken_from.timestamp()), int(entry.taken_to.timestamp())
        for begin, end in ((before, entry.start), (entry.end, after)):
            light = axis.place(day, begin, end, 1) if begin < end else None
            if light is not None:
                column.buffers.append(light)
    column.clusters = clusters([item.rows for item in column.items])


def _windows(snapshot: Snapshot, resource: Resource, axis: Axis) -> list[tuple[int, int]]:
    """Return when somebody is open on the days of the axis, in order and not overlapping."""
    first, last = axis.days[0], axis.days[-1]
    around = snapshot.hours(resource.id).windows(
        date.fromordinal(first.day.toordinal() - 2), date.fromordinal(last.day.toordinal() + 2)
    )
    merged: list[tuple[int, int]] = []
    for opens, closes in sorted(around):
        if merged and opens <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(closes, merged[-1][1]))
        elif closes > first.begins and opens < last.ends:
            merged.append((opens, closes))
    return merged


def _closed(axis: Axis, day: Day, windows: Sequence[tuple[int, int]]) -> list[Rows]:
    edges = [day.begins]
    for opens, closes in windows:
        if closes > day.begins and opens < day.ends:
            edges += [max(opens, day.begins), min(closes, day.ends)]
    edges.append(day.ends)
    found = (axis.place(day, start, end, 1) for start, end in list(pairwise(edges))[::2] if start < end)
    return [rows for rows in found if rows is not None]


def _hours(axis: Axis, windows: Mapping[UUID, Sequence[tuple[int, int]]], found: Sequence[Entry]) -> tuple[int, int]:
    """Return from which minute of the axis on, and up to which, there is something to be shown."""
    spans = [span for each in windows.values() for span in each]
    # What keeps a whole day free, or is only mirrored, makes no day longer.
    spans += [
        (entry.start, entry.end)
        for entry in found
        if entry.kind in ("booking", "group") or (entry.kind == "block" and entry.end - entry.start < _DAY_SECONDS // 2)
    ]
    first, last = DAY_MINUTES * 2, 0
    for day in axis.days:
        for start, end in spans:
            if start < day.ends and end > day.begins:
                first = min(first, day.minute(max(start, day.begins)))
                last = max(last, day.minute(min(end, day.ends)))
    if first >= last:
        return _FIRST_HOUR * HOUR, _LAST_HOUR * HOUR
    return first, last
