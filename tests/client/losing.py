"""A server that passes requests on to the real one and loses its answers, or says by itself that it is busy."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

BUSY = {"code": "overloaded", "message": "The server is busy; nothing was changed, try again shortly", "details": {}}
LOSE, BUSY_BEFORE = "lose", "busy"


@dataclass
class Between:
    """What stands between a client and a server, and what it does to the next requests of a method."""

    target: str
    url: str = ""
    plan: dict[str, list[str]] = field(default_factory=dict)
    # The method and the idempotency key of each request that came by.
    seen: list[tuple[str, str | None]] = field(default_factory=list)

    def next_of(self, method: str) -> str | None:
        """Return what happens to the next request of a method."""
        left = self.plan.get(method)
        return left.pop(0) if left else None


@contextmanager
def standing_between(target: str) -> Iterator[Between]:
    """Stand between for the time of the block."""
    between = Between(target)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            between.seen.append((self.command, self.headers.get("Idempotency-Key")))
            fate = between.next_of(self.command)
            if fate == BUSY_BEFORE:
                self.answer(503, "application/problem+json", json.dumps(BUSY).encode())
                return
            headers = {n: v for n, v in self.headers.items() if n.lower() not in {"host", "connection"}}
            answer = httpx.request(self.command, target + self.path, headers=headers, content=body, timeout=30)
            if fate == LOSE:
                # The connection ends without a word, and the server has done what it was asked.
                self.close_connection = True
                return
            self.answer(answer.status_code, answer.headers.get("Content-Type", ""), answer.content)

        def answer(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    for method in ("GET", "POST", "PATCH", "DELETE"):
        setattr(Handler, f"do_{method}", Handler.pass_on)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        between.url = f"http://127.0.0.1:{listening.server_address[1]}"
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield between
        finally:
            listening.shutdown()
            thread.join()
