"""Giving and withdrawing a consent, and what staff see of it."""

from typing import Annotated

import msgspec
from litestar import Response, get, post

from holdfast.booking import views
from holdfast.booking.calls import Call, client_appointment, desk_of, tenancy_of
from holdfast.booking.contacts import person_of
from holdfast.identity import consents
from holdfast.identity.consents import Act, Entry, Kind, Proof, Said
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import record
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import Instant, Line, decode, json_response, worded
from holdfast.kernel.privacy import TenantKeys

_VERSION = worded(r"^[A-Za-z0-9._-]+$(?![\s\S])", "must be letters, digits and . _ -")
Version = Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=_VERSION)]


class ConsentContact(msgspec.Struct, rename="camel", kw_only=True):
    """Whose consent it is."""

    email: views.Email | None = None
    phone: views.Phone | None = None


class WithdrawBody(ConsentContact, kw_only=True):
    """What is withdrawn: for an address, or for whoever has the booking whose token is in the header Booking-Token."""

    kind: Kind
    booking_id: Line | None = None
    business: Line | None = None
    locale: views.Locale | None = None


class ConsentBody(WithdrawBody, kw_only=True):
    """To what somebody agrees: the kind, and the version of the document that was shown."""

    document_version: Version


class StaffConsentBody(ConsentContact, kw_only=True):
    """What staff were told, on paper or in person."""

    kind: Kind
    act: Act
    document_version: Version | None = None
    locale: views.Locale | None = None


class ConsentView(msgspec.Struct, rename="camel"):
    """What was kept. The same words for anybody: whether a person is known here, it does not tell."""

    kind: Kind
    act: Act
    document_version: str | None
    at: Instant

    @classmethod
    def of(cls, entry: Entry) -> "ConsentView":
        """Return an act as its giver sees it."""
        return cls(entry.kind, entry.act, entry.document_version, entry.acted_at)


class EntryView(ConsentView):
    """An act with its proof: `booking` and `staff` prove who it was, `claimed` does not."""

    proof: Proof
    locale: str | None

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        """Return an act as staff see it."""
        return cls(entry.kind, entry.act, entry.document_version, entry.acted_at, entry.proof, entry.locale)


class StandingView(EntryView):
    """What stands; `contested` when somebody who could be anybody has said the contrary since."""

    contested: bool


class ConsentsView(msgspec.Struct, rename="camel"):
    """What stands of each kind, and everything that was said, oldest first."""

    standing: list[StandingView]
    history: list[EntryView]


@post(
    "/api/public/consents",
    status_code=201,
    opt=documented(ConsentBody, headers=("Booking-Token",), answers=ConsentView),
)
async def give(request: Call) -> Response[bytes]:
    """Give a consent, proven by the token of a booking or merely claimed for an address."""
    data = decode(ConsentBody, await request.body())
    return await _said(request, data, Said(data.kind, Act.GIVEN, data.document_version, data.locale))


@post(
    "/api/public/consents/withdraw",
    status_code=201,
    opt=documented(WithdrawBody, headers=("Booking-Token",), answers=ConsentView),
)
async def withdraw(request: Call) -> Response[bytes]:
    """Withdraw a consent. Claimed for an address it does not take back what was proven, but is shown to staff."""
    data = decode(WithdrawBody, await request.body())
    return await _said(request, data, Said(data.kind, Act.WITHDRAWN, None, data.locale))


@get(
    "/api/admin/consents",
    guards=[Needs(Permission.READ_CONSENTS)],
    opt=documented(query=("contact",), answers=ConsentsView, security="StaffKey"),
)
async def consents_of(request: Call) -> Response[bytes]:
    """Return the consents of whoever has this e-mail address or phone number, the `contact`."""
    contact = request.query_params.get("contact")
    if not contact or len(contact) > 254:
        raise ValidationFailed.at("contact", "must be an e-mail address or a phone number")
    async with desk_of(request).database.transaction(staff_of(request).business_id) as tx:
        keys = await tx.keys()
        subject = keys.index_email(contact) if "@" in contact else keys.index_phone(contact)
        history = await consents.history_of(tx, [subject])
    standing = [
        StandingView(**msgspec.structs.asdict(EntryView.of(each.entry)), contested=each.contested)
        for each in consents.standing(history)
    ]
    return json_response(ConsentsView(standing, [EntryView.of(entry) for entry in history]))


@post(
    "/api/admin/consents",
    status_code=201,
    guards=[Needs(Permission.RECORD_CONSENTS)],
    opt=documented(StaffConsentBody, answers=EntryView, security="StaffKey"),
)
async def write_down(request: Call) -> Response[bytes]:
    """Write down a consent, or its withdrawal, that staff were told."""
    data = decode(StaffConsentBody, await request.body())
    if data.act is Act.GIVEN and data.document_version is None:
        raise ValidationFailed.at("documentVersion", "is missing")
    staff = staff_of(request)
    said = Said(data.kind, data.act, data.document_version, data.locale)
    async with desk_of(request).database.transaction(staff.business_id) as tx:
        subjects = _subjects(await tx.keys(), data.email, data.phone)
        entries = await consents.record_consent(tx, subjects, said, Proof.STAFF)
        for entry in entries:
            await record(tx, "consent", entry.id, "write_down_consent", staff.actor, after=entry.act)
    return json_response(EntryView.of(entries[0]), 201)


handlers = [give, withdraw, consents_of, write_down]


async def _said(request: Call, data: WithdrawBody, said: Said) -> Response[bytes]:
    booking = None
    if data.booking_id is None:
        business_id, proof = (await tenancy_of(request).named(data.business)).id, Proof.CLAIMED
    else:
        if data.email is not None or data.phone is not None:
            raise ValidationFailed.at("bookingId", "says who it is: give no email or phone beside it")
        booking = await client_appointment(request, data.booking_id, request.headers.get("Booking-Token"))
        business_id, proof = booking.business_id, Proof.BOOKING
    async with desk_of(request).database.transaction(business_id) as tx:
        keys = await tx.keys()
        named = data if booking is None else person_of(keys, booking)
        entries = await consents.record_consent(tx, _subjects(keys, named.email, named.phone), said, proof)
    return json_response(ConsentView.of(entries[0]), 201)


def _subjects(keys: TenantKeys, email: str | None, phone: str | None) -> list[bytes]:
    """Return what a person is found by. Raises ValidationFailed when there is neither address nor number."""
    subjects = [] if email is None else [keys.index_email(email)]
    if phone is not None:
        subjects.append(keys.index_phone(phone))
    if not subjects:
        raise ValidationFailed.at("email", "say whose consent it is: email, phone, or bookingId with its token")
    return subjects
