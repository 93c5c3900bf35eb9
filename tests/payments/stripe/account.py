"""An account at Stripe: its payment intents, charges and refunds, what becomes of them, and what is told of it."""

import json
import secrets
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass

from payments.stripe.accepted import CANCEL, CAPTURE, CREATE, REFUND, amount_in, check_members
from payments.stripe.errors import Json, StripeRefusal, invalid, missing

API_VERSION = "2026-10-28.endive"
_CURRENCY_LENGTH = 3
_CANCELLABLE = ("requires_payment_method", "requires_confirmation", "requires_action", "requires_capture")


@dataclass
class Told:
    """An event, as it was when it happened."""

    id: str
    type: str
    object_id: str
    body: bytes
    # They send it again for three days until the answer is 2xx.
    acknowledged: bool = False


class Account:
    """Objects in the published shapes, by their ids, the oldest first."""

    def __init__(self, now: Callable[[], int]) -> None:
        self.id = _new("acct")
        self.is_test = True
        self.intents: dict[str, Json] = {}
        self.charges: dict[str, Json] = {}
        self.refunds: dict[str, Json] = {}
        self.told: list[Told] = []
        # What becomes of refunds that are asked for from now on: succeeded, pending, or failed for a reason.
        self.refunds_become = "succeeded"
        self.refund_reason = "declined"
        self._now = now

    def create(self, given: Json) -> Json:
        """Make a payment intent, which waits for the client."""
        check_members(given, CREATE, "amount", "currency")
        currency = given["currency"]
        if len(currency) != _CURRENCY_LENGTH or not currency.islower():
            raise invalid("parameter_invalid_string", "currency")
        amount = amount_in(given, "amount", currency)
        intent_id = _new("pi")
        self.intents[intent_id] = {
            "id": intent_id,
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": 0,
            "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
            "canceled_at": None,
            "cancellation_reason": None,
            "capture_method": given.get("capture_method", "automatic_async"),
            "client_secret": f"{intent_id}_secret_{secrets.token_urlsafe(18)}",
            "created": self._now(),
            "currency": currency,
            "customer": None,
            "description": given.get("description"),
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": not self.is_test,
            "metadata": dict(given.get("metadata", {})),
            "next_action": None,
            "payment_method": None,
            "payment_method_types": ["card", "link"],
            "processing": None,
            "receipt_email": None,
            "status": "requires_payment_method",
        }
        self._tell("payment_intent.created", self.intents[intent_id])
        return self.intent(intent_id)

    def intent(self, intent_id: str, expand: set[str] = frozenset()) -> Json:
        """Return a payment intent as it is told."""
        if intent_id not in self.intents:
            raise missing("intent")
        found = deepcopy(self.intents[intent_id])
        if "latest_charge" in expand and found["latest_charge"] is not None:
            found["latest_charge"] = deepcopy(self.charges[found["latest_charge"]])
        return found

    def refund(self, refund_id: str, expand: set[str] = frozenset()) -> Json:
        """Return a refund as it is told."""
        if refund_id not in self.refunds:
            raise missing("refund")
        found = deepcopy(self.refunds[refund_id])
        if "charge" in expand:
            found["charge"] = deepcopy(self.charges[found["charge"]])
        return found

    def pay(self, intent_id: str) -> None:
        """Let the client pay: the money is set aside, or taken at once when the intent says so."""
        intent = self._expect(intent_id, "requires_payment_method", "requires_action", "processing")
        charge_id = self._charge(intent, "succeeded")
        intent |= {"status": "requires_capture", "amount_capturable": intent["amount"], "latest_charge": charge_id}
        intent |= {"next_action": None, "last_payment_error": None, "payment_method": _new("pm")}
        if intent["capture_method"] == "manual":
            self._tell("payment_intent.amount_capturable_updated", intent)
        else:
            self._take(intent, intent["amount"])

    def decline(self, intent_id: str) -> None:
        """Let the client's bank refuse: the intent waits for another way to pay."""
        intent = self._expect(intent_id, "requires_payment_method", "requires_action")
        intent |= {"status": "requires_payment_method", "latest_charge": self._charge(intent, "failed")}
        intent["last_payment_error"] = {"type": "card_error", "code": "card_declined"}
        self._tell("payment_intent.payment_failed", intent)

    def become(self, intent_id: str, status: str) -> None:
        """Bring an intent that is not paid into a state on the way: requires_action, requires_confirmation, processing."""
        self._expect(intent_id, "requires_payment_method", "requires_action", "requires_confirmation")["status"] = (
            status
        )

    def capture(self, intent_id: str, given: Json) -> Json:
        """Take what was set aside, or a part of it; the rest is let go."""
        check_members(given, CAPTURE)
        intent = self._expect(intent_id, "requires_capture")
        whole = intent["amount"]
        amount = amount_in(given, "amount_to_capture", intent["currency"]) if "amount_to_capture" in given else whole
        if amount > whole:
            raise StripeRefusal(400, code="amount_too_large", param="amount_to_capture", kept=True)
        self._take(intent, amount)
        return self.intent(intent_id)

    def cancel(self, intent_id: str, reason: str | None) -> Json:
        """End a payment of which nothing was taken; what was set aside is let go, which is written down as a refund."""
        intent = self._expect(intent_id, *_CANCELLABLE)
        if intent["status"] == "requires_capture":
            charge = self.charges[intent["latest_charge"]]
            charge |= {"refunded": True, "amount_refunded": charge["amount"]}
            self._note_refund(charge, charge["amount"], {}, "succeeded")
            self._tell("charge.refunded", charge)
        intent |= {"status": "canceled", "canceled_at": self._now(), "cancellation_reason": reason}
        intent |= {"amount_capturable": 0, "next_action": None}
        self._tell("payment_intent.canceled", intent)
        return self.intent(intent_id)

    def cancel_asked(self, intent_id: str, given: Json) -> Json:
        """Cancel for a call."""
        check_members(given, CANCEL)
        return self.cancel(intent_id, given.get("cancellation_reason"))

    def give_back(self, given: Json) -> Json:
        """Make a refund, of no more than is left of the payment."""
        check_members(given, REFUND, "payment_intent")
        intent = self.intents.get(given["payment_intent"])
        if intent is None:
            raise missing("payment_intent")
        if intent["status"] != "succeeded":
            raise StripeRefusal(400, code="payment_intent_unexpected_state", param="payment_intent", kept=True)
        charge = self.charges[intent["latest_charge"]]
        left = charge["amount"] - charge["amount_refunded"]
        amount = amount_in(given, "amount", intent["currency"]) if "amount" in given else left
        if left == 0:
            raise StripeRefusal(400, code="charge_already_refunded", kept=True)
        if amount > left:
            raise StripeRefusal(400, param="amount", kept=True)
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        refund = self._note_refund(charge, amount, dict(given.get("metadata", {})), "pending")
        self._tell("refund.created", refund)
        self._tell("charge.refunded", charge)
        if self.refunds_become != "pending":
            self.settle_refund(refund["id"], self.refunds_become, self.refund_reason)
        return self.refund(refund["id"])

    def settle_refund(self, refund_id: str, status: str, reason: str) -> None:
        """End a refund; one that has succeeded may fail afterwards, when a bank sends the money back."""
        refund = self.refunds[refund_id]
        assert refund["status"] in {"pending", "succeeded"}, "it has ended"
        refund["status"] = status
        if status == "failed":
            refund["failure_reason"] = reason
            charge = self.charges[refund["charge"]]
            charge |= {"amount_refunded": charge["amount_refunded"] - refund["amount"], "refunded": False}
            self._tell("refund.failed", refund)
        self._tell("refund.updated", refund)
        self._tell("charge.refund.updated", refund)

    def _expect(self, intent_id: str, *statuses: str) -> Json:
        if intent_id not in self.intents:
            raise missing("intent")
        intent = self.intents[intent_id]
        if intent["status"] not in statuses:
            more = {"payment_intent": deepcopy(intent)}
            raise StripeRefusal(400, code="payment_intent_unexpected_state", more=more, kept=True)
        return intent

    def _charge(self, intent: Json, status: str) -> str:
        charge_id = _new("ch")
        self.charges[charge_id] = {
            "id": charge_id,
            "object": "charge",
            "amount": intent["amount"],
            "amount_captured": 0,
            "amount_refunded": 0,
            "billing_details": {"email": None, "name": "Guest Vanderquill", "phone": None},
            "captured": False,
            "created": self._now(),
            "currency": intent["currency"],
            "livemode": intent["livemode"],
            "metadata": dict(intent["metadata"]),
            "paid": status == "succeeded",
            "payment_intent": intent["id"],
            "payment_method_details": {"type": "card", "card": {"brand": "visa", "last4": "4242"}},
            "refunded": False,
            "status": status,
        }
        return charge_id

    def _take(self, intent: Json, amount: int) -> None:
        charge = self.charges[intent["latest_charge"]]
        charge |= {"captured": True, "amount_captured": amount, "amount_refunded": charge["amount"] - amount}
        intent |= {"status": "succeeded", "amount_received": amount, "amount_capturable": 0}
        self._tell("payment_intent.succeeded", intent)
        self._tell("charge.captured", charge)

    def _note_refund(self, charge: Json, amount: int, metadata: Json, status: str) -> Json:
        refund_id = _new("re")
        self.refunds[refund_id] = {
            "id": refund_id,
            "object": "refund",
            "amount": amount,
            "charge": charge["id"],
            "created": self._now(),
            "currency": charge["currency"],
            "metadata": metadata,
            "payment_intent": charge["payment_intent"],
            "reason": None,
            "status": status,
        }
        return self.refunds[refund_id]

    def _tell(self, kind: str, about: Json) -> None:
        event_id = _new("evt")
        event = {
            "id": event_id,
            "object": "event",
            "api_version": API_VERSION,
            "created": self._now(),
            "data": {"object": about},
            "livemode": not self.is_test,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": kind,
        }
        self.told.append(Told(event_id, kind, about["id"], json.dumps(event, indent=2).encode()))


def _new(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(12)}"
