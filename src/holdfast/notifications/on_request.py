"""Mail that somebody of the staff asks for: a template tried out on themselves, an invitation to a user."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from holdfast.administration.templates import MESSAGES, Channel, Locale, Name, Text, checked, text_for, usual
from holdfast.availability.wording import Wording
from holdfast.identity import businesses
from holdfast.identity.staff import Staff
from holdfast.identity.users import User, find
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import TooManyRequests
from holdfast.kernel.languages import N_, chosen
from holdfast.notifications import messages
from holdfast.notifications.composing import content_of, write
from holdfast.notifications.errors import MailNotConfigured, NoAddress
from holdfast.notifications.messages import TEMPLATE_TEST, Content, queries
from holdfast.notifications.settings import MailSettings

_TESTS: Final = 5
_TESTS_SECONDS: Final = 600
# Who tries out waits for it; an invitation holds for three days.
_TEST_HOURS: Final = 1
_INVITATION_HOURS: Final = 24

TEST_SUBJECT: Final = N_("Test: %(subject)s")


@dataclass(frozen=True, slots=True)
class Trial:
    """A message that is on its way to whoever tries it out."""

    message_id: UUID
    recipient: str


async def send_test(
    tx: Transaction, staff: Staff, name: Name, text: Text | None, language: str, settings: MailSettings
) -> Trial:
    """Send a template, with examples in the place of its placeholders, to whoever asks for it, at their own address.

    `text` is one that is not written yet; None is what the business has in use, or what is usual. The worker sends it
    within seconds. Raises MailNotConfigured, NoAddress for a key, ValidationFailed for slips, UnknownTemplate for a
    channel by which nothing is sent, and TooManyRequests after five within ten minutes.
    """
    usual(name)
    if settings.server is None:
        raise MailNotConfigured
    if staff.user_id is None:
        raise NoAddress
    if text is not None:
        checked(name, text)
    user = await find(tx, staff.user_id)
    counted = {"business_id": tx.business_id, "user_id": user.id, "kind": TEMPLATE_TEST, "seconds": _TESTS_SECONDS}
    # One after another: two at once would both find four.
    await tx.run(queries["lock_user"], counted)
    if await tx.value(queries["lately_written"], counted) >= _TESTS:
        raise TooManyRequests.of("user", _TESTS_SECONDS)
    shown = {Channel.EMAIL: None, Channel.EMAIL_HTML: None} | {name.channel: text}
    plain = shown[Channel.EMAIL] or await _in_use(tx, name, Channel.EMAIL)
    # HTML shows the text that is tried out, unless it is the HTML that is.
    marked_up = shown[Channel.EMAIL_HTML]
    if marked_up is None and (text is None or name.channel is Channel.EMAIL_HTML):
        marked_up = await _in_use(tx, name, Channel.EMAIL_HTML)
    content = content_of(plain, marked_up, dict(MESSAGES[name.kind]))
    subject = Wording(language, "UTC").text(TEST_SUBJECT) % {"subject": content.subject}
    content = Content(subject, content.text, content.html)
    message_id = await messages.add(tx, TEMPLATE_TEST, user.id, user.email, name.locale, content, hours=_TEST_HOURS)
    return Trial(message_id, user.email)


async def send_invitation(
    tx: Transaction, user: User, link: str, ends_at: datetime, language: str | None, settings: MailSettings
) -> UUID | None:
    """Send a user the address where they choose a password; return the message's id, None where no mail is sent.

    The address is a secret until it was used or has run out; it is sealed, and forgotten with the message.
    """
    if settings.server is None:
        return None
    business = await businesses.current(tx)
    assert business is not None, "a user is of a business"
    words = Wording(chosen(language, fallback=business.locale), business.timezone)
    values = {
        "business_name": business.name,
        "user_name": user.name,
        "invitation_link": link,
        "invitation_ends": words.moment(ends_at),
    }
    content = await write(tx, "user_invitation", words.language, values)
    return await messages.add(
        tx, "user_invitation", user.id, user.email, words.language, content, hours=_INVITATION_HOURS
    )


async def _in_use(tx: Transaction, name: Name, channel: Channel) -> Text:
    return await text_for(tx, Name(name.kind, Locale(name.locale), channel))
