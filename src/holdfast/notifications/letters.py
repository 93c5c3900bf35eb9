"""A letter as it goes over the wire: headers, the text and its HTML, an invitation for calendars (RFC 5322, 6047)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import Final
from uuid import UUID

from holdfast.administration.marking_up import page_of
from holdfast.administration.placeholders import on_one_line
from holdfast.booking.invites import Method
from holdfast.notifications.messages import Content
from holdfast.notifications.settings import MailSettings

# Every server bears these; longer lines and other letters are encoded.
_PLAIN: Final = SMTP.clone(cte_type="7bit")
_UNICODE: Final = SMTPUTF8.clone(cte_type="7bit")
_FILE: Final = "invite.ics"


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent to whom, in their language; `sender` is the name under which it comes."""

    recipient: str
    name: str | None
    sender: str
    language: str
    content: Content
    calendar: bytes | None = None
    method: Method = Method.PUBLISH


def message_id_of(message: UUID, settings: MailSettings) -> str:
    """Return by which name servers of mail know a message: the same in each attempt."""
    return f"<{message}@{settings.domain}>"


def written(letter: Letter, message: UUID, settings: MailSettings, now: datetime) -> bytes:
    """Return a letter as SMTP takes it: lines end in CRLF, and nothing but ASCII unless its address has more."""
    mail = EmailMessage(policy=_PLAIN if letter.recipient.isascii() else _UNICODE)
    local, _, domain = letter.recipient.rpartition("@")
    mail["From"] = Address(on_one_line(letter.sender), addr_spec=settings.sender)
    mail["To"] = Address(on_one_line(letter.name or ""), local, domain)
    mail["Subject"] = on_one_line(letter.content.subject)
    mail["Date"] = format_datetime(now.astimezone(UTC))
    mail["Message-ID"] = message_id_of(message, settings)
    # Nobody's absence answers it (RFC 3834).
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(letter.content.text)
    page = page_of(letter.content.html, language=letter.language, title=letter.content.subject)
    mail.add_alternative(page, subtype="html")
    if letter.calendar is not None:
        _add_calendar(mail, letter.calendar, letter.method)
    # Last, since each part that is added takes the headers of content along.
    mail["Content-Language"] = letter.language
    return mail.as_bytes()


def _add_calendar(mail: EmailMessage, calendar: bytes, method: Method) -> None:
    """Add an invitation: what programs show as such, and a file for those that know none (RFC 6047, 2.4)."""
    told = {"method": method.value}
    if method is not Method.PUBLISH:
        # In base64, so that nobody on the way folds its lines anew.
        mail.add_alternative(calendar.decode(), subtype="calendar", cte="base64", params=told)
    mail.add_attachment(calendar, "text", "calendar", filename=_FILE, params=told | {"charset": "utf-8"})
