"""Calendars and bookings come to agree, whatever happens in whatever order.

A usual run tries the same few lives each time, so that a change is judged by what it has changed.
`CONVERGENCE_EXAMPLES=500 pytest tests/calendars/test_everything_converges.py` tries ever others, and more of them.
"""

import asyncio
import os
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import TypeVar

import httpx
import psycopg
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from booking.opened import DAY_SECONDS, HOUR_SECONDS, START, violations
from booking.tenants import application
from calendars.converged import check
from calendars.converging import DAYS, SLOTS_OF_A_DAY, Job, World, open_world
from calendars.faltering import Fate, Worker
from calendars.google.fake import FakeGoogle
from conftest import MASTER_KEY
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres

T = TypeVar("T")

_EXAMPLES = os.environ.get("CONVERGENCE_EXAMPLES")

numbers = st.integers(0, 11)
slots = st.integers(0, SLOTS_OF_A_DAY * DAYS - 1)
who = st.integers(0, 1)
# Most work is done; what falters does so at any step.
faltering = st.tuples(st.sampled_from([Fate.DIES, Fate.ENDS, Fate.STALLS]), st.integers(1, 14))
fates = st.one_of(st.just((Fate.LIVES, 0)), faltering)
JOBS = ("look", "look at all", "export", "write", "reconcile", "watch")
METHODS = (
    "",
    "calendar.events.list",
    "calendar.events.insert",
    "calendar.events.patch",
    "calendar.events.delete",
    "calendar.events.get",
    "oauth.token",
)
TROUBLES = (
    (500, "backendError"),
    (503, "backendError"),
    (429, "rateLimitExceeded"),
    (403, "userRateLimitExceeded"),
    "request",
    "answer",
)


def start_of(slot: int) -> int:
    """Return when a slot begins."""
    return START + slot // SLOTS_OF_A_DAY * DAY_SECONDS + slot % SLOTS_OF_A_DAY * HOUR_SECONDS


def one_of(found: Sequence[T], number: int) -> list[T]:
    """Return one of what there is, if there is any.

    What can be done depends on the moment at which workers were overtaken, on which no rule may depend.
    """
    return [found[number % len(found)]] if found else []


