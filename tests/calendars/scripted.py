"""A provider that answers what a test has put into it, and a practice with calendars connected to it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID, uuid4

import psycopg

from booking.opened import HOUR_SECONDS, START, Practice, open_practice
from holdfast.administration.settings import Stage
from holdfast.availability.ics.times import Span
from holdfast.calendars import mirror
from holdfast.calendars.connections import Connection, ProviderName
from holdfast.calendars.port import Kind, Mark, Page, Provider, RemoteEvent, Watch, Window
from holdfast.calendars.providers import Opening, Providers
from holdfast.kernel.database import Transaction

Answer = Page | BaseException | Callable[[], Any]


class Killed(BaseException):
    """A worker that dies: nothing that it would do afterwards happens."""


def event(
    key: str, *hours: int, kind: Kind = Kind.BUSY, event_id: str | None = None, mark: Mark | None = None
) -> RemoteEvent:
    """Return an event that takes an hour at each of these hours after `START`."""
    spans = tuple(Span(START + hour * HOUR_SECONDS, START + (hour + 1) * HOUR_SECONDS) for hour in hours)
    return RemoteEvent(key, event_id or key, kind, spans, mark=mark)


@dataclass
class Scripted:
    """A provider. `answers` are what the next looks find, page by page; what is an exception is raised."""

    answers: list[list[Answer]] = field(default_factory=list)
    busy_answers: list[Mapping[str, Sequence[Span] | None] | Exception] = field(default_factory=list)
    asked: list[tuple[str, str | None, Window]] = field(default_factory=list)
    asked_busy: list[list[str]] = field(default_factory=list)
    watched: list[tuple[str, UUID, str]] = field(default_factory=list)
    watch_answers: list[Watch | Exception] = field(default_factory=list)
    on_watch: Callable[[UUID, str], Any] | None = None
    stopped: list[tuple[UUID, str]] = field(default_factory=list)
    stop_answers: list[Exception] = field(default_factory=list)
    closed: int = 0

    async def changes(
        self, remote_id: str, _timezone: str, sync_point: str | None, window: Window
    ) -> AsyncIterator[Page]:
        """Yield the pages of the next answer; nothing has changed when there is none."""
        self.asked.append((remote_id, sync_point, window))
        for answer in self.answers.pop(0) if self.answers else [Page((), whole=False, sync_point=sync_point or "p1")]:
            if isinstance(answer, BaseException):
                raise answer
            if callable(answer):
                await answer()
            else:
                yield answer

    async def busy(self, remote_ids: Sequence[str], _window: Window) -> Mapping[str, Sequence[Span] | None]:
        """Return the next answer about busy time."""
        self.asked_busy.append(list(remote_ids))
        answer = self.busy_answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def watch(self, remote_id: str, channel_id: UUID, token: str, seconds: int) -> Watch:
        """Grant a channel, or what was put in for it."""
        self.watched.append((remote_id, channel_id, token))
        if self.on_watch is not None:
            await self.on_watch(channel_id, token)
        answer = (
            self.watch_answers.pop(0)
            if self.watch_answers
            else Watch(f"resource-{remote_id}", int(datetime.now(UTC).timestamp()) + seconds)
        )
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def stop(self, channel_id: UUID, remote_resource: str) -> None:
        """Note that a channel is ended."""
        self.stopped.append((channel_id, remote_resource))
        if self.stop_answers:
            raise self.stop_answers.pop(0)

    async def close(self) -> None:
        """Count that it was let go of."""
        self.closed += 1


@dataclass
class Connected:
    """A practice whose only resource has calendars at a scripted provider."""

    practice: Practice
    provider: Scripted
    admin_uri: str
    resource_id: UUID
    connections: list[UUID] = field(default_factory=list)
    opening: Opening | None = None
    _by_connection: dict[UUID, Scripted] = field(default_factory=dict)

    @property
    def business_id(self) -> UUID:
        """The business."""
        return self.practice.business_id

    @property
    def providers(self) -> Providers:
        """What lends the scripted provider, whatever the connection is, or what a test has put in its place."""

        def opening(_business_id: UUID, connection: Connection) -> Provider:
            return cast(Provider, self._by_connection.get(connection.id, self.provider))

        return Providers(dict.fromkeys(ProviderName, self.opening or opening))

    async def connect(self, provider: str = "caldav", *, scripted: Scripted | None = None) -> UUID:
        """Connect an account."""
        connection_id = uuid4()

        async def work(tx: Transaction) -> None:
            keys = await tx.keys()
            await tx.run(
                "insert into calendar_connections (business_id, id, resource_id, provider, account_index)"
                " values (%s, %s, %s, %s, %s)",
                [self.business_id, connection_id, self.resource_id, provider, keys.index_other("a", str(uuid4()))],
            )

        await self.practice.desk.database.run(self.business_id, work)
        self.connections.append(connection_id)
        if scripted is not None:
            self._by_connection[connection_id] = scripted
        return connection_id

    async def add_calendar(
        self,
        remote_id: str = "main",
        *,
        connection_id: UUID | None = None,
        access: str = "write",
        blocks: bool = True,
        exports: bool = False,
    ) -> UUID:
        """Add a calendar that has not been looked at yet."""
        calendar_id = uuid4()
        connection_id = connection_id or self.connections[0]

        async def work(tx: Transaction) -> None:
            keys = await tx.keys()
            await tx.run(
                "insert into calendars (business_id, id, connection_id, resource_id, remote_id, remote_id_index, name,"
                " timezone, access, blocks, exports) values (%s, %s, %s, %s, %s, %s, %s, 'Europe/Berlin', %s, %s, %s)",
                [
                    self.business_id,
                    calendar_id,
                    connection_id,
                    self.resource_id,
                    keys.seal("calendars.remote_id", calendar_id, remote_id),
                    keys.index_other("c", remote_id),
                    keys.seal("calendars.name", calendar_id, "Calendar of somebody"),
                    access,
                    blocks,
                    exports,
                ],
            )

        await self.practice.desk.database.run(self.business_id, work)
        return calendar_id

    async def sync(self, calendar_id: UUID, stage: Stage = Stage.PROD) -> bool:
        """Look at a calendar."""
        database = self.practice.desk.database
        return await mirror.sync(database, self.providers, self.business_id, calendar_id, stage=stage)

    async def look(self, calendar_id: UUID, *pages: Answer) -> bool:
        """Look at a calendar, and find this."""
        self.provider.answers.append(list(pages))
        return await self.sync(calendar_id)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as administrator, past the product."""
        with psycopg.connect(self.admin_uri) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def calendar(self, calendar_id: UUID, columns: str) -> tuple[Any, ...]:
        """Return columns of a calendar."""
        [row] = self.sql(f"select {columns} from calendars where id = %s", calendar_id)
        return row

    def hours(self, calendar_id: UUID | None = None) -> list[int]:
        """Return the hours after `START` at which a busy time begins, sorted."""
        rows = self.sql(
            "select extract(epoch from lower(during))::bigint from calendar_busy_intervals"
            " where business_id = %s and (%s::uuid is null or calendar_id = %s) order by 1",
            self.business_id,
            calendar_id,
            calendar_id,
        )
        return [(start - START) // HOUR_SECONDS for (start,) in rows]

    def inbox(self) -> list[tuple[str, UUID]]:
        """Return what stands in the inbox: kinds and subjects."""
        return [
            (kind, subject)
            for kind, subject in self.sql(
                "select kind, subject_id from attention_items where business_id = %s and resolved_at is null"
                " order by raised_at",
                self.business_id,
            )
        ]

    def turn_on(self, key: str, value: str) -> None:
        """Give a setting a value."""
        self.sql(
            "insert into system_settings (business_id, key, value) values (%s, %s, to_jsonb(%s::text))"
            " on conflict (business_id, key) do update set value = excluded.value",
            self.business_id,
            key,
            value,
        )


@asynccontextmanager
async def connected(app_uri: str, admin_uri: str) -> AsyncIterator[Connected]:
    """Open a practice with one resource, one service of it and one connection."""
    async with open_practice(app_uri) as practice:
        resource_id = await practice.add_resource("room")
        await practice.add_service("talk", ["room"])
        made = Connected(practice, Scripted(), admin_uri, resource_id)
        await made.connect()
        yield made


async def paused(reached: asyncio.Event, go_on: asyncio.Event) -> None:
    """Say that a look has come so far, and wait until it may go on."""
    reached.set()
    await go_on.wait()
