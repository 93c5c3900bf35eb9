"""Watch channels of the fake: who is told of changes. A message waits until the test delivers, drops or repeats it."""

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from email.utils import formatdate
from http.client import HTTPConnection
from threading import RLock
from typing import Any
from urllib.parse import urlsplit

from calendars.google.errors import GoogleError
from calendars.google.store import Calendar

Json = dict[str, Any]

_LONGEST_SECONDS = 30 * 86_400
_LOOPBACK = {"127.0.0.1", "localhost"}


@dataclass(frozen=True)
class Push:
    """A message to a channel's address."""

    address: str
    headers: dict[str, str]

    @property
    def state(self) -> str:
        """Return what it says: sync or exists."""
        return self.headers["X-Goog-Resource-State"]

    def deliver(self) -> int:
        """Send it; return the status of the answer."""
        parts = urlsplit(self.address)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            connection.request("POST", parts.path, headers=self.headers | {"Content-Length": "0"})
            return connection.getresponse().status
        finally:
            connection.close()


@dataclass
class Channel:
    """Somebody who wants to be told."""

    id: str
    calendar_id: str
    resource_id: str
    address: str
    token: str | None
    expires_at: float
    number: int = 0

    def message(self, state: str) -> Push:
        """Return the next message; the numbers rise, with gaps."""
        self.number = 1 if state == "sync" else self.number + 1 + self.number % 3
        headers = {
            "X-Goog-Channel-ID": self.id,
            "X-Goog-Channel-Expiration": formatdate(self.expires_at, usegmt=True),
            "X-Goog-Resource-ID": self.resource_id,
            "X-Goog-Resource-URI": f"https://www.googleapis.com/calendar/v3/calendars/{self.calendar_id}/events?alt=json",
            "X-Goog-Resource-State": state,
            "X-Goog-Message-Number": str(self.number),
        }
        return Push(self.address, headers | ({"X-Goog-Channel-Token": self.token} if self.token is not None else {}))


@dataclass
class Channels:
    """All channels. With `at_once` messages go out by themselves, in order, else they wait in `pending`.

    With `sync_first` the first message of a channel is delivered before the watch call is answered.
    """

    at_once: bool = False
    sync_first: bool = False
    pending: list[Push] = field(default_factory=list)
    live: dict[str, Channel] = field(default_factory=dict)
    _lock: RLock = field(default_factory=RLock)
    _postman: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def watch(self, calendar: Calendar, body: Json) -> Json:
        """Open a channel."""
        for name in ("id", "type", "address"):
            if name not in body:
                raise GoogleError(400, "required")
        if body["type"] != "web_hook":
            raise GoogleError(400, "invalid")
        parts = urlsplit(body["address"])
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise GoogleError(400, "webhookUrlNotHttps")
        asked = int(body.get("params", {}).get("ttl", 7 * 86_400))
        with self._lock:
            if body["id"] in self.live:
                raise GoogleError(400, "channelIdNotUnique")
            resource_id = f"resource-{abs(hash(calendar.id)):x}"
            expires_at = int(time.time()) + min(asked, _LONGEST_SECONDS)
            channel = Channel(body["id"], calendar.id, resource_id, body["address"], body.get("token"), expires_at)
            self.live[channel.id] = channel
            first = channel.message("sync")
        if self.sync_first:
            first.deliver()
        else:
            self._send(first)
        answer = {"kind": "api#channel", "id": channel.id, "resourceId": resource_id, "expiration": f"{expires_at}000"}
        answer["resourceUri"] = first.headers["X-Goog-Resource-URI"]
        return answer | ({"token": channel.token} if channel.token is not None else {})

    def stop(self, body: Json) -> None:
        """Close a channel."""
        with self._lock:
            channel = self.live.get(body.get("id", ""))
            if channel is None or channel.resource_id != body.get("resourceId"):
                raise GoogleError(404, "notFound")
            del self.live[channel.id]

    def expire(self, channel_id: str) -> None:
        """Let a channel end."""
        with self._lock:
            del self.live[channel_id]

    def tell(self, calendar: Calendar) -> None:
        """Tell everybody who watches a calendar that it has changed."""
        with self._lock:
            watching = [channel for channel in self.live.values() if channel.calendar_id == calendar.id]
            for channel in watching:
                self._send(channel.message("exists"))

    def take(self) -> list[Push]:
        """Return the messages that wait and forget them: who takes them delivers, loses, repeats or delays them."""
        with self._lock:
            taken, self.pending = self.pending, []
        return taken

    def deliver(self) -> list[int]:
        """Deliver the messages that wait; return the answers."""
        return [push.deliver() for push in self.take()]

    def close(self) -> None:
        """Let go of the thread that delivers."""
        self._postman.shutdown()

    def _send(self, push: Push) -> None:
        if self.at_once:
            self._postman.submit(push.deliver).add_done_callback(_heed)
        else:
            self.pending.append(push)


def _heed(done: Future[int]) -> None:
    """Google tries again when nobody is there; the fake lets such a message be lost."""
    done.exception()
