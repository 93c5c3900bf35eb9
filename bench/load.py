"""The load generator: a process of its own, keep-alive HTTP/1.1, closed loop, as cheap in CPU as Python can be.

Client, server and database share the cores, so each microsecond of the client is missing elsewhere. Hence one
`asyncio.Protocol` for each connection, requests rendered from templates, and answers read only as far as needed.
Every acknowledgement is written down. `python -m bench.load` reads a Job from stdin and writes a Report to stdout.
"""

import asyncio
import gc
import subprocess
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from bench.scripts import AnyScript, Place

_ANSWER_SECONDS = 30  # a request without an answer after this is given up
_SAMPLES = 5


class Job(msgspec.Struct):
    """What to do: a script, by so many connections, for so many seconds or attempts."""

    port: int
    script: AnyScript
    connections: int = 64
    seconds: float | None = None
    attempts: int | None = None
    # At the begin connections are made and caches filled; it counts for the check, not for the figures.
    warm_up_seconds: float = 0.0


class Acknowledgement(msgspec.Struct, frozen=True, array_like=True):
    """A place that the server said was ours."""

    id: str
    key: str
    place: Place
    operation: str  # "reserve" or "commit"


class Latency(msgspec.Struct, rename="camel"):
    """Of one kind of request."""

    p50_ms: float
    p99_ms: float


class Report(msgspec.Struct):
    """What came of a job. Rate and latencies are of the time after the warm-up; everything else is of the whole."""

    rate: float
    completed: int
    attempted: int
    seconds: float
    client_cpu_us: float
    latencies: dict[str, Latency]  # by step, and "attempt" for all steps of one
    statuses: dict[str, int]
    acknowledged: list[Acknowledgement]
    doubtful: list[str]  # keys whose fate we do not know: no answer, or a 5xx
    unexpected: int
    samples: list[str]  # of what was not expected
    bodies: dict[str, list[str]]  # first and last answer of each GET


class Run:
    """The state that the connections of a job share."""

    def __init__(self, job: Job) -> None:
        self.script = job.script
        self.steps = job.script.steps
        self.expected = job.script.expected
        self._numbers = count(job.script.first)
        self._first = job.script.first
        self._limit = job.attempts
        self.started = time.perf_counter()
        self.measure_from = self.started + job.warm_up_seconds
        self.deadline = float("inf") if job.seconds is None else self.measure_from + job.seconds
        self.attempted = 0
        self.measured = 0
        self.latencies: dict[str, list[float]] = {name: [] for name in (*self.steps, "attempt")}
        self.statuses: Counter[tuple[str, int]] = Counter()
        self.taken: list[tuple[bytes, int, str]] = []
        self.doubtful: set[int] = set()
        self.unexpected = 0
        self.samples: list[str] = []
        self.bodies: dict[str, list[bytes]] = {}
        self.last_answer = self.started

    def next_number(self, now: float) -> int | None:
        """Return the number of the next attempt, or None when it is time to stop."""
        if now >= self.deadline or self.attempted == self._limit:
            return None
        self.attempted += 1
        return next(self._numbers)

    def surprise(self, what: str) -> None:
        """Write down what was not expected."""
        self.unexpected += 1
        if len(self.samples) < _SAMPLES:
            self.samples.append(what)

    def report(self, cpu_seconds: float) -> Report:
        """Return the figures."""
        until = min(self.deadline, self.last_answer)
        seconds = max(until - self.measure_from, 1e-9)
        return Report(
            rate=self.measured / seconds,
            completed=self.measured,
            attempted=self.attempted,
            seconds=seconds,
            client_cpu_us=cpu_seconds / max(self.attempted, 1) * 1e6,
            latencies={name: _latency(times) for name, times in self.latencies.items() if times},
            statuses={f"{step} {status}": times for (step, status), times in sorted(self.statuses.items())},
            acknowledged=[
                Acknowledgement(id_.decode(), self.script.key(n), self.script.place(n), step)
                for id_, n, step in self.taken
            ],
            doubtful=[self.script.key(n) for n in sorted(self.doubtful)],
            unexpected=self.unexpected,
            samples=self.samples,
            bodies={step: [body.decode() for body in bodies] for step, bodies in self.bodies.items()},
        )


