"""A practice whose clients are written to, with a server of mail that keeps everything."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
from icalendar import Calendar

from booking.opened import START, Practice, open_practice
from holdfast.booking.contacts import Guest
from holdfast.booking.tokens import BookingTokens
from holdfast.identity.permissions import Role
from holdfast.identity.staff import Staff
from holdfast.kernel.database import Database, Transaction
from holdfast.notifications.composing import Desk
from holdfast.notifications.feed import feed, remind
from holdfast.notifications.links import Links
from holdfast.notifications.mailer import Mailer
from holdfast.notifications.messages import Told, messages_of
from holdfast.notifications.sending import send_due
from holdfast.notifications.settings import MailSettings, SmtpServer
from notifications.sink import Mail, Sink

PUBLIC_URL = "https://booking.test"
SENDER = "desk@practice.test"
TOKENS = BookingTokens(bytes(32))
EN = Guest("ursula.mailworth@example.org", None, "Guest Mailworthy", "Europe/Berlin", "en")
RU = Guest("pelageya@example.org", None, "Гость Письмецов", "Europe/Moscow", "ru-RU")


def settings_for(url: str) -> MailSettings:
    """Return settings for a server of mail, with patience for a test and no pace."""
    return MailSettings(SmtpServer.of_url(url), SENDER, PUBLIC_URL, per_second=1_000, timeout_seconds=5)


@dataclass
class Post:
    """A practice and its mail."""

    practice: Practice
    sink: Sink
    desk: Desk
    mailer: Mailer | None
    dsn: str
    admin_dsn: str

    @property
    def database(self) -> Database:
        """The database of the practice."""
        return self.practice.desk.database

    @property
    def business_id(self) -> UUID:
        """The practice."""
        return self.practice.business_id

    async def find(self) -> int:
        """Write down what there is to tell."""
        can_mail = self.mailer is not None
        return await feed(self.database, can_mail=can_mail) + await remind(self.database, can_mail=can_mail)

    async def deliver(self) -> list[Mail]:
        """Find what there is to tell, send all that is due, and return what has arrived."""
        await self.find()
        while await send_due(self.database, self.desk, self.mailer):
            pass
        return self.sink.taken()

    async def booked(self, guest: Guest = EN, start: int = START, **more: Any) -> UUID:
        """Book the session for a guest."""
        held = (await self.practice.reserve("session", start, **more)).made().id
        await self.practice.desk.commit(self.business_id, held, guest)
        return held

    async def told(self, booking_id: UUID) -> list[Told]:
        """Return what has become of the messages about a booking."""
        async with self.database.transaction(self.business_id) as tx:
            return await messages_of(tx, booking_id)

    async def states(self, booking_id: UUID) -> list[tuple[str, str, str | None]]:
        """Return kind, state and reason of the messages about a booking."""
        return [(told.kind, str(told.state), told.reason) for told in await self.told(booking_id)]

    async def run(self, statement: str, *values: object) -> int:
        """Run a statement for the practice."""

        async def work(tx: Transaction) -> int:
            return await tx.run(statement, values)  # type: ignore[arg-type]

        return await self.database.run(self.business_id, work)

    async def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Return rows of the practice."""
        async with self.database.transaction(self.business_id) as tx:
            return await tx.rows(statement, values)  # type: ignore[arg-type]

    def as_admin(self) -> "psycopg.Connection[Any]":
        """Return a connection past the product; used with `with`, it commits."""
        return psycopg.connect(self.admin_dsn)

    def past(self, **by: float) -> None:
        """Let everything have happened so much earlier than it has: as administrator, since history is nobody's."""
        with self.as_admin() as connection:
            connection.execute("update outbox_events set occurred_at = occurred_at - %s", [timedelta(**by)])

    async def hasten(self) -> None:
        """Let what waits for its next attempt be due now, as if its time had come."""
        await self.run("update messages set next_attempt_at = now() where state = 'queued'")

    async def items(self) -> list[tuple[str, str, str | None]]:
        """Return the open items before staff: kind, severity and reason."""
        rows = await self.rows(
            "select kind, severity::text, details ->> 'reason' as reason from attention_items"
            " where resolved_at is null order by kind"
        )
        return [(row["kind"], row["severity"], row["reason"]) for row in rows]


@asynccontextmanager
async def open_post(uri: str, admin_uri: str, sink: Sink, tls: ssl.SSLContext | None = None) -> AsyncIterator[Post]:
    """Open a practice with a session of an hour, whose mail goes to a sink."""
    settings = settings_for(sink.url)
    async with open_practice(uri) as practice, Mailer(settings, tls) as mailer:
        await practice.add_resource("room")
        await practice.add_service("session", ["room"])
        yield Post(practice, sink, Desk(settings, Links(PUBLIC_URL, TOKENS)), mailer, uri, admin_uri)


@asynccontextmanager
async def other_worker(post: Post) -> AsyncIterator[Post]:
    """Open a second worker for the same practice: other connections to the database and to the server of mail."""
    async with open_practice(post.dsn) as other, Mailer(post.desk.settings) as mailer:
        mine = Practice(other.desk, post.business_id, post.practice.resources, post.practice.services)
        yield Post(mine, post.sink, post.desk, mailer, post.dsn, post.admin_dsn)


def event_of(mail: Mail) -> tuple[str, Any]:
    """Return method and event of the invitation that a program shows."""
    part = mail.part("calendar")
    calendar = Calendar.from_ical(part.get_content())
    [event] = calendar.walk("VEVENT")
    assert part.get_param("method") == calendar["METHOD"]
    return str(calendar["METHOD"]), event


def file_of(mail: Mail) -> Any:
    """Return the calendar file that is attached."""
    [attached] = [p for p in mail.message.walk() if p.is_attachment()]  # type: ignore[attr-defined]
    assert attached.get_filename() == "invite.ics"
    return Calendar.from_ical(attached.get_payload(decode=True))


def owner_in(tx: Transaction) -> Staff:
    """Return an owner of the business of a transaction, by a key."""
    assert tx.business_id is not None
    return Staff(tx.business_id, frozenset({Role.OWNER}), key_id=uuid4())
