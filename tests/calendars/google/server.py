"""The fake as an HTTP server in threads of its own."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from calendars.google.discovery import Violation
from calendars.google.errors import GoogleError
from calendars.google.fake import FakeGoogle
from calendars.google.faults import Cut
from calendars.google.oauth import OAuthRefused, page
from holdfast.calendars.settings import GoogleSettings
from ports import at_its_port, give_back

API = "/calendar/v3/"
AUTHORIZE, TOKEN, REVOKE = "/o/oauth2/v2/auth", "/token", "/revoke"


@contextmanager
def fake_google() -> Iterator[FakeGoogle]:
    """Run a fake for the time of the block; fails at its end when anything was not as the discovery document says."""
    google = FakeGoogle()
    server = at_its_port("google", lambda port: _Server(google, port))
    google.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield google
    finally:
        google.faults.clear()
        server.shutdown()
        thread.join()
        server.server_close()
        give_back("google", server.server_port)
        google.channels.close()
    assert google.violations == [], google.violations


def settings_of(google: FakeGoogle) -> GoogleSettings:
    """Return the settings of a server whose Google is the fake."""
    return GoogleSettings(
        client_id=google.oauth.client_id,
        client_secret=google.oauth.client_secret,
        api_url=google.url + API.rstrip("/"),
        authorize_url=google.url + AUTHORIZE,
        token_url=google.url + TOKEN,
        revoke_url=google.url + REVOKE,
    )


class _Server(ThreadingHTTPServer):
    """Ends the connections that clients keep open when it is closed, and waits for their threads."""

    daemon_threads = False

    def __init__(self, google: FakeGoogle, port: int) -> None:
        self.google = google
        self._open: set[socket.socket] = set()
        self._lock = Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        with self._lock:
            for request in self._open:
                with suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)
        super().server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is nobody's fault."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_of: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer a request of any method."""
        content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            self._route(content)
        except (Cut, ConnectionError):
            # As asked for; or the client has not waited.
            self.close_connection = True
        except GoogleError as error:
            self._error(error)
        except OAuthRefused as refused:
            self._json(refused.status, {"error": refused.error, "error_description": "Bad Request"})
        except Exception as wrong:  # noqa: BLE001 - whatever it is, the test has to hear of it
            self.server.google.violations.append(f"{self.command} {urlsplit(self.path).path}: {wrong!r}")
            self._error(GoogleError(400, "badRequest"))

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def _route(self, content: bytes) -> None:
        google, parts = self.server.google, urlsplit(self.path)
        if parts.path.startswith(API):
            self._answer_api(parts.path.removeprefix(API), parts.query, content)
        elif parts.path == AUTHORIZE:
            self._authorize(parts.query, content)
        elif parts.path == TOKEN and self.command == "POST":
            google.faults.strike("oauth.token", after=False)
            answer = google.oauth.token(_form(content.decode()), self.headers.get("Authorization"))
            google.faults.strike("oauth.token", after=True)
            self._json(200, answer)
        elif parts.path == REVOKE and self.command == "POST":
            google.faults.strike("oauth.revoke", after=False)
            google.oauth.revoke(_form(content.decode()).get("token", ""))
            google.faults.strike("oauth.revoke", after=True)
            self._json(200, {})
        else:
            raise Violation("no such address")

    def _answer_api(self, path: str, query: str, content: bytes) -> None:
        body = json.loads(content) if content else None
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
        answer = self.server.google.answer(self.command, path, pairs, body, self.headers)
        if answer is None:
            self._send(204, b"", "text/plain")
        else:
            self._json(200, answer)

    def _authorize(self, query: str, content: bytes) -> None:
        oauth = self.server.google.oauth
        if self.command == "GET":
            request = oauth.ask(_form(query))
            self._send(200, page(request, oauth.account, AUTHORIZE).encode(), "text/html")
        else:
            form = _form(content.decode())
            to = oauth.decide(form["request"], allow=form["decision"] == "allow")
            self._send(302, b"", "text/plain", {"Location": to})

    def _error(self, error: GoogleError) -> None:
        if error.status == 304:
            self._send(304, b"", "text/plain")
        elif error.status >= 500:
            # What stands before Google's servers answers in HTML.
            self._send(error.status, b"<html><title>Error</title></html>", "text/html", error.headers())
        else:
            self._json(error.status, error.body(), error.headers())

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, json.dumps(body).encode(), "application/json; charset=UTF-8", headers)

    def _send(self, status: int, body: bytes, kind: str, headers: dict[str, str] | None = None) -> None:
        lines = {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}
        if status in {204, 304}:
            del lines["Content-Type"], lines["Content-Length"]
        self.send_response(status)
        for name, value in lines.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _form(text: str) -> dict[str, str]:
    return dict(parse_qsl(text, keep_blank_values=True))
