"""Which adapter speaks with whom."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from holdfast.payments.accounts import Account
from holdfast.payments.port import Provider, ProviderName

# Takes the business and its account.
Opening = Callable[[UUID, Account], Provider]


class Providers:
    """The adapters that a process has, each made for one account at a time."""

    def __init__(self, openings: Mapping[ProviderName, Opening]) -> None:
        self._openings = openings

    @asynccontextmanager
    async def opened(self, business_id: UUID, account: Account) -> AsyncIterator[Provider]:
        """Lend the adapter for an account; raises Unknown where the settings do not let it be asked."""
        provider = self._openings[account.provider](business_id, account)
        try:
            yield provider
        finally:
            await provider.close()
