"""What is typed into the forms of the calendar as a date and a time, and what is said when something was done."""

from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from litestar import Response

from holdfast.admin.frame import AdminPage, Call, Form, go, render, words, wrong_fields
from holdfast.admin.schedule_reading import PATH
from holdfast.availability.snapshots import Snapshot
from holdfast.availability.walltime import closing_instant, opening_instant, utc_text, wall_time
from holdfast.booking.calls import desk_of
from holdfast.booking.errors import SlotConflict, SlotNotOffered
from holdfast.booking.history import Change, changes_since
from holdfast.booking.reservations import END_OF_TIMES
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.http import count_refusal
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import date_in

_NOBODY_OPEN = N_("Nobody who could take it is open at this time. Choose another time, or change the opening hours.")
_TAKEN = N_("Somebody else has this time.")
NOT_BACK = N_("Its old time has been taken meanwhile: the appointment stays where it is now.")

_CHANGES = {
    "reschedule": N_("%(when)s, %(who)s: moved to %(start)s"),
    "cancel": N_("%(when)s, %(who)s: cancelled"),
    "refund": N_("%(when)s, %(who)s: refunded"),
    "change_contact": N_("%(when)s, %(who)s: another contact"),
    "change_note": N_("%(when)s, %(who)s: another note"),
    "outcome": N_("%(when)s, %(who)s: noted how it ended"),
    "commit": N_("%(when)s, %(who)s: confirmed"),
}
_CHANGED = N_("%(when)s, %(who)s: changed")


@dataclass(frozen=True, slots=True)
class Undo:
    """How a move is taken back: the form that moves it to where it was."""

    path: str
    start: int
    resource_id: UUID | None
    version: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done, in words: as a whole, field by field, and what was free nearby or done meanwhile."""

    told: str
    wrong: dict[str, str]
    alternatives: list[str]
    changes: list[str]
    status: int


def moment_in(form: Form, zone: str, at_field: str = "at", date_field: str = "date", time_field: str = "time") -> int:
    """Return the instant that is meant, in epoch seconds.

    What was shown as an instant (`at`) is that one as long as nobody types another time. A time that comes twice needs
    `occurrence`, first or second. Raises ValidationFailed, which names the field.
    """
    day = date_in(form.line(date_field), date_field)
    if day is None:
        raise ValidationFailed.at(date_field, N_("Choose a day."))
    wall = datetime.combine(day, _time_in(form.line(time_field), time_field))
    shown = instant_in(form.line(at_field))
    if shown is not None and wall_time(shown, zone) == wall:
        return shown
    first, last = (edge(day, wall.time(), zone) for edge in (opening_instant, closing_instant))
    if wall_time(first, zone) != wall:
        raise ValidationFailed.at(time_field, N_("Clocks skip this time on that day. Choose another one."))
    if first == last:
        return first
    occurrence = form.line("occurrence")
    if occurrence not in ("first", "second"):
        raise ValidationFailed.at("occurrence", N_("This time comes twice on that day. Say which one is meant."))
    return first if occurrence == "first" else last


def instant_in(text: str) -> int | None:
    """Return what a form has kept as an instant, in epoch seconds; None for anything else."""
    at = int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else -1
    return at if 0 <= at < END_OF_TIMES else None


def _time_in(text: str, field: str) -> time:
    try:
        return time.fromisoformat(text).replace(second=0, microsecond=0, tzinfo=None)
    except ValueError:
        raise ValidationFailed.at(field, N_("Write a time like 14:30.")) from None


def told(page: AdminPage, request: Call, done: str, text: str, day: date, undo: Undo | None = None) -> Response[Any]:
    """Say that something is done: as a notice where a script asks, else by leading back to the day."""
    if not page.is_part:
        return go(PATH, done, view="day", day=day.isoformat())
    return render(page, "schedule_told.html", request=request, text=text, undo=undo)


async def refusal_of(
    tx: Transaction, page: AdminPage, refused: UserError, snapshot: Snapshot, seen: tuple[UUID, int] | None = None
) -> Refusal:
    """Return a refusal in words; `seen` is a booking with its version that was seen, which others may have changed."""
    count_refusal(refused.code)
    changes = [] if seen is None else await changes_since(tx, *seen)
    return Refusal(
        told=_told(page, refused),
        wrong=wrong_fields(page.language, refused) if isinstance(refused, ValidationFailed) else {},
        alternatives=_alternatives(page, refused, snapshot),
        changes=[_in_words(page, change) for change in changes],
        status=refused.status,
    )


def _told(page: AdminPage, refused: UserError) -> str:
    if isinstance(refused, SlotNotOffered) and refused.message == SlotNotOffered.message:
        return page.text(_NOBODY_OPEN)
    if isinstance(refused, SlotConflict):
        return page.text(NOT_BACK if refused.message == NOT_BACK else _TAKEN)
    return "" if isinstance(refused, ValidationFailed) else words(page.language, refused)


def _alternatives(page: AdminPage, refused: UserError, snapshot: Snapshot) -> list[str]:
    found = []
    for each in refused.details.get("alternatives") or []:
        at = int(datetime.fromisoformat(each["start"]).timestamp())
        resource = snapshot.resources.get(UUID(str(each["resourceId"]))) if each["resourceId"] else None
        when = page.wording.moment(at)
        found.append(when if resource is None else f"{when} · {resource.name}")
    return found


def _in_words(page: AdminPage, change: Change) -> str:
    who = page.text(N_("the client")) if change.actor == "client" else change.name or page.text(N_("the server"))
    said = _CHANGES.get(change.action, _CHANGED)
    when, start = page.wording.short_moment(change.at), page.wording.moment(change.start)
    return page.text(said, when=when, who=who, start=start)


async def snapshot_of(request: Call, page: AdminPage) -> Snapshot:
    """Return the picture of the business as it is now."""
    snapshots = desk_of(request).snapshots
    found = await snapshots.get(page.staff.business_id, at_least=page.business.catalog_version)
    assert found is not None, "the business of who is signed in is there"
    return found


def as_slot(at: int, minutes: int) -> dict[str, str]:
    """Return a time as the API names it."""
    return {"slotStart": utc_text(at), "slotEnd": utc_text(at + minutes * 60)}
