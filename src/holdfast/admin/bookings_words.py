"""Bookings in words: what is booked, with whom, how it stands, and what has become of it."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from uuid import UUID

from holdfast.admin.frame import AdminPage, words, wrong_fields
from holdfast.availability.wording import Wording
from holdfast.booking.bookings import Booking
from holdfast.booking.errors import VersionConflict
from holdfast.booking.history import Change
from holdfast.booking.states import BookingState
from holdfast.kernel.audit import CLIENT, CONSOLE, SYSTEM
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.languages import N_
from holdfast.kernel.sql import load
from holdfast.notifications.states import MessageState

SQL = load(__package__, "bookings.sql")

# What a state is called, and in which colour it is told.
STATES = {
    BookingState.HELD: (N_("Held"), "cool"),
    BookingState.PENDING_PAYMENT: (N_("Awaits payment"), "warn"),
    BookingState.CONFIRMED: (N_("Confirmed"), "good"),
    BookingState.COMPLETED: (N_("Client came"), "good"),
    BookingState.NO_SHOW: (N_("Client did not come"), "bad"),
    BookingState.CANCELLED: (N_("Cancelled"), ""),
    BookingState.REFUNDED: (N_("Refunded"), ""),
    BookingState.EXPIRED: (N_("Expired"), ""),
    BookingState.RELEASED: (N_("Given back"), ""),
}

# What has happened, by the action of its entry in the audit log.
_ACTIONS = {
    "commit": N_("Was booked"),
    "book": N_("Was booked"),
    "pay": N_("Paid"),
    "expire": N_("Its time to pay ran out"),
    "readmit": N_("Confirmed after a late payment"),
    "keep": N_("Kept while its payment comes in"),
    "reschedule": N_("Moved to %(moment)s"),
    "change_contact": N_("Contact changed"),
    "change_note": N_("Note changed"),
    "cancel": N_("Cancelled"),
    "refund": N_("Refunded"),
    "forget_person": N_("The person was forgotten"),
}
_OUTCOMES = {"completed": N_("Client came"), "no_show": N_("Client did not come")}
_OTHERWISE = N_("Changed")

# What a client is told, by the name of its template; and what has become of it.
MESSAGES = {
    "appointment_confirmed": N_("Confirmation"),
    "appointment_changed": N_("New time"),
    "appointment_cancelled": N_("Cancellation"),
    "appointment_reminder": N_("Reminder"),
    "series_confirmed": N_("Confirmation of the series"),
    "series_cancelled": N_("Cancellation of the series"),
    "waitlist_offer": N_("Offer of a place"),
}
OTHER_MESSAGE = N_("Message")
MESSAGE_STATES = {
    MessageState.QUEUED: (N_("will be sent"), "cool"),
    MessageState.SENDING: (N_("is being sent"), "cool"),
    MessageState.SENT: (N_("sent"), "good"),
    MessageState.FAILED: (N_("not delivered"), "bad"),
    MessageState.UNKNOWN: (N_("perhaps sent"), "warn"),
    MessageState.SUPPRESSED: (N_("not sent"), ""),
}
# What Holdfast itself gives as a reason; a mail server says others in its own words.
MESSAGE_REASONS = {
    "no_mail": N_("this server sends no mail"),
    "too_old": N_("it was too late to tell"),
    "told_together": N_("told with the other appointments"),
    "forgotten": N_("this person was forgotten"),
}

_ACTORS = {
    CLIENT.kind: N_("the client"),
    SYSTEM.kind: N_("Holdfast itself"),
    CONSOLE.kind: N_("somebody at the console"),
}
_STAFF = N_("staff")
_CHANGED_MEANWHILE = N_(
    "Somebody has changed this booking since you opened it, so nothing of yours was done. See what is new, then decide"
    " again."
)


@dataclass(frozen=True, slots=True)
class Named:
    """A service, a program, or whom and what is booked."""

    id: UUID
    slug: str
    name: str
    kind: str
    active: bool


@dataclass(frozen=True, slots=True)
class Names:
    """What things of the business are called; `program_of` says of which program schedules are."""

    things: Mapping[UUID, Named]
    program_of: Mapping[UUID, UUID]

    def name(self, thing_id: UUID | None) -> str:
        """Return the name of a thing; a dash for what is none."""
        found = None if thing_id is None else self.things.get(thing_id)
        return "–" if found is None else found.name

    def offering(self, service_id: UUID | None, schedule_id: UUID | None) -> str:
        """Return what somebody has booked or waits for."""
        return self.name(service_id if schedule_id is None else self.program_of.get(schedule_id))

    def what(self, booking: Booking) -> str:
        """Return what is booked."""
        return self.offering(booking.service_id, booking.schedule_id)

    def whom(self, resource_ids: Collection[UUID]) -> str:
        """Return with whom, and where."""
        found = [self.things[resource_id] for resource_id in resource_ids if resource_id in self.things]
        return ", ".join(each.name for each in sorted(found, key=lambda each: each.kind != "practitioner"))

    def of_kind(self, *kinds: str) -> list[Named]:
        """Return the things of some kinds, by name; those that are not offered any more last."""
        found = [each for each in self.things.values() if each.kind in kinds]
        return sorted(found, key=lambda each: (not each.active, each.name.casefold()))

    @property
    def bookable(self) -> list[Named]:
        """Return services and programs."""
        return self.of_kind("service", "program")

    @property
    def resources(self) -> list[Named]:
        """Return whom and what is booked."""
        return sorted(self.of_kind("practitioner", "room"), key=lambda each: each.kind != "practitioner")


async def names_in(tx: Transaction, schedule_ids: Iterable[UUID | None] = ()) -> Names:
    """Return what things of the business are called, and of which program some schedules are."""
    things = await tx.all(Named, SQL["names"], {"business_id": tx.business_id})
    wanted = [each for each in set(schedule_ids) if each is not None]
    values = {"business_id": tx.business_id, "ids": wanted}
    programs = {row["id"]: row["program_id"] for row in await tx.rows(SQL["programs_of"], values)} if wanted else {}
    return Names({each.id: each for each in things}, programs)


def told(page: AdminPage, change: Change) -> dict[str, str]:
    """Return an entry of the history of a booking in words: when, what, who."""
    if change.action == "outcome":
        what = _OUTCOMES.get(change.to_status, _OTHERWISE)
    else:
        what = _ACTIONS.get(change.action, _OTHERWISE)
    return {
        "at": page.wording.short_moment(change.at),
        "what": page.text(what, moment=page.wording.moment(change.start)),
        "who": change.name or page.text(_ACTORS.get(change.actor, _STAFF)),
    }


def why(page: AdminPage, error: UserError) -> str:
    """Return why something was refused, as whoever sees the page should read it."""
    if isinstance(error, VersionConflict):
        return page.text(_CHANGED_MEANWHILE)
    if isinstance(error, ValidationFailed):
        found = wrong_fields(page.language, error)
        if found:
            return "; ".join(found.values())
    return words(page.language, error)


def today_in(wording: Wording) -> date:
    """Return the date that it is where a page is read."""
    return wording.local(datetime.now(UTC)).date()
