"""A Stripe over HTTP that keeps what Stripe promises: states, keys, lists, refusals, and what it tells.

with fake_stripe() as at_stripe:
    adapter = Stripe(at_stripe.url, at_stripe.secret)
    at_stripe.pay(payment_id)                          # requires_capture
    at_stripe.cancel(payment_id, "automatic")
    at_stripe.refuse_refunds("declined")               # or hold_refunds(), then settle_refund(id)
    at_stripe.advance(hours=25)                        # its clock; keys are forgotten after 24 hours of it
    at_stripe.faults.cut(only="POST /payment_intents", after=True)
    at_stripe.faults.fail(failure(500), only="/capture") # given again for the same key
    at_stripe.webhooks.deliver(*reversed(at_stripe.webhooks.due()))
"""

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from threading import RLock
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from calendars.http_servers import Asked, Reply, Server
from payments.faults import Cut, Faults
from payments.stripe.accepted import LIST, READ, check_key, check_members, expanded, nested
from payments.stripe.account import API_VERSION, Account
from payments.stripe.errors import Json, StripeRefusal, failed, invalid, missing
from payments.stripe.webhooks import Webhooks

API = "/v1"
KEYS_ARE_KEPT = timedelta(hours=24)
_BOUNDS = {
    "gte": lambda made, bound: made >= bound,
    "gt": lambda made, bound: made > bound,
    "lte": lambda made, bound: made <= bound,
    "lt": lambda made, bound: made < bound,
}
_CONFLICT = ("idempotency_error", "idempotency_key_in_use")


@dataclass
class _Keyed:
    """What was asked with a key, and the answer; none while it is not there yet."""

    at: int
    asked: tuple[list[str], Json]
    reply: Reply | None = None


