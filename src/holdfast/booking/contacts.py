"""Whom a booking is for: sealed in its row, and found by blind indexes (D-5)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypedDict
from uuid import UUID

import msgspec
import structlog

from holdfast.booking.admission import CommitAnswer, CommitRequest, Request, queries
from holdfast.booking.bookings import Booking, check_changeable, lock_appointment, read_appointment, record
from holdfast.booking.tokens import new_nonce
from holdfast.kernel.audit import CLIENT, Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.privacy import TenantKeys, Undecipherable

log = structlog.get_logger(__name__)

_PLACE = "bookings.contact"


class Person(msgspec.Struct, omit_defaults=True, frozen=True):
    """How the person is reached whom a booking is for; what the envelope has in it."""

    email: str | None = None
    phone: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Contact:
    """What of a client's contact changes; None leaves it."""

    email: str | None = None
    phone: str | None = None
    name: str | None = None
    timezone: str | None = None
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class Guest:
    """Whom an appointment is for."""

    email: str
    phone: str | None = None
    name: str | None = None
    timezone: str | None = None
    locale: str | None = None

    def commit_of(self, keys: TenantKeys, reservation_id: UUID, n: int = 0) -> CommitRequest:
        """Return what admission is asked to commit a reservation for this guest, the contact sealed."""
        return CommitRequest(
            n=n,
            id=reservation_id,
            timezone=self.timezone,
            locale=self.locale,
            nonce=new_nonce().hex(),
            chain_key=keys.chain_key(reservation_id).hex(),
            **seal(keys, reservation_id, self.person).in_hex(),
        )

    @property
    def person(self) -> Person:
        """Return how the guest is reached."""
        return Person(self.email, self.phone, self.name)


class InHex(TypedDict):
    """A sealed contact as the functions of admission take it."""

    contact: str
    email_index: str | None
    phone_index: str | None


@dataclass(frozen=True, slots=True)
class SealedContact:
    """A contact as a row of bookings has it."""

    contact: bytes
    email_index: bytes | None
    phone_index: bytes | None

    def in_hex(self) -> InHex:
        """Return what admission is given."""
        return {
            "contact": self.contact.hex(),
            "email_index": None if self.email_index is None else self.email_index.hex(),
            "phone_index": None if self.phone_index is None else self.phone_index.hex(),
        }


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Person).decode


def seal(keys: TenantKeys, booking_id: UUID, person: Person) -> SealedContact:
    """Return a contact for the row of this booking; it opens in no other."""
    return SealedContact(
        keys.seal(_PLACE, booking_id, _encode(person).decode()),
        None if person.email is None else keys.index_email(person.email),
        None if person.phone is None else keys.index_phone(person.phone),
    )


class ForSomebody(Protocol):
    """A row that tells whom a booking is for."""

    @property
    def id(self) -> UUID:
        """The booking."""

    @property
    def contact(self) -> bytes | None:
        """The envelope."""

    @property
    def guest_email(self) -> str | None:
        """In plain text, of a row of an earlier release, as the next two."""

    @property
    def guest_phone(self) -> str | None:
        """See guest_email."""

    @property
    def guest_name(self) -> str | None:
        """See guest_email."""


def person_of(keys: TenantKeys, booking: ForSomebody) -> Person:
    """Return whom a booking is for, also when an earlier release has left that in plain text.

    Raises Undecipherable, which nobody is shown, when the envelope was damaged or moved here from another row.
    """
    if booking.contact is None:
        return Person(booking.guest_email, booking.guest_phone, booking.guest_name)
    try:
        return _decode(keys.open(_PLACE, booking.id, booking.contact))
    except Undecipherable:
        log.error("undecipherable", column=_PLACE, booking_id=str(booking.id))  # noqa: TRY400 - whoever answers tells more
        raise


def put_person(request: Request, keys: TenantKeys, person: Person) -> None:
    """Write into a request whom the booking is for, sealed, and that it is to be confirmed at once."""
    for name, value in seal(keys, request.id, person).in_hex().items():
        setattr(request, name, value)
    request.nonce = new_nonce().hex()
    request.chain_key = keys.chain_key(request.id).hex()


async def change_contact(
    tx: Transaction, booking_id: UUID, contact: Contact, *, expected_version: int | None, actor: Actor = CLIENT
) -> Booking:
    """Change the contact of a confirmed appointment.

    Raises what check_changeable raises but CancellationClosed, AppointmentNotFound.
    """
    before = await lock_appointment(tx, booking_id)
    check_changeable(before, expected_version, actor, with_notice=False)
    keys = await tx.keys()
    person = person_of(keys, before)
    sealed = seal(
        keys,
        booking_id,
        Person(contact.email or person.email, contact.phone or person.phone, contact.name or person.name),
    )
    await tx.run(
        queries["change_contact"],
        {
            "business_id": tx.business_id,
            "id": booking_id,
            "contact": sealed.contact,
            "email_index": sealed.email_index,
            "phone_index": sealed.phone_index,
            "timezone": contact.timezone,
            "locale": contact.locale,
        },
    )
    await record(tx, before, "change_contact", "AppointmentUpdated", actor, None)
    return await read_appointment(tx, booking_id)


def for_whom(answer: CommitAnswer, email: str) -> CommitAnswer:
    """Return the answer to a commit without its nonce where the appointment is for somebody else.

    The database has seen to it, but where an earlier release has left the contact in plain text.
    """
    if answer.plain_email is not None and answer.plain_email.casefold() != email.casefold():
        answer.nonce = None
    return answer


def looked_for(keys: TenantKeys, text: str) -> Mapping[str, bytes | None]:
    """Return the blind index that finds an e-mail address, or that of a phone number where the text has no `@`."""
    is_email = "@" in text
    return {
        "email_index": keys.index_email(text) if is_email else None,
        "phone_index": None if is_email else keys.index_phone(text),
    }
