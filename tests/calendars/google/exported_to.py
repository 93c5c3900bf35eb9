"""A practice whose appointments are exported to the fake."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import UUID

from calendars.exporting import START, Exporting
from calendars.google.adapter import tokens_of
from calendars.google.fake import FakeGoogle
from calendars.google.server import settings_of
from calendars.google.store import Calendar, Json
from holdfast.administration.settings import Stage
from holdfast.calendars.connections import Connection, ConnectionState, ProviderName, put_tokens, set_state
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.export import resume
from holdfast.calendars.google import GoogleCalendar
from holdfast.calendars.google_oauth import GoogleOAuth
from holdfast.calendars.grants import StoredGrant
from holdfast.calendars.mirror import sync
from holdfast.calendars.port import Provider
from holdfast.calendars.providers import Providers
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Transaction

WRITES = ("calendar.events.insert", "calendar.events.patch", "calendar.events.update", "calendar.events.delete")


class Exported:
    """A practice with a calendar at Google, and nothing else."""

    def __init__(self, practice: Exporting, google: FakeGoogle) -> None:
        """Take both together; `connect` connects them."""
        self.practice, self.google = practice, google
        self.calendar: Calendar = google.calendar()

    @property
    def providers(self) -> Providers:
        """What speaks with the fake, with the grant that is stored."""
        settings = settings_of(self.google)

        def opening(business_id: UUID, connection: Connection) -> Provider:
            grant = StoredGrant(self.practice.database, GoogleOAuth(settings), business_id, connection)
            return GoogleCalendar(settings, grant, None)

        return Providers({ProviderName.GOOGLE: opening})

    async def connect(self) -> None:
        """Give the practice a calendar at Google instead of the one in memory, and let the flag be on."""
        practice = self.practice
        practice.tenant.sql("update calendars set exports = false where id = %s", practice.calendars["ana"])
        await practice.connect("ana", "google", remote_id=self.calendar.id)
        practice.tenant.sql("update calendars set blocks = true where id = %s", practice.calendars["ana"])
        await practice.tenant.done(
            "PUT", "/api/admin/settings/gcal_integration_enabled", {"value": "prod"}, role=Role.OWNER
        )
        await self.reconnect()

    async def reconnect(self) -> None:
        """Let the owner consent again."""
        connection_id = self.practice.connections["ana"]

        async def work(tx: Transaction) -> None:
            await put_tokens(tx, connection_id, tokens_of(self.google))
            await set_state(tx, connection_id, ConnectionState.CONNECTED)
            await resume(tx, connection_id)

        await self.practice.database.run(self.practice.tenant.business_id, work)

    async def export(self) -> None:
        """Let the worker look at what has happened, and write what is due."""
        await self.practice.export(self.providers)

    async def until_quiet(self) -> None:
        """Export until nothing is due."""
        await self.practice.until_quiet(self.providers)

    async def look(self) -> None:
        """Look at the calendar, as the worker does."""
        practice = self.practice
        business_id, calendar_id = practice.tenant.business_id, practice.calendars["ana"]
        assert await sync(practice.database, self.providers, business_id, calendar_id, stage=Stage.PROD)

    def busy(self) -> int:
        """Return how many times the calendar blocks."""
        [(count,)] = self.practice.tenant.sql(
            "select count(*) from calendar_busy_intervals where calendar_id = %s", self.practice.calendars["ana"]
        )
        return int(count)

    def event(self, booking_id: str) -> Json:
        """Return the event of a booking."""
        found = self.calendar.find(event_id_of(UUID(booking_id)))
        assert found is not None, "there is no such event"
        return found

    def starts(self) -> list[datetime]:
        """Return when the events take place that there are."""
        return sorted(self.calendar.bounds(body)[0] for body in self.calendar.live().values())

    def move(self, booking_id: str, hours: int) -> None:
        """Let a person move the event of a booking."""
        at = START + timedelta(hours=hours)
        self.calendar.move(event_id_of(UUID(booking_id)), at, at + timedelta(hours=1))

    def delete(self, booking_id: str) -> None:
        """Let a person delete it."""
        self.calendar.delete(event_id_of(UUID(booking_id)))

    def written(self) -> list[tuple[str, int]]:
        """Return the writes that Google has answered, with their status."""
        return [(call.method.rpartition(".")[2], call.status) for call in self.google.calls if call.method in WRITES]

    @contextmanager
    def counted(self) -> Iterator[list[tuple[str, int]]]:
        """Return, at the end of the block, the writes that came in it."""
        before, found = len(self.written()), list[tuple[str, int]]()
        yield found
        found += self.written()[before:]
