"""People who wait at a business, and the worker that offers them what is free."""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from booking.opened import HOUR_SECONDS, START, Practice, open_practice
from holdfast.administration import settings
from holdfast.booking import waitlist
from holdfast.booking.contacts import Guest
from holdfast.booking.offers import Offers
from holdfast.booking.waitlist import WaitlistRequest, Wanted
from holdfast.identity.permissions import Role
from holdfast.identity.staff import Staff
from holdfast.kernel.database import Row, Transaction


@dataclass
class Line:
    """Who waits at a practice. Each has an address of their own."""

    practice: Practice
    offers: Offers
    emails: dict[UUID, str] = field(default_factory=dict)

    async def wait(
        self,
        service: str | None = "talk",
        start: int = START,
        hours: int = 1,
        *,
        party: int = 1,
        schedule: UUID | None = None,
        email: str | None = None,
    ) -> UUID:
        """Put somebody on the waitlist, for so many hours from a start on or for a schedule; return the request."""
        email = email or f"{uuid4().hex}@example.org"
        wanted = Wanted(party, schedule_id=schedule)
        if schedule is None:
            assert service is not None, "a service is waited for"
            times = (datetime.fromtimestamp(at, UTC) for at in (start, start + hours * HOUR_SECONDS))
            wanted = Wanted(party, self.practice.services[service], None, *times)
        made = await self.run(lambda tx: waitlist.wait(tx, wanted, Guest(email)))
        self.emails[made.id] = email
        return made.id

    async def turn(self, offers: Offers | None = None) -> int:
        """Let the worker, or another one, come by; return how many offers it has made."""
        return await (offers or self.offers).offer_of(self.practice.business_id)

    async def read(self, request_id: UUID) -> WaitlistRequest:
        """Return a request as its owner sees it."""
        async with self.practice.desk.database.transaction(self.practice.business_id) as tx:
            return await waitlist.find(tx, request_id)

    async def states(self, *requests: UUID) -> list[str]:
        """Return how requests stand."""
        return [str((await self.read(request)).status) for request in requests]

    async def offered(self, *requests: UUID) -> list[UUID]:
        """Return who of them is offered a place."""
        return [request for request in requests if (await self.read(request)).status == "offered"]

    async def booking_of(self, request_id: UUID) -> UUID:
        """Return the booking that a request is offered."""
        offer = (await self.read(request_id)).offer
        assert offer is not None, "it is offered one"
        return offer.booking_id

    async def accept(self, request_id: UUID) -> None:
        """Commit what a request is offered."""
        await self.practice.commit(await self.booking_of(request_id))

    async def withdraw(self, request_id: UUID) -> None:
        """Opt out."""
        await self.run(lambda tx: waitlist.withdraw(tx, request_id))

    async def run_out(self, request_id: UUID) -> None:
        """Let the time for an answer pass."""
        await self.practice.run_out(await self.booking_of(request_id))

    async def rows(self, statement: str, *values: Any) -> list[Row]:
        """Return rows of the business."""
        return await self.run(lambda tx: tx.rows(statement, list(values)))  # type: ignore[arg-type]

    async def stored(self, request_id: UUID) -> str:
        """Return what is written down about a request."""
        [row] = await self.rows("select state from waitlist_requests where id = %s", request_id)
        return str(row["state"])

    async def events(self, request_id: UUID) -> list[str]:
        """Return what others are told about a request, in order."""
        told = "select type from outbox_events where aggregate_id = %s order by version"
        return [row["type"] for row in await self.rows(told, request_id)]

    async def change(self, key: str, value: object) -> None:
        """Change a setting as an owner."""
        staff = Staff(self.practice.business_id, frozenset({Role.OWNER}), key_id=uuid4())
        await self.run(lambda tx: settings.change(tx, key, value, staff))

    async def run(self, work: Any) -> Any:
        """Run a piece of work for the business."""
        return await self.practice.desk.database.run(self.practice.business_id, work)

    async def clear(self) -> None:
        """Let nobody wait any more, so that no later look at the database finds offers that nobody has settled."""
        await self.run(waitlist.settle)
        for request in await self.rows("select id from waitlist_requests where state in ('waiting', 'offered')"):
            await self.withdraw(request["id"])


@asynccontextmanager
async def open_line(app_uri: str) -> AsyncIterator[Line]:
    """Open a business with two people who give talks, a hall of four places and a room, where people wait."""
    async with open_practice(app_uri) as practice:
        await practice.add_resource("ana")
        await practice.add_resource("ben")
        await practice.add_resource("hall", 4)
        await practice.add_service("talk", ["ana"])
        await practice.add_service("anyone", ["ana", "ben"])
        await practice.add_service("dance", ["hall"])
        line = Line(practice, Offers(practice.desk.database))
        yield line
        await line.clear()


async def fill(line: Line, service: str = "talk", start: int = START, hours: int = 1, party: int = 1) -> list[UUID]:
    """Book every hour from a start on; return the appointments."""
    made = []
    for hour in range(hours):
        answer = await line.practice.reserve(service, start + hour * HOUR_SECONDS, party=party)
        made.append(answer.made().id)
        await line.practice.commit(answer.made().id)
    return made


async def sold(tx: Transaction, bookings: Collection[UUID]) -> int:
    """Return how many of these bookings take their places."""
    live = "select count(*) from bookings where id = any (%s) and (state = 'confirmed' or state = 'held' and expires_at > now())"
    return int(await tx.value(live, [list(bookings)]))
