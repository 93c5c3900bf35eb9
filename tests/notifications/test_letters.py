"""Letters as they go over the wire: no name begins a header, and every server bears them (RFC 5322, W-2)."""

from datetime import UTC, datetime
from email import message_from_bytes, policy
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.booking.invites import Method
from holdfast.notifications.letters import Letter, message_id_of, written
from holdfast.notifications.measures import figures
from holdfast.notifications.messages import Content
from notifications.posting import SENDER, Post, settings_for

SETTINGS = settings_for("smtp://localhost")
MESSAGE = UUID("0198f000-0000-7000-8000-000000000001")
NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
HEADERS = {"From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"}
HEADERS |= {"Content-Language"}
INVITE = b"BEGIN:VCALENDAR\r\nX-LONG:" + "й".encode() * 300 + b"\r\nEND:VCALENDAR\r\n"


def letter(name: str = "Guest", text: str = "words\n", recipient: str = "quentin@example.org") -> Letter:
    """Return a letter in which everything that people write is the same."""
    return Letter(recipient, name, name, "en", Content(name, text, f"<p>{text}</p>"), INVITE, Method.REQUEST)


@pytest.mark.parametrize(
    "name",
    [
        "Гость Старший",
        "a\r\nBcc: victim@example.org",
        "a\nSubject: other\n\nbody",
        'quoted "name", with <brackets> @ (all) ; of: it\\',
        "\u2028\u2029\x85\x0b\x00 odd",
        "=?utf-8?q?encoded?=",
        "x" * 500,
        "🌱" * 80,
        "",
    ],
)
def test_names_stay_within_their_header(name: str) -> None:
    """Whatever stands in names and subjects, the headers are ours, and they are read as they were meant (W-2)."""
    body = written(letter(name), MESSAGE, SETTINGS, NOW)
    mail = message_from_bytes(body, policy=policy.default)
    assert set(mail.keys()) == HEADERS
    assert len(mail.keys()) == len(HEADERS)
    assert [each.addr_spec for each in mail["From"].addresses] == [SENDER]
    assert [each.addr_spec for each in mail["To"].addresses] == ["quentin@example.org"]
    assert mail["Message-ID"] == message_id_of(MESSAGE, SETTINGS) == f"<{MESSAGE}@practice.test>"
    if name.isalpha():
        assert mail["From"].addresses[0].display_name == mail["Subject"] == name


@given(st.text(max_size=300))
def test_a_letter_goes_through_any_server(text: str) -> None:
    """Lines are ASCII, at most 998 bytes and end in CRLF, and the invitation arrives to the byte (RFC 5321, W-2)."""
    body = written(letter(text=text), MESSAGE, SETTINGS, NOW)
    assert body.isascii()
    lines = body.split(b"\r\n")
    assert all(len(line) <= 998 and b"\n" not in line and b"\r" not in line for line in lines)
    mail = message_from_bytes(body, policy=policy.default)
    kinds = [part.get_content_type() for part in mail.walk()]
    assert kinds == [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
        "text/calendar",
    ]
    assert [part.get_payload(decode=True) for part in mail.walk()][-2:] == [INVITE, INVITE]


def test_other_letters_in_an_address_are_told_as_they_are() -> None:
    """An address with letters beyond ASCII is written in UTF-8, which only servers that take it are given (RFC 6532)."""
    body = written(letter(recipient="пётр@пример.рф"), MESSAGE, SETTINGS, NOW)
    assert "\r\nTo: Guest <пётр@пример.рф>\r\n".encode() in body


async def test_monitors_see_what_waits(post: Post) -> None:
    """How many messages wait, and how long ago the oldest of them had its cause, is among the figures (W-2)."""
    await post.booked()
    await post.find()
    async with post.database.transaction() as tx:
        shown = {metric.name: metric.samples[0].value for metric in await figures(tx)}
    assert (shown["holdfast_messages_queued"], shown["holdfast_messages_sending"]) == (1, 0)
    assert 0 < shown["holdfast_messages_oldest_seconds"] < 3_600
    await post.deliver()
    async with post.database.transaction() as tx:
        shown = {metric.name: metric.samples[0].value for metric in await figures(tx)}
    assert (shown["holdfast_messages_queued"], shown["holdfast_messages_oldest_seconds"]) == (0, 0)
