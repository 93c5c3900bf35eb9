"""What only staff do with appointments: list them, make them by hand, say how they ended."""

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking import outcomes, views
from holdfast.booking.agenda import Filters, list_appointments
from holdfast.booking.bookings import Booking
from holdfast.booking.calls import (
    Call,
    confided_appointment,
    desk_of,
    expected_version,
    id_in,
    instant_in,
    key_of,
    own_appointment,
    place_named,
)
from holdfast.booking.changes import once
from holdfast.booking.contacts import Contact, person_of
from holdfast.booking.history import told_in_words
from holdfast.booking.manual import Manual, book_manually, token_of
from holdfast.booking.notes import read_note
from holdfast.booking.states import UNCOMMITTED, BookingState
from holdfast.identity.calls import own_business
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import Forbidden, ValidationFailed
from holdfast.kernel.http import Line, decode, json_response
from holdfast.kernel.lists import number_in

_MAX_LIMIT = 500
_STATES = frozenset(BookingState) - UNCOMMITTED


class ManualBody(views.PlaceBody, kw_only=True):
    """An appointment that staff make. Whom it is for has to be told by one of name, e-mail and phone at least."""

    party_size: views.Party | None = None
    guest_email: views.Email | None = None
    guest_phone: views.Phone | None = None
    guest_name: Line | None = None
    locale: views.Locale | None = None
    timezone: Line | None = None
    override: bool = False
    reason: views.Reason | None = None

    def fingerprint(self) -> bytes:
        """Return what makes two requests the same; a party of one is the same said or unsaid."""
        self.party_size = self.party_size or 1
        return views.PlaceBody.fingerprint(self)


class ManualView(views.ChangedView, kw_only=True):
    """An appointment that staff made, with the token that is its client's."""

    cancellation_token: str


class OutcomeBody(views.KeyedBody, kw_only=True):
    """How an appointment ended."""

    outcome: Literal["completed", "no_show"]
    business_id: UUID | None = None
    reason: views.Reason | None = None
    expected_version: int | None = None


class RefundBody(views.KeyedBody, kw_only=True):
    """A refund."""

    business_id: UUID | None = None
    reason: views.Reason | None = None
    expected_version: int | None = None


class RefundedView(views.ChangedView, kw_only=True):
    """A refunded appointment, and how much of what was paid through Holdfast goes back; 0 when nothing was."""

    refunded_minor: int = 0
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]

    @classmethod
    def of(cls, booking: Booking) -> "RefundedView":
        """Return an appointment as its row tells."""
        shown = msgspec.structs.asdict(views.ChangedView.of(booking))
        return cls(**shown, refunded_minor=booking.refund_minor, currency=booking.currency)


class AppointmentsView(msgspec.Struct, rename="camel"):
    """A page of appointments in order of their start; `nextCursor` leads to the next one."""

    appointments: list[views.StaffAppointmentView]
    next_cursor: str | None


@get(
    "/api/booking/appointments",
    guards=[Needs(Permission.READ_APPOINTMENTS)],
    opt=documented(
        query=(
            *("from", "to", "status", "serviceId", "resourceId", "scheduleId", "contact"),
            *("businessId", "cursor", "limit"),
        ),
        answers=AppointmentsView,
        security="StaffKey",
    ),
)
async def appointments(request: Call) -> Response[bytes]:
    """Return the appointments of the business that begin in a range, in order of time.

    `from` and `to` (exclusive) are instants, or local dates of the business. `status` is one or several, with commas
    between. `contact` is an e-mail address or a phone number, however it is cased or punctuated.
    """
    asked = request.query_params
    business_id = own_business(staff_of(request), id_in(asked.get("businessId"), "businessId"))
    zone = (await request.app.state.tenancy.named(str(business_id))).timezone
    filters = Filters(
        start=instant_in(asked.get("from"), "from", zone),
        end=instant_in(asked.get("to"), "to", zone),
        states=_states_in(asked.get("status")),
        service_id=id_in(asked.get("serviceId"), "serviceId"),
        schedule_id=id_in(asked.get("scheduleId"), "scheduleId"),
        resource_id=id_in(asked.get("resourceId"), "resourceId"),
        contact=_line_in(asked.get("contact"), "contact"),
    )
    if filters.start is not None and filters.end is not None and filters.end <= filters.start:
        raise ValidationFailed.at("to", "must be after from")
    limit = number_in(asked.get("limit"), "limit", 100, 1, _MAX_LIMIT)
    async with desk_of(request).database.transaction(business_id) as tx:
        page = await list_appointments(tx, filters, cursor=asked.get("cursor") or None, limit=limit)
        keys = await tx.keys()
    shown = [views.StaffAppointmentView.of(booking, person_of(keys, booking)) for booking in page.appointments]
    return json_response(AppointmentsView(shown, page.next_cursor))


