"""What happens, told to the browsers of staff while it happens: server-sent events say what to look at again (U-3).

One follower for each process reads the outbox once a second for all who listen, and not at all while nobody does. An
event carries kinds and ids, and nothing of what has happened: a page asks for what it shows, with the rights of whoever
sees it. Nothing waits for an event to be right; what gets lost is made up for when the page looks again by itself.
"""

import asyncio
import signal
import threading
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
import psycopg
import structlog
from litestar import Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.response import Stream

from holdfast.admin.frame import PROBLEMS, Call
from holdfast.identity import logins
from holdfast.identity.guards import SignedIn, staff_of
from holdfast.identity.logins import Terms
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel.database import Database
from holdfast.kernel.errors import TryLater
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load("holdfast.admin", "live.sql")

# By the first word of an event of the outbox: of what kind it is, and who may hear of it.
KINDS: Mapping[str, tuple[str, Permission]] = {
    "Appointment": ("bookings", Permission.READ_APPOINTMENTS),
    "Time": ("blocks", Permission.READ_APPOINTMENTS),
    "Waitlist": ("waitlist", Permission.READ_APPOINTMENTS),
    "Question": ("questions", Permission.MODERATE_QUESTIONS),
}
_LOOK_SECONDS = 1.0
# An event may be committed later than others whose time is after its own. What takes longer a page finds by itself.
_LOOK_BACK_SECONDS = 15
_MOST_FACTS = 1_000
_MOST_IDS = 50
_BEAT_SECONDS = 15.0
# A stream ends and is opened anew: so what somebody may hear of follows their roles.
_STREAM_SECONDS = 1_800.0
_MOST_LISTENERS = 500
_MOST_OF_ONE_LOGIN = 12
_BEAT = b": still here\n\n"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


class _Fact(NamedTuple):
    """What has happened, and when this process was told."""

    at: float
    business_id: UUID
    kind: str
    about: UUID


