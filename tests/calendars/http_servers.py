"""Servers of tests, on loopback, each in a thread of its own: one that says what a test wants, and one in between."""

import http.client
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from ports import at_its_port, give_back

_OF_ONE_STEP = {"connection", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class Asked:
    """What a server was asked; the names of headers are in small letters."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What a server answers; pieces are sent one by one for as long as somebody reads them."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""


Answering = Callable[[Asked], Reply]


class Server:
    """A server that answers by a function, and remembers what it was asked."""

    def __init__(self, answering: Answering, context: ssl.SSLContext | None = None) -> None:
        self.answering = answering
        self._kind = getattr(answering, "__qualname__", "")
        self.asked: list[Asked] = []
        self._http = at_its_port(self._kind, lambda port: ThreadingHTTPServer(("127.0.0.1", port), self._handler()))
        self._http.daemon_threads = True
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.port = self._http.server_address[1]
        self.address = f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self) -> Iterator["Server"]:
        """Serve for the time of the block."""
        thread = Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            thread.join()
            self._http.server_close()
            give_back(self._kind, self.port)

    def methods(self) -> list[str]:
        """Return the methods of what was asked, in order."""
        return [each.method for each in self.asked]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # An answer goes in two pieces: the second does not wait until the first is acknowledged.
            disable_nagle_algorithm = True

            def handle(self) -> None:
                # Who has heard enough hangs up.
                with suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
                    super().handle()

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                asked = Asked(self.command, self.path, headers, body)
                server.asked.append(asked)
                self._send(server.answering(asked))

            def _send(self, reply: Reply) -> None:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                if isinstance(reply.body, bytes):
                    if "content-length" not in reply.headers and reply.status != 304:
                        self.send_header("content-length", str(len(reply.body)))
                    self.end_headers()
                    self.wfile.write(reply.body)
                else:
                    # Without a length the end of the connection is that of the answer.
                    self.send_header("connection", "close")
                    self.end_headers()
                    self.close_connection = True
                    for piece in reply.body:
                        self.wfile.write(piece)
                self.wfile.flush()

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def passed_on(port: int, asked: Asked) -> Reply:
    """Return what the server at another port answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        headers = {name: value for name, value in asked.headers.items() if name != "accept-encoding"}
        connection.request(asked.method, asked.path, asked.body, headers)
        answer = connection.getresponse()
        kept = {name: value for name, value in answer.getheaders() if name.lower() not in _OF_ONE_STEP}
        return Reply(answer.status, kept, answer.read())
    finally:
        connection.close()


def altered(reply: Reply, *pairs: tuple[bytes, bytes]) -> Reply:
    """Return a reply with other words in it."""
    assert isinstance(reply.body, bytes)
    body = reply.body
    for old, new in pairs:
        body = body.replace(old, new)
    return replace(reply, body=body)
