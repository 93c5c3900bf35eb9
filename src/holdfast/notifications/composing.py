"""What a message says: written at the moment at which it is sent, from what is true then (W-2)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from holdfast.administration.marking_up import as_html
from holdfast.administration.templates import Channel, Locale, Name, Text, rendered, text_for
from holdfast.availability.wording import Wording
from holdfast.booking import waitlist
from holdfast.booking.bookings import Booking, read_still
from holdfast.booking.contacts import Person, person_of
from holdfast.booking.giving_back import amount_of
from holdfast.booking.invites import Method, Shown, invite, invites
from holdfast.booking.states import BookingState
from holdfast.booking.waitlist import RequestState
from holdfast.identity import businesses
from holdfast.identity.businesses import Business
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.languages import N_, chosen
from holdfast.notifications.letters import Letter
from holdfast.notifications.links import Links
from holdfast.notifications.messages import Content, Message, queries
from holdfast.notifications.settings import MailSettings

# What is told of a booking; a later one of these is told instead of an earlier one.
_CONFIRMED, _MOVED, _CANCELLED = "AppointmentConfirmed", "AppointmentRescheduled", "AppointmentCancelled"
_REFUNDED: Final = "AppointmentRefunded"
_GONE: Final = frozenset({BookingState.CANCELLED, BookingState.REFUNDED})
_METHODS: Final = {
    "appointment_confirmed": Method.REQUEST,
    "appointment_changed": Method.REQUEST,
    "appointment_cancelled": Method.CANCEL,
}

MONEY_BACK: Final = N_("%(amount)s goes back to you, the way it was paid. This may take a few days.")
NOTHING_BACK: Final = N_("By the terms that you agreed to when you booked, nothing of what you paid goes back.")
CHANGE_HERE: Final = N_("Move or cancel: %(link)s")


class Untold(Exception):
    """There is nothing to be told any more, or nobody to tell; `reason` is a word for it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Desk:
    """Where letters are written: how mail is sent from here, and where its links lead."""

    settings: MailSettings
    links: Links


@dataclass(frozen=True, slots=True)
class _About:
    """A booking with what its row does not tell: what it is of, with whom, and where its client changes it."""

    booking: Booking
    title: str
    practitioners: str
    manage_url: str


async def compose(tx: Transaction, message: Message, desk: Desk) -> Letter:
    """Return what is to be sent now for a message that is due.

    What it tells of is locked until the transaction ends, so that nobody is told what has just ceased to be true.
    Raises Untold.
    """
    business = await businesses.current(tx)
    assert business is not None, "a message is of a business"
    written = message.opened(await tx.keys())
    if message.booking_id is None and message.request_id is None:
        if written is None:
            raise Untold("forgotten")
        recipient, content = written
        return Letter(recipient, None, business.name, message.locale or "en", content)
    if message.request_id is not None:
        return await _offer(tx, message, business, desk)
    if message.kind.startswith("series_"):
        return await _series(tx, message, business, desk)
    return await _appointment(tx, message, business, desk)


async def _appointment(tx: Transaction, message: Message, business: Business, desk: Desk) -> Letter:
    assert message.booking_id is not None, "it is of a booking"
    booking = await read_still(tx, message.booking_id)
    former_start = await _check(tx, message, booking)
    [about] = await _about(tx, [booking], business, desk)
    person, words = await _reader(tx, booking, business)
    values = _values(about, person, business, words, desk)
    if message.kind == "appointment_changed":
        values["former_start"] = "" if former_start is None else words.moment(former_start)
    if message.kind == "appointment_cancelled":
        values["refund"] = await _refund(tx, booking, words)
    content = await write(tx, message.kind, words.language, values)
    method = _METHODS.get(message.kind)
    calendar = None
    if method is not None:
        calendar = invite(booking, _shown(about, person, business, words, desk), method)
    return _letter(person, business, words, content, calendar, method or Method.PUBLISH)


