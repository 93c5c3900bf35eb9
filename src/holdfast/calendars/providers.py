"""Which adapter speaks with whom."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from holdfast.calendars.connections import Connection, ProviderName
from holdfast.calendars.port import Provider

# Takes the business and its connection.
Opening = Callable[[UUID, Connection], Provider]


class Providers:
    """The adapters that a process has, each made for one connection at a time."""

    def __init__(self, openings: Mapping[ProviderName, Opening]) -> None:
        self._openings = openings

    @asynccontextmanager
    async def opened(self, business_id: UUID, connection: Connection) -> AsyncIterator[Provider]:
        """Lend the adapter for a connection."""
        provider = self._openings[connection.provider](business_id, connection)
        try:
            yield provider
        finally:
            await provider.close()
