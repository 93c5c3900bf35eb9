"""The doctor before accounts at payment providers: those that work, and each thing that can be wrong with one."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID

import psycopg
import pytest_asyncio

from booking.opened import Practice, open_practice
from conftest import MASTER_KEY
from holdfast import config
from holdfast.booking.contacts import Guest
from holdfast.doctor.examination import examine
from holdfast.doctor.findings import Finding
from holdfast.kernel.audit import CONSOLE
from holdfast.kernel.database import Transaction
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.payments import accounts
from holdfast.payments.ledger import Confirmation, record_payment
from holdfast.payments.port import AccountFacts, ProviderName
from holdfast.payments.settings import PaymentSettings
from payments.telling import write_event
from payments.yookassa.fake import FakeYooKassa, fake_yookassa


@dataclass
class Surgery:
    """A business in a database of its own, with a shop at a fake YooKassa, and the doctor."""

    practice: Practice
    dsn: str
    yookassa: FakeYooKassa
    settings: config.Settings

    async def connect(self, *, is_test: bool = True, secret: str | None = None) -> UUID:
        """Connect the shop, as if YooKassa had said so."""
        wanted = accounts.candidate(
            ProviderName.YOOKASSA, shop=self.yookassa.shop_id, secret=secret or self.yookassa.secret
        )
        facts = AccountFacts(self.yookassa.shop_id, is_test)
        made = await self.run(lambda tx: accounts.connect(tx, wanted, facts, CONSOLE))
        assert isinstance(made, accounts.Account)
        return made.id

    async def run(self, work: object) -> object:
        """Run a piece of work in one transaction of the business."""
        return await self.practice.desk.database.run(self.practice.business_id, work)  # type: ignore[arg-type]

    async def found(self, **changed: object) -> list[Finding]:
        """Return what the doctor says of payments, with other settings."""
        settings = replace(self.settings, **changed)  # type: ignore[arg-type]
        findings = await asyncio.to_thread(examine, settings, lambda _: None)
        return [each for each in findings if each.check == "payments"]

    def sql(self, statement: str, *values: object) -> None:
        """Run a statement as administrator, past the product."""
        with psycopg.connect(self.dsn) as connection:
            connection.execute(statement.encode(), values)


@pytest_asyncio.fixture
async def surgery(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[Surgery]:
    """A business that takes nothing in advance yet, at a server for which play money is good enough."""
    dsn = postgres.uri(database=own_database)
    with fake_yookassa() as yookassa:
        async with open_practice(postgres.uri(user="holdfast_app", database=own_database)) as practice:
            await practice.add_resource("ana")
            payments = PaymentSettings(yookassa_api_url=yookassa.url, public_url="https://booking.example")
            settings = config.Settings(dsn=dsn, master_key=MASTER_KEY, stage="stage", payments=payments)
            yield Surgery(practice, dsn, yookassa, settings)


async def test_what_nobody_can_pay_is_told(surgery: Surgery) -> None:
    """A business that offers what has to be paid in advance, without an account, is told of; with one, the account is found
    well and nothing else is said (K-1, payments 19).
    """
    assert await surgery.found() == []
    await surgery.practice.add_service("talk", ["ana"], payment_policy="prepay", price_minor=100_00)
    [told] = await surgery.found()
    assert (told.level, "paid in advance (1)" in told.message, bool(told.advice)) == ("warning", True, True)
    account = await surgery.connect()
    [told] = await surgery.found()
    assert (told.level, told.details["account"]) == ("ok", str(account))
    assert surgery.yookassa.secret not in repr(told)


async def test_a_key_that_is_void_is_a_problem(surgery: Surgery) -> None:
    """An account whose key the provider does not accept is a problem, and so is a key that opens another one (K-1)."""
    await surgery.connect(secret="test_void")  # noqa: S106 - of nobody
    [told] = await surgery.found()
    assert (told.level, told.message.endswith("unauthorized"), bool(told.advice)) == ("problem", True, True)
    await surgery.connect(is_test=False)
    [told] = await surgery.found()
    assert (told.level, "another account" in told.message) == ("problem", True)


async def test_a_provider_that_is_down_is_a_warning(surgery: Surgery) -> None:
    """A provider that does not answer is a warning, as is an address that settings do not allow any more (K-1)."""
    account = await surgery.connect()
    surgery.yookassa.faults.fail(500)
    [told] = await surgery.found()
    assert (told.level, told.message) == ("warning", f"yookassa {account}: unknown")
    surgery.sql("update payment_accounts set api_url = 'https://elsewhere.example'")
    [told] = await surgery.found()
    assert (told.level, "HOLDFAST_PAYMENT_API_URLS" in told.advice) == ("warning", True)


async def test_play_money_in_earnest_is_told(surgery: Surgery) -> None:
    """An account for tests is a warning where bookings take place, and nowhere else (K-1, payments 11)."""
    await surgery.connect()
    [told] = await surgery.found(stage="prod")
    assert (told.level, "play money" in told.message) == ("warning", True)
    assert [each.level for each in await surgery.found(stage="internal")] == ["ok"]


async def test_no_way_back_is_a_problem(surgery: Surgery) -> None:
    """Without HOLDFAST_PUBLIC_URL a client finds no way back and a provider tells nobody, which is a problem (K-1)."""
    await surgery.connect()
    without = replace(surgery.settings.payments, public_url=None)
    first, second = await surgery.found(payments=without)
    assert (first.level, "HOLDFAST_PUBLIC_URL" in first.advice, second.level) == ("problem", True, "ok")


async def test_a_provider_that_was_never_heard_is_told(surgery: Surgery) -> None:
    """When payments have ended for ten minutes and their provider has never told of it, that is a warning; one message
    is enough to be well (K-1, P-4).
    """
    account = await surgery.connect()
    await surgery.practice.add_service("talk", ["ana"])
    booking = (await surgery.practice.reserve("talk", guest=Guest("guest@example.org"))).made().id

    async def pay(tx: Transaction) -> UUID:
        return await record_payment(
            tx,
            booking_id=booking,
            account=await accounts.find_account(tx, account),
            provider_payment_id="2d1",
            amount_minor=100_00,
            currency="EUR",
            confirmation=Confirmation(description="A practice", return_url="https://booking.example"),
        )

    await surgery.run(pay)
    surgery.sql("update payments set state = 'cancelled', changed_at = now()")
    assert [each.level for each in await surgery.found()] == ["ok"]
    surgery.sql("update payments set changed_at = now() - interval '11 minutes'")
    [told] = await surgery.found()
    assert (told.level, "never told" in told.message) == ("warning", True)

    async def hear(tx: Transaction) -> UUID:
        return await write_event(
            tx,
            provider=ProviderName.YOOKASSA,
            event_id="payment.canceled:2d1",
            kind="payment.canceled",
            object_id="2d1",
            body="{}",
        )

    await surgery.run(hear)
    assert [each.level for each in await surgery.found()] == ["ok"]