class Calendars(RuleBasedStateMachine):
    """Clients, staff, owners of calendars, workers, Google and the network, each doing what it does."""

    app_uri = ""
    admin: psycopg.Connection
    runner: asyncio.Runner
    google: FakeGoogle
    http: httpx.AsyncClient
    world: World

    @initialize(appointments=st.lists(st.tuples(who, slots), min_size=1, max_size=4, unique=True))
    def open(self, appointments: list[tuple[int, int]]) -> None:
        """Open a practice that has appointments."""
        self.stack = AsyncExitStack()
        opening = open_world(self.app_uri, self.admin, self.google, self.http)
        self.world = self.runner.run(self.stack.enter_async_context(opening))
        for n, slot in appointments:
            self.book(n, slot)
        self.all_work()

    # Here.

    @rule(n=who, slot=slots)
    def book(self, n: int, slot: int) -> None:
        """Somebody is booked."""
        self.runner.run(self.world.book(self.world.people[n], start_of(slot)))

    @rule(number=numbers, n=who, slot=slots)
    def reschedule(self, number: int, n: int, slot: int) -> None:
        """An appointment is moved, perhaps to the other person."""
        for booking_id in one_of(self.world.confirmed(), number):
            self.runner.run(self.world.reschedule(booking_id, self.world.people[n], start_of(slot)))

    @rule(number=numbers)
    def cancel(self, number: int) -> None:
        """An appointment is cancelled."""
        for booking_id in one_of(self.world.confirmed(), number):
            self.runner.run(self.world.cancel(booking_id))

    @rule(number=numbers)
    def note(self, number: int) -> None:
        """Something of an appointment changes that no calendar shows."""
        for booking_id in one_of(self.world.confirmed(), number):
            self.world.note(booking_id)

    @rule(number=numbers, action=st.sampled_from(["accept", "restore", "ignore"]), n=who, looks=st.booleans())
    def decide(self, number: int, action: str, n: int, looks: bool) -> None:
        """Staff decide about what people have done, most often when somebody has just looked."""
        if looks:
            self.work("look", n, (Fate.LIVES, 0))
        for conflict_id in one_of(self.world.undecided(), number):
            self.runner.run(self.world.decide(conflict_id, action))

    # In the calendars.

    @rule(n=who, half_hour=st.integers(0, 24), halves=st.integers(1, 4), free=st.booleans())
    def add_event(self, n: int, half_hour: int, halves: int, free: bool) -> None:
        """A person makes an event."""
        start = START + half_hour * HOUR_SECONDS // 2
        more = {"transparency": "transparent"} if free else {}
        self.world.people[n].remote.add(start, start + halves * HOUR_SECONDS // 2, **more)

    @rule(n=who, slot=slots)
    def add_series(self, n: int, slot: int) -> None:
        """A person makes a series."""
        start = start_of(slot)
        rule = ["RRULE:FREQ=DAILY;COUNT=2"]
        self.world.people[n].remote.add(start, start + HOUR_SECONDS // 2, recurrence=rule)

    @rule(number=numbers, half_hour=st.integers(0, 24), deletes=st.booleans())
    def change_event(self, number: int, half_hour: int, deletes: bool) -> None:
        """A person moves or deletes an event, or one of a series."""
        start = START + half_hour * HOUR_SECONDS // 2
        for person, event_id in one_of(self.world.foreign(), number):
            if deletes:
                person.remote.delete(event_id)
            else:
                person.remote.move(event_id, start, start + HOUR_SECONDS)

    @rule(number=numbers, slot=slots, longer=st.booleans())
    def move_ours(self, number: int, slot: int, longer: bool) -> None:
        """A person moves an event of ours."""
        end = start_of(slot) + HOUR_SECONDS + longer * HOUR_SECONDS // 2
        for person, event_id in one_of(self.world.exported(), number):
            person.remote.move(event_id, start_of(slot), end)

    @rule(number=numbers, action=st.sampled_from(["delete", "rename", "copy"]), slot=slots)
    def touch_ours(self, number: int, action: str, slot: int) -> None:
        """A person deletes an event of ours, renames or copies it."""
        for person, event_id in one_of(self.world.exported(), number):
            if action == "delete":
                person.remote.delete(event_id)
            elif action == "rename":
                person.remote.change(event_id, summary="Somebody else's words")
            else:
                person.remote.copy(event_id, start_of(slot), start_of(slot) + HOUR_SECONDS)

    @rule(number=numbers)
    def put_back_ours(self, number: int) -> None:
        """A person takes an event of ours out of the bin again."""
        for person, event_id in one_of(self.world.deleted(), number):
            person.remote.change(event_id, status="confirmed")

    # Who works.

    @rule(job=st.sampled_from(JOBS), n=who, fate=fates)
    def work(self, job: str, n: int, fate: tuple[Fate, int]) -> None:
        """A worker works, or falters."""
        self.runner.run(self.world.work(self.job(job, n), Worker(*fate)))

    @rule(job=st.sampled_from(JOBS), n=who, first=fates, second=fates)
    def work_together(self, job: str, n: int, first: tuple[Fate, int], second: tuple[Fate, int]) -> None:
        """Two workers do the same."""
        self.runner.run(self.world.work(self.job(job, n), Worker(*first), Worker(*second)))

    @rule(n=who, half_hour=st.integers(0, 24), fate=faltering)
    def look_at_event(self, n: int, half_hour: int, fate: tuple[Fate, int]) -> None:
        """Whoever looks at what has just been made falters."""
        self.add_event(n, half_hour, 1, False)
        self.work("look", n, fate)

    @rule(n=who, slot=slots, fate=faltering)
    def export_appointment(self, n: int, slot: int, fate: tuple[Fate, int]) -> None:
        """Whoever exports what has just been booked falters."""
        self.book(n, slot)
        self.work("export", n, fate)

    @rule(n=who, slot=slots, job=st.sampled_from(["look", "export"]), at=st.integers(3, 12))
    def overtake(self, n: int, slot: int, job: str, at: int) -> None:
        """A worker stands still until another one has done what it was at, and finds that."""
        self.add_event(n, slot, 1, False)
        self.book(n, slot)
        self.runner.run(self.world.overtake(self.job(job, n), Worker(Fate.STALLS, at)))

    @rule()
    def all_work(self) -> None:
        """Everybody works for a while, as on most days."""
        self.runner.run(self.world.reconnect())
        self.world.pass_time()
        self.runner.run(self.world.all_work())

    @rule()
    def wake(self) -> None:
        """A worker goes on who has stood still."""
        self.runner.run(self.world.wake())

    @rule()
    def pass_time(self) -> None:
        """All waiting is over, and leases are."""
        self.world.pass_time()

    # Between us and Google.

    @rule(delivered=st.booleans())
    def push(self, delivered: bool) -> None:
        """Messages arrive, or are lost."""
        if delivered:
            self.runner.run(self.world.tell())
        else:
            self.google.channels.take()

    @rule(only=st.sampled_from(METHODS), what=st.sampled_from(TROUBLES), times=st.integers(1, 2))
    def fail(self, only: str, what: tuple[int, str] | str, times: int) -> None:
        """Google fails or asks for patience, or the network loses a request or its answer."""
        if isinstance(what, str):
            self.google.faults.cut(after=what == "answer", only=only, times=times)
        else:
            self.google.faults.fail(*what, only=only, times=times)

    @rule(what=st.sampled_from(["sync tokens", "access tokens", "access tokens, on time", "grants"]))
    def end(self, what: str) -> None:
        """Google knows something no more, or the owner takes back what was granted."""
        if what == "sync tokens":
            self.google.lists.forget()
        elif what == "grants":
            self.google.oauth.void_grants()
        else:
            self.world.expire_tokens(noticed=what.endswith("time"))

    def teardown(self) -> None:
        """Let all become quiet, and look."""
        if not hasattr(self, "stack"):
            return
        try:
            self.runner.run(self.world.calm_down())
            check(self.world)
        finally:
            self.google.faults.clear()
            self.runner.run(self.stack.aclose())

    def job(self, name: str, n: int) -> Job:
        """Return a job by its name."""
        world = self.world
        jobs = {
            "look": world.look(world.people[n]),
            "look at all": world.look_at_all,
            "export": world.export,
            "write": world.write,
            "reconcile": world.reconcile,
            "watch": world.watch,
        }
        return jobs[name]


def test_everything_converges(postgres: EmbeddedPostgres, own_database: str, google: FakeGoogle) -> None:
    """When all is quiet the mirror is the calendar, each appointment is one event, and no human change is lost (C-1 to C-5, calendars 15)."""
    app_uri, admin_uri = (postgres.uri(user=user, database=own_database) for user in ("holdfast_app", SUPERUSER))
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        http = runner.run(stack.enter_async_context(application(app_uri, admin_uri, MASTER_KEY)))
        Calendars.app_uri, Calendars.runner = app_uri, runner
        Calendars.admin = psycopg.connect(admin_uri, autocommit=True)
        Calendars.google, Calendars.http = google, http
        chosen = settings(
            max_examples=int(_EXAMPLES or 12),
            derandomize=_EXAMPLES is None,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            # A shorter one would be sought for minutes, among runs of which no two are quite the same.
            phases=[Phase.generate],
        )
        try:
            run_state_machine_as_test(Calendars, settings=chosen)
        finally:
            Calendars.admin.close()
            runner.run(stack.aclose())
    assert violations(admin_uri) == []
