"""A practice of two whose calendars are at Google, all of it real but Google; and what must be true when all is quiet."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import psycopg
from structlog.testing import capture_logs
from structlog.typing import EventDict

from booking.opened import HOUR_SECONDS, Practice, open_practice
from calendars.faltering import FalteringDatabase, FalteringProvider, Fate, Worker
from calendars.google.adapter import tokens_of
from calendars.google.fake import FakeGoogle
from calendars.google.server import settings_of
from calendars.witnessed import Witnessed
from holdfast.administration.settings import Stage
from holdfast.booking.contacts import Guest
from holdfast.calendars import conflicts, mirror
from holdfast.calendars.accounts import candidate, connect
from holdfast.calendars.channels import renew_channels
from holdfast.calendars.connections import Connection, ProviderName
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.export import export_due
from holdfast.calendars.feed import feed
from holdfast.calendars.port import Access, Provider, RemoteCalendar
from holdfast.calendars.providers import Providers, openings
from holdfast.calendars.reconciliation import reconcile_due
from holdfast.calendars.settings import CalendarSettings
from holdfast.kernel.audit import CONSOLE
from holdfast.kernel.database import Database
from holdfast.kernel.errors import UserError

PUSHES = "/api/webhooks/google-calendar"
SLOTS_OF_A_DAY, DAYS = 6, 2
# Rounds of everybody's work within which all is said and done.
_ROUNDS = 12
_WRITES = {"calendar.events.insert", "calendar.events.patch", "calendar.events.delete"}

Job = Callable[[Database, Providers], Awaitable[Any]]


@dataclass
class Person:
    """Who works here, and the calendar in which that is seen."""

    name: str
    resource_id: UUID
    connection_id: UUID
    calendar_id: UUID
    remote: Witnessed


@dataclass
class Booked:
    """How an appointment should be, by what was done to it here and by what staff have accepted."""

    state: str
    start: int
    end: int
    # None when it takes nobody's time any more.
    resource_id: UUID | None


@dataclass
class World:
    """The practice, Google, and everybody who works."""

    practice: Practice
    google: FakeGoogle
    http: httpx.AsyncClient
    admin: psycopg.Connection
    # What all have said in the log.
    lines: list[EventDict]
    people: list[Person] = field(default_factory=list)
    booked: dict[UUID, Booked] = field(default_factory=dict)
    stalled: list[Worker] = field(default_factory=list)

    @property
    def database(self) -> Database:
        """The database as the application sees it."""
        return self.practice.desk.database

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as administrator, past the product."""
        cursor = self.admin.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []

    async def employ(self, name: str) -> None:
        """Take somebody on who has a calendar at Google, and connect it."""
        resource_id = await self.practice.add_resource(name)
        account = self.google.oauth.account
        remote = Witnessed(f"{uuid4()}@group.calendar.test", name, "Europe/Moscow", {account: "owner"})
        remote.listeners.append(self.google.channels.tell)
        self.google.calendars[remote.id] = remote
        connection_id = await self._connect(resource_id, remote)
        [(calendar_id,)] = self.sql("select id from calendars where connection_id = %s", connection_id)
        self.people.append(Person(name, resource_id, connection_id, calendar_id, remote))

    async def _connect(self, resource_id: UUID, remote: Witnessed) -> UUID:
        """Let the owner of a calendar come back from the provider, who has let us in."""
        account = f"{remote.summary}@calendar.test"
        wanted = candidate(resource_id, ProviderName.GOOGLE, account=account, tokens=tokens_of(self.google))
        listed = [RemoteCalendar(remote.id, remote.summary, remote.time_zone, Access.WRITE, primary=True)]
        return await self.database.run(self.practice.business_id, lambda tx: connect(tx, wanted, listed, CONSOLE))

    # What is done here.

    async def book(self, person: Person, start: int) -> None:
        """Let a client book somebody, if that can be had."""
        try:
            answer = await self.practice.reserve("talk", start, resource=person.name, guest=Guest("guest@example.org"))
        except UserError:
            return
        self.booked[answer.made().id] = Booked("confirmed", start, start + HOUR_SECONDS, person.resource_id)

    async def reschedule(self, booking_id: UUID, person: Person, start: int) -> None:
        """Move an appointment, if that can be had."""
        try:
            await self.practice.move(booking_id, "talk", start, resource=person.name)
        except UserError:
            return
        self.booked[booking_id] = Booked("confirmed", start, start + HOUR_SECONDS, person.resource_id)

    async def cancel(self, booking_id: UUID) -> None:
        """Cancel an appointment."""
        await self.practice.cancel(booking_id)
        self._cancelled(booking_id)

    def note(self, booking_id: UUID) -> None:
        """Give an appointment another version without moving it."""
        self.sql("update bookings set version = version + 1 where id = %s", booking_id)
        self.sql(
            "select record_changes(business_id, array[id], array[%s::bytea], 'change', 'confirmed', 'staff', null,"
            " 'AppointmentUpdated') from bookings where id = %s",
            bytes(32),
            booking_id,
        )

    async def decide(self, conflict_id: UUID, action: str) -> None:
        """Let staff decide about a conflict, if that can be done."""
        async with self.database.transaction(self.practice.business_id) as tx:
            conflict = await conflicts.find_conflict(tx, conflict_id)
        try:
            if action == "accept":
                await self._accept(conflict)
            else:
                decide = conflicts.restore if action == "restore" else conflicts.ignore
                await self.database.run(self.practice.business_id, lambda tx: decide(tx, conflict.id, CONSOLE, None))
        except UserError:
            # It may be refused, and is open then as it was.
            return

    async def _accept(self, conflict: conflicts.Conflict) -> None:
        await conflicts.accept(self.practice.desk, self.practice.business_id, conflict.id, CONSOLE, None)
        booked = self.booked[conflict.booking_id]
        if conflict.remote_starts_at is None or conflict.remote_ends_at is None:
            self._cancelled(conflict.booking_id)
        else:
            booked.start = int(conflict.remote_starts_at.timestamp())
            booked.end = int(conflict.remote_ends_at.timestamp())

    def _cancelled(self, booking_id: UUID) -> None:
        self.booked[booking_id].state, self.booked[booking_id].resource_id = "cancelled", None

    def undecided(self) -> list[UUID]:
        """Return the conflicts that staff have not decided about."""
        return [
            row[0]
            for row in self.sql(
                "select id from calendar_conflicts where business_id = %s and state = 'open' order by raised_at",
                self.practice.business_id,
            )
        ]

    def foreign(self) -> list[tuple[Person, str]]:
        """Return the events that are none of ours, with the person in whose calendar each is."""
        return [
            (person, event_id)
            for person in self.people
            for event_id in sorted(person.remote.live().keys() - set(self.ours()))
        ]

    def exported(self) -> list[tuple[Person, str]]:
        """Return the events of ours that there are."""
        return [
            (person, event_id)
            for person in self.people
            for event_id in self.ours()
            if person.remote.times(event_id) is not None
        ]

    def deleted(self) -> list[tuple[Person, str]]:
        """Return the events of ours that people have deleted."""
        return [
            (person, event_id)
            for person in self.people
            for event_id in self.ours()
            if person.remote.ours.get(event_id) is not None and person.remote.times(event_id) is None
        ]

    def ours(self) -> list[str]:
        """Return the ids of our events."""
        return [event_id_of(booking_id) for booking_id in self.booked]

    def confirmed(self) -> list[UUID]:
        """Return the appointments that take place."""
        return [booking_id for booking_id, booked in self.booked.items() if booked.state == "confirmed"]

    # What workers do.

    async def work(self, job: Job, *workers: Worker) -> None:
        """Let workers do the same job at the same time, each with a fate of its own."""
        standing = await asyncio.gather(*(worker.work(self._done_by(job, worker)) for worker in workers))
        self.stalled += [worker for worker, stands in zip(workers, standing, strict=True) if stands]

    def _done_by(self, job: Job, worker: Worker) -> Awaitable[Any]:
        database = cast(Database, FalteringDatabase(self.database, worker, stands=True))
        return job(database, self._providers(worker))

    def _providers(self, worker: Worker) -> Providers:
        settings = CalendarSettings(google=settings_of(self.google), public_url="https://holdfast.test")
        # While a token is renewed the connection is locked: nobody stands still there.
        opening = openings(settings, cast(Database, FalteringDatabase(self.database, worker, stands=False)))
        google = opening[ProviderName.GOOGLE]

        def faltering(business_id: UUID, connection: Connection) -> Provider:
            return cast(Provider, FalteringProvider(google(business_id, connection), worker))

        return Providers({ProviderName.GOOGLE: faltering})

    def look(self, person: Person) -> Job:
        """Return the job of looking at somebody's calendar."""
        return lambda database, providers: mirror.sync(
            database, providers, self.practice.business_id, person.calendar_id, stage=Stage.PROD
        )

    @staticmethod
    async def look_at_all(database: Database, providers: Providers) -> None:
        """Look at what is due."""
        await mirror.sync_due(database, providers, Stage.PROD)

    @staticmethod
    async def export(database: Database, providers: Providers) -> None:
        """Look at what has happened here, and write what is due."""
        await feed(database)
        await export_due(database, providers, Stage.PROD)

    @staticmethod
    async def write(database: Database, providers: Providers) -> None:
        """Write what is due."""
        await export_due(database, providers, Stage.PROD)

    @staticmethod
    async def reconcile(database: Database, providers: Providers) -> None:
        """Compare calendars with the bookings."""
        await reconcile_due(database, providers, Stage.PROD)

    @staticmethod
    async def watch(database: Database, providers: Providers) -> None:
        """Open channels."""
        await renew_channels(database, providers, Stage.PROD)

    async def all_work(self) -> None:
        """Do all that is due."""
        for job in (self.look_at_all, self.export, self.reconcile, self.watch):
            await self.work(job, Worker(Fate.LIVES, 0))

    async def overtake(self, job: Job, worker: Worker) -> None:
        """Let a worker stand still until its leases are over, others do its job, and it go on: it changes nothing more."""
        if not await worker.work(self._done_by(job, worker)):
            return
        held = self._leased()
        self.pass_time()
        await self.work(job, Worker(Fate.LIVES, 0))
        now = self._leased()
        lost = [key for key, lease in held.items() if now.get(key) != lease]
        before = self._rows(lost)
        await worker.wake()
        after = self._rows(list(before))
        assert after == before, "whoever was overtaken has written something"

    def _leased(self) -> dict[str, UUID]:
        """Return who holds calendars and events."""
        rows = self.sql(
            "select id::text, lease from calendars where business_id = %s and lease is not null union all"
            " select event_id || calendar_id, lease from calendar_events where business_id = %s and lease is not null",
            *[self.practice.business_id] * 2,
        )
        return dict(rows)

    def _rows(self, keys: list[str]) -> dict[str, str]:
        """Return calendars with what is mirrored of them, and events of which nothing is due, as they are stored."""
        rows = self.sql(
            "select id::text, concat(k, (select string_agg(i::text, ' ' order by id) from calendar_busy_intervals i"
            " where i.calendar_id = k.id)) from calendars k where id::text = any (%s) union all"
            " select event_id || calendar_id, e::text from calendar_events e where event_id || calendar_id = any (%s)"
            " and next_attempt_at is null",
            *[keys] * 2,
        )
        return dict(rows)

    async def wake(self) -> None:
        """Let whoever has stood still for longest go on."""
        if self.stalled:
            await self.stalled.pop(0).wake()

    def pass_time(self) -> None:
        """Let so much time pass that all leases and waiting are over."""
        of_calendars = ("next_sync_at", "leased_until", "next_reconciliation_at")
        for table, columns in (("calendars", of_calendars), ("calendar_events", ("next_attempt_at", "leased_until"))):
            sooner = ", ".join(f"{column} = {column} - interval '2 days'" for column in columns)
            self.sql(f"update {table} set {sooner} where business_id = %s", self.practice.business_id)

    async def tell(self) -> None:
        """Have the messages delivered that wait."""
        for push in self.google.channels.take():
            answer = await self.http.post(PUSHES, headers=push.headers)
            assert answer.status_code in {204, 404}, answer.text

    def expire_tokens(self, *, noticed: bool) -> None:
        """Let the access tokens end, and know that by the clock or not."""
        self.google.oauth.expire_access_tokens()
        if noticed:
            self.sql(
                "update calendar_connections set access_token_expires_at = now() - interval '1 hour'"
                " where business_id = %s",
                self.practice.business_id,
            )

    async def reconnect(self) -> None:
        """Have whoever has to connect again do so."""
        for person in self.people:
            [(state,)] = self.sql("select state from calendar_connections where id = %s", person.connection_id)
            if state != "connected":
                assert await self._connect(person.resource_id, person.remote) == person.connection_id

    # When all is quiet.

    async def calm_down(self) -> None:
        """Let nothing go wrong any more, and everybody work until there is nothing to do."""
        self.google.faults.clear()
        calm = 0
        for number in range(_ROUNDS):
            written = len(self._writes())
            await self.reconnect()
            self.pass_time()
            await self.all_work()
            if number == 1:
                while self.stalled:
                    await self.wake()
            calm = calm + 1 if written == len(self._writes()) and not self.owed() and number > 1 else 0
            if calm == 2:
                return
        raise AssertionError(f"no end to what is due: {self.owed()}, {self._writes()[-5:]}")

    def _writes(self) -> list[str]:
        return [call.method for call in self.google.calls if call.method in _WRITES]

    def owed(self) -> list[tuple[Any, ...]]:
        """Return what is not done yet."""
        return self.sql(
            "select 'event', booking_id::text, coalesce(error_code, '') from calendar_events"
            " where business_id = %(b)s and (next_attempt_at is not null or lease is not null)"
            " union all select 'calendar', id::text, coalesce(error_code, '') from calendars"
            " where business_id = %(b)s and (failures > 0 or lease is not null)"
            " union all select 'connection', id::text, coalesce(error_code, '') from calendar_connections"
            " where business_id = %(b)s and state <> 'connected'".replace("%(b)s", f"'{self.practice.business_id}'")
        )


@asynccontextmanager
async def open_world(
    app_uri: str, admin: psycopg.Connection, google: FakeGoogle, http: httpx.AsyncClient
) -> AsyncIterator[World]:
    """Open a practice of two with connected calendars, looked at."""
    with capture_logs() as lines:
        async with open_practice(app_uri) as practice:
            world = World(practice, google, http, admin, lines)
            world.sql(
                "insert into system_settings (business_id, key, value) values (%s, 'gcal_integration_enabled', '\"prod\"')",
                practice.business_id,
            )
            for name in ("ana", "ben"):
                await world.employ(name)
            await practice.add_service("talk", ["ana", "ben"])
            for person in world.people:
                await world.work(world.look(person), Worker(Fate.LIVES, 0))
            try:
                yield world
            finally:
                # Jobs look at all tenants: those of the next example need not care for this one.
                for statement in (
                    "update calendar_connections set state = 'stopped' where business_id = %s",
                    "update outbox_events set occurred_at = occurred_at - interval '1 day' where business_id = %s",
                ):
                    world.sql(statement, practice.business_id)
