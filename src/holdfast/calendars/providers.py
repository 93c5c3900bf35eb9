"""Which adapter speaks with whom."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from uuid import UUID

from holdfast.calendars.caldav import CaldavAccount
from holdfast.calendars.connections import Connection, ProviderName
from holdfast.calendars.google import GoogleCalendar
from holdfast.calendars.google_oauth import GoogleOAuth
from holdfast.calendars.grants import StoredGrant
from holdfast.calendars.ics import IcsFeed
from holdfast.calendars.port import Provider, Unreachable
from holdfast.calendars.settings import CalendarSettings
from holdfast.kernel.database import Database

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


def openings(settings: CalendarSettings, database: Database) -> Mapping[ProviderName, Opening]:
    """Return how the adapter of each provider is made; one for Google renews tokens in the database."""

    def google(business_id: UUID, connection: Connection) -> Provider:
        if not settings.google_is_configured:
            # The connection is as good as before, once whoever runs this server has mended it.
            raise Unreachable("this server has no client at Google")
        oauth = GoogleOAuth(settings.google)
        grant = StoredGrant(database, oauth, business_id, connection)
        return GoogleCalendar(settings.google, grant, settings.google_push_address)

    def caldav(_business_id: UUID, connection: Connection) -> Provider:
        address, account, password = connection.address, connection.account, connection.password
        assert address is not None, "a connection of CalDAV has an address"
        assert account is not None, "a connection of CalDAV has an account"
        assert password is not None, "a connection of CalDAV has a password"
        return CaldavAccount(address, account, password, private_networks=settings.private_networks)

    def ics(_business_id: UUID, connection: Connection) -> Provider:
        assert connection.address is not None, "a feed has an address"
        return IcsFeed(connection.address, private_networks=settings.private_networks)

    return {ProviderName.GOOGLE: google, ProviderName.CALDAV: caldav, ProviderName.ICS: ics}
