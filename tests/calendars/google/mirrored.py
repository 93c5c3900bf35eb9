"""A practice with calendars at the fake, which are looked at through the adapter."""

from uuid import UUID

from booking.opened import HOUR_SECONDS, START
from calendars.google.adapter import tokens_of
from calendars.google.fake import FakeGoogle
from calendars.google.server import settings_of
from calendars.scripted import Connected
from holdfast.calendars.connections import Connection, put_tokens
from holdfast.calendars.google import GoogleCalendar
from holdfast.calendars.google_oauth import GoogleOAuth
from holdfast.calendars.grants import StoredGrant
from holdfast.kernel.database import Transaction


class Mirrored:
    """A practice, its calendar at Google as people see it, and the same as we know it."""

    def __init__(self, office: Connected, google: FakeGoogle, push_address: str | None) -> None:
        """Have the practice speak with the fake; `begin` connects it."""
        self.office, self.google = office, google
        self.calendar = google.calendar()
        settings = settings_of(google)

        def opening(business_id: UUID, connection: Connection) -> GoogleCalendar:
            grant = StoredGrant(office.practice.desk.database, GoogleOAuth(settings), business_id, connection)
            return GoogleCalendar(settings, grant, push_address)

        office.opening = opening

    async def begin(self, *, exports: bool = False) -> UUID:
        """Connect the account and its calendar, and let the flag be on; return the calendar."""
        office = self.office
        connection_id = await office.connect("google")
        tokens = tokens_of(self.google)

        async def work(tx: Transaction) -> None:
            await put_tokens(tx, connection_id, tokens)

        await office.practice.desk.database.run(office.business_id, work)
        office.connections.insert(0, connection_id)
        office.turn_on("gcal_integration_enabled", "prod")
        return await office.add_calendar(self.calendar.id, exports=exports)

    def add(self, *hours: int, **more: object) -> list[str]:
        """Let a person make an event of an hour at each of these hours after `START`; return their ids."""
        return [self.calendar.add(at(hour), at(hour + 1), **more) for hour in hours]

    def asked(self) -> list[dict[str, object]]:
        """Return what the calendar was asked for, list by list."""
        return [call.query for call in self.google.called("calendar.events.list")]


def at(hour: int) -> int:
    """Return an hour after `START`."""
    return START + hour * HOUR_SECONDS


async def mirrored(office: Connected, google: FakeGoogle, push_address: str | None = None) -> tuple[Mirrored, UUID]:
    """Connect a practice to the fake; return both and the calendar."""
    made = Mirrored(office, google, push_address)
    return made, await made.begin()
