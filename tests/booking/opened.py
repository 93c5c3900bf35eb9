"""A business open around the clock, and a desk at which it is booked: the parts of a server without its HTTP."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg

from conftest import MASTER_KEY
from holdfast.availability.snapshots import Snapshots
from holdfast.booking import bookings
from holdfast.booking.admission import Admission, Answer
from holdfast.booking.bookings import Booking, keyed
from holdfast.booking.changes import cancel_appointment, reschedule
from holdfast.booking.contacts import Guest
from holdfast.booking.reservations import Reservations, Wish
from holdfast.booking.tokens import BookingTokens
from holdfast.booking.unpaid import end_all_unpaid
from holdfast.booking.views import ChangedView
from holdfast.catalog.programs import put_program
from holdfast.catalog.resources import put_resource
from holdfast.catalog.services import put_service
from holdfast.identity.businesses import put
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.ids import new_id
from holdfast.kernel.privacy import Keyring

# A Monday far enough ahead for every test, near enough for every horizon.
DAY_SECONDS = 86_400
HOUR_SECONDS = 3_600
START = (int(datetime.now(UTC).timestamp()) // DAY_SECONDS + 10) * DAY_SECONDS


@dataclass
class Practice:
    """One business with its desk."""

    desk: Reservations
    business_id: UUID
    resources: dict[str, UUID] = field(default_factory=dict)
    services: dict[str, UUID] = field(default_factory=dict)
    programs: dict[str, UUID] = field(default_factory=dict)

    async def add_resource(self, slug: str, capacity: int = 1, daily_limit: int | None = None) -> UUID:
        """Open a resource around the clock."""

        async def work(tx: Transaction) -> UUID:
            return await put_resource(
                tx,
                slug=slug,
                name=slug,
                kind="room",
                capacity=capacity,
                daily_limit=daily_limit,
                timezone=None,
                always_open=True,
            )

        self.resources[slug] = await self.desk.database.run(self.business_id, work)
        return self.resources[slug]

    async def add_service(self, slug: str, *needs: Sequence[str], minutes: int = 60, **more: object) -> UUID:
        """Offer a service that takes one resource of each need."""
        requirements = [[self.resources[name] for name in need] for need in needs]

        async def work(tx: Transaction) -> UUID:
            return await put_service(
                tx,
                slug=slug,
                name=slug,
                duration_minutes=minutes,
                requirements=requirements,
                max_horizon_days=730,
                **more,  # type: ignore[arg-type]
            )

        self.services[slug] = await self.desk.database.run(self.business_id, work)
        await self.desk.snapshots.refresh(self.business_id)
        return self.services[slug]

    async def add_schedule(self, places: int, *, starts: int = START, hold_minutes: int = 15, **more: object) -> UUID:
        """Lay out one schedule of a program of its own."""
        slug = f"group-{uuid4().hex[:8]}"

        async def work(tx: Transaction) -> UUID:
            self.programs[slug] = await put_program(
                tx,
                slug=slug,
                name=slug,
                duration_minutes=60,
                max_capacity=places,
                hold_minutes=hold_minutes,
                rules=(),
                resource_ids=(),
                **more,  # type: ignore[arg-type]
            )
            schedule_id = await tx.value(
                "insert into program_schedules (business_id, program_id, starts_at, ends_at, max_capacity)"
                " values (%s, %s, to_timestamp(%s), to_timestamp(%s), %s) returning id",
                [self.business_id, self.programs[slug], starts, starts + HOUR_SECONDS, places],
            )
            return UUID(str(schedule_id))

        return await self.desk.database.run(self.business_id, work)

    async def reserve(
        self,
        service: str,
        start: int = START,
        *,
        resource: str | None = None,
        party: int = 1,
        key: str | None = None,
        ttl: int | None = None,
        minutes: int = 60,
        guest: Guest | None = None,
    ) -> Answer:
        """Ask the desk for a slot."""
        wish = Wish(
            party=party,
            key=keyed(key, "book" if guest else "reserve", repr((service, start, resource, party)).encode()),
            ttl_seconds=ttl,
            service_id=self.services[service],
            start=start,
            end=start + minutes * 60,
            resource_id=self.resources[resource] if resource else None,
            guest=guest,
        )
        return await self.desk.reserve(self.business_id, wish)

    async def join(
        self, schedule_id: UUID, party: int = 1, *, key: str | None = None, ttl: int | None = None
    ) -> Answer:
        """Ask the desk for places in a group."""
        wish = Wish(
            party=party,
            key=keyed(key, "reserve", repr((schedule_id, party)).encode()),
            schedule_id=schedule_id,
            ttl_seconds=ttl,
        )
        return await self.desk.reserve(self.business_id, wish)

    async def commit(self, reservation_id: UUID) -> object:
        """Commit a reservation."""
        return await self.desk.commit(self.business_id, reservation_id, Guest("guest@example.org"))

    async def read(self, booking_id: UUID) -> Booking:
        """Return a booking as it is."""
        async with self.desk.database.transaction(self.business_id) as tx:
            return await bookings.read_reservation(tx, booking_id)

    async def release(self, reservation_id: UUID) -> None:
        """Give a held place back."""
        await self.desk.database.run(self.business_id, lambda tx: bookings.release(tx, reservation_id))

    async def cancel(self, appointment_id: UUID, *, key: str | None = None) -> ChangedView:
        """Cancel an appointment."""
        booking = await self.read(appointment_id)
        named = keyed(key, f"cancel {appointment_id}", b"")
        return await cancel_appointment(self.desk.database, booking, named, expected_version=None, reason=None)

    async def move(
        self,
        appointment_id: UUID,
        service: str | None = None,
        start: int = START,
        *,
        minutes: int = 60,
        resource: str | None = None,
        schedule: UUID | None = None,
        key: str | None = None,
        expected_version: int | None = None,
    ) -> ChangedView:
        """Move an appointment to another slot or schedule."""
        booking = await self.read(appointment_id)
        wish = Wish(
            party=booking.party_size,
            key=keyed(key, f"reschedule {appointment_id}", repr((service, start, resource, schedule)).encode()),
            schedule_id=schedule,
            service_id=self.services[service] if service else None,
            start=start if service else None,
            end=start + minutes * 60 if service else None,
            resource_id=self.resources[resource] if resource else None,
        )
        return await reschedule(self.desk, booking, wish, expected_version=expected_version, reason=None)

    async def open_account(self) -> None:
        """Take payments from now on."""

        async def work(tx: Transaction) -> None:
            account_id = new_id()
            secret = (await tx.keys()).seal("payment_accounts.secret", account_id, "the till's secret")
            await tx.run(
                "insert into payment_accounts (business_id, id, provider, account, is_test, secret)"
                " values (%s, %s, 'stripe', %s, true, %s)",
                [self.business_id, account_id, account_id.hex, secret],
            )

        await self.desk.database.run(self.business_id, work)
        await self.desk.snapshots.refresh(self.business_id)

    async def await_payment(self, service: str, start: int = START, **more: Any) -> UUID:
        """Reserve and commit what has to be paid; it waits for its payment."""
        held = (await self.reserve(service, start, **more)).made().id
        await self.commit(held)
        assert (await self.read(held)).state == "pending_payment"
        return held

    async def pay(self, booking_id: UUID, captured_minor: int | None = None) -> UUID:
        """Take the money for a booking, as if a provider had said so; nobody has looked what follows."""

        async def work(tx: Transaction) -> UUID:
            return await paid(tx, booking_id, captured_minor)

        return await self.desk.database.run(self.business_id, work)

    async def run_out(self, *ids: UUID | None) -> None:
        """Let holds, or what awaits its payment, run out now, as if their time had passed; nobody has swept them yet."""

        async def work(tx: Transaction) -> None:
            keys = await tx.keys()
            rows = await tx.rows(
                "update bookings set held_at = held_at - interval '1 day', expires_at = clock_timestamp(),"
                " version = version + 1 where id = any (%s) and state in ('held', 'pending_payment') returning id, state",
                [list(ids)],
            )
            for row in rows:
                if row["state"] == "pending_payment":
                    await tx.run(
                        "select record_changes(%s, array[%s::uuid], array[%s::bytea], 'test', 'pending_payment', 'test',"
                        " null, 'Test')",
                        [self.business_id, row["id"], keys.chain_key(row["id"])],
                    )

        await self.desk.database.run(self.business_id, work)


async def paid(tx: Transaction, booking_id: UUID, captured_minor: int | None = None, *, pays: bool = True) -> UUID:
    """Write down a payment of a booking whose money is taken, and that it is the one that pays."""
    payment_id: UUID = await tx.value(
        "insert into payments (business_id, id, booking_id, attempt, provider, account, account_id, provider_key, state,"
        " amount_minor, currency, captured_minor, captured_at, pays, next_attempt_at)"
        " select business_id, uuidv7(), id, 1 + (select count(*) from payments p where p.booking_id = b.id), 'stripe',"
        " 'a', (select a.id from payment_accounts a where a.business_id = b.business_id), uuidv7()::text, 'succeeded',"
        " coalesce(%s, due_minor), currency, coalesce(%s, due_minor), now(), %s, null"
        " from bookings b where id = %s returning id",
        [captured_minor, captured_minor, pays, booking_id],
    )
    return payment_id


async def close_books(tx: Transaction) -> None:
    """Leave the money of a business settled, as the till would have: nobody else comes to look at it."""
    await tx.run(
        "update refunds set state = 'succeeded', provider_refund_id = id::text, next_attempt_at = null"
        " where business_id = %s and state in ('created', 'pending')",
        [tx.business_id],
    )
    await tx.run(
        "with back as (select p.id, coalesce(sum(r.amount_minor) filter (where r.state = 'succeeded'), 0) as minor"
        " from payments p join bookings b on b.business_id = p.business_id and b.id = p.booking_id"
        " left join refunds r on r.business_id = p.business_id and r.payment_id = p.id"
        " where p.business_id = %s and p.pays and b.state in ('cancelled', 'refunded') group by p.id)"
        " update payments p set next_attempt_at = null, refunded_minor = back.minor,"
        " fee_minor = captured_minor - back.minor from back where p.business_id = %s and p.id = back.id",
        [tx.business_id, tx.business_id],
    )


@asynccontextmanager
async def open_practice(app_uri: str, currency: str = "EUR") -> AsyncIterator[Practice]:
    """Open a business of its own with a desk on connections of its own."""
    database = Database(app_uri, min_connections=1, max_connections=8, keyring=Keyring(MASTER_KEY, app_uri))
    await database.open()
    admission = Admission(database, app_uri)
    desk = Reservations(database, Snapshots(database), admission, BookingTokens(bytes(32)))
    try:

        async def work(tx: Transaction) -> UUID:
            business = await put(
                tx, slug=f"b-{uuid4().hex}", name="A practice", timezone="UTC", currency=currency, locale="en"
            )
            return business.id

        yield Practice(desk, await database.run(None, work))
    finally:
        await admission.close()
        await database.close()


@asynccontextmanager
async def beside(practice: Practice) -> AsyncIterator[Practice]:
    """Open a second desk for the same business: other connections, other caches, as another server has them."""
    async with open_practice(practice.desk.admission.dsn) as other:
        yield Practice(other.desk, practice.business_id, practice.resources, practice.services, practice.programs)


async def outcomes(*calls: object) -> list[object]:
    """Await everything at once; errors are results."""
    return await asyncio.gather(*calls, return_exceptions=True)  # type: ignore[call-overload,no-any-return]


def violations(admin_uri: str, *, worker: bool = False) -> list[str]:
    """Return what `holdfast verify` says of the database.

    Without a worker beside it, the holds that have run out and what was not paid in time are ended first: on a slow
    machine those of tests long past are older than any worker would let them be.
    """
    from holdfast.verify import verify  # noqa: PLC0415 - the checks are read only where they are used

    if not worker:
        with psycopg.connect(admin_uri, autocommit=True) as connection:
            sweep = "select sum(expire_holds(business_id, 500)) from businesses_with_spent_holds() business_id"
            while connection.execute(sweep).fetchone() != (None,):
                pass
            [unpaid] = connection.execute("select count(*) from businesses_with_unpaid()").fetchone() or (0,)
        if unpaid:
            # It needs the keys of the tenants, and a loop: not that of the test, which may be running.
            with ThreadPoolExecutor(1) as beside:
                beside.submit(asyncio.run, _end_unpaid(admin_uri)).result()
    return [f"{v.check}: {v.problem}" for v in verify(admin_uri, lambda _: None)]


async def _end_unpaid(uri: str) -> None:
    database = Database(uri, min_connections=1, max_connections=1, keyring=Keyring(MASTER_KEY, uri))
    await database.open()
    await end_all_unpaid(database)
    await database.close()


def count(admin_uri: str, statement: str, *values: object) -> int:
    """Return the one number of a statement."""
    with psycopg.connect(admin_uri) as connection:
        row = connection.execute(statement.encode(), values).fetchone()
        assert row is not None, "a count has a row"
        return int(row[0])


async def until_blocked(admin_uri: str, task: "asyncio.Task[Any]") -> None:
    """Return when somebody waits in the database for a lock; fail when the task ends before."""
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    while not await asyncio.to_thread(count, admin_uri, waiting):
        assert not task.done(), "nobody has waited"
