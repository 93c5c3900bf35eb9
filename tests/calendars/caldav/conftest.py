"""A real server of CalDAV, as a process of its own."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from threading import Event, Thread
from uuid import uuid4

import pytest
import pytest_asyncio

from calendars.caldav.texts import ACCOUNT, PASSWORD, Radicale
from holdfast.calendars.caldav import CaldavAccount
from leaks.capture import RUN

# What lies in `readable` can be looked at only.
_RIGHTS = f"""
[root]
user: .*
collection:
permissions: R

[principal]
user: {ACCOUNT}
collection: {ACCOUNT}
permissions: RW

[looked at]
user: {ACCOUNT}
collection: {ACCOUNT}/readable
permissions: r

[owned]
user: {ACCOUNT}
collection: {ACCOUNT}/[^/]+
permissions: rw
"""


@pytest.fixture(scope="session")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Radicale]:
    """A server with one account; it listens on loopback and is stopped by its id."""
    folder = tmp_path_factory.mktemp("radicale")
    RUN.guard_secret(PASSWORD, "password of a CalDAV account")
    (folder / "users").write_text(f"{ACCOUNT}:{PASSWORD}\n")
    (folder / "rights").write_text(_RIGHTS)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "radicale", "--config", "", "--server-hosts", f"127.0.0.1:{port}",
         "--storage-filesystem-folder", str(folder / "data"), "--auth-type", "htpasswd",
         "--auth-htpasswd-filename", str(folder / "users"), "--auth-htpasswd-encryption", "plain",
         "--auth-delay", "0", "--rights-type", "from_file", "--rights-file", str(folder / "rights")],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    ready, told = Event(), list[str]()

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            told.append(line)
            if "server ready" in line:
                ready.set()
        # Who waits for a server that has ended would wait in vain.
        ready.set()

    listener = Thread(target=listen)
    listener.start()
    try:
        assert ready.wait(60)
        assert process.poll() is None, "".join(told)
        yield Radicale(port)
    finally:
        if process.poll() is None:
            os.kill(process.pid, signal.SIGTERM)
        process.wait(30)
        listener.join()
        assert process.stderr is not None
        process.stderr.close()


@pytest.fixture
def calendar(radicale: Radicale) -> str:
    """The address of an empty calendar that can be written to."""
    return radicale.made(f"c{uuid4().hex}")


@pytest_asyncio.fixture
async def account(radicale: Radicale) -> AsyncIterator[CaldavAccount]:
    """Our adapter for the account."""
    opened = CaldavAccount(radicale.address, ACCOUNT, PASSWORD, private_networks=True)
    yield opened
    await opened.close()
