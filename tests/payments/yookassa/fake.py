"""A YooKassa over HTTP that keeps what YooKassa promises: states, keys, lists, refusals, and what it tells.

with fake_yookassa() as yookassa:
    adapter = YooKassa(yookassa.url, yookassa.shop_id, yookassa.secret)
    yookassa.pay(payment_id)                      # waiting_for_capture, or succeeded when it has one step
    yookassa.cancel(payment_id, "expired_on_capture")
    yookassa.refuse_refunds("insufficient_funds") # or hold_refunds(), then settle_refund(id)
    yookassa.advance(hours=25)                    # its clock; keys are forgotten after 24 hours of it
    yookassa.faults.cut(only="POST /payments", after=True)
    yookassa.webhooks.deliver(*reversed(yookassa.webhooks.due()))
    yookassa.receive_clients()                    # with a page of ours, where a browser comes to pay
"""

import base64
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import escape
from threading import RLock
from typing import Any
from urllib.parse import parse_qsl, urljoin, urlsplit

from calendars.http_servers import Asked, Reply, Server
from payments.faults import Cut, Faults
from payments.yookassa.errors import Json, YooKassaError, refused
from payments.yookassa.shop import CONTRACT, Shop
from payments.yookassa.webhooks import Webhooks

API = "/v3"
KEYS_ARE_KEPT = timedelta(hours=24)
_BOUNDS = {
    "created_at.gte": lambda made, bound: made >= bound,
    "created_at.gt": lambda made, bound: made > bound,
    "created_at.lte": lambda made, bound: made <= bound,
    "created_at.lt": lambda made, bound: made < bound,
}


