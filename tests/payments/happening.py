"""A practice that is paid beforehand, all of it real but the provider: all that can happen to it, in any order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

import httpx
import psycopg
from structlog.testing import capture_logs
from structlog.typing import EventDict

from booking.opened import HOUR_SECONDS, START, Practice, open_practice
from calendars.faltering import FalteringDatabase, FalteringProvider, Fate, Worker
from holdfast.booking import bookings, outcomes
from holdfast.booking.contacts import Guest
from holdfast.booking.unpaid import end_all_unpaid
from holdfast.catalog.refund_terms import Term
from holdfast.kernel.audit import CLIENT, CONSOLE
from holdfast.kernel.database import Database
from holdfast.kernel.errors import UserError
from holdfast.payments.accounts import Account, candidate, connect
from holdfast.payments.inbox import act_on_due, look_up_due
from holdfast.payments.openings import openings
from holdfast.payments.port import AccountFacts, Provider
from holdfast.payments.providers import Providers
from holdfast.payments.reconciliation import reconcile_due
from holdfast.payments.refunds import give_goodwill, retry
from holdfast.payments.settlement import settle
from holdfast.payments.states import PaymentState, RefundState
from holdfast.payments.till import PaymentTill
from holdfast.payments.upkeep import due_now, settle_one
from payments.counterparts import Counterpart, Message, Returned, Taken

SLOTS = 3
# Each gives back another share, none of them to a whole unit.
PRICES = {"talk": 500_001, "course": 333_335, "group": 70_001}
PARTY = 2
TERMS = {"talk": (), "course": (Term(1_000, 100), Term(0, 33)), "group": (Term(1_000, 50), Term(0, 0))}
OFFERINGS = (*PRICES,)
# Rounds of everybody's work within which all is said and done.
_ROUNDS = 16

Job = Callable[[Database, Providers], Awaitable[Any]]


@dataclass
class World:
    """The practice, its provider, and everybody who does something."""

    practice: Practice
    counterpart: Counterpart
    admin: psycopg.Connection
    account: Account
    schedules: list[UUID]
    # Where providers tell us something.
    edge: httpx.AsyncClient
    # What all have said in the log.
    lines: list[EventDict]
    # What was committed, and has to be paid.
    bookings: list[UUID] = field(default_factory=list)
    stalled: list[Worker] = field(default_factory=list)

    @property
    def database(self) -> Database:
        """The database as the application sees it."""
        return self.practice.desk.database

    @property
    def business_id(self) -> UUID:
        """The business."""
        return self.practice.business_id

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as administrator, past the product."""
        cursor = self.admin.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    # What clients and staff do.

    async def book(self, offering: str, slot: int) -> UUID | None:
        """Let a client reserve and commit something, if that can be had; it waits for its payment then."""
        try:
            if offering == "group":
                held = await self.practice.join(self.schedules[slot % len(self.schedules)], PARTY)
            else:
                held = await self.practice.reserve(offering, START + slot * HOUR_SECONDS)
            booking_id = held.made().id
            await self.practice.commit(booking_id)
        except UserError:
            return None
        self.bookings.append(booking_id)
        return booking_id

    async def take_place(self, slot: int) -> None:
        """Let somebody else have a place who pays when they are there."""
        with suppress(UserError):
            guest = Guest("guest@example.org")
            await self.practice.reserve("walk", START + slot * HOUR_SECONDS, guest=guest)

    async def cancel(self, booking_id: UUID, percent: int | None, *, by_staff: bool) -> None:
        """Let the client or staff cancel."""
        before = await self.practice.read(booking_id)
        with suppress(UserError):
            await self.database.run(
                self.business_id,
                lambda tx: bookings.cancel(
                    tx,
                    booking_id,
                    expected_version=before.version,
                    reason=None,
                    actor=CONSOLE if by_staff else CLIENT,
                    refund_percent=percent if by_staff else None,
                ),
            )

    async def refund(self, booking_id: UUID) -> None:
        """Let staff refund a booking."""
        before = await self.practice.read(booking_id)
        with suppress(UserError):
            await self.database.run(
                self.business_id,
                lambda tx: outcomes.refund(tx, booking_id, expected_version=before.version, reason=None, actor=CONSOLE),
            )

    async def give_goodwill(self, payment_id: UUID, minor: int) -> None:
        """Let staff give some of a payment back."""
        with suppress(UserError):
            await self.database.run(self.business_id, lambda tx: give_goodwill(tx, payment_id, minor))

    async def retry(self, refund_id: UUID) -> None:
        """Let staff try a refund again."""
        with suppress(UserError):
            await self.database.run(self.business_id, lambda tx: retry(tx, refund_id))

    async def reschedule(self, booking_id: UUID, offering: str, slot: int) -> None:
        """Move a booking, perhaps to something else, if that can be had."""
        with suppress(UserError):
            if offering == "group":
                await self.practice.move(booking_id, schedule=self.schedules[slot % len(self.schedules)])
            else:
                await self.practice.move(booking_id, offering, START + slot * HOUR_SECONDS)

    async def end_window(self, *booking_ids: UUID) -> None:
        """Let the time for paying run out; nobody has swept yet."""
        await self.practice.run_out(*booking_ids)

    async def sweep(self) -> None:
        """End what was not paid in time."""
        await end_all_unpaid(self.database)

    async def tell(self, *messages: Message) -> None:
        """Let the provider, or whoever says so, tell us these, all at once."""
        answers = await asyncio.gather(
            *(
                self.edge.post(
                    f"/api/webhooks/{each.path}/{self.business_id}",
                    content=each.body,
                    headers={"Content-Type": "application/json", **each.headers},
                )
                for each in messages
            )
        )
        assert {answer.status_code for answer in answers} <= {200}, [answer.text for answer in answers]

    # What there is.

    def payments(self) -> list[UUID]:
        """Return the payments in the books, the oldest first."""
        return [
            each for (each,) in self.sql("select id from payments where business_id = %s order by id", self.business_id)
        ]

    def refunds(self, *states: RefundState) -> list[UUID]:
        """Return the refunds in the books that are in one of these states, the oldest first."""
        statement = "select id from refunds where business_id = %s and state = any (%s) order by id"
        return [each for (each,) in self.sql(statement, self.business_id, list(states))]

    def states(self) -> dict[UUID, str]:
        """Return the bookings that have to be paid, with their states."""
        return dict(
            self.sql(
                "select id, state from bookings where business_id = %s and due_minor is not null", self.business_id
            )
        )

    def remote(self, *states: PaymentState) -> list[Taken]:
        """Return the payments that are in one of these states at the provider, the oldest first."""
        ours = str(self.business_id)
        return [
            taken
            for taken in self.counterpart.payments()
            if taken.state in states and taken.names.get("business_id") == ours
        ]

    def returned(self) -> list[Returned]:
        """Return what went back at the provider, the oldest first."""
        ours = {taken.id for taken in self.remote(*PaymentState)}
        return [back for back in self.counterpart.refunds() if back.payment_id in ours]

    # What workers do.

    async def work(self, job: Job, *workers: Worker) -> None:
        """Let workers do the same job at the same time, each with a fate of its own."""
        standing = await asyncio.gather(*(worker.work(self._done_by(job, worker)) for worker in workers))
        self.stalled += [worker for worker, stands in zip(workers, standing, strict=True) if stands]

    def _done_by(self, job: Job, worker: Worker) -> Awaitable[Any]:
        database = cast(Database, FalteringDatabase(self.database, worker, stands=True))
        opening = openings(self.counterpart.settings)[self.counterpart.name]

        def faltering(business_id: UUID, account: Account) -> Provider:
            return cast(Provider, FalteringProvider(cast(Any, opening(business_id, account)), worker))

        return job(database, Providers({self.counterpart.name: faltering}))

    def open(self, booking_id: UUID) -> Job:
        """Return the job of telling a client how to pay."""

        async def job(database: Database, providers: Providers) -> None:
            till = PaymentTill(database, providers, "https://practice.test")
            with suppress(UserError):
                await till.open(self.business_id, booking_id, base_url="https://practice.test")

        return job

    def look(self, booking_id: UUID) -> Job:
        """Return the job of telling a client, who has come back, how it stands."""

        async def job(database: Database, providers: Providers) -> None:
            till = PaymentTill(database, providers, "https://practice.test")
            # Who has looked two seconds ago is told what was found then.
            self.sql(
                "update payments set changed_at = changed_at - interval '3 seconds' where booking_id = %s", booking_id
            )
            await till.look(self.business_id, booking_id)

        return job

    def settle(self, payment_id: UUID) -> Job:
        """Return the job of looking at one payment, whether it is due or not."""
        return lambda database, providers: settle(database, providers, self.business_id, payment_id)

    @staticmethod
    async def settle_due(database: Database, providers: Providers) -> None:
        """Settle what is due."""
        for due in await due_now(database):
            await settle_one(database, providers, due)

    @staticmethod
    async def reconcile(database: Database, providers: Providers) -> None:
        """Compare the account with the provider's own list."""
        await reconcile_due(database, providers)

    @staticmethod
    async def read_inbox(database: Database, providers: Providers) -> None:
        """Act on what was told."""
        await act_on_due(database)
        await look_up_due(database, providers)

    async def all_work(self) -> None:
        """Do all that is due."""
        for job in (self.read_inbox, self.reconcile, self.settle_due):
            await self.work(job, Worker(Fate.LIVES, 0))

    async def wake(self) -> None:
        """Let whoever has stood still for longest go on."""
        if self.stalled:
            await self.stalled.pop(0).wake()

    def pass_time(self, interval: str = "2 days") -> None:
        """Let so much time pass that all leases and waiting are over; keys and windows are as young as they were."""
        for table in ("payments", "refunds", "webhook_events", "payment_reconciliations"):
            columns = {
                "webhook_events": ["next_attempt_at"],
                "payment_reconciliations": ["next_at", "leased_until"],
            }.get(table, ["next_attempt_at", "leased_until"])
            self._shift(table, interval, *columns)

    async def jump(self) -> None:
        """Let more than a day pass, after which providers have forgotten our keys, and all windows are over."""
        hours = 25
        self.counterpart.advance(hours=hours)
        interval = f"{hours} hours"
        self.pass_time(interval)
        self._shift(
            "payments", interval, "create_sent_at", "capture_sent_at", "cancel_sent_at", "created_at", "changed_at"
        )
        self._shift("refunds", interval, "sent_at", "created_at", "changed_at")
        self._shift("webhook_events", interval, "received_at", "processed_at")
        self._shift("payment_reconciliations", interval, "listed_until")
        await self.end_window(*(each for each, state in self.states().items() if state in {"held", "pending_payment"}))

    def _shift(self, table: str, interval: str, *columns: str) -> None:
        sooner = ", ".join(f"{column} = {column} - interval '{interval}'" for column in columns)
        self.sql(f"update {table} set {sooner} where business_id = %s", self.business_id)

    # When all is quiet.

    async def calm_down(self) -> None:
        """Let nothing go wrong any more, and everybody work until there is nothing to do."""
        self.counterpart.faults.clear()
        self.counterpart.refunds_become(RefundState.SUCCEEDED)
        for back in self.returned():
            if back.state is RefundState.PENDING:
                self.counterpart.end_refund(back.id, refused=False)
        await self.round()
        while self.stalled:
            await self.wake()
        await self.round()
        waiting = [each for each, state in self.states().items() if state in {"held", "pending_payment"}]
        await self.end_window(*waiting)
        await self.sweep()
        await self.become_quiet()
        for refund_id in self.refunds(RefundState.REFUSED):
            await self.retry(refund_id)
        await self.become_quiet()

    async def become_quiet(self) -> None:
        """Let everybody work until nothing is left to do, and a round more changes nothing."""
        for _ in range(_ROUNDS):
            before = self._seen()
            await self.round()
            if before == self._seen() and not self.owed():
                return
        raise AssertionError(f"no end to what is due: {self.owed()}")

    async def round(self) -> None:
        """Let all waiting be over and everybody work; of what nobody pays any more the provider makes an end by itself."""
        self.pass_time()
        await self.all_work()
        states = {str(each): state for each, state in self.states().items()}
        for taken in self.remote(PaymentState.PENDING):
            if states.get(taken.names["booking_id"]) != "pending_payment":
                self.counterpart.end(taken.id)

    def _seen(self) -> tuple[Any, ...]:
        return self.counterpart.changing(), self.remote(*PaymentState), self.returned(), self.states()

    def owed(self) -> list[tuple[Any, ...]]:
        """Return what is not done yet."""
        return self.sql(
            "select 'payment', id::text, state, coalesce(error_code, '') from payments"
            " where business_id = %(b)s and (next_attempt_at is not null or lease is not null)"
            " union all select 'refund', id::text, state, coalesce(error_code, '') from refunds"
            " where business_id = %(b)s and next_attempt_at is not null"
            " union all select 'event', id::text, type, coalesce(error_code, '') from webhook_events"
            " where business_id = %(b)s and processed_at is null".replace("%(b)s", f"'{self.business_id}'")
        )


