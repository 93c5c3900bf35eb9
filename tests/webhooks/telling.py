"""A practice that tells others what happens, and a program that is told."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import psycopg
from standardwebhooks import Webhook

from booking.opened import Practice, open_practice
from calendars.http_servers import Asked, Reply, Server
from holdfast.kernel.audit import SYSTEM, Actor, emit, record
from holdfast.kernel.database import Database, Transaction
from holdfast.webhooks import deliveries, endpoints
from holdfast.webhooks.deliveries import Delivery
from holdfast.webhooks.endpoints import Endpoint, Wish
from holdfast.webhooks.feed import feed
from holdfast.webhooks.sending import send_one
from holdfast.webhooks.settings import WebhookSettings
from holdfast.webhooks.upkeep import due_now

OWNER = Actor.staff(UUID(int=7))
HERE = WebhookSettings(private_networks=True)


class Receiver:
    """A program that is told, which answers as a test wants, and keeps what it was told."""

    def __init__(self) -> None:
        self.answering: Callable[[Asked], Reply] = lambda _: Reply(204)
        self.server = Server(self._answer)

    def _answer(self, asked: Asked) -> Reply:
        return self.answering(asked)

    @property
    def url(self) -> str:
        """The address at which it is told."""
        return f"{self.server.address}/hooks?key=a-token-of-theirs"

    @property
    def told(self) -> list[Asked]:
        """What it was told, in order."""
        return self.server.asked

    def ids(self) -> list[str]:
        """Return the ids of what it was told, in order."""
        return [asked.headers["webhook-id"] for asked in self.told]

    def bodies(self) -> list[dict[str, Any]]:
        """Return what it was told, in order."""
        return [msgspec.json.decode(asked.body) for asked in self.told]


@contextmanager
def open_receiver() -> Iterator[Receiver]:
    """Open a program that is told."""
    receiver = Receiver()
    with receiver.server.running():
        yield receiver


@dataclass
class Telling:
    """A practice that tells others what happens."""

    practice: Practice
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

    async def add(self, url: str, types: Sequence[str] | None = None) -> tuple[Endpoint, str]:
        """Have a program told; return its endpoint and secret."""
        wish = Wish("Another program", url, types)
        return await self.database.run(self.business_id, lambda tx: endpoints.add(tx, wish, OWNER))

    async def endpoint(self, endpoint_id: UUID) -> Endpoint:
        """Return an endpoint as it is now."""
        async with self.database.transaction(self.business_id) as tx:
            return await endpoints.find(tx, endpoint_id)

    async def deliveries(self, endpoint_id: UUID) -> list[Delivery]:
        """Return the deliveries to an endpoint, oldest first."""
        async with self.database.transaction(self.business_id) as tx:
            found, _ = await deliveries.list_deliveries(tx, endpoint_id, state=None, cursor=None, limit=500)
        return found[::-1]

    async def happen(self, event: str = "TimeBlocked", **payload: Any) -> UUID:
        """Let something happen; return what it is about."""
        subject = uuid4()
        await self.database.run(self.business_id, lambda tx: happen_in(tx, subject, event, **payload))
        return subject

    async def send(self) -> int:
        """Send what is due, until nothing is; return how many attempts that took."""
        count = 0
        while due := await due_now(self.database):
            for one in due:
                await send_one(self.database, HERE, one.business_id, one.id)
                count += 1
        return count

    async def tell(self) -> int:
        """Find what has happened, and send what is due."""
        await feed(self.database)
        return await self.send()

    async def hasten(self) -> None:
        """Let what waits for its next attempt be due now, as if its time had come."""
        await self.run("update webhook_deliveries set next_attempt_at = clock_timestamp() where state = 'pending'")

    async def age(self, **by: float) -> None:
        """Let everything be tried for so much longer than it is, and be due."""
        await self.run("update webhook_deliveries set queued_at = queued_at - %s", timedelta(**by))
        await self.hasten()

    async def run(self, statement: str, *values: object) -> int:
        """Run a statement for the practice."""

        async def work(tx: Transaction) -> int:
            return await tx.run(statement, values)  # type: ignore[arg-type]

        return await self.database.run(self.business_id, work)

    async def items(self) -> list[tuple[str, str]]:
        """Return the open items before staff: kind and reason."""
        async with self.database.transaction(self.business_id) as tx:
            rows = await tx.rows(
                "select kind, details ->> 'reason' as reason from attention_items where resolved_at is null"
            )
        return [(row["kind"], row["reason"]) for row in rows]

    def as_admin(self) -> "psycopg.Connection[Any]":
        """Return a connection past the product; used with `with`, it commits."""
        return psycopg.connect(self.admin_dsn)


async def happen_in(tx: Transaction, subject: UUID, event: str = "TimeBlocked", **payload: Any) -> None:
    """Write down, in a transaction, that something has happened."""
    version = await record(tx, "block", subject, "block", SYSTEM)
    await emit(tx, subject, version, event, {"resourceId": str(uuid4()), **payload})


@asynccontextmanager
async def open_telling(uri: str, admin_uri: str) -> AsyncIterator[Telling]:
    """Open a practice with a session of an hour."""
    async with open_practice(uri) as practice:
        await practice.add_resource("room")
        await practice.add_service("session", ["room"])
        yield Telling(practice, uri, admin_uri)


def verified(asked: Asked, secret: str) -> Any:
    """Return what a message says, as whoever has the secret is sure of it; by the library of the convention."""
    return Webhook(secret).verify(asked.body, dict(asked.headers))
