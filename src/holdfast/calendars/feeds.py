"""Feeds: the appointments of a resource as a calendar file, under an address that is a secret (C-8).

Any calendar app reads them, and shows what its owner has to do: the service and the time, and nothing of clients. What
does not take place is not there, so that the app drops it when it looks again.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from icalendar import Calendar, Event

from holdfast.availability.ics.lines import BOOKING_PROPERTY, VERSION_PROPERTY
from holdfast.calendars.event_ids import event_id_of
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.sql import load

_SQL = load(__package__, "feeds.sql")
_KIND = "calendar_feed"
_BACK = timedelta(days=30)
# More than anybody has in the two years that lie ahead.
_MOST = 10_000
# How often apps are asked to look: as often as we look at theirs.
_LOOK_AGAIN = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Entry:
    """An appointment as a feed shows it."""

    booking_id: UUID
    version: int
    starts_at: datetime
    ends_at: datetime
    confirmed_at: datetime | None
    title: str


@dataclass(frozen=True, slots=True)
class Feed:
    """What the feed of a resource shows now."""

    name: str
    entries: tuple[Entry, ...]

    @property
    def tag(self) -> str:
        """Return what is the same as long as the feed is."""
        shown = [(e.booking_id.hex, e.version, e.starts_at, e.ends_at, e.title) for e in self.entries]
        return hashlib.blake2b(repr((self.name, shown)).encode(), digest_size=16).hexdigest()


async def make_feed(tx: Transaction, resource_id: UUID, actor: Actor) -> tuple[str, datetime]:
    """Give a resource a feed and return its token, which nothing tells again, and since when it is the one.

    A token from before opens nothing any more. Raises NotFound.
    """
    values = {"business_id": tx.business_id, "id": resource_id}
    if not await tx.value(_SQL["has_calendar"], values):
        raise NotFound
    token = secrets.token_urlsafe(32)
    [row] = await tx.rows(_SQL["put_feed"], values | {"token_hash": _hash(token)})
    action = "renew_calendar_feed" if row["is_another"] else "make_calendar_feed"
    await record(tx, _KIND, resource_id, action, actor)
    return token, row["created_at"]


async def drop_feed(tx: Transaction, resource_id: UUID, actor: Actor) -> None:
    """Take the feed of a resource away, if it has one. Raises NotFound when there is no such resource."""
    values = {"business_id": tx.business_id, "id": resource_id}
    if not await tx.value(_SQL["has_calendar"], values):
        raise NotFound
    if await tx.run(_SQL["drop_feed"], values):
        await record(tx, _KIND, resource_id, "drop_calendar_feed", actor)


async def feed_made_at(tx: Transaction, resource_id: UUID) -> datetime | None:
    """Return since when a resource has its feed, None without one. Raises NotFound when there is no such resource."""
    values = {"business_id": tx.business_id, "id": resource_id}
    if not await tx.value(_SQL["has_calendar"], values):
        raise NotFound
    made_at: datetime | None = await tx.value(_SQL["feed"], values)
    return made_at


async def whose_feed(tx: Transaction, token: str) -> tuple[UUID, UUID]:
    """Return business and resource of a token, in a transaction of nobody; a single statement. Raises NotFound."""
    # Found by its hash: how long that takes tells nothing of the token.
    rows = await tx.rows(_SQL["feed_of"], {"token_hash": _hash(token)})
    if not rows:
        raise NotFound
    return rows[0]["business_id"], rows[0]["resource_id"]


async def read_feed(tx: Transaction, resource_id: UUID) -> Feed:
    """Return what takes a resource from 30 days ago on."""
    values = {"business_id": tx.business_id, "id": resource_id}
    entries = await tx.all(Entry, _SQL["appointments"], values | {"back": _BACK, "limit": _MOST})
    return Feed(await tx.value(_SQL["resource"], values), tuple(entries))


def written(feed: Feed) -> bytes:
    """Return the calendar file of a feed (RFC 5545)."""
    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", "-//Holdfast//EN")
    calendar.add("X-WR-CALNAME", feed.name)
    calendar.add("REFRESH-INTERVAL", _LOOK_AGAIN, parameters={"VALUE": "DURATION"})
    for entry in feed.entries:
        event = Event()
        event.add("UID", event_id_of(entry.booking_id))
        event.add("SEQUENCE", entry.version)
        event.add("DTSTAMP", (entry.confirmed_at or entry.starts_at).astimezone(UTC))
        event.add("DTSTART", entry.starts_at.astimezone(UTC))
        event.add("DTEND", entry.ends_at.astimezone(UTC))
        event.add("SUMMARY", entry.title)
        event.add("STATUS", "CONFIRMED")
        # So that we know it again where this feed is read as somebody's calendar.
        event.add(BOOKING_PROPERTY, str(entry.booking_id))
        event.add(VERSION_PROPERTY, str(entry.version))
        calendar.add_component(event)
    return bytes(calendar.to_ical())


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
