"""Admission as Python sees it: one request in, one answer out; batching, sweeping and asking again are hidden here."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from holdfast.availability.slots import Offering
from holdfast.availability.walltime import day_bounds, local_day
from holdfast.booking.turnstile import Measure, Turnstile
from holdfast.kernel.database import Database
from holdfast.kernel.errors import TryLater
from holdfast.kernel.rounds import Rounds
from holdfast.kernel.sql import load

if TYPE_CHECKING:
    from holdfast.kernel.tracing import Tracing

queries = load(__package__)

# A request asks again when another one was in the way and withdrew; each time somebody else has got on.
_ASKS = 40
_SWEEP_LIMIT = 500
_OVERDUE_LIMIT = 100


class Request(msgspec.Struct, omit_defaults=True, kw_only=True):
    """What admission needs to know; the fields of SQL's admission_request."""

    id: UUID
    operation: str
    party: int
    n: int = 0
    key: str | None = None
    hash: str | None = None
    guard_seconds: int | None = None
    catalog: int | None = None
    schedule: UUID | None = None
    service: UUID | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    claims_from: datetime | None = None
    claims_to: datetime | None = None
    notice_seconds: int | None = None
    horizon_seconds: int | None = None
    solo: UUID | None = None
    needs: list[list[UUID]] | None = None
    days: dict[str, tuple[datetime, datetime]] | None = None
    day_from: datetime | None = None
    day_to: datetime | None = None
    ttl: int | None = None
    price: int | None = None
    due: int | None = None
    currency: str | None = None
    timezone: str | None = None
    locale: str | None = None
    contact: str | None = None
    email_index: str | None = None
    phone_index: str | None = None
    nonce: str | None = None
    chain_key: str | None = None


class Answer(msgspec.Struct, kw_only=True):
    """What admission says; see admit() in admission.sql for the outcomes."""

    n: int
    outcome: str
    now: datetime
    id: UUID | None = None
    state: str | None = None
    expires: datetime | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    party: int | None = None
    resources: list[UUID] = msgspec.field(default_factory=list)
    nonce: str | None = None
    left: int | None = None

    def made(self) -> "Made":
        """Return the booking that was made, now or when the request was first answered."""
        return msgspec.convert(self, Made, from_attributes=True)


class Made(msgspec.Struct):
    """A booking as admission made it."""

    id: UUID
    state: str
    expires: datetime
    starts: datetime
    ends: datetime
    party: int


class CommitRequest(msgspec.Struct, omit_defaults=True, kw_only=True):
    """A reservation to be committed, with the sealed contact it is committed for."""

    id: UUID
    contact: str
    nonce: str
    chain_key: str
    n: int = 0
    email_index: str | None = None
    phone_index: str | None = None
    timezone: str | None = None
    locale: str | None = None


class CommitAnswer(msgspec.Struct, kw_only=True):
    """committed, repeated, expired or unknown; and the appointment."""

    n: int
    outcome: str
    id: UUID
    state: str | None = None
    starts: datetime | None = None
    ends: datetime | None = None
    version: int | None = None
    party: int | None = None
    service: UUID | None = None
    schedule: UUID | None = None
    nonce: str | None = None
    plain_email: str | None = None

    def made(self) -> "Committed":
        """Return the appointment that the reservation became."""
        return msgspec.convert(self, Committed, from_attributes=True)


class Committed(msgspec.Struct):
    """An appointment as its commit left it."""

    state: str
    starts: datetime
    ends: datetime
    version: int
    party: int


class Admission:
    """The two turnstiles, and the sweeping of holds that have run out."""

    def __init__(
        self,
        database: Database,
        dsn: str,
        *,
        pooler: bool = False,
        queue_limit: int = 10_000,
        measure: Callable[[str], Measure] = lambda _queue: Measure(),
        tracing: "Tracing | None" = None,
    ) -> None:
        self._database = database
        self.dsn = dsn
        self._sweeps: Rounds[int] = Rounds()
        self.reserves: Turnstile[Request, Answer] = Turnstile(
            dsn,
            queries["admit_batch"],
            Answer,
            pooler=pooler,
            queue_limit=queue_limit,
            measure=measure("reserve"),
            tracing=tracing,
        )
        self.commits: Turnstile[CommitRequest, CommitAnswer] = Turnstile(
            dsn,
            queries["commit_batch"],
            CommitAnswer,
            pooler=pooler,
            queue_limit=queue_limit,
            measure=measure("commit"),
            tracing=tracing,
        )

    async def admit(self, business_id: UUID, request: Request) -> Answer:
        """Return a final answer: neither `again` nor `spent`.

        Raises TryLater and OutcomeUnknown as the turnstile does.
        """
        for _ in range(_ASKS):
            answer = await self.reserves.pass_through(business_id, request)
            if answer.outcome == "spent":
                await self.sweep(business_id)
            elif answer.outcome != "again":
                return answer
        raise TryLater

    async def commit(self, business_id: UUID, request: CommitRequest) -> CommitAnswer:
        """Return the answer to a commit."""
        return await self.commits.pass_through(business_id, request)

    async def sweep(self, business_id: UUID) -> int:
        """End holds of a business that have run out, oldest first, and what was not paid in time; return how many."""
        return await self._sweeps.join(business_id, lambda: sweep(self._database, business_id))

    async def close(self) -> None:
        """Finish what is in flight."""
        await self.reserves.close()
        await self.commits.close()


async def sweep(database: Database, business_id: UUID) -> int:
    """End up to 500 holds of a business that have run out, and bookings that were not paid in time; return how many."""
    count = await database.run(
        business_id,
        lambda tx: tx.value(queries["expire_holds"], {"business_id": business_id, "limit": _SWEEP_LIMIT}),
    )
    return int(count) + await end_overdue(database, business_id)


async def end_overdue(database: Database, business_id: UUID) -> int:
    """End up to 100 bookings of a business whose payment has not come in time; return how many (B-4)."""
    async with database.reading(business_id) as tx:
        rows = await tx.rows(queries["overdue"], {"business_id": business_id, "limit": _OVERDUE_LIMIT})
    if not rows:
        return 0
    keys = await database.keys(business_id)
    # In the order of the chains' heads, which is that of all locks.
    ids = sorted(row["id"] for row in rows)
    values = {
        "business_id": business_id,
        "ids": ids,
        "chain_keys": [keys.chain_key(booking_id) for booking_id in ids],
        "early": False,
    }
    return len(await database.run(business_id, lambda tx: tx.value(queries["end_unpaid"], values)))


def place_of(offering: Offering, start: int, eligible: list[list[UUID]]) -> dict[str, Any]:
    """Return the fields of a request that say which place is wanted, when, and out of which resources."""
    end = start + offering.duration_seconds
    limited = {
        resource.id: tuple(instant(at) for at in day_bounds(local_day(start, resource.zone), resource.zone))
        for resource in offering.resources()
        if resource.daily_limit is not None
    }
    lone = len(eligible) == 1 and len(eligible[0]) == 1 and not limited
    lone = lone and next(r.capacity for r in offering.needs[0] if r.id == eligible[0][0]) == 1
    return {
        "starts": instant(start),
        "ends": instant(end),
        "claims_from": instant(start - offering.before_seconds),
        "claims_to": instant(end + offering.after_seconds),
        **({"solo": eligible[0][0]} if lone else {"needs": eligible}),
        **({"days": {str(r): days for r, days in limited.items()}} if limited else {}),
    }


def instant(epoch_seconds: int) -> datetime:
    """Return an instant as an aware time in UTC."""
    return datetime.fromtimestamp(epoch_seconds, UTC)
