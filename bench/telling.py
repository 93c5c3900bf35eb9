"""Providers that tell much at once: bursts of signed events on keep-alive connections, each answer written down.

`python -m bench.telling` reads Bursts from stdin and writes what came of them to stdout: a process of its own, like the
load generator's. Requests are rendered and signed before the clock starts, so that it costs as little as can be.
"""

import asyncio
import gc
import hmac
import subprocess
import sys
import time
from collections import Counter
from hashlib import sha256
from pathlib import Path

import msgspec
import uvloop

_READY = b"ready"
# As long as an event of Stripe about a payment intent.
_FILLER = "x" * 2_000


class Bursts(msgspec.Struct):
    """What to tell: so many events at once, so often, with so many seconds from one burst to the next."""

    port: int
    path: str
    secret: str
    prefix: str
    size: int
    times: int
    every_seconds: float
    connections: int = 50


class Told(msgspec.Struct):
    """What came of it: how long each burst took until its last answer, and which objects were acknowledged."""

    seconds: list[float]
    statuses: dict[int, int]
    acknowledged: list[str]


def object_id(bursts: Bursts, number: int) -> str:
    """Return the payment that an event is about."""
    return f"pi_{bursts.prefix}_{number:08d}"


def tell(bursts: Bursts) -> "subprocess.Popen[bytes]":
    """Begin to tell, in a process of its own; when this returns, it has all that it is to say."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.telling"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[1],
    )
    assert process.stdin is not None, "stdin is a pipe"
    process.stdin.write(msgspec.msgpack.encode(bursts))
    process.stdin.close()
    assert process.stdout is not None, "stdout is a pipe"
    process.stdout.read(len(_READY))
    return process


def heard(process: "subprocess.Popen[bytes]") -> Told:
    """Return what came of it, when it is over."""
    assert process.stdout is not None, "stdout is a pipe"
    answer = process.stdout.read()
    if process.wait() != 0:
        raise RuntimeError(f"The teller ended with {process.returncode}")
    return msgspec.msgpack.decode(answer, type=Told)


class _Connection(asyncio.Protocol):
    """Sends one request after the other for as long as there are any."""

    def __init__(self, waiting: list[tuple[int, bytes]], answers: list[tuple[int, int]]) -> None:
        self._waiting = waiting
        self._answers = answers
        self._number = 0
        self._rest = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Give up what is under way; it is not acknowledged."""
        self.idle.set()

    def begin(self) -> None:
        """Send the next request, if there is one."""
        if not self._waiting:
            self.idle.set()
            return
        self.idle.clear()
        self._number, request = self._waiting.pop()
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        """Take an answer, which is short and comes in one piece."""
        self._answers.append((self._number, int(data[9:12])))
        self.begin()


async def _send(bursts: Bursts) -> Told:
    loop = asyncio.get_running_loop()
    waiting: list[tuple[int, bytes]] = []
    answers: list[tuple[int, int]] = []
    connections = []
    for _ in range(bursts.connections):
        _, connection = await loop.create_connection(lambda: _Connection(waiting, answers), "127.0.0.1", bursts.port)
        connections.append(connection)
    rendered = [(number, _rendered(bursts, number)) for number in range(bursts.size * bursts.times)]
    seconds = []
    print(_READY.decode(), end="", flush=True)
    started = time.perf_counter()
    for burst in range(bursts.times):
        begin = started + burst * bursts.every_seconds
        await asyncio.sleep(max(0.0, begin - time.perf_counter()))
        sent = time.perf_counter()
        waiting.extend(rendered[burst * bursts.size : (burst + 1) * bursts.size])
        for connection in connections:
            connection.begin()
        for connection in connections:
            await connection.idle.wait()
        seconds.append(time.perf_counter() - sent)
    statuses = Counter(status for _, status in answers)
    kept = [object_id(bursts, number) for number, status in answers if status == 200]
    return Told(seconds, dict(statuses), kept)


def _rendered(bursts: Bursts, number: int) -> bytes:
    event = {
        "id": f"evt_{bursts.prefix}_{number:08d}",
        "object": "event",
        "type": "payment_intent.succeeded",
        "data": {"object": {"id": object_id(bursts, number), "object": "payment_intent", "description": _FILLER}},
    }
    body = msgspec.json.encode(event)
    now = int(time.time())
    signature = hmac.new(bursts.secret.encode(), b"%d." % now + body, sha256).hexdigest()
    head = (
        f"POST {bursts.path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Stripe-Signature: t={now},v1={signature}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def main() -> None:
    """Tell what stdin says."""
    bursts = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Bursts)
    gc.disable()
    told = uvloop.run(_send(bursts))
    with open(sys.stdout.fileno(), "wb", closefd=False) as out:
        out.write(msgspec.msgpack.encode(told))


if __name__ == "__main__":
    main()