class FakeStripe:
    """One account, its key and its clock. Everything may be called from any thread."""

    def __init__(self) -> None:
        self.url = ""
        self.secret = f"sk_test_{secrets.token_urlsafe(32)}"
        self.faults = Faults(failed)
        self.account = Account(self.now)
        self.webhooks = Webhooks(self.account)
        # What was asked, in order.
        self.calls: list[Asked] = []
        # What nobody should have asked, nor we have done.
        self.violations: list[str] = []
        # Below what a page of a list has at most, so that there are several.
        self.page_size = 100
        self._ahead = 0
        self._keys: dict[str, _Keyed] = {}
        self._lock = RLock()

    def now(self) -> int:
        """Return the time at Stripe, in seconds since 1970."""
        return int(time.time()) + self._ahead

    def advance(self, **by: float) -> None:
        """Let time pass at Stripe: hours=25."""
        self._ahead += int(timedelta(**by).total_seconds())

    def pay(self, payment_id: str) -> None:
        """Let the client pay: the money is set aside."""
        with self._lock:
            self.account.pay(payment_id)

    def decline(self, payment_id: str) -> None:
        """Let the client's bank refuse; the client may try again."""
        with self._lock:
            self.account.decline(payment_id)

    def take(self, payment_id: str) -> None:
        """Take what was set aside, by the hand of somebody at Stripe's own pages."""
        with self._lock:
            self.account.capture(payment_id, {})

    def alter(self, payment_id: str, **changed: Any) -> None:
        """Make a payment other than it was asked for: amount=100, currency="usd", livemode=True."""
        with self._lock:
            self.account.intents[payment_id] |= changed

    def cancel(self, payment_id: str, reason: str = "automatic") -> None:
        """End a payment that was not taken."""
        with self._lock:
            self.account.cancel(payment_id, reason)

    def refuse_refunds(self, reason: str = "declined") -> None:
        """Answer refunds from now on with ones that have failed."""
        self.account.refunds_become, self.account.refund_reason = "failed", reason

    def hold_refunds(self) -> None:
        """Leave refunds from now on pending, until each is settled."""
        self.account.refunds_become = "pending"

    def grant_refunds(self) -> None:
        """Let refunds succeed from now on."""
        self.account.refunds_become = "succeeded"

    def settle_refund(self, refund_id: str, status: str = "succeeded", reason: str = "declined") -> None:
        """End a refund: succeeded, or failed, which may also become of one that had succeeded."""
        with self._lock:
            self.account.settle_refund(refund_id, status, reason)

    def refund_by_hand(self, payment_id: str, amount: int) -> str:
        """Give money back by the hand of somebody at Stripe's own pages; return the id of the refund."""
        with self._lock:
            return self.account.give_back({"payment_intent": payment_id, "amount": str(amount)})["id"]

    def payment(self, payment_id: str) -> Json:
        """Return a payment as it is told."""
        with self._lock:
            return self.account.intent(payment_id, {"latest_charge"})

    def payments(self) -> list[Json]:
        """Return all payments, the oldest first."""
        with self._lock:
            return [self.account.intent(each, {"latest_charge"}) for each in self.account.intents]

    def refunds(self) -> list[Json]:
        """Return all refunds, the oldest first; also the notes that money set aside was let go."""
        with self._lock:
            return [self.account.refund(each) for each in self.account.refunds]

    def answer(self, asked: Asked) -> Reply:
        """Return the answer to a call."""
        self.calls.append(asked)
        parts = urlsplit(asked.path)
        path = parts.path.removeprefix(f"{API}/").split("/")
        call = _name(asked.method, path)
        try:
            self._check_caller(asked)
            if asked.method == "POST":
                return self._once(asked, path, call)
            self.faults.strike(call, after=False)
            with self._lock:
                got = self._got(path, nested(parse_qsl(parts.query, keep_blank_values=True)))
            self.faults.strike(call, after=True)
            return _reply(200, got)
        except StripeRefusal as refusal:
            return _reply(refusal.status, refusal.body(), refusal.headers)
        except Cut:
            raise
        except Exception as wrong:  # noqa: BLE001 - whatever it is, the test has to hear of it
            self.violations.append(f"{asked.method} {parts.path}: {wrong!r}")
            return _reply(400, invalid("parameter_invalid", "body").body())

    def _check_caller(self, asked: Asked) -> None:
        if asked.headers.get("authorization") != f"Bearer {self.secret}":
            raise StripeRefusal(401)
        # A later version of the package may speak of other shapes: then look whether these are still the published ones.
        if asked.headers.get("stripe-version") != API_VERSION:
            self.violations.append(f"version {asked.headers.get('stripe-version')}")

    def _once(self, asked: Asked, path: list[str], call: str) -> Reply:
        """Do what a call asks for; what was done with the same key, and is not forgotten, is not done again."""
        if asked.headers.get("content-type") != "application/x-www-form-urlencoded":
            raise invalid("parameter_invalid", "Content-Type")
        key = check_key(asked.headers.get("idempotency-key"))
        given = nested(parse_qsl(asked.body.decode(), keep_blank_values=True))
        with self._lock:
            known = self._keys.get(key)
            is_known = known is not None and self.now() - known.at < KEYS_ARE_KEPT.total_seconds()
            if not is_known:
                known = self._keys[key] = _Keyed(self.now(), (path, given))
        assert known is not None, "a key is known or new"
        if is_known:
            again = _again(known, (path, given))
            self.faults.strike(call, after=False)
            self.faults.strike(call, after=True)
            return again
        try:
            self.faults.strike(call, after=False)
            with self._lock:
                known.reply = _reply(200, self._done(path, given))
            self.faults.strike(call, after=True)
        except StripeRefusal as refusal:
            if refusal.kept:
                known.reply = _reply(refusal.status, refusal.body(), refusal.headers)
            raise
        finally:
            if known.reply is None:
                # It was not begun: the key is as good as new.
                self._keys.pop(key, None)
        return known.reply

    def _done(self, path: list[str], given: Json) -> Json:
        expand = expanded(given)
        match path:
            case ["payment_intents"]:
                return self.account.intent(self.account.create(given)["id"], expand)
            case ["payment_intents", payment_id, "capture"]:
                return self.account.intent(self.account.capture(payment_id, given)["id"], expand)
            case ["payment_intents", payment_id, "cancel"]:
                return self.account.intent(self.account.cancel_asked(payment_id, given)["id"], expand)
            case ["refunds"]:
                return self.account.refund(self.account.give_back(given)["id"], expand)
        raise StripeRefusal(404)

    def _got(self, path: list[str], given: Json) -> Json:
        expand = expanded(given)
        match path:
            case ["account"]:
                return {"id": self.account.id, "object": "account", "country": "DE", "type": "standard"}
            case ["balance"]:
                return {"object": "balance", "available": [], "pending": [], "livemode": not self.account.is_test}
            case ["payment_intents", payment_id]:
                check_members(given, READ)
                return self.account.intent(payment_id, expand)
            case ["refunds", refund_id]:
                check_members(given, READ)
                return self.account.refund(refund_id, expand)
            case ["payment_intents"]:
                check_members(given, LIST)
                return self._page([self.account.intent(e, _of_data(expand)) for e in self.account.intents], path, given)
            case ["refunds"]:
                check_members(given, LIST | {"payment_intent"})
                refunds = [self.account.refund(each, _of_data(expand)) for each in self.account.refunds]
                return self._page(self._refunds_of(refunds, given), path, given)
        raise StripeRefusal(404)

    def _refunds_of(self, refunds: list[Json], given: Json) -> list[Json]:
        payment_id = given.get("payment_intent")
        if payment_id is not None and payment_id not in self.account.intents:
            raise missing("payment_intent")
        return [each for each in refunds if payment_id in {None, each["payment_intent"]}]

    def _page(self, objects: list[Json], path: list[str], given: Json) -> Json:
        """Return a page of a list, the newest first, after an object."""
        limit = int(given.get("limit", "10"))
        if not 1 <= limit <= 100:
            raise invalid("parameter_invalid_integer", "limit")
        for name, bound in given.get("created", {}).items():
            objects = [each for each in objects if _BOUNDS[name](each["created"], int(bound))]
        newest_first = objects[::-1]
        begin = 0
        if "starting_after" in given:
            ids = [each["id"] for each in newest_first]
            if given["starting_after"] not in ids:
                raise missing("starting_after")
            begin = ids.index(given["starting_after"]) + 1
        end = begin + min(limit, self.page_size)
        return {
            "object": "list",
            "url": f"{API}/{path[0]}",
            "has_more": end < len(newest_first),
            "data": newest_first[begin:end],
        }