async def _check(tx: Transaction, message: Message, booking: Booking) -> datetime | None:
    """Return from when an appointment was moved; raises Untold when its message tells nothing true, or nothing new."""
    if booking.ends_at <= booking.now:
        raise Untold("over")
    if message.kind == "appointment_reminder":
        if booking.state != BookingState.CONFIRMED or booking.starts_at != message.starts_at:
            raise Untold("overtaken")
        return None
    is_end = message.kind.endswith("_cancelled")
    types = [_CONFIRMED, _MOVED, _CANCELLED] if is_end else [_CONFIRMED, _MOVED, _CANCELLED, _REFUNDED]
    named = {"business_id": tx.business_id, "id": booking.id, "version": message.version, "types": types}
    [beside] = await tx.rows(queries["events_beside"], named)
    if beside["type"] == _REFUNDED and beside["cancelled_before"]:
        # That it does not take place was told then, with what goes back.
        raise Untold("told_before")
    if beside["later"] or booking.state not in (_GONE if is_end else {BookingState.CONFIRMED}):
        raise Untold("overtaken")
    former: datetime | None = beside["former_start"]
    return former


async def _series(tx: Transaction, message: Message, business: Business, desk: Desk) -> Letter:
    named = {"business_id": tx.business_id, "id": message.id}
    ids = [row["booking_id"] for row in await tx.rows(queries["covered"], named)]
    bookings = [await read_still(tx, booking_id) for booking_id in ids]
    is_end = message.kind == "series_cancelled"
    states = _GONE if is_end else {BookingState.CONFIRMED}
    told = sorted((b for b in bookings if b.state in states and b.ends_at > b.now), key=lambda b: b.starts_at)
    if not told:
        raise Untold("overtaken")
    all_about = await _about(tx, told, business, desk)
    person, words = await _reader(tx, told[0], business)
    values = _values(all_about[0], person, business, words, desk)
    values["practitioner_name"] = _joined({name: None for each in all_about for name in [each.practitioners] if name})
    values["appointments"] = "\n\n".join(_line(each, words, with_link=not is_end) for each in all_about)
    content = await write(tx, message.kind, words.language, values)
    # One message may ask for one event only (RFC 5546, 3.2.2): a series is a file to be opened.
    calendar = invites([(each.booking, _shown(each, person, business, words, desk)) for each in all_about])
    return _letter(person, business, words, content, calendar, Method.PUBLISH)


async def _offer(tx: Transaction, message: Message, business: Business, desk: Desk) -> Letter:
    assert message.request_id is not None, "it is of a request"
    try:
        request = await waitlist.find(tx, message.request_id)
    except NotFound:
        raise Untold("forgotten") from None
    if request.status is not RequestState.OFFERED or request.offer is None or await _is_old(tx, message):
        raise Untold("overtaken")
    guest, offer = request.guest, request.offer
    words = _wording(business, guest.locale, guest.timezone)
    named = {"business_id": tx.business_id, "ids": [offer.booking_id]}
    [names] = await tx.rows(queries["names_about"], named)
    values = {
        "business_name": business.name,
        "guest_name": guest.name or "",
        "service_name": names["title"],
        "timezone": _zone(words, offer.start),
        "booking_link": desk.links.booking(business.slug),
        "start": words.moment(offer.start),
        "places": _places(request.wanted.party_size, words),
        "offer_link": desk.links.offer(business.slug, business.id, request.id),
        "offer_ends": words.moment(offer.expires_at),
    }
    content = await write(tx, message.kind, words.language, values)
    return _letter(Person(guest.email, guest.phone, guest.name), business, words, content, None, Method.PUBLISH)


async def _is_old(tx: Transaction, message: Message) -> bool:
    """Return whether the request was offered something else since."""
    named = {"business_id": tx.business_id, "id": message.request_id, "version": message.version}
    [beside] = await tx.rows(queries["events_beside"], named | {"types": ["WaitlistOffered", "WaitlistPassed"]})
    return bool(beside["later"])


async def write(tx: Transaction, kind: str, language: str, values: dict[str, str]) -> Content:
    """Return a message in the words of the business for its kind and language, with its placeholders filled."""
    locale = Locale(language)
    text = await text_for(tx, Name(kind, locale, Channel.EMAIL))
    marked_up = await text_for(tx, Name(kind, locale, Channel.EMAIL_HTML))
    return content_of(text, marked_up, values)


def content_of(text: Text, marked_up: Text | None, values: dict[str, str]) -> Content:
    """Return a text and its HTML, by default the same, filled."""
    shown = rendered(Channel.EMAIL, text, values)
    html = rendered(Channel.EMAIL_HTML, marked_up or Text(text.subject, as_html(text.body)), values)
    return Content(shown.subject or "", shown.body, html.body)


