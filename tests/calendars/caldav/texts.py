"""What tests put into calendars, and how they speak with a server beside our adapter."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from calendars.http_servers import Asked, Reply, passed_on
from holdfast.calendars.caldav import CaldavAccount
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.port import Mark, OwnEvent, Page, RemoteEvent, Window

ACCOUNT = "anna"
PASSWORD = "zeisig-flieht-ueber-das-moor"  # noqa: S105  of the tests
MOSCOW = "Europe/Moscow"


def at(text: str) -> int:
    """Return an instant: 2027-03-01T09:00 in UTC."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def shown(event: RemoteEvent) -> list[str]:
    """Return when an event takes place, like 2027-03-01T09:00/10:00 in UTC."""
    return [
        f"{datetime.fromtimestamp(start, UTC):%Y-%m-%dT%H:%M}/{datetime.fromtimestamp(end, UTC):%dT%H:%M}"
        for start, end in event.spans
    ]


YEAR = Window(at("2027-01-01T00:00"), at("2028-01-01T00:00"))


@dataclass(frozen=True)
class Radicale:
    """The server, as whoever else uses it sees it."""

    port: int

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}/"

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Reply:
        """Ask something, as the account."""
        login = b64encode(f"{ACCOUNT}:{PASSWORD}".encode()).decode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return passed_on(self.port, Asked(method, path, {"authorization": f"Basic {login}", **named}, body))

    def made(self, name: str, *, components: str = "VEVENT", zone: str | None = None) -> str:
        """Make a calendar and return its address."""
        timezone = f"<C:calendar-timezone>{zone}</C:calendar-timezone>" if zone else ""
        body = (
            '<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>'
            f"<D:displayname>{name}</D:displayname>{timezone}<C:supported-calendar-component-set>"
            f'<C:comp name="{components}"/></C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>'
        )
        assert self.ask("MKCALENDAR", f"/{ACCOUNT}/{name}/", body.encode()).status == 201
        return f"http://127.0.0.1:{self.port}/{ACCOUNT}/{name}/"

    def put(self, calendar: str, name: str, body: bytes) -> None:
        """Write an object, whatever is there."""
        done = self.ask("PUT", f"{_path(calendar)}{name}", body, content_type="text/calendar")
        assert done.status in {201, 204}, done

    def text(self, calendar: str, name: str) -> str:
        """Return an object."""
        reply = self.ask("GET", f"{_path(calendar)}{name}")
        assert isinstance(reply.body, bytes)
        assert reply.status == 200, reply
        return reply.body.decode()

    def delete(self, calendar: str, name: str) -> None:
        """Delete an object."""
        assert self.ask("DELETE", f"{_path(calendar)}{name}").status in {200, 204}

    def count(self, calendar: str) -> int:
        """Return how many events there are."""
        reply = self.ask("GET", _path(calendar))
        assert isinstance(reply.body, bytes)
        return reply.body.count(b"BEGIN:VEVENT")


def _path(address: str) -> str:
    return "/" + address.split("/", 3)[3]


def ours(start: str, end: str, *, booking: UUID | None = None, version: int = 1) -> OwnEvent:
    """Return an event of ours as it is exported."""
    mark = Mark(booking or uuid4(), version)
    title, description = "Первый приём", f"Holdfast {mark.booking_id}"
    return OwnEvent(event_id_of(mark.booking_id), mark, at(start), at(end), MOSCOW, title, description)


@dataclass
class Look:
    """What one look at a calendar has found."""

    pages: list[Page]

    @property
    def events(self) -> list[RemoteEvent]:
        """All events, by when they take place."""
        return sorted((event for page in self.pages for event in page.events), key=lambda it: it.spans)

    @property
    def point(self) -> str:
        """Where the next look goes on; only the last page says it."""
        assert [page.sync_point for page in self.pages[:-1]] == [None] * (len(self.pages) - 1)
        point = self.pages[-1].sync_point
        assert point is not None
        return point

    @property
    def unchanged(self) -> bool:
        """Whether there was nothing to read."""
        return [page.unchanged for page in self.pages] == [True]


async def look(
    account: Any, calendar: str, point: str | None = None, zone: str = MOSCOW, window: Window = YEAR
) -> Look:
    """Look at a calendar."""
    return Look([page async for page in account.changes(calendar, zone, point, window)])


def opened(address: str) -> CaldavAccount:
    """Return our adapter for an account at another address."""
    return CaldavAccount(address, ACCOUNT, PASSWORD, private_networks=True)
