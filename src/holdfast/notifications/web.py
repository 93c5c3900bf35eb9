"""Messages over HTTP: a template tried out, and what a client was told of an appointment."""

from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.administration import templates
from holdfast.administration.templates import Text
from holdfast.administration.templates_web import Body
from holdfast.booking.bookings import read_appointment
from holdfast.booking.errors import AppointmentNotFound
from holdfast.identity.calls import Call
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import Instant, Line, decode, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.notifications.messages import Told, messages_of
from holdfast.notifications.on_request import send_test
from holdfast.notifications.states import MessageState


class TestBody(msgspec.Struct, rename="camel", kw_only=True):
    """A template that is to be tried out; without `body` the text in use, or the usual one."""

    kind: str
    channel: str = "email"
    locale: str = "en"
    subject: Line | None = None
    body: Body | None = None


class TestView(msgspec.Struct, rename="camel"):
    """A test that is on its way to whoever has asked for it."""

    message_id: UUID
    recipient: str


class ToldView(msgspec.Struct, rename="camel", kw_only=True):
    """What has become of a message. `reason` is a word for why it was not sent, or not yet."""

    id: UUID
    kind: str
    state: MessageState
    reason: str | None
    attempts: int
    locale: str | None
    occurred_at: Instant
    sent_at: Instant | None
    ended_at: Instant | None
    next_attempt_at: Instant | None

    @classmethod
    def of(cls, told: Told) -> "ToldView":
        """Return a message as the API shows it."""
        return msgspec.convert(told, cls, from_attributes=True)


class MessagesView(msgspec.Struct):
    """What a client was told of an appointment, in the order in which it happened."""

    messages: list[ToldView]


@post(
    "/api/admin/templates/test-send",
    status_code=202,
    guards=[Needs(Permission.WRITE_TEMPLATES)],
    opt=documented(TestBody, answers=TestView, security="StaffKey"),
)
async def test_send(request: Call) -> Response[bytes]:
    """Send a template with examples to the address of whoever is signed in; five within ten minutes at most."""
    data = decode(TestBody, await request.body())
    if data.subject is not None and data.body is None:
        raise ValidationFailed.at("body", "is missing")
    staff, name = staff_of(request), templates.named(data.kind, data.locale, data.channel)
    text = None if data.body is None else Text(data.subject, data.body)
    async with request.app.state.database.transaction(staff.business_id) as tx:
        trial = await send_test(tx, staff, name, text, data.locale, request.app.state.mail)
    return json_response(TestView(trial.message_id, trial.recipient), 202)


@get(
    "/api/admin/appointments/{appointment_id:str}/messages",
    guards=[Needs(Permission.READ_APPOINTMENTS)],
    opt=documented(answers=MessagesView, security="StaffKey"),
)
async def read_messages(request: Call, appointment_id: FromPath[str]) -> Response[bytes]:
    """Return what a client was told of an appointment and is to be told, without what it says."""
    booking_id = uuid_or_none(appointment_id)
    if booking_id is None:
        raise AppointmentNotFound
    async with request.app.state.database.transaction(staff_of(request).business_id) as tx:
        await read_appointment(tx, booking_id)
        found = await messages_of(tx, booking_id)
    return json_response(MessagesView([ToldView.of(told) for told in found]))


handlers = [test_send, read_messages]
