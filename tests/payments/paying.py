"""A practice that takes payments, with the parts of server and worker that look at them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, LiteralString, cast
from uuid import UUID

import psycopg

from booking.opened import START, Practice, open_practice
from holdfast.booking.prepayment import Payable
from holdfast.booking.unpaid import end_unpaid
from holdfast.kernel.audit import CONSOLE
from holdfast.kernel.database import Database, Transaction
from holdfast.payments.accounts import Account, candidate, connect
from holdfast.payments.ledger import Payment, find_payment, payments_of
from holdfast.payments.openings import openings
from holdfast.payments.port import AccountFacts, Provider, ProviderName
from holdfast.payments.providers import Opening, Providers
from holdfast.payments.refunding import settle_refund
from holdfast.payments.refunds import Refund, refunds_of
from holdfast.payments.settings import PaymentSettings
from holdfast.payments.settlement import settle
from holdfast.payments.till import PaymentTill
from payments.scripted import Scripted
from payments.stripe.fake import FakeStripe
from payments.yookassa.fake import FakeYooKassa

PRICE_MINOR = 500_000


@dataclass
class Paying:
    """A practice whose talks, and places of a group, are paid beforehand."""

    practice: Practice
    admin_uri: str
    account: Account
    providers: Providers
    till: PaymentTill
    # The provider, as a test has it in its hands.
    fake: Any
    bookings: list[UUID] = field(default_factory=list)

    @property
    def database(self) -> Database:
        """The database as the application sees it."""
        return self.practice.desk.database

    @property
    def business_id(self) -> UUID:
        """The business."""
        return self.practice.business_id

    async def book(self, service: str = "talk", start: int = START) -> UUID:
        """Commit a booking, which waits for its payment from now on."""
        booking_id = await self.practice.await_payment(service, start)
        self.bookings.append(booking_id)
        return booking_id

    async def open(self, booking_id: UUID) -> Payable:
        """Ask how to pay."""
        return await self.till.open(self.business_id, booking_id, base_url="https://practice.test")

    async def begin(self, service: str = "talk", start: int = START) -> Payment:
        """Commit a booking and ask how to pay; return its payment, which the provider knows."""
        booking_id = await self.book(service, start)
        return await self.payment((await self.open(booking_id)).payment_id)

    async def settle(self, payment_id: UUID) -> Payment:
        """Compare a payment with its booking, whether it is due or not."""
        return await settle(self.database, self.providers, self.business_id, payment_id)

    async def settle_refund(self, refund_id: UUID) -> Refund:
        """Ask how a refund stands, whether it is due or not."""
        return await settle_refund(self.database, self.providers, self.business_id, refund_id)

    async def work(self) -> None:
        """Do as a worker all that is due for this business, until nothing is."""
        while due := self._due():
            for is_refund, due_id in due:
                await (self.settle_refund if is_refund else self.settle)(due_id)

    async def payment(self, payment_id: UUID) -> Payment:
        """Return a payment as it is."""
        async with self.database.transaction(self.business_id) as tx:
            return await find_payment(tx, payment_id)

    async def payments(self, booking_id: UUID) -> list[Payment]:
        """Return the payments of a booking, the latest first."""
        async with self.database.transaction(self.business_id) as tx:
            return await payments_of(tx, booking_id)

    async def refunds(self, payment_id: UUID) -> list[Refund]:
        """Return the refunds of a payment."""
        async with self.database.transaction(self.business_id) as tx:
            return await refunds_of(tx, payment_id)

    async def state(self, booking_id: UUID) -> str:
        """Return the state of a booking, as its row has it."""
        return (await self.practice.read(booking_id)).state

    async def run_out(self, booking_id: UUID) -> None:
        """Let the time for paying pass, and the sweeper end the booking."""
        await self.practice.run_out(booking_id)
        await self.database.run(self.business_id, lambda tx: end_unpaid(tx, booking_id))
        assert await self.state(booking_id) == "expired"

    def remote(self, payment: Payment) -> Any:
        """Return a payment as the provider tells it."""
        return self.fake.payment(payment.provider_payment_id)

    def pay(self, payment: Payment) -> None:
        """Let the client pay at the provider: the money is set aside."""
        self.fake.pay(payment.provider_payment_id)

    async def paid(self, service: str = "talk", start: int = START) -> Payment:
        """Book, pay and have it confirmed; return the payment."""
        payment = await self.begin(service, start)
        self.pay(payment)
        paid = await self.settle(payment.id)
        assert paid.pays, "it is confirmed"
        return paid

    def calls(self, method: str, part: str = "") -> list[Any]:
        """Return the calls to the provider by a method whose path has a part."""
        return [call for call in self.fake.calls if call.method == method and part in call.path]

    def events(self, booking_id: UUID) -> list[str]:
        """Return what others were told of a booking, in order."""
        rows = self.sql("select type from outbox_events where aggregate_id = %s order by version", booking_id)
        return [kind for (kind,) in rows]

    def inbox(self) -> list[tuple[str, UUID]]:
        """Return what needs a person: kinds and subjects."""
        return [
            (kind, subject)
            for kind, subject in self.sql(
                "select kind, subject_id from attention_items where business_id = %s and resolved_at is null"
                " order by raised_at",
                self.business_id,
            )
        ]

    def due_in(self, payment_id: UUID) -> float | None:
        """Return in how many seconds somebody looks at a payment; None: nothing is open."""
        statement = "select extract(epoch from next_attempt_at - now())::float8 from payments where id = %s"
        [(seconds,)] = self.sql(statement, payment_id)
        return seconds  # type: ignore[no-any-return]

    async def alter(self, booking_id: UUID, assignments: LiteralString) -> None:
        """Make a booking other than it can become in a test, with the entry of the change."""

        async def work(tx: Transaction) -> None:
            one = [self.business_id, booking_id]
            this = "where business_id = %s and id = %s"
            before = await tx.value(f"select state from bookings {this}", one)
            await tx.run(f"update bookings set {assignments}, version = version + 1 {this}", one)
            await tx.run(
                "select record_changes(%s, array[%s::uuid], array[%s::bytea], 'test', %s, 'test', null, 'Test')",
                [*one, (await tx.keys()).chain_key(booking_id), before],
            )

        await self.database.run(self.business_id, work)

    def age(self, table: str, row_id: UUID, **columns: str) -> None:
        """Let times of a payment or refund be as long ago as these intervals say: create_sent_at="25 hours"."""
        for column, interval in columns.items():
            self.sql(f"update {table} set {column} = {column} - interval '{interval}' where id = %s", row_id)

    def sql(self, statement: str, *values: Any) -> Sequence[tuple[Any, ...]]:
        """Run a statement as administrator, past the product."""
        with psycopg.connect(self.admin_uri) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def _due(self) -> Sequence[tuple[bool, UUID]]:
        return self.sql(
            "select false, id from payments where business_id = %s and next_attempt_at <= now()"
            " union all select true, id from refunds where business_id = %s and next_attempt_at <= now()",
            self.business_id,
            self.business_id,
        )  # type: ignore[return-value]


async def connect_account(
    practice: Practice,
    provider: ProviderName = ProviderName.STRIPE,
    account: str = "acct_1",
    secret: str = "a secret of an account",  # noqa: S107 - of the tests
) -> Account:
    """Take payments with an account from now on."""
    facts = AccountFacts(account, is_test=True)

    async def work(tx: Transaction) -> Account:
        return await connect(tx, candidate(provider, secret=secret, shop=account), facts, CONSOLE)

    connected = await practice.desk.database.run(practice.business_id, work)
    await practice.desk.snapshots.refresh(practice.business_id)
    return connected


@asynccontextmanager
async def paying(
    app_uri: str,
    admin_uri: str,
    provider: ProviderName,
    secret: str,
    opening: Opening | PaymentSettings,
    fake: Any,
    *,
    account: str = "acct_1",
    currency: str = "EUR",
) -> AsyncIterator[Paying]:
    """Open a practice that takes payments with an account, as the settings or an opening say."""
    async with open_practice(app_uri, currency=currency) as practice:
        await practice.add_resource("ana")
        await practice.add_resource("ben")
        prepaid = {"payment_policy": "prepay", "price_minor": PRICE_MINOR}
        await practice.add_service("talk", ["ana"], **prepaid)
        await practice.add_service("lesson", ["ben"], **prepaid)
        await practice.add_service("walk", ["ana"])
        connected = await connect_account(practice, provider, account, secret)
        made = openings(opening) if isinstance(opening, PaymentSettings) else {provider: opening}
        providers = Providers(made)
        till = PaymentTill(practice.desk.database, providers, None)
        try:
            yield Paying(practice, admin_uri, connected, providers, till, fake)
        finally:
            await till.close()


@asynccontextmanager
async def paying_scripted(app_uri: str, admin_uri: str, scripted: Scripted) -> AsyncIterator[Paying]:
    """Open a practice whose provider is in memory."""

    def opening(_business_id: UUID, _account: Account) -> Provider:
        return cast(Provider, scripted)

    secret = "a secret of a script"  # noqa: S105 - of the tests
    at = (ProviderName.STRIPE, secret, opening, scripted)
    async with paying(app_uri, admin_uri, *at, account=scripted.account) as opened:
        yield opened


@asynccontextmanager
async def paying_at_yookassa(app_uri: str, admin_uri: str, yookassa: FakeYooKassa) -> AsyncIterator[Paying]:
    """Open a practice whose payments go through the fake of YooKassa."""
    settings = PaymentSettings(yookassa_api_url=yookassa.url)
    at = (ProviderName.YOOKASSA, yookassa.secret, settings, yookassa)
    async with paying(app_uri, admin_uri, *at, account=yookassa.shop_id, currency="RUB") as opened:
        yield opened


@asynccontextmanager
async def paying_at_stripe(app_uri: str, admin_uri: str, at_stripe: FakeStripe) -> AsyncIterator[Paying]:
    """Open a practice whose payments go through the fake of Stripe."""
    settings = PaymentSettings(stripe_api_url=at_stripe.url)
    at = (ProviderName.STRIPE, at_stripe.secret, settings, at_stripe)
    async with paying(app_uri, admin_uri, *at, account=at_stripe.account.id) as opened:
        yield opened