@post(
    "/api/booking/appointments",
    guards=[Needs(Permission.BOOK_APPOINTMENTS)],
    opt=documented(
        ManualBody,
        headers=("Idempotency-Key",),
        answers=ManualView,
        created=True,
        made="appointmentId",
        security="StaffKey",
    ),
)
async def book_by_hand(request: Call) -> Response[bytes]:
    """Make a confirmed appointment without a reservation.

    Any time within the opening hours will do, also a past one. With `override` and a `reason` an owner may go beyond
    opening hours and busy time, and nobody beyond capacity.
    """
    data = decode(ManualBody, await request.body())
    staff = staff_of(request)
    own_business(staff, data.business_id)
    if (data.schedule_id is None) == (data.service_id is None):
        raise ValidationFailed.at("serviceId", "give serviceId with slotStart and slotEnd, or scheduleId")
    contact = Contact(
        data.guest_email, data.guest_phone, data.guest_name, views.checked_zone(data.timezone), data.locale
    )
    if contact.email is None and contact.phone is None and contact.name is None:
        raise ValidationFailed.at("guestName", "say whom it is for: guestName, guestEmail or guestPhone")
    if data.override:
        if not staff.may(Permission.OVERRIDE_HOURS):
            raise Forbidden("Only an owner may override opening hours and busy time")
        if not (data.reason or "").strip():
            raise ValidationFailed.at("reason", "is needed with override, and is kept in the history")
    key = key_of(request, data, "book by staff")
    wish = place_named(data, key, data.party_size or 1, service_id=data.service_id)
    desk = desk_of(request)
    shown, booking = await book_manually(desk, Manual(staff, wish, contact, data.override, data.reason))
    told = ManualView(**msgspec.structs.asdict(shown), cancellation_token=token_of(desk, booking))
    return json_response(told, 200 if shown.replayed else 201)


@post(
    "/api/booking/appointments/{appointment_id:str}/outcome",
    status_code=200,
    guards=[Needs(Permission.RECORD_OUTCOMES)],
    opt=documented(
        OutcomeBody, headers=("Idempotency-Key", "If-Match"), answers=views.ChangedView, security="StaffKey"
    ),
)
async def outcome(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Say after the start whether the client came, or correct it."""
    data = decode(OutcomeBody, await request.body())
    expected = expected_version(request, data.expected_version)
    staff = staff_of(request)
    booking = await own_appointment(request, staff, appointment_id, data.business_id)
    key = key_of(request, data, f"outcome {booking.id}")

    async def change(tx: Transaction) -> Booking:
        return await outcomes.record_outcome(
            tx,
            booking.id,
            BookingState(data.outcome),
            expected_version=expected,
            reason=data.reason,
            actor=staff.actor,
        )

    database = desk_of(request).database
    async with told_in_words(database, booking.business_id, booking.id, expected):
        return json_response(await once(database, booking, key, views.ChangedView, change))


@post(
    "/api/booking/appointments/{appointment_id:str}/refund",
    status_code=200,
    guards=[Needs(Permission.REFUND_APPOINTMENTS)],
    opt=documented(RefundBody, headers=("Idempotency-Key", "If-Match"), answers=RefundedView, security="StaffKey"),
)
async def refund(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Refund a confirmed appointment, whose place is free at once, or one cancelled whose money is still owed."""
    data = decode(RefundBody, await request.body())
    expected = expected_version(request, data.expected_version)
    staff = staff_of(request)
    booking = await own_appointment(request, staff, appointment_id, data.business_id)
    key = key_of(request, data, f"refund {booking.id}")

    async def change(tx: Transaction) -> Booking:
        return await outcomes.refund(tx, booking.id, expected_version=expected, reason=data.reason, actor=staff.actor)

    database = desk_of(request).database
    async with told_in_words(database, booking.business_id, booking.id, expected):
        return json_response(await once(database, booking, key, RefundedView, change))


@get(
    "/api/admin/appointments/{appointment_id:str}/note",
    guards=[Needs(Permission.READ_APPOINTMENTS)],
    opt=documented(query=("businessId",), answers=views.NoteView, security="StaffKey"),
)
async def note(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Return what staff have noted about an appointment; who reads it is written down."""
    staff = staff_of(request)
    booking = await confided_appointment(request, staff, appointment_id)
    text = await desk_of(request).database.run(booking.business_id, lambda tx: read_note(tx, booking.id, staff.actor))
    return json_response(views.NoteView(appointment_id=booking.id, note=text))


handlers = [appointments, book_by_hand, outcome, refund, note]


def _line_in(text: str | None, field: str) -> str | None:
    if text and not (len(text) <= 254 and text.isprintable()):
        raise ValidationFailed.at(field, "must be one line of at most 254 characters")
    return text or None


def _states_in(text: str | None) -> list[str] | None:
    if not text:
        return None
    wanted = text.split(",")
    if set(wanted) - _STATES:
        raise ValidationFailed.at("status", f"must be of {', '.join(sorted(_STATES))}")
    return wanted
