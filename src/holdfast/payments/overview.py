"""How the accounts of a business at payment providers are, without anything that opens them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.sql import load
from holdfast.payments.accounts import find_account
from holdfast.payments.port import ProviderName
from holdfast.payments.tasks import ACCOUNT_UNAUTHORIZED

_SQL = load("holdfast.payments", "accounts.sql")


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account and how it is; `webhook_secrets` is how many there are.

    `last_webhook_at` is when its provider was last heard for the business, through whichever account.
    """

    id: UUID
    provider: ProviderName
    account: str
    is_test: bool
    active: bool
    unauthorized: bool
    publishable_key: str | None
    api_url: str | None
    created_at: datetime
    changed_at: datetime
    last_webhook_at: datetime | None
    last_reconciled_at: datetime | None
    error_code: str | None
    open_payments: int
    webhook_secrets: int

    @property
    def state(self) -> str:
        """Return how it is, in a word."""
        if self.unauthorized:
            return "unauthorized"
        return "active" if self.active else "inactive"


async def overview(tx: Transaction) -> list[AccountState]:
    """Return how the accounts of the business are: the active one first, then the newest."""
    rows = await tx.rows(_SQL["overview"], {"business_id": tx.business_id, "unauthorized": ACCOUNT_UNAUTHORIZED})
    states = []
    for row in rows:
        # Sealed as one text.
        secrets = len((await find_account(tx, row["id"])).webhook_secrets)
        states.append(AccountState(**row | {"provider": ProviderName(row["provider"]), "webhook_secrets": secrets}))
    return states


async def overview_of(tx: Transaction, account_id: UUID) -> AccountState:
    """Return how one account is. Raises NotFound."""
    found = next((state for state in await overview(tx) if state.id == account_id), None)
    if found is None:
        raise NotFound
    return found
