"""What Stripe tells of its own accord: signed by its own package, as often, as late and in such an order as a test wants."""

import http.client
import secrets
import time
from urllib.parse import urlsplit

from stripe import WebhookSignature

from payments.stripe.account import Account, Told


class Webhooks:
    """Events of an account. None goes out by itself: those that a test does not deliver are late, or lost."""

    def __init__(self, account: Account) -> None:
        self._account = account
        # Where they go to.
        self.url: str | None = None
        # While a secret is changed there are two, and each signs.
        self.secrets = [f"whsec_{secrets.token_urlsafe(24)}"]

    def told(self, event: str | None = None, object_id: str | None = None) -> list[Told]:
        """Return what there was to tell, the oldest first."""
        return [e for e in self._account.told if event in {None, e.type} and object_id in {None, e.object_id}]

    def due(self) -> list[Told]:
        """Return what was not acknowledged yet: it would be sent again."""
        return [each for each in self._account.told if not each.acknowledged]

    def deliver(self, *which: Told, signed_at: int | None = None) -> list[int]:
        """Send events in this order, over HTTP; return the statuses of the answers.

        It waits for the answers: from a coroutine, call it in a thread.
        """
        statuses = []
        for each in which:
            status = self.post(each.body, signature_of(each.body, self.secrets, signed_at))
            each.acknowledged = each.acknowledged or 200 <= status < 300
            statuses.append(status)
        return statuses

    def post(self, body: bytes, signature: str | None) -> int:
        """Send a body, be it an event or not; return the status of the answer."""
        assert self.url is not None, "nobody listens"
        parts = urlsplit(self.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=20)
        try:
            headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "Stripe/1.0"}
            if signature is not None:
                headers["Stripe-Signature"] = signature
            connection.request("POST", parts.path, body, headers)
            answer = connection.getresponse()
            answer.read()
            return answer.status
        finally:
            connection.close()


def signature_of(body: bytes, signing: list[str], signed_at: int | None = None) -> str:
    """Return the header for a body; `signed_at` is in seconds since 1970, by default now."""
    at = int(time.time()) if signed_at is None else signed_at
    headers = [WebhookSignature.generate_signature_header(body.decode(), secret, at) for secret in signing]
    return ",".join([headers[0], *(header.partition(",")[2] for header in headers[1:])])