@asynccontextmanager
async def open_world(
    app_uri: str, admin: psycopg.Connection, counterpart: Counterpart, edge: httpx.AsyncClient
) -> AsyncIterator[World]:
    """Open a practice that is paid beforehand, by an account at the provider."""
    with capture_logs() as lines:
        async with open_practice(app_uri, currency=counterpart.currency) as practice:
            await practice.add_resource("ana")
            for name in ("talk", "course"):
                prepaid = {"payment_policy": "prepay", "price_minor": PRICES[name], "refund_terms": TERMS[name]}
                await practice.add_service(name, ["ana"], **prepaid)
            await practice.add_service("walk", ["ana"])
            group = {"payment_policy": "prepay", "price_minor": PRICES["group"], "refund_terms": TERMS["group"]}
            schedules = [await practice.add_schedule(PARTY * 2, **group)]
            wanted = candidate(
                counterpart.name,
                secret=counterpart.secret,
                shop=counterpart.account,
                webhook_secret=counterpart.webhook_secret,
            )
            facts = AccountFacts(counterpart.account, is_test=True)
            account = await practice.desk.database.run(
                practice.business_id, lambda tx: connect(tx, wanted, facts, CONSOLE)
            )
            await practice.desk.snapshots.refresh(practice.business_id)
            world = World(practice, counterpart, admin, account, schedules, edge, lines)
            try:
                yield world
            finally:
                # Those who work in the next example need not ask for this one, whose provider is gone.
                world.sql(
                    "update payment_reconciliations set next_at = 'infinity' where business_id = %s", world.business_id
                )