class Listener:
    """A browser that listens: what it has still to be told, and whether its stream is to end."""

    def __init__(self, staff: Staff) -> None:
        assert staff.login_id is not None, "who listens is signed in"
        self.business_id = staff.business_id
        self.login_id = staff.login_id
        self.may = {kind for kind, permission in KINDS.values() if staff.may(permission)}
        self.is_over = False
        self.until = time.monotonic() + _STREAM_SECONDS
        self._waiting: dict[str, dict[UUID, None]] = {}
        self._woken = asyncio.Event()

    def tell(self, kind: str, about: UUID) -> None:
        """Let the stream say that something of a kind has changed; the oldest ids give way to many others."""
        if kind in self.may:
            ids = self._waiting.setdefault(kind, {})
            ids[about] = None
            if len(ids) > _MOST_IDS:
                del ids[next(iter(ids))]
            self._woken.set()

    def end(self) -> None:
        """Let the stream end."""
        self.is_over = True
        self._woken.set()

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield what a browser is told, and beats in between, until the stream is to end."""
        yield b"retry: 3000\n\n"
        while not self.is_over and time.monotonic() < self.until:
            try:
                await asyncio.wait_for(self._woken.wait(), _BEAT_SECONDS)
            except TimeoutError:
                yield _BEAT
                continue
            self._woken.clear()
            waiting, self._waiting = self._waiting, {}
            if waiting and not self.is_over:
                told = {"kinds": sorted(waiting), "ids": [str(one) for ids in waiting.values() for one in ids]}
                yield b"event: changed\ndata: " + msgspec.json.encode(told) + b"\n\n"


class Live:
    """Everybody who listens in this process, and the follower that tells them."""

    def __init__(self, database: Database, terms: Terms) -> None:
        self._database = database
        self._terms = terms
        self._listeners: dict[UUID, set[Listener]] = {}
        self._seen: dict[UUID, _Fact] = {}
        self._somebody = asyncio.Event()
        self._is_over = False

    def __len__(self) -> int:
        """Return how many listen."""
        return sum(map(len, self._listeners.values()))

    def open(self, staff: Staff) -> Listener:
        """Return a new listener, who is told of the last moments at once: their page may have been made before these.

        Raises TryLater when there are too many, or the server is ending.
        """
        of_login = sum(one.login_id == staff.login_id for one in self._listeners.get(staff.business_id, ()))
        if self._is_over or len(self) >= _MOST_LISTENERS or of_login >= _MOST_OF_ONE_LOGIN:
            raise TryLater
        listener = Listener(staff)
        self._listeners.setdefault(staff.business_id, set()).add(listener)
        since = time.monotonic() - _LOOK_BACK_SECONDS
        for fact in self._seen.values():
            if fact.business_id == staff.business_id and fact.at >= since:
                listener.tell(fact.kind, fact.about)
        self._somebody.set()
        return listener

    async def stream(self, listener: Listener) -> AsyncIterator[bytes]:
        """Yield what a listener is told; whoever has gone is forgotten."""
        try:
            async for part in listener.stream():
                yield part
        finally:
            self._forget(listener)

    def end_all(self) -> None:
        """Let every stream end, and open none any more: the server waits for none of them when it stops."""
        self._is_over = True
        for listener in [one for each in self._listeners.values() for one in each]:
            listener.end()

    @asynccontextmanager
    async def kept(self) -> AsyncIterator[None]:
        """Follow the outbox until the block ends; all streams end with it, or as soon as the process is asked to."""
        follower = asyncio.create_task(self._follow())
        try:
            with _heard(self.end_all):
                yield
        finally:
            self.end_all()
            follower.cancel()
            await asyncio.gather(follower, return_exceptions=True)

    async def _follow(self) -> None:
        beaten = time.monotonic()
        while True:
            if not self._listeners:
                self._somebody.clear()
                await self._somebody.wait()
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self._look()
                if time.monotonic() - beaten >= _BEAT_SECONDS:
                    beaten = time.monotonic()
                    for business_id in list(self._listeners):
                        await self._check(business_id)
            except (psycopg.Error, TryLater):
                log.warning("outbox_not_followed")

    async def _look(self) -> None:
        """Tell what has happened since the last look."""
        values = {"businesses": list(self._listeners), "seconds": _LOOK_BACK_SECONDS, "limit": _MOST_FACTS}
        async with self._database.transaction() as tx:
            rows = await tx.rows(_SQL["facts_lately"], values)
        now = time.monotonic()
        fresh = {row["id"]: _fact(now, row) for row in rows if row["id"] not in self._seen}
        self._seen |= fresh
        for id_ in [id_ for id_, fact in self._seen.items() if now - fact.at > _LOOK_BACK_SECONDS * 2]:
            del self._seen[id_]
        for business_id in {fact.business_id for fact in fresh.values()}:
            # Whoever has signed out hears of nothing any more.
            await self._check(business_id)
        for fact in fresh.values():
            for listener in self._listeners.get(fact.business_id, ()):
                listener.tell(fact.kind, fact.about)

    async def _check(self, business_id: UUID) -> None:
        """End the streams of logins that have ended, and those past their time."""
        listeners = set(self._listeners.get(business_id, ()))
        async with self._database.transaction(business_id) as tx:
            live = await logins.still_live(tx, {one.login_id for one in listeners}, self._terms)
        for listener in listeners:
            # One whose browser left before anything was sent is past its time some day.
            if listener.login_id not in live or time.monotonic() > listener.until:
                self._forget(listener)
                listener.end()

    def _forget(self, listener: Listener) -> None:
        those = self._listeners.get(listener.business_id)
        if those is not None:
            those.discard(listener)
            if not those:
                del self._listeners[listener.business_id]


@get("/admin/events", guards=[SignedIn()], exception_handlers=PROBLEMS)
async def admin_events(request: Call) -> Response[Any]:
    """Tell a browser what changes, until it leaves, its login ends or the server does."""
    live: Live = request.app.state.live
    listener = live.open(staff_of(request))
    return Stream(live.stream(listener), media_type="text/event-stream", headers=_HEADERS)


handlers: list[HTTPRouteHandler] = [admin_events]


def _fact(at: float, row: dict[str, Any]) -> _Fact:
    kind = next((kind for word, (kind, _) in KINDS.items() if row["type"].startswith(word)), "")
    return _Fact(at, row["business_id"], kind, row["aggregate_id"])


@contextmanager
def _heard(what: Any) -> Iterator[None]:
    """Call something when this process is asked to end, before whoever else has asked to know does what they do.

    The server waits for answers in flight before it ends the application: a stream that waits for that is killed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGTERM)

    def hear(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(what)
        if callable(before):
            before(number, frame)
        elif before == signal.SIG_DFL:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTERM)

    signal.signal(signal.SIGTERM, hear)
    signal.siginterrupt(signal.SIGTERM, False)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is hear:
            signal.signal(signal.SIGTERM, before)