class Client(asyncio.Protocol):
    """One connection with at most one request under way."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._missing = 0  # bytes of the body still to come; only while there are parts of which the head is read
        self._status = 0
        self._n = 0
        self._step = 0
        self._reservation = b""
        self._attempt_at = self._sent_at = 0.0
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport; the attempts begin when all connections are there."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by class

    def begin(self, now: float) -> None:
        """Begin the next attempt, or stop."""
        n = self._run.next_number(now)
        if n is None:
            self.give_up(None)
            return
        self._n, self._step, self._reservation, self._attempt_at = n, 0, b"", now
        self._send(now)

    def give_up(self, why: str | None) -> None:
        """Stop; whatever is under way is doubtful."""
        if self._waits and why is not None:
            self._waits = False
            self._run.doubtful.add(self._n)
            self._run.surprise(f"{self._run.steps[self._step]}: {why}")
        if self._transport is not None:
            self._transport.close()
        if not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop when the server has hung up."""
        self.give_up(f"connection lost: {exc!r}")

    def data_received(self, data: bytes) -> None:
        """Put the answer together, which nearly always comes in one piece."""
        if self._missing:
            self._parts.append(data)
            self._missing -= len(data)
            if self._missing > 0:
                return
            body = b"".join(self._parts)
            self._parts.clear()
            self._missing = 0
            self._answered(self._status, body)
            return
        if self._parts:
            data = b"".join([*self._parts, data])
            self._parts.clear()
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._parts.append(data)
            return
        self._status = int(data[9:12])
        body = data[end + 4 :]
        missing = _content_length(data[:end]) - len(body)
        if missing > 0:
            self._parts.append(body)
            self._missing = missing
        else:
            self._answered(self._status, body)

    def _send(self, now: float) -> None:
        assert self._transport is not None, "a connection is made before it is used"
        self._sent_at = now
        self._waits = True
        self._transport.write(self._run.script.render(self._step, self._n, self._reservation))

    def _answered(self, status: int, body: bytes) -> None:
        run, step = self._run, self._step
        name = run.steps[step]
        now = run.last_answer = time.perf_counter()
        self._waits = False
        run.statuses[name, status] += 1
        mark = run.expected[step].get(status)
        if mark is None or mark not in body:
            if status >= 500:
                run.doubtful.add(self._n)
            run.surprise(f"{name}: {status} {body[:500].decode(errors='replace')}")
            self.begin(now)
            return
        if status == 201:
            self._write_down(name, body)
        elif status == 200 and name != "echo":
            # Whole answers are kept for the check: the first and the last.
            run.bodies[name] = [*run.bodies.get(name, [])[:1], body]
        within = run.measure_from <= now <= run.deadline
        if within:
            run.latencies[name].append(now - self._sent_at)
        if step + 1 < len(run.steps):
            self._step += 1
            self._send(now)
            return
        if within:
            run.measured += 1
            run.latencies["attempt"].append(now - self._attempt_at)
        self.begin(now)

    def _write_down(self, name: str, body: bytes) -> None:
        mark = b'"reservationId":"' if name == "reserve" else b'"appointmentId":"'
        at = body.find(mark)
        if at < 0:
            self._run.surprise(f"{name}: no id in {body[:500].decode(errors='replace')}")
            return
        self._reservation = body[at + len(mark) : at + len(mark) + 36]
        self._run.taken.append((self._reservation, self._n, name))


async def drive(job: Job) -> Report:
    """Do the job in this process."""
    loop = asyncio.get_running_loop()
    run = Run(job)
    clients = []
    for _ in range(job.connections):
        _, client = await loop.create_connection(lambda: Client(run), "127.0.0.1", job.port)
        clients.append(client)
    cpu = time.process_time()
    shift = time.perf_counter() - run.started  # making the connections is nobody's measured time
    run.started, run.measure_from, run.deadline = run.started + shift, run.measure_from + shift, run.deadline + shift
    for client in clients:
        client.begin(time.perf_counter())
    waiting = [client.done for client in clients]
    while waiting:
        await asyncio.wait(waiting, timeout=1)
        waiting = [done for done in waiting if not done.done()]
        if time.perf_counter() - run.last_answer > _ANSWER_SECONDS:
            for client in clients:
                client.give_up(f"no answer for {_ANSWER_SECONDS} s")
    return run.report(time.process_time() - cpu)


def send(job: Job) -> Report:
    """Do the job in a process of its own and return its report."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=msgspec.msgpack.encode(job),
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
        check=True,
    )
    try:
        return msgspec.msgpack.decode(done.stdout, type=Report)
    except msgspec.DecodeError as broken:
        raise RuntimeError(f"The load generator's report of {len(done.stdout)} bytes is broken: {broken}") from broken


def _content_length(head: bytes) -> int:
    at = head.find(b"\r\ncontent-length: ")
    if at < 0:
        head = head.lower()
        at = head.find(b"\r\ncontent-length: ")
        if at < 0:
            raise ValueError(f"an answer without content-length: {head.decode(errors='replace')}")
    end = head.find(b"\r", at + 18)
    return int(head[at + 18 : end if end >= 0 else len(head)])


def _latency(seconds: list[float]) -> Latency:
    ordered = sorted(seconds)
    return Latency(
        p50_ms=ordered[len(ordered) // 2] * 1e3, p99_ms=ordered[min(len(ordered) * 99 // 100, len(ordered) - 1)] * 1e3
    )


def main() -> None:
    """Do the job of stdin."""
    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    gc.disable()  # lives for seconds, and a collection would look like a latency of the server
    report = uvloop.run(drive(job))
    # Under PYTHONUNBUFFERED stdout is a bare file, which may write less than it was given.
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.write(msgspec.msgpack.encode(report))


if __name__ == "__main__":
    main()
