"""A practice whose appointments are exported: two people, each with a calendar, behind whatever provider a test takes."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from booking.tenants import Json, Tenant
from calendars.shelves import Shelf, providers_of
from holdfast.administration.settings import Stage
from holdfast.calendars.conflicts import observe_own
from holdfast.calendars.connections import Calendar, find_calendar
from holdfast.calendars.export import export_due
from holdfast.calendars.feed import feed
from holdfast.calendars.port import RemoteEvent
from holdfast.calendars.providers import Providers
from holdfast.catalog.resources import put_resource
from holdfast.catalog.services import put_service
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database, Transaction

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=10)
CONFLICTS = "/api/admin/calendar-conflicts"
OWNER = Role.OWNER


@dataclass
class Exporting:
    """A business, its service, and the shelves of its calendars by the slug of whose they are."""

    tenant: Tenant
    service_id: UUID
    resources: dict[str, UUID]
    calendars: dict[str, UUID] = field(default_factory=dict)
    connections: dict[str, UUID] = field(default_factory=dict)
    shelves: dict[str, Shelf] = field(default_factory=dict)

    @property
    def database(self) -> Database:
        """The database as the application sees it."""
        return self.tenant.database

    @property
    def providers(self) -> Providers:
        """What opens the shelves."""
        return providers_of({self.connections[name]: shelf for name, shelf in self.shelves.items()})

    async def connect(
        self, name: str, provider: str = "caldav", *, exports: bool = True, remote_id: str | None = None
    ) -> UUID:
        """Connect a calendar of somebody's."""
        connection_id, calendar_id = uuid4(), uuid4()

        async def work(tx: Transaction) -> None:
            keys = await tx.keys()
            values: dict[str, Any] = {
                "business_id": tx.business_id,
                "connection_id": connection_id,
                "calendar_id": calendar_id,
                "resource_id": self.resources[name],
                "provider": provider,
                "index": keys.index_other("calendar account", str(connection_id)),
                "remote_id": keys.seal("calendars.remote_id", calendar_id, remote_id or f"calendar of {name}"),
                "remote_index": keys.index_other("calendar", remote_id or str(calendar_id)),
                "name": keys.seal("calendars.name", calendar_id, f"The calendar of {name}"),
                "exports": exports,
            }
            await tx.run(
                "insert into calendar_connections (business_id, id, resource_id, provider, account_index)"
                " values (%(business_id)s, %(connection_id)s, %(resource_id)s, %(provider)s, %(index)s)",
                values,
            )
            await tx.run(
                "insert into calendars (business_id, id, connection_id, resource_id, remote_id, remote_id_index, name,"
                " access, exports) values (%(business_id)s, %(calendar_id)s, %(connection_id)s, %(resource_id)s,"
                " %(remote_id)s, %(remote_index)s, %(name)s, 'write', %(exports)s)",
                values,
            )

        await self.database.run(self.tenant.business_id, work)
        self.calendars[name], self.connections[name] = calendar_id, connection_id
        self.shelves[name] = Shelf()
        return calendar_id

    async def book(self, hours: int = 0, name: str = "ana") -> str:
        """Book somebody, so many hours after the start; return the id of the appointment."""
        start = START + timedelta(hours=hours)
        body = {
            "businessId": str(self.tenant.business_id),
            "serviceId": str(self.service_id),
            "slotStart": start.isoformat(),
            "slotEnd": (start + timedelta(hours=1)).isoformat(),
            "resourceId": str(self.resources[name]),
            "guestEmail": "guest-of-calendars@example.org",
            "guestName": "Guest Whom No Calendar Names",
        }
        made = await self.tenant.done("POST", "/api/booking/book", body)
        return str(made["appointmentId"])

    async def reschedule(self, booking_id: str, hours: int, name: str = "ana") -> None:
        """Move an appointment, as staff do."""
        start = START + timedelta(hours=hours)
        body = {
            "slotStart": start.isoformat(),
            "slotEnd": (start + timedelta(hours=1)).isoformat(),
            "resourceId": str(self.resources[name]),
            "expectedVersion": self.version(booking_id),
        }
        await self.tenant.done("PATCH", f"/api/booking/appointments/{booking_id}", body, role=OWNER)

    async def note(self, booking_id: str) -> None:
        """Change something of an appointment that no calendar shows."""
        body = {"note": "was late, and said why", "expectedVersion": self.version(booking_id)}
        await self.tenant.done("PATCH", f"/api/booking/appointments/{booking_id}", body, role=OWNER)

    async def cancel(self, booking_id: str) -> None:
        """Cancel an appointment, as staff do."""
        body = {"expectedVersion": self.version(booking_id)}
        await self.tenant.done("POST", f"/api/booking/appointments/{booking_id}/cancel", body, role=OWNER)

    def touch(self, booking_id: str) -> None:
        """Give an appointment another version, with its entry and its event, at this very moment."""
        self.tenant.sql("update bookings set version = version + 1 where id = %s", booking_id)
        self.tenant.sql(
            "select record_changes(business_id, array[id], array[%s::bytea], 'change', 'confirmed', 'staff', null,"
            " 'AppointmentUpdated') from bookings where id = %s",
            bytes(32),
            booking_id,
        )

    @staticmethod
    def uuid(booking_id: str) -> UUID:
        """Return an id as it is stored."""
        return UUID(booking_id)

    def version(self, booking_id: str) -> int:
        """Return the version of a booking."""
        [(version,)] = self.tenant.sql("select version from bookings where id = %s", booking_id)
        return int(version)

    def booked_at(self, booking_id: str) -> datetime:
        """Return when an appointment begins."""
        [(starts_at,)] = self.tenant.sql("select starts_at from bookings where id = %s", booking_id)
        at: datetime = starts_at
        return at

    async def export(self, providers: Providers | None = None) -> int:
        """Let the worker look at what has happened, and write what is due."""
        await feed(self.database)
        return await export_due(self.database, providers or self.providers, Stage.PROD)

    async def until_quiet(self, providers: Providers | None = None) -> None:
        """Export until nothing is due, as if all that was put off had its turn."""
        for _ in range(20):
            self.tenant.sql(
                "update calendar_events set next_attempt_at = now(), leased_until = case when lease is not null then now() end"
                " where business_id = %s and next_attempt_at is not null",
                self.tenant.business_id,
            )
            await self.export(providers)
            if self.due() == 0:
                return
        raise AssertionError("there is no end to what is due")

    def due(self) -> int:
        """Return how much waits to be exported."""
        [(count,)] = self.tenant.sql(
            "select count(*) from calendar_events where business_id = %s and next_attempt_at is not null",
            self.tenant.business_id,
        )
        return int(count)

    def states(self, booking_id: str) -> dict[str, str]:
        """Return what is known of the events of a booking, by whose calendar they are in."""
        found = dict(
            self.tenant.sql("select calendar_id, state from calendar_events where booking_id = %s", booking_id)
        )
        return {name: found[calendar] for name, calendar in self.calendars.items() if calendar in found}

    async def calendar(self, name: str = "ana") -> Calendar:
        """Return somebody's calendar as it is stored."""
        async with self.database.transaction(self.tenant.business_id) as tx:
            return await find_calendar(tx, self.calendars[name])

    async def observe(self, event: RemoteEvent | None, name: str = "ana") -> None:
        """Let a look at a calendar meet an event of ours."""
        assert event is not None, "there is an event to be met"
        calendar = await self.calendar(name)
        await self.database.run(self.tenant.business_id, lambda tx: observe_own(tx, calendar, event))

    async def conflicts(self, state: str = "open") -> list[Json]:
        """Return what staff see of conflicts."""
        found: list[Json] = (await self.tenant.done("GET", f"{CONFLICTS}?status={state}", role=OWNER))["conflicts"]
        return found

    async def decide(self, conflict: Json, action: str) -> Json:
        """Decide about a conflict."""
        return await self.tenant.done("POST", f"{CONFLICTS}/{conflict['id']}/{action}", {}, role=OWNER)

    async def inbox(self) -> list[str]:
        """Return the kinds of what is open in the inbox."""
        return [item["kind"] for item in (await self.tenant.done("GET", "/api/admin/attention", role=OWNER))["items"]]

    def log(self, aggregate_type: str) -> list[tuple[Any, ...]]:
        """Return what was done to things of a kind, oldest first, and by whom."""
        return self.tenant.sql(
            "select action, actor from audit_log where business_id = %s and aggregate_type = %s"
            " order by occurred_at, version",
            self.tenant.business_id,
            aggregate_type,
        )


async def open_exporting(tenant: Tenant) -> Exporting:
    """Open a practice of two around the clock, of which one has a calendar that is exported to."""

    async def work(tx: Transaction) -> tuple[UUID, dict[str, UUID]]:
        people = {
            name: await put_resource(tx, slug=name, name=name.title(), kind="practitioner", always_open=True)
            for name in ("ana", "ben")
        }
        service = await put_service(
            tx, slug="talk", name="A talk", duration_minutes=60, requirements=[list(people.values())]
        )
        return service, people

    service_id, people = await tenant.database.run(tenant.business_id, work)
    practice = Exporting(tenant, service_id, people)
    await practice.connect("ana")
    return practice
