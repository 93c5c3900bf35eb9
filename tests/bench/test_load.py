"""The load generator writes down what it is told, and only that."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from bench.load import Job, Report, drive
from bench.scripts import OneSchedule

Answer = Callable[[asyncio.StreamWriter, int], Awaitable[None]]

HELD = '{"reservationId":"%s","status":"held"}'
CONFIRMED = '{"appointmentId":"%s","status":"confirmed"}'
IDS = [str(uuid4()) for _ in range(40)]


async def test_acknowledgements_are_written_down() -> None:
    """Every 201 is kept with its id, key and place, also when it arrives byte by byte."""

    async def answer(writer: asyncio.StreamWriter, n: int) -> None:
        for byte in _response("201 Created", HELD % IDS[n]):
            writer.write(bytes([byte]))
            await writer.drain()

    report = await _drive(answer, attempts=20)
    assert sorted(a.id for a in report.acknowledged) == sorted(IDS[:20])
    assert {a.key for a in report.acknowledged} == {f"k-{n:08d}" for n in range(20)}
    assert {a.place.schedule for a in report.acknowledged} == {"s"}
    assert (report.statuses, report.unexpected, report.doubtful) == ({"reserve 201": 20}, 0, [])


async def test_a_commit_follows_its_reservation() -> None:
    """A cycle commits the very id that it has reserved, and each step has its latency."""

    async def answer(writer: asyncio.StreamWriter, n: int) -> None:
        step, turn = n % 2, n // 2
        writer.write(_response("201 Created", (CONFIRMED if step else HELD) % IDS[turn]))

    report = await _drive(answer, attempts=10, connections=1, commits=True)
    assert [(a.id, a.operation) for a in report.acknowledged] == [
        (IDS[turn], operation) for turn in range(10) for operation in ("reserve", "commit")
    ]
    assert set(report.latencies) == {"reserve", "commit", "attempt"}
    assert report.completed == 10


async def test_a_server_error_is_doubtful() -> None:
    """After a 5xx nobody knows whether the place was taken; after a 4xx it was not."""

    async def answer(writer: asyncio.StreamWriter, n: int) -> None:
        writer.write(_response("503 Service Unavailable" if n == 0 else "400 Bad Request", "{}"))

    report = await _drive(answer, attempts=2, connections=1)
    assert (report.acknowledged, report.doubtful, report.unexpected) == ([], ["k-00000000"], 2)
    assert report.completed == 0


async def test_a_lost_connection_is_doubtful() -> None:
    """A request whose connection breaks is doubtful, and the run ends."""

    async def answer(writer: asyncio.StreamWriter, n: int) -> None:
        if n == 2:
            writer.close()
        else:
            writer.write(_response("201 Created", HELD % IDS[n]))

    report = await _drive(answer, attempts=20, connections=1)
    assert [a.id for a in report.acknowledged] == IDS[:2]
    assert report.doubtful == ["k-00000002"]


async def test_a_success_of_another_kind_is_not_a_success() -> None:
    """A 201 that does not say `held` counts for nothing."""

    async def answer(writer: asyncio.StreamWriter, n: int) -> None:
        writer.write(_response("201 Created", f'{{"reservationId":"{IDS[n]}","status":"expired"}}'))

    report = await _drive(answer, attempts=2, connections=1)
    assert (report.acknowledged, report.completed, report.unexpected) == ([], 0, 2)
    assert "expired" in report.samples[0]


async def _drive(answer: Answer, *, attempts: int, connections: int = 4, commits: bool = False) -> Report:
    script = OneSchedule(key_prefix="k", business="b", schedule="s", commits=commits)
    async with _server(answer) as port:
        return await drive(Job(port, script, connections=connections, attempts=attempts))


@asynccontextmanager
async def _server(answer: Answer) -> AsyncIterator[int]:
    """Answer requests in the order in which they come, over all connections."""
    turn = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        while not writer.is_closing():
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0]))
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()
                return
            n, turn = turn, turn + 1
            await answer(writer, n)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


def _response(status: str, body: str) -> bytes:
    return f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
