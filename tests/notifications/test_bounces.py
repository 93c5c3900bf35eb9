"""What servers of mail return goes before staff (W-2, RFC 3464)."""

from email.message import EmailMessage
from email.mime.base import MIMEBase
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from uuid import UUID, uuid4

import pytest

from conftest import MASTER_KEY
from holdfast.kernel.database import Transaction
from holdfast.notifications.bounces import Returned, note, read
from journeys.instance import holdfast
from notifications.posting import EN, RU, Post
from notifications.sink import Mail


def report(returned: Mail | str, *, action: str = "failed", status: str = "5.1.1", headers_only: bool = False) -> bytes:
    """Return a notification as servers of mail write it, about a message or about a Message-ID."""
    text = returned.body.decode() if isinstance(returned, Mail) else f"Message-ID: {returned}\r\n\r\nwords\r\n"
    whole = MIMEMultipart("report", **{"report-type": "delivery-status"})
    whole["From"] = "MAILER-DAEMON@mx.example.org"
    whole["Subject"] = "Undelivered Mail Returned to Sender"
    whole.attach(MIMEText("I am sorry."))
    fields = MIMEBase("message", "delivery-status")
    for lines in (
        {"Reporting-MTA": "dns; mx.example.org"},
        {
            "Final-Recipient": f"rfc822; {EN.email}",
            "Action": action,
            "Status": status,
            "Diagnostic-Code": "smtp; 550 no",
        },
    ):
        group = EmailMessage()
        for name, value in lines.items():
            group[name] = value
        fields.attach(group)
    whole.attach(fields)
    original = MIMEBase("text" if headers_only else "message", "rfc822-headers" if headers_only else "rfc822")
    if headers_only:
        original.set_payload(text.split("\r\n\r\n")[0])
    else:
        inner = EmailMessage()
        inner["Message-ID"] = next(line[12:] for line in text.splitlines() if line.startswith("Message-ID: "))
        inner.set_content("words")
        original.attach(inner)
    whole.attach(original)
    return whole.as_bytes()


@pytest.mark.parametrize("headers_only", [False, True])
def test_a_failed_delivery_is_read(headers_only: bool) -> None:
    """The id of the message and the status are read, whether it comes back whole or by its headers (W-2)."""
    message_id = uuid4()
    told = report(f"<{message_id}@practice.test>", headers_only=headers_only)
    assert read(told) == Returned(message_id, "5.1.1")


def test_what_is_no_failure_is_passed_over() -> None:
    """A delay, a report on something else, and the mail of people are nothing that came back (W-2)."""
    named = f"<{uuid4()}@practice.test>"
    assert read(report(named, action="delayed", status="4.4.1")) is None
    assert read(report("<something.else@practice.test>")) is None
    letter = EmailMessage()
    letter["References"] = named
    letter.set_content("Action: failed\nThank you!")
    assert read(letter.as_bytes()) is None
    for broken in (b"", b"\xff\x00\xfe", report(named)[:200], b"Content-Type: multipart/report\r\n\r\n"):
        assert read(broken) is None


async def test_what_comes_back_is_before_staff(post: Post) -> None:
    """A message that was taken on and came back later has failed, once, and staff read of it (W-2)."""
    booking_id = await post.booked()
    [mail] = await post.deliver()
    returned = read(report(mail))
    assert returned is not None

    async def work(tx: Transaction) -> UUID | None:
        return await note(tx, returned)

    for _ in range(2):
        assert await post.database.run(None, work) == post.business_id
        assert await post.states(booking_id) == [("appointment_confirmed", "failed", "returned")]
        assert await post.items() == [("message_not_delivered", "warning", "returned")]
    stranger = Returned(uuid4(), None)
    assert await post.database.run(None, lambda tx: note(tx, stranger)) is None
    # Nobody writes to them again for that, and what happens next is told.
    assert await post.deliver() == []
    await post.practice.cancel(booking_id)
    assert len(await post.deliver()) == 1


async def test_a_server_of_mail_pipes_it_in(post: Post) -> None:
    """`holdfast bounce` reads a notification from stdin; what is not about us is passed over, and the database may be
    away for a while (W-2).
    """
    booking_id = await post.booked(RU)
    [mail] = await post.deliver()

    def bounce(body: bytes, dsn: str = post.admin_dsn) -> tuple[int, str]:
        done = holdfast("bounce", stdin=body.decode(), HOLDFAST_MASTER_KEY=MASTER_KEY.hex(), HOLDFAST_DSN=dsn)
        return done.returncode, done.stderr

    assert bounce(b"Subject: hello\r\n\r\nhello")[0] == 0
    assert bounce(report(f"<{uuid4()}@practice.test>")) == (0, "bounce: there is no such message\n")
    assert bounce(report(mail), "postgresql://x@127.0.0.1:1/x")[0] == 75
    assert await post.states(booking_id) == [("appointment_confirmed", "sent", None)]
    code, told = bounce(report(mail))
    assert (code, "came back (5.1.1)" in told) == (0, True)
    assert await post.states(booking_id) == [("appointment_confirmed", "failed", "returned")]