async def _about(tx: Transaction, bookings: Sequence[Booking], business: Business, desk: Desk) -> list[_About]:
    named = {"business_id": tx.business_id, "ids": [booking.id for booking in bookings]}
    names = {row["id"]: row for row in await tx.rows(queries["names_about"], named)}
    return [
        _About(
            booking,
            names[booking.id]["title"],
            _joined(names[booking.id]["practitioners"]),
            desk.links.manage(business.slug, business.id, booking.id, booking.token_nonce),
        )
        for booking in bookings
    ]


async def _reader(tx: Transaction, booking: Booking, business: Business) -> tuple[Person, Wording]:
    """Return whom a booking is for, and in what words they are told of it; raises Untold where no mail reaches them."""
    person = person_of(await tx.keys(), booking)
    if person.email is None:
        raise Untold("no_address")
    return person, _wording(business, booking.locale, booking.timezone)


def _wording(business: Business, locale: str | None, zone: str | None) -> Wording:
    language = chosen((locale or "")[:2].lower(), fallback=business.locale)
    return Wording(language, zone or business.timezone, business.currency)


def _values(about: _About, person: Person, business: Business, words: Wording, desk: Desk) -> dict[str, str]:
    booking = about.booking
    return {
        "business_name": business.name,
        "guest_name": person.name or "",
        "service_name": about.title,
        "practitioner_name": about.practitioners,
        "start": words.moment(booking.starts_at),
        "end": _end(booking, words),
        "timezone": _zone(words, booking.starts_at),
        "places": _places(booking.party_size, words),
        "price": words.price(booking.price_minor, booking.currency) if booking.price_minor else "",
        "manage_link": about.manage_url,
        "booking_link": desk.links.booking(business.slug),
    }


def _line(about: _About, words: Wording, *, with_link: bool) -> str:
    when = f"{words.moment(about.booking.starts_at)} – {_end(about.booking, words)}"
    return f"{when}\n{about.manage_url}" if with_link and about.manage_url else when


def _end(booking: Booking, words: Wording) -> str:
    """Return when it ends: the time of day, with its date where that is another; and how clocks go, if they change."""
    start, end = words.local(booking.starts_at), words.local(booking.ends_at)
    shown = words.time(end) if start.date() == end.date() else words.moment(booking.ends_at)
    return shown if start.utcoffset() == end.utcoffset() else f"{shown} ({_offset(end)})"


def _zone(words: Wording, at: datetime) -> str:
    """Return the name of the zone in which times are told, with its distance from UTC then: it changes with summer."""
    return f"{words.zone} ({_offset(words.local(at))})"


def _offset(local: datetime) -> str:
    return f"UTC{local.isoformat()[-6:]}"


def _places(party_size: int, words: Wording) -> str:
    return words.number(party_size) if party_size > 1 else ""


def _joined(names: Iterable[str]) -> str:
    return ", ".join(names)


async def _refund(tx: Transaction, booking: Booking, words: Wording) -> str:
    """Return what of the money goes back with a cancellation; nothing where nothing was paid."""
    if booking.due_minor is None:
        return ""
    minor = await amount_of(tx, booking, booking.refund_percent)
    if minor > 0:
        return words.text(MONEY_BACK) % {"amount": words.price(minor, booking.currency)}
    was_paid = await tx.value(queries["was_paid"], {"business_id": tx.business_id, "id": booking.id})
    return words.text(NOTHING_BACK) if was_paid else ""


def _shown(about: _About, person: Person, business: Business, words: Wording, desk: Desk) -> Shown:
    described = [about.practitioners]
    if about.manage_url:
        described.append(words.text(CHANGE_HERE) % {"link": about.manage_url})
    return Shown(
        title=about.title,
        business=business.name,
        organizer=desk.settings.sender,
        description="\n".join(filter(None, described)),
        manage_url=about.manage_url or None,
        attendee=person.email,
        attendee_name=person.name,
    )


def _letter(
    person: Person, business: Business, words: Wording, content: Content, calendar: bytes | None, method: Method
) -> Letter:
    assert person.email is not None, "somebody reads it"
    return Letter(person.email, person.name, business.name, words.language, content, calendar, method)
