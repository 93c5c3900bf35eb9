"""Accounts at payment providers: whose money it is, and what we prove ourselves with."""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.sql import load
from holdfast.payments.port import ProviderName

_SQL = load(__package__, "accounts.sql")

_SECRET = "payment_accounts.secret"  # noqa: S105 - the name of a column
_WEBHOOK_SECRETS = "payment_accounts.webhook_secrets"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of a business at a provider, its secrets opened.

    `account` is what the provider calls it; `webhook_secrets` are those by which its messages are known, newest first.
    """

    id: UUID
    provider: ProviderName
    account: str
    is_test: bool
    secret: str = field(repr=False)
    webhook_secrets: tuple[str, ...] = field(repr=False)
    publishable_key: str | None
    api_url: str | None
    active: bool


async def active_account(tx: Transaction) -> Account | None:
    """Return the account that new payments are made with, None where the business takes none."""
    return await _account(tx, await tx.rows(_SQL["active_account"], {"business_id": tx.business_id}))


async def find_account(tx: Transaction, account_id: UUID) -> Account:
    """Return an account, also one that takes no new payments; raises NotFound."""
    rows = await tx.rows(_SQL["find_account"], {"business_id": tx.business_id, "id": account_id})
    account = await _account(tx, rows)
    if account is None:
        raise NotFound
    return account


async def _account(tx: Transaction, rows: list[dict[str, Any]]) -> Account | None:
    if not rows:
        return None
    [row], keys = rows, await tx.keys()
    sealed = row.pop("webhook_secrets")
    kept = "[]" if sealed is None else keys.open(_WEBHOOK_SECRETS, row["id"], sealed)
    opened = {
        "provider": ProviderName(row["provider"]),
        "secret": keys.open(_SECRET, row["id"], row["secret"]),
        "webhook_secrets": tuple(msgspec.json.decode(kept, type=list[str])),
    }
    return Account(**row | opened)
