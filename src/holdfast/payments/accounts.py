"""Accounts at payment providers, as they are stored: secrets sealed.

What a provider has to say is asked before, by the edges; here it is only written down. No account is ever deleted: what
was taken with it is given back with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import msgspec

from holdfast.identity import businesses
from holdfast.kernel.attention import settle
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load
from holdfast.payments.errors import AccountNotMeant, TooManyWebhookSecrets
from holdfast.payments.port import AccountFacts, ProviderName
from holdfast.payments.tasks import ACCOUNT_UNAUTHORIZED

_SQL = load("holdfast.payments", "accounts.sql")

ACCOUNT = "payment_account"
MAX_WEBHOOK_SECRETS = 5

_SECRET = "payment_accounts.secret"  # noqa: S105 - the name of a column
_WEBHOOK_SECRETS = "payment_accounts.webhook_secrets"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of the business at a provider; new payments are made with the active one.

    `account` is the shop at YooKassa, the account at Stripe. `webhook_secrets` are those by which the provider's
    messages are known, the newest first; YooKassa has none. `api_url` is None where the provider is where the server's
    settings say.
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
    """Return the account with which new payments of the business are made; None when it takes none."""
    return next((account for account in await accounts_of(tx) if account.active), None)


async def find_account(tx: Transaction, account_id: UUID) -> Account:
    """Return an account of the business, active or not. Raises NotFound."""
    rows = await tx.rows(_SQL["accounts"], {"business_id": tx.business_id, "id": account_id, "provider": None})
    if not rows:
        raise NotFound
    return _account(await tx.keys(), rows[0])


async def accounts_of(tx: Transaction, provider: ProviderName | None = None) -> list[Account]:
    """Return the accounts of the business, or those at one provider: the active one first, then the newest."""
    rows = await tx.rows(_SQL["accounts"], {"business_id": tx.business_id, "id": None, "provider": provider})
    keys = await tx.keys()
    return [_account(keys, row) for row in rows]


def candidate(
    provider: ProviderName,
    *,
    secret: str,
    shop: str | None = None,
    publishable_key: str | None = None,
    webhook_secret: str | None = None,
    api_url: str | None = None,
) -> Account:
    """Return an account that is not written down, for its provider to be asked about it.

    At YooKassa the shop is half of what we prove ourselves with; at Stripe the secret tells whose account it is.
    """
    return Account(
        id=new_id(),
        provider=provider,
        account=shop or "",
        is_test=False,
        secret=secret,
        webhook_secrets=() if webhook_secret is None else (webhook_secret,),
        publishable_key=publishable_key,
        api_url=api_url,
        active=True,
    )


async def connect(tx: Transaction, wanted: Account, facts: AccountFacts, actor: Actor) -> Account:
    """Take new payments of the business with a candidate whose provider has let us in; return it as it is stored.

    Whose account it is and whether its money is real is what the provider says. The same account in the same mode is
    the one that is there: its secret is replaced, a new webhook secret stands before those it had, and every payment of
    it goes on with them. What was active before, at whichever provider, takes no new payments any more. Raises
    AccountNotMeant, TooManyWebhookSecrets.
    """
    if wanted.account and wanted.account != facts.account:
        raise AccountNotMeant
    # One after another; and what follows raises the catalog version, which takes the same row.
    await businesses.lock(tx)
    known = await accounts_of(tx)
    same = (wanted.provider, facts.account, facts.is_test)
    before = next((each for each in known if (each.provider, each.account, each.is_test) == same), None)
    for other in known:
        if other.active and (before is None or other.id != before.id):
            await _deactivate(tx, other, actor)
    account = replace(wanted, account=facts.account, is_test=facts.is_test)
    if before is None:
        await tx.run(_SQL["add_account"], await _row(tx, account))
    else:
        secrets = _with_newest(before.webhook_secrets, *wanted.webhook_secrets)
        account = replace(account, id=before.id, webhook_secrets=secrets)
        await tx.run(_SQL["change_account"], await _row(tx, account))
    action = "connect" if before is None or not before.active else "rotate"
    state = None if before is None else _state(before)
    await record(tx, ACCOUNT, account.id, action, actor, before=state, after=_state(account))
    await _go_on(tx, account.id)
    return await find_account(tx, account.id)


async def add_webhook_secret(tx: Transaction, provider: ProviderName, secret: str, actor: Actor) -> Account:
    """Know messages for the active account at a provider by a further secret; those it had stay until they are dropped.

    Nothing happens when it is the newest already. Raises NotFound, TooManyWebhookSecrets.
    """
    account = await _locked(tx, provider)
    secrets = _with_newest(account.webhook_secrets, secret)
    return await _change_secrets(tx, account, secrets, "add_webhook_secret", actor)


async def drop_older_webhook_secrets(tx: Transaction, provider: ProviderName, actor: Actor) -> Account:
    """Know messages for the active account at a provider by its newest secret only. Raises NotFound."""
    account = await _locked(tx, provider)
    return await _change_secrets(tx, account, account.webhook_secrets[:1], "drop_webhook_secrets", actor)


async def disconnect(tx: Transaction, provider: ProviderName, actor: Actor) -> Account:
    """Take no new payments with the active account at a provider; return it as it is then.

    Its secrets stay: payments that are open are brought to their end with it, and what it has taken goes back through
    it. Raises NotFound.
    """
    account = await _locked(tx, provider)
    await _deactivate(tx, account, actor)
    return replace(account, active=False)


def webhook_secrets_of(keys: TenantKeys, account_id: UUID, sealed: bytes | None) -> tuple[str, ...]:
    """Return the secrets by which the messages for an account are known, given how they are stored."""
    secrets = "[]" if sealed is None else keys.open(_WEBHOOK_SECRETS, account_id, bytes(sealed))
    return msgspec.json.decode(secrets, type=tuple[str, ...])


async def _locked(tx: Transaction, provider: ProviderName) -> Account:
    await businesses.lock(tx)
    account = await active_account(tx)
    if account is None or account.provider is not provider:
        raise NotFound
    return account


async def _change_secrets(
    tx: Transaction, account: Account, secrets: tuple[str, ...], action: str, actor: Actor
) -> Account:
    if secrets != account.webhook_secrets:
        await tx.run(_SQL["change_account"], await _row(tx, replace(account, webhook_secrets=secrets)))
        await record(tx, ACCOUNT, account.id, action, actor, before=_state(account), after=_state(account))
    return await find_account(tx, account.id)


async def _deactivate(tx: Transaction, account: Account, actor: Actor) -> None:
    await tx.run(_SQL["deactivate_account"], {"business_id": tx.business_id, "id": account.id})
    gone = replace(account, active=False)
    await record(tx, ACCOUNT, account.id, "disconnect", actor, before=_state(account), after=_state(gone))


async def _go_on(tx: Transaction, account_id: UUID) -> None:
    """Have everything done now that has waited for an account, and tell the inbox."""
    for statement in ("ask_again", "refund_again", "compare_again"):
        await tx.run(_SQL[statement], {"business_id": tx.business_id, "id": account_id})
    await settle(tx, ACCOUNT_UNAUTHORIZED, account_id)


def _with_newest(known: Sequence[str], *newest: str) -> tuple[str, ...]:
    secrets = (*newest, *(each for each in known if each not in newest))
    if len(secrets) > MAX_WEBHOOK_SECRETS:
        raise TooManyWebhookSecrets
    return secrets


async def _row(tx: Transaction, account: Account) -> dict[str, object]:
    keys = await tx.keys()
    secrets = msgspec.json.encode(account.webhook_secrets).decode()
    return {
        "business_id": tx.business_id,
        "id": account.id,
        "provider": account.provider,
        "account": account.account,
        "is_test": account.is_test,
        "secret": keys.seal(_SECRET, account.id, account.secret),
        "webhook_secrets": keys.seal(_WEBHOOK_SECRETS, account.id, secrets) if account.webhook_secrets else None,
        "publishable_key": account.publishable_key,
        "api_url": account.api_url,
    }


def _account(keys: TenantKeys, row: dict[str, Any]) -> Account:
    opened = {
        "provider": ProviderName(row["provider"]),
        "secret": keys.open(_SECRET, row["id"], bytes(row["secret"])),
        "webhook_secrets": webhook_secrets_of(keys, row["id"], row["webhook_secrets"]),
    }
    return Account(**row | opened)


def _state(account: Account) -> str:
    """Return what the audit log says of an account: nothing that opens it."""
    words = ("active" if account.active else "inactive", "test" if account.is_test else "live")
    return " ".join((account.provider, *words))