class FakeYooKassa:
    """One shop, its keys and its clock. Everything may be called from any thread."""

    def __init__(self) -> None:
        self.url = ""
        self.shop_id = str(100_000 + secrets.randbelow(900_000))
        self.secret = f"test_{secrets.token_urlsafe(32)}"
        self.faults = Faults(YooKassaError)
        self.shop = Shop(self.shop_id, self.now)
        self.webhooks = Webhooks(self.shop)
        # What was asked, in order.
        self.calls: list[Asked] = []
        # What nobody should have asked, nor we have done.
        self.violations: list[str] = []
        # Below what a page of a list has at most, so that there are several.
        self.page_size = 100
        self._ahead = timedelta()
        self._keys: dict[str, tuple[datetime, Any, Json]] = {}
        self._lock = RLock()

    def now(self) -> datetime:
        """Return the time at YooKassa."""
        return datetime.now(UTC) + self._ahead

    def advance(self, **by: float) -> None:
        """Let time pass at YooKassa: hours=25."""
        self._ahead += timedelta(**by)

    def receive_clients(self) -> None:
        """Lead clients who are to pay from now on to a page of this fake, which pays nothing by itself and leads back."""
        self.shop.site = urljoin(self.url, "/").removesuffix("/")

    def pay(self, payment_id: str) -> None:
        """Let the client pay."""
        with self._lock:
            self.shop.pay(payment_id)

    def take(self, payment_id: str) -> None:
        """Take what was set aside without our asking for it, as somebody does in the pages of the shop."""
        with self._lock:
            self.shop.capture(payment_id, {})

    def alter(self, payment_id: str, **changed: Any) -> None:
        """Make a payment other than it was asked for: amount={"value": "1.00", "currency": "RUB"}, test=False."""
        with self._lock:
            self.shop.payments[payment_id] |= changed

    def cancel(self, payment_id: str, reason: str = "expired_on_confirmation") -> None:
        """End a payment that was not taken."""
        with self._lock:
            self.shop.cancel(payment_id, reason)

    def refuse_refunds(self, reason: str = "insufficient_funds") -> None:
        """Answer refunds from now on with canceled ones."""
        self.shop.refunds_become, self.shop.refund_reason = "canceled", reason

    def hold_refunds(self) -> None:
        """Leave refunds from now on pending, until each is settled."""
        self.shop.refunds_become = "pending"

    def grant_refunds(self) -> None:
        """Let refunds succeed from now on."""
        self.shop.refunds_become = "succeeded"

    def settle_refund(self, refund_id: str, status: str = "succeeded", reason: str = "insufficient_funds") -> None:
        """End a refund that is pending: succeeded or canceled."""
        with self._lock:
            self.shop.settle_refund(refund_id, status, reason)

    def payment(self, payment_id: str) -> Json:
        """Return a payment as it is told."""
        with self._lock:
            return self.shop.payment(payment_id)

    def payments(self) -> list[Json]:
        """Return all payments, the oldest first."""
        with self._lock:
            return [self.shop.payment(payment_id) for payment_id in self.shop.payments]

    def refunds(self) -> list[Json]:
        """Return all refunds, the oldest first."""
        with self._lock:
            return [self.shop.refund(refund_id) for refund_id in self.shop.refunds]

    def answer(self, asked: Asked) -> Reply:
        """Return the answer to a call, or the page to a client who comes to pay."""
        parts = urlsplit(asked.path)
        if parts.path == CONTRACT:
            return self._page_for(dict(parse_qsl(parts.query))["orderId"])
        self.calls.append(asked)
        path = parts.path.removeprefix(f"{API}/").split("/")
        call = _name(asked.method, path)
        try:
            self.faults.strike(call, after=False)
            answer = self._answered(asked, path, parts.query)
            self.faults.strike(call, after=True)
            return _json(200, answer)
        except YooKassaError as error:
            headers = {}
            if error.status == 429 and error.retry_after_seconds is not None:
                headers["retry-after"] = str(error.retry_after_seconds)
            return _json(error.status, error.body(), headers)
        except Cut:
            raise
        except Exception as wrong:  # noqa: BLE001 - whatever it is, the test has to hear of it
            self.violations.append(f"{asked.method} {parts.path}: {wrong!r}")
            return _json(400, refused("body", "Not understood").body())

    def _page_for(self, payment_id: str) -> Reply:
        back = escape(self.payment(payment_id)["confirmation"]["return_url"])
        page = f'<title>YooKassa</title><link rel="icon" href="data:,"><h1>Pay</h1><a href="{back}">Paid</a>'
        return Reply(200, {"content-type": "text/html"}, page.encode())

    def _answered(self, asked: Asked, path: list[str], query: str) -> Json:
        given = asked.headers.get("authorization", "")
        if given != f"Basic {base64.b64encode(f'{self.shop_id}:{self.secret}'.encode()).decode()}":
            raise YooKassaError(401, "Authentication by given credentials failed", "Authorization")
        with self._lock:
            if asked.method == "GET":
                return self._got(path, parse_qsl(query, strict_parsing=bool(query)))
            if asked.method != "POST":
                raise YooKassaError(405)
            return self._once(asked, path)

    def _once(self, asked: Asked, path: list[str]) -> Json:
        """Do what a call asks for; what was done with the same key, and is not forgotten, is not done again."""
        key = asked.headers.get("idempotence-key", "")
        if not 1 <= len(key) <= 64:
            raise refused("Idempotence-Key", "Idempotence key is missing or too long")
        if not asked.headers.get("content-type", "").startswith("application/json"):
            raise YooKassaError(415, "Unsupported media type")
        body = json.loads(asked.body) if asked.body else {}
        known = self._keys.get(key)
        if known is not None and self.now() - known[0] < KEYS_ARE_KEPT:
            if known[1] != (path, body):
                raise refused("Idempotence-Key", "Idempotence key duplicated")
            return known[2]
        answer = self._done(path, body)
        self._keys[key] = (self.now(), (path, body), answer)
        return answer

    def _done(self, path: list[str], body: Json) -> Json:
        match path:
            case ["payments"]:
                return self.shop.create(body)
            case ["payments", payment_id, "capture"]:
                return self.shop.capture(payment_id, body)
            case ["payments", payment_id, "cancel"]:
                return self.shop.cancel_by_merchant(payment_id)
            case ["refunds"]:
                return self.shop.give_back(body)
        raise YooKassaError(404, "Not found")

    def _got(self, path: list[str], query: list[tuple[str, str]]) -> Json:
        match path:
            case ["me"]:
                return {
                    "account_id": self.shop_id,
                    "status": "enabled",
                    "test": self.shop.is_test,
                    "fiscalization_enabled": False,
                    "payment_methods": ["bank_card", "yoo_money", "sbp"],
                }
            case ["payments", payment_id]:
                return self.shop.payment(payment_id)
            case ["refunds", refund_id]:
                return self.shop.refund(refund_id)
            case ["payments"]:
                return self._page([self.shop.payment(each) for each in self.shop.payments], query)
            case ["refunds"]:
                return self._page([self.shop.refund(each) for each in self.shop.refunds], query)
        raise YooKassaError(404, "Not found")

    def _page(self, objects: list[Json], query: list[tuple[str, str]]) -> Json:
        """Return a page of a list, the newest first; a cursor is where the next begins."""
        filters = dict(query)
        limit = int(filters.pop("limit", "10"))
        if not 1 <= limit <= 100:
            raise refused("limit", "Has to be 1 to 100")
        cursor = filters.pop("cursor", None)
        for name, value in filters.items():
            if name in _BOUNDS:
                bound = datetime.fromisoformat(value)
                objects = [e for e in objects if _BOUNDS[name](datetime.fromisoformat(e["created_at"]), bound)]
            elif name in {"status", "payment_id"}:
                objects = [each for each in objects if each.get(name) == value]
            else:
                raise refused(name, "Unknown filter")
        newest_first = objects[::-1]
        ids = [each["id"] for each in newest_first]
        begin = 0 if cursor is None else ids.index(base64.urlsafe_b64decode(cursor).decode())
        end = begin + min(limit, self.page_size)
        page: Json = {"type": "list", "items": newest_first[begin:end]}
        if end < len(ids):
            page["next_cursor"] = base64.urlsafe_b64encode(ids[end].encode()).decode()
        return page


def _name(method: str, path: list[str]) -> str:
    """Return what faults call a call."""
    match method, path:
        case "POST", [what]:
            return f"{what}.create"
        case "POST", [what, _, how]:
            return f"{what}.{how}"
        case "GET", ["payments" | "refunds" as what]:
            return f"{what}.list"
        case "GET", [what, _]:
            return f"{what}.get"
    return path[0]


def _json(status: int, body: Json, headers: dict[str, str] | None = None) -> Reply:
    return Reply(
        status, {"content-type": "application/json;charset=UTF-8", **(headers or {})}, json.dumps(body).encode()
    )


@contextmanager
def fake_yookassa() -> Iterator[FakeYooKassa]:
    """Run a fake for the time of the block; fails at its end when it was asked what YooKassa does not understand."""
    yookassa = FakeYooKassa()
    with Server(yookassa.answer).running() as server:
        yookassa.url = server.address + API
        try:
            yield yookassa
        finally:
            yookassa.faults.clear()
    assert yookassa.violations == [], yookassa.violations
