"""The worker looks at money as it becomes due, some of it at once, and nobody's failure is another's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest_asyncio

from booking.opened import HOUR_SECONDS, START
from conftest import MASTER_KEY
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring
from holdfast.payments.accounts import Account
from holdfast.payments.port import Provider, ProviderName, Unknown
from holdfast.payments.providers import Providers
from holdfast.payments.upkeep import due_now, money_kept_up
from payments.paying import PRICE_MINOR, Paying, paying_scripted
from payments.scripted import Scripted

PATIENCE_SECONDS = 30


@pytest_asyncio.fixture
async def tills(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[list[Paying]]:
    """Two practices in a database of their own, each with its provider in memory."""
    uris = postgres.uri(user="holdfast_app", database=own_database), postgres.uri(database=own_database)
    async with AsyncExitStack() as stack:
        scripts = [Scripted(account=f"acct_{n}") for n in range(2)]
        yield [await stack.enter_async_context(paying_scripted(*uris, script)) for script in scripts]


@pytest_asyncio.fixture
async def own(postgres: EmbeddedPostgres, own_database: str) -> AsyncIterator[Database]:
    """The database as a worker sees it."""
    uri = postgres.uri(user="holdfast_app", database=own_database)
    database = Database(uri, max_connections=12, keyring=Keyring(MASTER_KEY, uri))
    await database.open()
    yield database
    await database.close()


def providers_of(tills: list[Paying]) -> Providers:
    """Return what lends each account its provider."""
    by_account = {till.account.account: till.fake for till in tills}

    def opening(_business_id: object, account: Account) -> Provider:
        fake: Provider = by_account[account.account]
        return fake

    return Providers({ProviderName.STRIPE: opening})


async def until(till: Paying, booking_id: object, state: str) -> None:
    """Return when a booking is in a state; fail after a while."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await till.state(booking_id) != state:  # type: ignore[arg-type]
            pass


async def test_what_is_due_is_found_across_tenants_in_its_order(tills: list[Paying], own: Database) -> None:
    """Due is what has waited longest, of every business, but no more than four of one at a time (P-4)."""
    many = [await tills[0].begin("talk", START + n * HOUR_SECONDS) for n in range(6)]
    one = await tills[1].begin()
    for minutes, payment in enumerate([one, *reversed(many)]):
        tills[0].sql(
            f"update payments set next_attempt_at = now() - interval '{minutes + 1} minutes' where id = %s", payment.id
        )
    assert [due.id for due in await due_now(own)] == [*(payment.id for payment in many[:4]), one.id]


async def test_the_worker_brings_all_to_its_end(tills: list[Paying], own: Database) -> None:
    """What is paid is confirmed, and what is cancelled goes back, with nobody asking but the worker (P-4, P-6)."""
    till = tills[0]
    async with money_kept_up(own, providers_of(tills)):
        payment = await till.begin()
        till.pay(payment)
        till.sql("update payments set next_attempt_at = now() where id = %s", payment.id)
        await until(till, payment.booking_id, "confirmed")
        await till.practice.cancel(payment.booking_id)
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (await till.payment(payment.id)).refunded_minor != PRICE_MINOR:
                pass


async def test_a_provider_that_hangs_holds_up_nobody_else(tills: list[Paying], own: Database) -> None:
    """While the provider of one business does not answer at all, the payments of another are confirmed (P-4)."""
    slow, quick = tills
    hangs = asyncio.Event()

    async def hang(_call: str, _when: str) -> None:
        await hangs.wait()
        raise Unknown("gone")

    stuck = await slow.begin()
    slow.fake.step = hang
    slow.sql("update payments set next_attempt_at = now() where id = %s", stuck.id)
    async with money_kept_up(own, providers_of(tills)):
        payment = await quick.begin()
        quick.pay(payment)
        quick.sql("update payments set next_attempt_at = now() where id = %s", payment.id)
        await until(quick, payment.booking_id, "confirmed")
        assert (await slow.payment(stuck.id)).lease is not None
        hangs.set()
    slow.fake.step = quick.fake.step


async def test_a_failure_that_nobody_foresaw_is_no_matter_of_others(tills: list[Paying], own: Database) -> None:
    """A payment that makes a worker stumble is tried again later, and the worker goes on with the others (P-4)."""
    odd, plain = tills

    async def stumble(_call: str, _when: str) -> None:
        raise ZeroDivisionError

    stuck = await odd.begin()
    odd.fake.step = stumble
    odd.sql("update payments set next_attempt_at = now() - interval '1 hour' where id = %s", stuck.id)
    async with money_kept_up(own, providers_of(tills)):
        payment = await plain.begin()
        plain.pay(payment)
        plain.sql("update payments set next_attempt_at = now() where id = %s", payment.id)
        await until(plain, payment.booking_id, "confirmed")
    seconds = odd.due_in(stuck.id)
    assert seconds is not None
    assert (await odd.payment(stuck.id)).state == "pending"


async def test_a_worker_that_ends_gives_up_what_it_was_at(tills: list[Paying], own: Database) -> None:
    """What is in flight when a worker ends is let go of, and due at once for the next one (P-4)."""
    till = tills[0]
    reached = asyncio.Event()

    async def hang(_call: str, _when: str) -> None:
        reached.set()
        await asyncio.Event().wait()

    payment = await till.begin()
    till.pay(payment)
    plain, till.fake.step = till.fake.step, hang
    till.sql("update payments set next_attempt_at = now() where id = %s", payment.id)
    async with money_kept_up(own, providers_of(tills)):
        await asyncio.wait_for(reached.wait(), PATIENCE_SECONDS)
    till.fake.step = plain
    assert [due.id for due in await due_now(own)] == [payment.id]
    async with money_kept_up(own, providers_of(tills)):
        await until(till, payment.booking_id, "confirmed")
