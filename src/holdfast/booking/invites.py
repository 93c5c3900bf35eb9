"""A booking as a calendar file: for the mail that confirms, changes or cancels it, and to be added to a calendar.

RFC 5545 says how it is written, RFC 5546 what programs do with it. Every file of a booking names the same event: its
UID never changes and its SEQUENCE is the version of the booking, which only grows, so that whichever file is the newest
wins, in whatever order they arrive.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC
from enum import StrEnum
from typing import Final
from urllib.parse import quote

from icalendar import Calendar, Event, vCalAddress

from holdfast.booking.bookings import Booking
from holdfast.booking.states import LIVE, BookingState

# What an address may hold as it is (RFC 6068, 2).
_IN_ADDRESS: Final = "@!$'()*+-._~"


class Method(StrEnum):
    """What is asked of whoever reads the file (RFC 5546, 1.4)."""

    # To keep a copy, which nobody expects an answer to: for a file that is downloaded.
    PUBLISH = "PUBLISH"
    # To put it into the calendar, or to bring what is there up to date.
    REQUEST = "REQUEST"
    # To take it out of the calendar.
    CANCEL = "CANCEL"


@dataclass(frozen=True, slots=True)
class Shown:
    """What an invitation says of a booking beside its times, in the language of whoever receives it.

    `organizer` is the mail address of the business, or an address of its pages where it has none. `description` is the
    whole text, with the link where the booking can be changed. `attendee` and `attendee_name` are whom it is sent to,
    and are left out of a file that is published.
    """

    title: str
    business: str
    organizer: str
    description: str = ""
    manage_url: str | None = None
    location: str | None = None
    attendee: str | None = None
    attendee_name: str | None = None


def invite(booking: Booking, shown: Shown, method: Method = Method.PUBLISH) -> bytes:
    """Return the calendar file of a booking, in UTF-8; its times are instants in UTC, which no program gets wrong.

    The same booking, read anew after a change, has the same UID and a greater SEQUENCE. What does not take place any
    more says so by its STATUS, whatever the method.
    """
    calendar = _calendar(method)
    calendar.add_component(_event(booking, shown, method))
    return bytes(calendar.to_ical())


def invites(bookings: Iterable[tuple[Booking, Shown]]) -> bytes:
    """Return one file of several bookings, to be opened: nothing but a publication may name several events."""
    calendar = _calendar(Method.PUBLISH)
    for booking, shown in bookings:
        calendar.add_component(_event(booking, shown, Method.PUBLISH))
    return bytes(calendar.to_ical())


def _calendar(method: Method) -> Calendar:
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", "-//Holdfast//EN")
    calendar.add("METHOD", method.value)
    return calendar


def _event(booking: Booking, shown: Shown, method: Method) -> Event:
    event = Event()
    # Not the id under which it is exported to calendars of practitioners: in a client's own calendar it is an event
    # like any other, and blocks their time.
    event.add("UID", f"{booking.id}@holdfast")
    event.add("SEQUENCE", booking.version)
    event.add("DTSTAMP", booking.now.astimezone(UTC).replace(microsecond=0))
    event.add("DTSTART", booking.starts_at.astimezone(UTC))
    event.add("DTEND", booking.ends_at.astimezone(UTC))
    event.add("SUMMARY", f"{shown.title} — {shown.business}")
    event.add("STATUS", _status(booking, method))
    event.add("TRANSP", "OPAQUE")
    # Others who may look at a client's calendar need not read what it is.
    event.add("CLASS", "PRIVATE")
    event.add("ORGANIZER", _person(shown.organizer, shown.business))
    if shown.attendee is not None and method is not Method.PUBLISH:
        event.add("ATTENDEE", _attendee(shown.attendee, shown.attendee_name))
    for name, text in (("DESCRIPTION", shown.description), ("LOCATION", shown.location), ("URL", shown.manage_url)):
        if text:
            event.add(name, text)
    return event


def _status(booking: Booking, method: Method) -> str:
    if method is Method.CANCEL or booking.status not in LIVE:
        return "CANCELLED"
    is_open = booking.status in (BookingState.HELD, BookingState.PENDING_PAYMENT)
    return "TENTATIVE" if is_open else "CONFIRMED"


def _attendee(email: str, name: str | None) -> vCalAddress:
    """Return somebody who has said yes, by booking: their program need not ask, nor send an answer."""
    attendee = _person(email, name)
    attendee.params |= {"CUTYPE": "INDIVIDUAL", "ROLE": "REQ-PARTICIPANT", "PARTSTAT": "ACCEPTED", "RSVP": "FALSE"}
    return attendee


def _person(address: str, name: str | None) -> vCalAddress:
    person = vCalAddress(address if "://" in address else f"mailto:{quote(address, safe=_IN_ADDRESS)}")
    if name:
        person.params["CN"] = name
    return person
