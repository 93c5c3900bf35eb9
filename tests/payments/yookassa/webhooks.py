"""What YooKassa tells of its own accord: as often, as late and in such an order as a test wants."""

import http.client
import json
from urllib.parse import urlsplit

from payments.yookassa.errors import Json
from payments.yookassa.shop import Shop, Told

# One of the published addresses.
SOURCE = "185.71.76.10"


class Webhooks:
    """Notifications of a shop. None goes out by itself: those that a test does not deliver are late, or lost."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        # Where they go to.
        self.url: str | None = None

    def told(self, event: str | None = None, object_id: str | None = None) -> list[Told]:
        """Return what there was to tell, the oldest first."""
        return [e for e in self._shop.told if event in {None, e.event} and object_id in {None, e.object_id}]

    def due(self) -> list[Told]:
        """Return what was not acknowledged yet: it would be sent again."""
        return [each for each in self._shop.told if not each.acknowledged]

    def deliver(self, *which: Told, source: str = SOURCE) -> list[int]:
        """Send notifications in this order, over HTTP as from behind a proxy; return the statuses of the answers.

        It waits for the answers: from a coroutine, call it in a thread.
        """
        statuses = []
        for each in which:
            status = self._post(each.body, source)
            each.acknowledged = each.acknowledged or status == 200
            statuses.append(status)
        return statuses

    def _post(self, body: bytes, source: str) -> int:
        assert self.url is not None, "nobody listens"
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            headers = {"Content-Type": "application/json", "X-Forwarded-For": source}
            connection.request("POST", parts.path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


def forged(event: str, about: Json, **changed: object) -> bytes:
    """Return a notification that nobody has sent, about an object as it is not."""
    return json.dumps({"type": "notification", "event": event, "object": about | changed}).encode()
