"""What a business writes to its clients: templates in versions, by kind of message, language and channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_OID, UUID, uuid5

from holdfast.administration.default_texts import TEXTS
from holdfast.administration.errors import TemplateChanged, UnknownMessage, UnknownTemplate
from holdfast.administration.marking_up import as_html
from holdfast.administration.placeholders import escaped, filled, on_one_line, slips, without_empty_lines
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel.audit import record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import Forbidden, ValidationFailed
from holdfast.kernel.sql import load

_SQL = load(__package__)


class Channel(StrEnum):
    """How a message is sent. A migration knows the same words."""

    EMAIL = "email"
    EMAIL_HTML = "email_html"
    SMS = "sms"

    @property
    def has_subject(self) -> bool:
        """Return whether a message has a subject there."""
        return self is not Channel.SMS


class Locale(StrEnum):
    """The languages in which messages are written. A migration knows the same words."""

    EN = "en"
    RU = "ru"


_ALWAYS = {
    "business_name": "Example Practice",
    "guest_name": "Guest",
    "service_name": "Individual session",
    "timezone": "Europe/Moscow (UTC+03:00)",
    "booking_link": "https://example.org/practice/booking/slot/",
}
_APPOINTMENT = _ALWAYS | {
    "practitioner_name": "Practitioner",
    "start": "Saturday, 21 November 2026, 15:00",
    "end": "16:00",
    "places": "2",
    "price": "€50.00",
    "manage_link": "https://example.org/manage",
}
_SERIES = _ALWAYS | {
    "practitioner_name": "Practitioner",
    "appointments": "Saturday, 21 November 2026, 15:00\nSaturday, 28 November 2026, 15:00",
}
_OFFER = _ALWAYS | {
    "start": "Saturday, 21 November 2026, 15:00",
    "places": "2",
    "offer_link": "https://example.org/offer",
    "offer_ends": "Saturday, 21 November 2026, 12:00",
}
_INVITATION = {
    "business_name": "Example Practice",
    "user_name": "Assistant",
    "invitation_link": "https://example.org/invitation",
    "invitation_ends": "Tuesday, 24 November 2026, 12:00",
}
# The kinds of messages with their placeholders, each with what a preview shows in its place (W-2).
MESSAGES: Mapping[str, Mapping[str, str]] = {
    "appointment_confirmed": _APPOINTMENT,
    "appointment_changed": _APPOINTMENT | {"former_start": "Friday, 20 November 2026, 15:00"},
    "appointment_cancelled": _APPOINTMENT | {"refund": "€50.00 goes back to you."},
    "appointment_reminder": _APPOINTMENT,
    "series_confirmed": _SERIES,
    "series_cancelled": _SERIES,
    "waitlist_offer": _OFFER,
    "user_invitation": _INVITATION,
}
# A text decides where the link in it leads and who hears of it. The one of an invitation makes whoever has it the user,
# whatever their roles: only those write it who could invite as well.
_WRITERS: Mapping[str, Permission] = {"user_invitation": Permission.MANAGE_USERS}


@dataclass(frozen=True, slots=True)
class Name:
    """Which template is meant."""

    kind: str
    locale: Locale
    channel: Channel


@dataclass(frozen=True, slots=True)
class Text:
    """Subject, where the channel has one, and body: with placeholders, or filled."""

    subject: str | None
    body: str


@dataclass(frozen=True, slots=True)
class Template:
    """One version of a template."""

    kind: str
    locale: Locale
    channel: Channel
    version: int
    subject: str | None
    body: str
    written_at: datetime

    @property
    def text(self) -> Text:
        """Return what it says."""
        return Text(self.subject, self.body)


def named(kind: str, locale: str, channel: str) -> Name:
    """Return the name of a template; raises UnknownMessage when there is no such message."""
    try:
        name = Name(kind, Locale(locale), Channel(channel))
    except ValueError:
        raise UnknownMessage from None
    if kind not in MESSAGES:
        raise UnknownMessage
    return name


async def in_use(tx: Transaction) -> list[Template]:
    """Return the templates of the business, each in the version that is in use."""
    return await tx.all(Template, _SQL["templates_in_use"], {"business_id": tx.business_id})


async def find(tx: Transaction, name: Name, version: int | None = None) -> Template:
    """Return a version of a template, by default the one in use; raises UnknownTemplate."""
    found = await _find(tx, name, version)
    if found is None:
        raise UnknownTemplate
    return found


def may_write(staff: Staff, kind: str) -> bool:
    """Return whether somebody writes the texts of a kind of message."""
    return staff.may(_WRITERS.get(kind, Permission.WRITE_TEMPLATES))


async def write(tx: Transaction, name: Name, text: Text, *, expected_version: int | None, staff: Staff) -> Template:
    """Write the next version of a template, which is in use at once; the same text again writes nothing.

    `expected_version` is the one that was seen, 0 for none. Raises Forbidden when it is not theirs to write,
    ValidationFailed with every slip, TemplateChanged.
    """
    if not may_write(staff, name.kind):
        raise Forbidden
    checked(name, text)
    before = await _find(tx, name, None)
    version = before.version if before else 0
    if expected_version not in (None, version):
        raise TemplateChanged(details={"currentVersion": version})
    if before is not None and before.text == text:
        return before
    values = _values(tx, name) | {"version": version + 1, "subject": text.subject, "body": text.body}
    written = await tx.first(Template, _SQL["add_template"], values)
    assert written is not None, "it was written or refused"
    await record(
        tx, "message_template", aggregate_of(tx, name), "write_template", staff.actor, before=version, after=version + 1
    )
    return written


async def text_for(tx: Transaction, name: Name) -> Text:
    """Return the text of a message of the business for a channel of mail: its own, or else what is usual.

    Where it has written only the one of text and HTML, the other says the usual; HTML that nobody has written shows the
    text. The subject is that of the text, wherever one was written.
    """
    assert name.channel is not Channel.SMS, "what is usual is written for mail"
    own = {each.channel: each.text for each in await _written(tx, name)}
    text = own.get(Channel.EMAIL) or usual(Name(name.kind, name.locale, Channel.EMAIL))
    marked_up = own.get(Channel.EMAIL_HTML)
    subject = text.subject if Channel.EMAIL in own or marked_up is None else marked_up.subject
    if name.channel is Channel.EMAIL:
        return Text(subject, text.body)
    return Text(subject, as_html(text.body) if marked_up is None else marked_up.body)


def usual(name: Name) -> Text:
    """Return what is written to clients where a business has written nothing: for mail, and no text on other channels.

    Raises UnknownTemplate for a channel by which nothing is sent.
    """
    subject, body = TEXTS[name.kind][name.locale]
    if name.channel is Channel.SMS:
        raise UnknownTemplate
    return Text(subject, as_html(body) if name.channel is Channel.EMAIL_HTML else body)


def preview(name: Name, text: Text) -> Text:
    """Return a text as a client would see it, with examples for what is not known yet; raises ValidationFailed."""
    checked(name, text)
    return rendered(name.channel, text, MESSAGES[name.kind])


def rendered(channel: Channel, text: Text, values: Mapping[str, str]) -> Text:
    """Return a checked text with its placeholders filled: in HTML escaped, in a subject on one line.

    A line of the body whose placeholders all have nothing to say is left out.
    """
    return Text(
        None if text.subject is None else on_one_line(filled(text.subject, values)),
        filled(
            without_empty_lines(text.body, values),
            values,
            escape=escaped if channel is Channel.EMAIL_HTML else str,
        ),
    )


def checked(name: Name, text: Text) -> None:
    """Raise ValidationFailed, with every slip and its place, for a text that could not be sent."""
    if name.channel.has_subject and text.subject is None:
        raise ValidationFailed.at("subject", "is missing")
    if not name.channel.has_subject and text.subject is not None:
        raise ValidationFailed.at("subject", "is not shown on this channel")
    known = MESSAGES[name.kind]
    errors = [
        {"field": field, "message": str(slip)}
        for field, written in (("subject", text.subject or ""), ("body", text.body))
        for slip in slips(written, known)
    ]
    if errors:
        raise ValidationFailed("A placeholder is not as it has to be", details={"errors": errors})


def aggregate_of(tx: Transaction, name: Name) -> UUID:
    """Return what the audit log calls a template of the business."""
    return uuid5(NAMESPACE_OID, f"holdfast template {tx.business_id} {name.kind} {name.locale} {name.channel}")


async def _written(tx: Transaction, name: Name) -> list[Template]:
    values = {"business_id": tx.business_id, "kind": name.kind, "locale": name.locale}
    return await tx.all(Template, _SQL["templates_of_message"], values)


async def _find(tx: Transaction, name: Name, version: int | None) -> Template | None:
    return await tx.first(Template, _SQL["template"], _values(tx, name) | {"version": version})


def _values(tx: Transaction, name: Name) -> dict[str, object]:
    return {"business_id": tx.business_id, "kind": name.kind, "locale": name.locale, "channel": name.channel}
