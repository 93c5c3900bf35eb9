"""What the doctor sees of payments: whether what has to be paid can be, and each account up to its provider."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from psycopg import Connection as Session
from psycopg.rows import class_row

from holdfast import config
from holdfast.administration.settings import Stage
from holdfast.doctor.findings import Finding, ok, problem, warning
from holdfast.kernel.database import Database
from holdfast.kernel.privacy import Keyring
from holdfast.kernel.sql import load
from holdfast.payments.accounts import Account, find_account
from holdfast.payments.openings import openings
from holdfast.payments.port import ProviderError, Unauthorized
from holdfast.payments.providers import Providers

_SQL = load("holdfast.doctor")

_CHECK: Final = "payments"
_PATIENCE_SECONDS: Final = 30
_AT_ONCE: Final = 8
# A provider tells within seconds what has become of a payment.
_TOLD_SECONDS: Final = 600


@dataclass(frozen=True, slots=True)
class Unpayable:
    """A business that has offered something to be paid in advance, and takes no payments."""

    business_id: UUID
    slug: str
    offerings: int


@dataclass(frozen=True, slots=True)
class Known:
    """An account that is used, and whose it is; `silent` when its provider has told nothing though it had cause to."""

    business_id: UUID
    id: UUID
    silent: bool


def examine_payments(session: Session, settings: config.Settings, dsn: str, master_key: bytes) -> Iterator[Finding]:
    """Yield what there is to say of offerings that nobody can pay, and of each account; asks its provider.

    Changes nothing. Accounts are named by ids only.
    """
    with session.cursor(row_factory=class_row(Unpayable)) as cursor:
        unpayable = cursor.execute(_SQL["unpayable_offerings"]).fetchall()
    for each in unpayable:
        what = f"business {each.slug} offers what is paid in advance ({each.offerings}), and has no account for it"
        advice = "Connect an account at a payment provider, or change `payment` in the business file."
        yield warning(_CHECK, what, advice, business=str(each.business_id))
    with session.cursor(row_factory=class_row(Known)) as cursor:
        known = cursor.execute(_SQL["payment_accounts"], {"seconds": _TOLD_SECONDS}).fetchall()
    if not known:
        return
    if settings.payments.public_url is None:
        advice = (
            "Set HOLDFAST_PUBLIC_URL to the address of this server as the world knows it, here and for servers and"
            " workers."
        )
        yield problem(_CHECK, "there are accounts, and no way back from their providers", advice)
    yield from asyncio.run(_examined(settings, dsn, master_key, known))


async def _examined(settings: config.Settings, dsn: str, master_key: bytes, known: list[Known]) -> list[Finding]:
    app_dsn = config.application_dsn(settings, dsn)
    database = Database(
        app_dsn,
        min_connections=1,
        max_connections=_AT_ONCE,
        pooler=settings.pooler,
        keyring=Keyring(master_key, app_dsn),
    )
    await database.open()
    providers = Providers(openings(settings.payments))
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one(each: Known) -> list[Finding]:
        async with turns:
            async with database.transaction(each.business_id) as tx:
                account = await find_account(tx, each.id)
            return await _examine(settings, providers, each, account)

    try:
        return [finding for found in await asyncio.gather(*map(one, known)) for finding in found]
    finally:
        await database.close()


async def _examine(settings: config.Settings, providers: Providers, known: Known, account: Account) -> list[Finding]:
    name = f"{account.provider} {account.id}"
    details = {"business": str(known.business_id), "account": str(account.id)}
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS), providers.opened(known.business_id, account) as provider:
            facts = await provider.facts()
    except Unauthorized:
        advice = "Connect the account again with a key that the provider accepts."
        return [problem(_CHECK, f"{name}: unauthorized", advice, **details)]
    except ProviderError as error:
        advice = (
            "Look at the provider's own pages for an outage, and whether HOLDFAST_PAYMENT_API_URLS allows its address."
        )
        return [warning(_CHECK, f"{name}: {error.code}", advice, **details)]
    except TimeoutError:
        return [warning(_CHECK, f"{name}: unreachable", "Look at the provider's own pages for an outage.", **details)]
    if (facts.account, facts.is_test) != (account.account, account.is_test):
        advice = "Connect the account again: its key opens another account, or the other mode, now."
        return [problem(_CHECK, f"{name}: the provider says that it is another account", advice, **details)]
    wrong = list(_wrong(settings, known, account))
    if wrong:
        return [warning(_CHECK, f"{name}: {what}", advice, **details) for what, advice in wrong]
    return [ok(_CHECK, f"{name}: the provider knows us", **details)]


def _wrong(settings: config.Settings, known: Known, account: Account) -> Iterator[tuple[str, str]]:
    """Yield what wants a look of an account that its provider knows, and what to do."""
    if account.active and account.is_test and Stage(settings.stage) is Stage.PROD:
        yield "takes play money for bookings that take place", "Connect the account in its live mode."
    if known.silent:
        advice = (
            "Register the address for webhooks at the provider (docs/payments-setup.md); HOLDFAST_PUBLIC_URL has"
            " to lead here. Without messages payments are asked for, which is slower."
        )
        yield "its provider has never told anything", advice
