"""The network between servers and database, as the chaos run disturbs it."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from proof.proxy import Proxy, ProxyError


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A proxy before a server that says everything back."""
    path = tmp_path / "echo"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def echo(taken: socket.socket) -> None:
        with taken:
            while heard := taken.recv(100):
                taken.sendall(heard)

    def accept() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=[taken], daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    proxy = Proxy(path)
    try:
        yield proxy
    finally:
        proxy.stop()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    """A connection through it that works."""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as client:
        client.sendall(b"hello")
        assert client.recv(100) == b"hello"
        yield client


def test_what_is_lost_is_never_answered(proxy: Proxy, client: socket.socket) -> None:
    """What was said while all is lost has no answer, and the connection is cut when the network is back; a new one works."""
    proxy.lose()
    client.sendall(b"lost")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(100)
    client.settimeout(20)
    proxy.carry()
    with pytest.raises(ConnectionResetError):
        client.recv(100)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=20) as another:
        another.sendall(b"again")
        assert another.recv(100) == b"again"


def test_a_connection_is_cut(proxy: Proxy, client: socket.socket) -> None:
    """A connection that is cut is reset at once."""
    proxy.cut()
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_a_forgotten_connection_is_dead_for_who_speaks(proxy: Proxy, client: socket.socket) -> None:
    """The forgotten side hears nothing until it speaks, and is reset then."""
    try:
        proxy.forget()
    except ProxyError as refused:
        pytest.skip(f"this needs CAP_NET_ADMIN: {refused}")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(100)
    client.settimeout(20)
    client.sendall(b"anybody?")
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_delayed_bytes_arrive(proxy: Proxy, client: socket.socket) -> None:
    """What is delayed arrives, in order."""
    proxy.delay(0.05)
    client.sendall(b"one")
    client.sendall(b"two")
    heard = b""
    while len(heard) < 6:
        heard += client.recv(100)
    assert heard == b"onetwo"
