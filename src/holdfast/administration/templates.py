"""What a business writes to its clients: templates in versions, by kind of message, language and channel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import NAMESPACE_OID, UUID, uuid5

from holdfast.administration.errors import TemplateChanged, UnknownMessage, UnknownTemplate
from holdfast.administration.placeholders import escaped, filled, on_one_line, slips
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed
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


_APPOINTMENT = {
    "business_name": "Example Practice",
    "guest_name": "Guest",
    "service_name": "Individual session",
    "practitioner_name": "Practitioner",
    "start": "21.11.2026, 15:00",
    "timezone": "Europe/Moscow",
    "manage_link": "https://example.org/manage",
}
_OFFER = {
    "business_name": "Example Practice",
    "guest_name": "Guest",
    "service_name": "Individual session",
    "start": "21.11.2026, 15:00",
    "timezone": "Europe/Moscow",
    "offer_link": "https://example.org/offer",
    "offer_ends": "21.11.2026, 12:00",
}
# The kinds of messages with their placeholders, each with what a preview shows in its place (W-2).
MESSAGES: Mapping[str, Mapping[str, str]] = {
    "appointment_confirmed": _APPOINTMENT,
    "appointment_changed": _APPOINTMENT,
    "appointment_cancelled": _APPOINTMENT,
    "appointment_reminder": _APPOINTMENT,
    "waitlist_offer": _OFFER,
}


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


async def write(tx: Transaction, name: Name, text: Text, *, expected_version: int | None, actor: Actor) -> Template:
    """Write the next version of a template, which is in use at once; the same text again writes nothing.

    `expected_version` is the one that was seen, 0 for none. Raises ValidationFailed with every slip, TemplateChanged.
    """
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
        tx, "message_template", aggregate_of(tx, name), "write_template", actor, before=version, after=version + 1
    )
    return written


def preview(name: Name, text: Text) -> Text:
    """Return a text as a client would see it, with examples for what is not known yet; raises ValidationFailed."""
    checked(name, text)
    return rendered(name.channel, text, MESSAGES[name.kind])


def rendered(channel: Channel, text: Text, values: Mapping[str, str]) -> Text:
    """Return a checked text with its placeholders filled: in HTML escaped, in a subject on one line."""
    return Text(
        None if text.subject is None else on_one_line(filled(text.subject, values)),
        filled(text.body, values, escape=escaped if channel is Channel.EMAIL_HTML else str),
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


async def _find(tx: Transaction, name: Name, version: int | None) -> Template | None:
    return await tx.first(Template, _SQL["template"], _values(tx, name) | {"version": version})


def _values(tx: Transaction, name: Name) -> dict[str, object]:
    return {"business_id": tx.business_id, "kind": name.kind, "locale": name.locale, "channel": name.channel}
