"""One run of the benchmark: loads sent, acknowledgements checked, places never used twice."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from bench import pgbench
from bench.check import check, check_total
from bench.data import SLOTS_A_DAY, SLOTS_DAYS, Stage
from bench.load import Job, Latency, Report, send
from bench.scripts import AnyScript, LookAndTake, Script
from bench.server import Server, verify

_WARM_UP_SECONDS = 0.5


class Measured(msgspec.Struct, rename="camel"):
    """The figures of one load, and what each attempt cost in CPU time of server, database and client."""

    rate: float
    p50_ms: float
    p99_ms: float
    attempts: int = 0
    web_cpu_us: float = 0.0
    database_cpu_us: float = 0.0
    client_cpu_us: float = 0.0
    latencies: dict[str, Latency] = {}
    statuses: dict[str, int] = {}
    unexpected: int = 0
    samples: list[str] = []

    @property
    def tail(self) -> float:
        """How many times the median the 99th percentile is."""
        return ratio(self.p99_ms, self.p50_ms)


def ratio(value: float, other: float) -> float:
    """Return how many times the other a value is; without the other it is no number, and keeps no promise."""
    return value / other if other else math.nan


@dataclass
class Session:
    """A running server with its stage, and what it has promised so far."""

    server: Server
    stage: Stage
    baseline_dsn: str
    seconds: float
    connections: int
    say: Callable[[str], None]
    acknowledged: int = 0
    doubtful: int = 0
    problems: list[str] = field(default_factory=list)
    _runs: int = 0
    _next: dict[type[Script], int] = field(default_factory=dict)

    def first(self, kind: type[Script]) -> int:
        """Return the first number of a kind of script that no load has used: its place is still free."""
        return self._next.get(kind, 0)

    def new_prefix(self, name: str) -> str:
        """Return what the keys of one load begin with, and of no other."""
        self._runs += 1
        return f"bench-{self._runs:03d}-{name}"

    def load(self, name: str, script: AnyScript, *, attempts: int | None = None, connections: int = 0) -> Measured:
        """Run a script for the seconds of the session, or for so many attempts, and check every acknowledgement."""
        job = Job(
            self.server.port,
            script,
            connections=connections or self.connections,
            seconds=None if attempts else self.seconds,
            attempts=attempts,
            warm_up_seconds=0.0 if attempts else _WARM_UP_SECONDS,
        )
        web, database = self.server.web_cpu_seconds(), self.server.database_cpu_seconds()
        report = send(job)
        web, database = self.server.web_cpu_seconds() - web, self.server.database_cpu_seconds() - database
        self._next[type(script)] = script.first + report.attempted
        attempt = report.latencies.get("attempt", Latency(p50_ms=0.0, p99_ms=0.0))
        measured = Measured(
            rate=report.rate,
            p50_ms=attempt.p50_ms,
            p99_ms=attempt.p99_ms,
            attempts=report.attempted,
            web_cpu_us=web / max(report.attempted, 1) * 1e6,
            database_cpu_us=database / max(report.attempted, 1) * 1e6,
            client_cpu_us=report.client_cpu_us,
            latencies=report.latencies,
            statuses=report.statuses,
            unexpected=report.unexpected,
            samples=report.samples,
        )
        self.say(f"{name}: {measured.rate:,.0f}/s, p50 {measured.p50_ms:.2f} ms, p99 {measured.p99_ms:.2f} ms")
        self._check(name, script, report)
        return measured

    def pgbench(self, clients: int) -> Measured:
        """Measure the baseline."""
        found = pgbench.run(self.baseline_dsn, clients, self.seconds)
        self.say(f"pgbench, {clients} clients: {found.rate:,.0f}/s")
        return Measured(rate=found.rate, p50_ms=found.average_ms, p99_ms=0.0)

    def finish(self) -> None:
        """Check what can only be checked over all: the number of bookings, and every invariant."""
        self.problems += check_total(self.stage.dsn, self.stage.business, self.acknowledged, self.doubtful)
        self.say("holdfast verify")
        code, said = verify(self.stage.dsn)
        if code != 0:
            self.problems.append(f"holdfast verify ended with {code}: {said.strip()[:2000]}")

    def _check(self, name: str, script: AnyScript, report: Report) -> None:
        if report.unexpected:
            self.say(f"{name}: {report.unexpected} answers were not expected: {report.samples[0]}")
            self.say(f"the end of the server's log:\n{self.server.last_words()}")
        found = check(self.stage.dsn, self.stage.business, script.key_prefix, report.acknowledged, report.doubtful)
        if isinstance(script, LookAndTake):
            places = len(self.stage.few.resources) * SLOTS_A_DAY * SLOTS_DAYS
            found += _wrong_slots(places - script.first, report)
        for problem in found[:20]:
            self.say(f"{name}: WRONG: {problem}")
        self.problems += [f"{name}: {problem}" for problem in found]
        self.acknowledged += sum(a.operation == "reserve" for a in report.acknowledged)
        self.doubtful += len(report.doubtful)


class _Slot(msgspec.Struct, rename="camel"):
    resource_ids: list[str]


class _Day(msgspec.Struct):
    slots: list[_Slot]


class _Days(msgspec.Struct):
    days: list[_Day]


def _wrong_slots(free_before: int, report: Report) -> list[str]:
    """Compare the first and the last answer: each reservation in between has taken one practitioner from one slot."""
    free = []
    for body in report.bodies["slots"]:
        answer = msgspec.json.decode(body, type=_Days)
        if len(answer.days) != SLOTS_DAYS or any(len(day.slots) != SLOTS_A_DAY for day in answer.days):
            return [f"slots: {len(answer.days)} days with {[len(day.slots) for day in answer.days]} slots"]
        free.append(sum(len(slot.resource_ids) for day in answer.days for slot in day.slots))
    made = report.statuses.get("reserve 201", 0)
    # The last reservation follows the last look.
    if free != [free_before, free_before - made + 1]:
        return [f"slots: free were {free}, but {free_before} before and {made} were reserved one by one"]
    return []
