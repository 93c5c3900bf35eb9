"""A network between a server and its database that does what networks do: carries, delays, loses, forgets, cuts.

`python -m proof.proxy` is a process of its own, so that what it carries does not wait for whoever gives the load. It
listens on a TCP port of the loopback and connects to a unix socket; commands come as lines of JSON on stdin, each is
answered by a line on stdout when it has taken effect, and with the end of stdin it ends.
"""

import asyncio
import json
import socket
import struct
import subprocess
import sys
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

_CHUNK = 65_536
# Of linux/tcp.h: a socket under repair is closed without a word to the other side.
_TCP_REPAIR = 19


class Mode(StrEnum):
    """What becomes of bytes that arrive; what is lost is taken, and nobody is told."""

    CARRY = "carry"
    DELAY = "delay"
    LOSE = "lose"


class ProxyError(Exception):
    """The proxy could not do what it was told; says why."""


class Proxy:
    """A proxy process, as whoever injects faults sees it."""

    def __init__(self, upstream: Path) -> None:
        """Start it before the unix socket `upstream`; it need not be there yet."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "proof.proxy", str(upstream)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=Path(__file__).parents[1],
            text=True,
        )
        self.port = int(self._answer()["port"])

    def carry(self) -> None:
        """Carry bytes as they come from now on; connections of which some were lost are cut."""
        self._do(mode=Mode.CARRY)

    def delay(self, seconds: float) -> None:
        """Let each piece wait for so long, in both directions."""
        self._do(mode=Mode.DELAY, seconds=seconds)

    def lose(self) -> None:
        """Lose whatever arrives from now on, that of new connections too."""
        self._do(mode=Mode.LOSE)

    def cut(self) -> None:
        """Reset every connection."""
        self._do(cut=True)

    def forget(self) -> None:
        """Forget every connection: the database hears its end, the server nothing until it speaks itself.

        Raises ProxyError where the system does not permit that.
        """
        self._do(forget=True)

    def stop(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError), self._process:
            assert self._process.stdin is not None, "stdin is a pipe"
            self._process.stdin.close()

    def _do(self, **command: object) -> None:
        assert self._process.stdin is not None, "stdin is a pipe"
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise ProxyError(str(answer["error"]))

    def _answer(self) -> dict[str, int | str]:
        assert self._process.stdout is not None, "stdout is a pipe"
        line = self._process.stdout.readline()
        if not line:
            raise ProxyError(f"the proxy ended with status {self._process.wait()}")
        answer: dict[str, int | str] = json.loads(line)
        return answer


class _Network:
    """What all connections share."""

    def __init__(self, upstream: str) -> None:
        self._upstream = upstream
        self._mode = Mode.CARRY
        self._delay_seconds = 0.0
        self._connections: set[_Connection] = set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry a connection until either side has ended it."""
        connection = _Connection(writer)
        self._connections.add(connection)
        try:
            if self._mode is Mode.LOSE:
                connection.torn = True
                await self._pump(connection, reader, None)
                return
            with suppress(OSError):
                answers, back = await asyncio.open_unix_connection(self._upstream)
                connection.back = back
                there = asyncio.create_task(self._pump(connection, reader, back))
                await self._pump(connection, answers, writer)
                there.cancel()
        finally:
            connection.reset()
            self._connections.discard(connection)

    async def _pump(
        self, connection: "_Connection", source: asyncio.StreamReader, target: asyncio.StreamWriter | None
    ) -> None:
        with suppress(OSError):
            while chunk := await source.read(_CHUNK):
                if self._mode is Mode.LOSE or target is None:
                    connection.torn = True
                    continue
                if self._mode is Mode.DELAY:
                    await asyncio.sleep(self._delay_seconds)
                if not connection.torn:
                    target.write(chunk)
                    await target.drain()
        # While all is lost, so is the word that one side has ended.
        if self._mode is Mode.LOSE:
            connection.torn = True
        else:
            connection.reset()

    def obey(self, command: dict[str, object]) -> None:
        """Do what a line on stdin says. Raises PermissionError."""
        if "mode" in command:
            self._mode = Mode(str(command["mode"]))
            self._delay_seconds = float(str(command.get("seconds", 0)))
        for connection in list(self._connections):
            if command.get("forget"):
                connection.forget()
            elif command.get("cut") or (connection.torn and self._mode is not Mode.LOSE):
                connection.reset()


class _Connection:
    """The two sides of a connection, and whether a piece of it was lost."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.back: asyncio.StreamWriter | None = None
        self.torn = False

    def reset(self) -> None:
        """End both sides at once, that of the server with a reset."""
        taken: socket.socket = self._writer.get_extra_info("socket")
        with suppress(OSError):  # it has ended already
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        if self.back is not None:
            self.back.transport.abort()

    def forget(self) -> None:
        """End the side of the database, and drop the other without a word. Raises PermissionError."""
        taken: socket.socket = self._writer.get_extra_info("socket")
        taken.setsockopt(socket.IPPROTO_TCP, _TCP_REPAIR, 1)
        self._writer.transport.abort()
        if self.back is not None:
            self.back.transport.abort()


async def _run(upstream: str) -> None:
    network = _Network(upstream)
    server = await asyncio.start_server(network.accept, "127.0.0.1", 0)
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    commands = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    while line := await commands.readline():
        try:
            network.obey(json.loads(line))
            answer = {}
        except PermissionError as refused:
            answer = {"error": str(refused)}
        print(json.dumps(answer), flush=True)
    server.close()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1]))
