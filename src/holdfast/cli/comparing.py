"""`payments reconcile` and `payments balance`: an account compared with its provider, and where the money is."""

import sys
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from holdfast import config, logs, transfers
from holdfast.cli.options import (
    DataDir,
    Dsn,
    Json,
    OfBusiness,
    app_dsn,
    business_named,
    instant_of,
    settings_of,
    with_database,
)
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.privacy import Keyring
from holdfast.payments.accounts import Account, accounts_of
from holdfast.payments.balances import Balance, balances
from holdfast.payments.openings import openings
from holdfast.payments.providers import Providers
from holdfast.payments.reconciliation import Compared, reconcile


def run_reconcile(
    business: OfBusiness = None,
    since: Annotated[
        str | None,
        typer.Option(help="All that was made since this time (ISO 8601, UTC unless it says otherwise)."),
    ] = None,
    data: DataDir = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Compare a business's accounts with their providers now, and mend what was lost on the way.

    Without --since, what was made since they were last listed. What is found is made due: a worker settles it within
    seconds. Exit code 0: all was compared and is explained; 1: something is unexplained, of which staff hear, or an
    account could not be compared; 2: it could not be done.
    """
    settings = settings_of(data, dsn)
    logs.configure(settings.log_level, process="payments")
    at = None if since is None else instant_of(since)
    providers = Providers(openings(settings.payments))

    async def work(database: Database) -> list[dict[str, Any]]:
        async with database.transaction() as tx:
            owner = await business_named(tx, business or settings.default_business)
        async with database.transaction(owner.id) as tx:
            accounts = await accounts_of(tx)
        return [
            _told(account, await reconcile(database, providers, owner.id, account.id, since=at, at_once=True))
            for account in accounts
        ]

    of_app = app_dsn(settings)
    keyring = Keyring(config.master_key(settings), of_app, refresh_seconds=settings.key_refresh_seconds)
    told = transfers.connected(of_app, work, keyring)
    if as_json:
        print(msgspec.json.encode(told).decode())  # noqa: T201
    else:
        for each in told:
            print(_line(each))  # noqa: T201
        print(f"{len(told)} accounts compared")  # noqa: T201
    sys.exit(1 if any(each["unexplained"] or each["errorCode"] for each in told) else 0)


def run_balance(
    business: OfBusiness = None,
    data: DataDir = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Tell where the money of a business is: given back, on its way, earned, kept, in the inbox, only set aside."""
    settings = settings_of(data, dsn)

    async def work(tx: Transaction) -> list[Balance]:
        owner = await business_named(tx, business or settings.default_business)
        return await balances(await tx.act_for(owner.id))

    found = with_database(settings, work)
    if as_json:
        print(msgspec.json.encode(found).decode())  # noqa: T201
    else:
        for balance in found:
            print(balance.told())  # noqa: T201


def _told(account: Account, compared: Compared | None) -> dict[str, Any]:
    found = Compared(datetime.now(UTC), error_code="busy") if compared is None else compared
    return {
        "id": account.id,
        "provider": account.provider,
        "account": account.account,
        "active": account.active,
        "payments": found.payments,
        "refunds": found.refunds,
        "called": found.called,
        "entered": found.entered,
        "forgotten": found.forgotten,
        "unexplained": found.unexplained,
        "errorCode": found.error_code,
    }


def _line(told: dict[str, Any]) -> str:
    name = f"{told['provider']} {told['account']}"
    if told["errorCode"] == "busy":
        return f"{name}: a worker is at it"
    ended = f", broken off: {told['errorCode']}" if told["errorCode"] else ""
    return (
        f"{name}: {told['payments']} payments and {told['refunds']} refunds listed; {told['called']} were otherwise,"
        f" {told['entered']} unknown, {told['forgotten']} forgotten, {told['unexplained']} unexplained{ended}"
    )