def _again(known: _Keyed, asked: tuple[list[str], Json]) -> Reply:
    if known.asked != asked:
        raise StripeRefusal(400, "idempotency_error")
    if known.reply is None:
        raise StripeRefusal(409, *_CONFLICT)
    return Reply(known.reply.status, {**known.reply.headers, "idempotent-replayed": "true"}, known.reply.body)


def _name(method: str, path: list[str]) -> str:
    """Return what faults call a call."""
    what, *rest = ("payments" if step == "payment_intents" else step for step in path)
    match method, rest:
        case "POST", []:
            return f"{what}.create"
        case "POST", [_, how]:
            return f"{what}.{how}"
        case "GET", [] if what in {"payments", "refunds"}:
            return f"{what}.list"
        case "GET", [_]:
            return f"{what}.get"
    return what


def _of_data(expand: set[str]) -> set[str]:
    return {name.removeprefix("data.") for name in expand}


def _reply(status: int, body: Any, headers: dict[str, str] | None = None) -> Reply:
    base = {"content-type": "application/json", "request-id": f"req_{secrets.token_hex(7)}"}
    return Reply(status, {**base, **(headers or {})}, json.dumps(body, indent=2).encode())


@contextmanager
def fake_stripe() -> Iterator[FakeStripe]:
    """Run a fake for the time of the block; fails at its end when it was asked what Stripe does not understand."""
    stripe = FakeStripe()
    with Server(stripe.answer).running() as server:
        stripe.url = server.address
        try:
            yield stripe
        finally:
            stripe.faults.clear()
    assert stripe.violations == [], stripe.violations
