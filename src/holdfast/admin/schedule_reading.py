"""What a calendar of staff asks for, and all that it shows, read in one statement."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from litestar.datastructures import MultiDict

from holdfast.availability.snapshots import Snapshot
from holdfast.booking.contacts import person_of
from holdfast.catalog.resources import Resource
from holdfast.identity.staff import Staff
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import date_in
from holdfast.kernel.privacy import TenantKeys, Undecipherable
from holdfast.kernel.sql import load

_SQL = load("holdfast.admin", "schedule.sql")

PATH = "/admin/schedule"
VIEWS = ("day", "week", "list")
KINDS = ("booking", "group", "block", "busy")
_DAYS = {"day": 1, "week": 7, "list": 7}
# More than these would not be told apart in a day.
_MOST_AT_ONCE = 60
_WEEK_TOGETHER = 12
_FIRST_YEAR, _LAST_YEAR = 1970, 9000


@dataclass(frozen=True, slots=True)
class Asked:
    """What an address of the calendar asks for; nobody named in `who` means whoever is shown unasked."""

    view: str
    day: date
    who: tuple[UUID, ...] = ()
    kinds: tuple[str, ...] = KINDS
    ended: bool = False
    is_view_chosen: bool = True

    @property
    def first(self) -> date:
        """Return the first day that is shown: of a week Monday."""
        return self.day - timedelta(days=self.day.weekday()) if self.view == "week" else self.day

    @property
    def days(self) -> int:
        """Return how many days are shown."""
        return _DAYS[self.view]

    @property
    def query(self) -> str:
        """Return the same as the query of an address."""
        named: list[tuple[str, str]] = [("view", self.view), ("day", self.day.isoformat())]
        named += [("who", str(one)) for one in self.who]
        if self.kinds != KINDS:
            named += [("kind", kind) for kind in self.kinds]
        if self.ended:
            named.append(("ended", "yes"))
        return urlencode(named)

    @property
    def path(self) -> str:
        """Return the address."""
        return f"{PATH}?{self.query}"

    def on(self, day: date) -> "Asked":
        """Return the same for another day."""
        return replace(self, day=day)

    def by(self, view: str) -> "Asked":
        """Return the same in another view."""
        return replace(self, view=view)

    def moved(self, steps: int) -> "Asked":
        """Return the same for the next days, or for those before by negative steps."""
        return replace(self, day=self.day + timedelta(days=steps * self.days))


def asked_of(query: MultiDict[str], today: date, on_a_phone: bool) -> Asked:
    """Return what a query asks for; raises ValidationFailed for a day that is none."""
    day = date_in(query.get("day"), "day") or today
    if not _FIRST_YEAR < day.year < _LAST_YEAR:
        day = today
    view = query.get("view")
    who = dict.fromkeys(filter(None, (uuid_or_none(text) for text in query.getall("who", []))))
    kinds = tuple(kind for kind in KINDS if kind in query.getall("kind", []))
    return Asked(
        view=view if view in VIEWS else "list" if on_a_phone else "day",
        day=day,
        who=tuple(who)[:_MOST_AT_ONCE],
        kinds=kinds or KINDS,
        ended=query.get("ended") == "yes",
        is_view_chosen=view in VIEWS,
    )


def everybody(snapshot: Snapshot) -> list[Resource]:
    """Return who and what can be shown: practitioners, then rooms. A pool only counts places of another one."""
    found = [r for r in snapshot.resources.values() if r.active and r.kind != "pool"]
    return sorted(found, key=lambda r: (r.kind != "practitioner", r.name.casefold()))


def shown_of(asked: Asked, staff: Staff, snapshot: Snapshot) -> list[Resource]:
    """Return who and what is shown: those who are named, else one's own, else everybody as far as there is room.

    A week has room for practitioners; what takes place in rooms it shows where they are named.
    """
    present = everybody(snapshot)
    named = [r for r in present if r.id in asked.who]
    if named:
        return named
    own = [r for r in present if r.id in staff.resource_ids]
    if own and asked.view != "day":
        return own
    if asked.view == "week":
        return [r for r in present if r.kind == "practitioner"][:_WEEK_TOGETHER] or present[:_WEEK_TOGETHER]
    return present[:_MOST_AT_ONCE]


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of schedule_window()."""

    kind: str
    id: UUID
    resource_id: UUID | None
    starts_at: datetime
    ends_at: datetime
    taken_from: datetime
    taken_to: datetime
    state: str | None
    version: int | None
    left_seconds: int | None
    party_size: int | None
    places: int | None
    offering_id: UUID | None
    contact: bytes | None
    guest_email: str | None
    guest_phone: str | None
    guest_name: str | None
    has_note: bool

    @property
    def start(self) -> int:
        """Return when it starts, in epoch seconds."""
        return int(self.starts_at.timestamp())

    @property
    def end(self) -> int:
        """Return when it ends, in epoch seconds, rounded up."""
        return -int(-self.ends_at.timestamp() // 1)


async def entries(
    tx: Transaction, resource_ids: Collection[UUID], begins: datetime, ends: datetime, *, ended: bool
) -> list[Entry]:
    """Return all that takes these resources between two instants, in order of time."""
    values = {
        "business_id": tx.business_id,
        "resources": list(resource_ids),
        "from": begins,
        "to": ends,
        "ended": ended,
    }
    return await tx.all(Entry, _SQL["schedule_window"], values)


def names_of(keys: TenantKeys, found: Sequence[Entry]) -> Mapping[UUID, str]:
    """Return what those are called whom bookings are for; each is opened once."""
    names: dict[UUID, str] = {}
    for entry in found:
        if entry.kind == "booking" and entry.id not in names:
            try:
                person = person_of(keys, entry)
            except Undecipherable:
                continue
            names[entry.id] = person.name or person.email or person.phone or ""
    return names
