"""A shop at YooKassa: its payments and refunds, what becomes of them, and what is told of it."""

import json
import secrets
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from payments.yookassa.accepted import check_payment, check_refund, minor_in
from payments.yookassa.errors import Json, YooKassaError, refused

# Where a client pays.
CONTRACT = "/checkout/payments/v2/contract"
# What they take for themselves, of a thousand.
_FEE_OF_A_THOUSAND = 35
_METHOD = {
    "type": "bank_card",
    "saved": False,
    "title": "Bank card *4477",
    "card": {
        "first6": "555555",
        "last4": "4477",
        "expiry_month": "07",
        "expiry_year": "2031",
        "card_type": "MasterCard",
        "issuer_country": "RU",
        "issuer_name": "A bank",
    },
}


@dataclass
class Told:
    """A notification, as it was when it happened."""

    event: str
    object_id: str
    body: bytes
    # They send it again until the answer is exactly 200.
    acknowledged: bool = False


class Shop:
    """Objects in the published shapes, by their ids, the oldest first."""

    def __init__(self, account_id: str, now: Callable[[], datetime]) -> None:
        self.account_id = account_id
        self.currency = "RUB"
        self.is_test = True
        # Of the site that clients are led to.
        self.site = "https://yoomoney.test"
        self.payments: dict[str, Json] = {}
        self.refunds: dict[str, Json] = {}
        self.told: list[Told] = []
        # What becomes of refunds that are asked for from now on: succeeded, pending, or canceled with a reason.
        self.refunds_become = "succeeded"
        self.refund_reason = "insufficient_funds"
        self._now = now

    def create(self, body: Json) -> Json:
        """Make a payment, which waits for the client."""
        check_payment(body)
        minor = minor_in(body, self.currency)
        at = self._now()
        payment_id = f"{secrets.token_hex(4)}-000f-5000-8000-{secrets.token_hex(6)}"
        payment = {
            "id": payment_id,
            "status": "pending",
            "paid": False,
            "amount": self._amount(minor),
            "confirmation": {
                "type": "redirect",
                "return_url": body["confirmation"]["return_url"],
                "confirmation_url": f"{self.site}{CONTRACT}?orderId={payment_id}",
            },
            "created_at": _text(at),
            "metadata": body.get("metadata", {}),
            "recipient": {"account_id": self.account_id, "gateway_id": "100700"},
            "refundable": False,
            "test": self.is_test,
        }
        if "description" in body:
            payment["description"] = body["description"]
        self.payments[payment_id] = payment | {"_capture": body.get("capture", False)}
        return self.payment(payment_id)

    def payment(self, payment_id: str) -> Json:
        """Return a payment as it is told."""
        return _shown(self._payment(payment_id))

    def refund(self, refund_id: str) -> Json:
        """Return a refund as it is told."""
        if refund_id not in self.refunds:
            raise YooKassaError(404, "Refund doesn't exist or access denied", "refund_id")
        return _shown(self.refunds[refund_id])

    def pay(self, payment_id: str) -> None:
        """Let the client pay: the money is set aside, or taken when the payment has one step."""
        payment = self._expect(payment_id, "pending")
        payment["paid"] = True
        payment["payment_method"] = {"id": payment_id, **deepcopy(_METHOD)}
        payment["authorization_details"] = {"rrn": "603668680243", "auth_code": "000000"}
        del payment["confirmation"]
        if payment["_capture"]:
            self._succeed(payment, _minor(payment["amount"]))
        else:
            payment["status"] = "waiting_for_capture"
            payment["expires_at"] = _text(self._now() + timedelta(days=7))
            self._tell("payment.waiting_for_capture", payment)

    def capture(self, payment_id: str, body: Json) -> Json:
        """Take what was set aside, or a part of it."""
        payment = self._expect(payment_id, "waiting_for_capture")
        whole = _minor(payment["amount"])
        minor = minor_in(body, self.currency) if "amount" in body else whole
        if minor > whole:
            raise refused("amount.value", "More than was set aside")
        self._succeed(payment, minor)
        return self.payment(payment_id)

    def cancel(self, payment_id: str, reason: str, party: str = "yoo_money") -> Json:
        """End a payment of which nothing was taken."""
        payment = self._expect(payment_id, "pending", "waiting_for_capture")
        payment |= {"status": "canceled", "paid": False, "cancellation_details": {"party": party, "reason": reason}}
        payment.pop("confirmation", None)
        payment.pop("expires_at", None)
        self._tell("payment.canceled", payment)
        return self.payment(payment_id)

    def cancel_by_merchant(self, payment_id: str) -> Json:
        """Let go of what was set aside; a payment that waits for the client cannot be cancelled."""
        self._expect(payment_id, "waiting_for_capture")
        return self.cancel(payment_id, "canceled_by_merchant", "merchant")

    def give_back(self, body: Json) -> Json:
        """Make a refund, of no more than is left of the payment."""
        check_refund(body)
        payment = self.payments.get(body["payment_id"])
        if payment is None:
            raise refused("payment_id", "Payment doesn't exist or access denied")
        if payment["status"] != "succeeded":
            raise refused("payment_id", "Only a payment that has succeeded can be refunded")
        minor = minor_in(body, self.currency)
        asked = [each for each in self.refunds.values() if each["payment_id"] == payment["id"]]
        if minor > _minor(payment["amount"]) - sum(_minor(e["amount"]) for e in asked if e["status"] != "canceled"):
            raise refused("amount.value", "More than is left of the payment")
        refund_id = str(uuid4())
        refund = {
            "id": refund_id,
            "payment_id": payment["id"],
            "status": "pending",
            "created_at": _text(self._now()),
            "amount": self._amount(minor),
            **{name: body[name] for name in ("description", "metadata") if name in body},
        }
        self.refunds[refund_id] = refund
        if self.refunds_become != "pending":
            self.settle_refund(refund_id, self.refunds_become, self.refund_reason)
        return self.refund(refund_id)

    def settle_refund(self, refund_id: str, status: str = "succeeded", reason: str = "insufficient_funds") -> None:
        """End a refund that is pending: it succeeds, or is canceled for a reason. Only success is told."""
        refund = self.refunds[refund_id]
        assert refund["status"] == "pending", "it has ended"
        refund["status"] = status
        if status == "canceled":
            refund["cancellation_details"] = {"party": "yoo_money", "reason": reason}
            return
        payment = self.payments[refund["payment_id"]]
        back = _minor(payment.get("refunded_amount", self._amount(0))) + _minor(refund["amount"])
        payment["refunded_amount"] = self._amount(back)
        payment["refundable"] = back < _minor(payment["amount"])
        self._tell("refund.succeeded", refund)

    def _payment(self, payment_id: str) -> Json:
        if payment_id not in self.payments:
            raise YooKassaError(404, "Payment doesn't exist or access denied", "payment_id")
        return self.payments[payment_id]

    def _expect(self, payment_id: str, *statuses: str) -> Json:
        payment = self._payment(payment_id)
        if payment["status"] not in statuses:
            raise refused("status", f"Payment is {payment['status']}")
        return payment

    def _succeed(self, payment: Json, minor: int) -> None:
        fee = minor * _FEE_OF_A_THOUSAND // 1_000
        payment |= {
            "status": "succeeded",
            "amount": self._amount(minor),
            "income_amount": self._amount(minor - fee),
            "captured_at": _text(self._now()),
            "refundable": True,
            "refunded_amount": self._amount(0),
        }
        payment.pop("expires_at", None)
        self._tell("payment.succeeded", payment)

    def _tell(self, event: str, about: Json) -> None:
        body = {"type": "notification", "event": event, "object": _shown(about)}
        self.told.append(Told(event, about["id"], json.dumps(body).encode()))

    def _amount(self, minor: int) -> Json:
        return {"value": f"{minor // 100}.{minor % 100:02}", "currency": self.currency}


def _shown(about: Json) -> Json:
    return {name: value for name, value in deepcopy(about).items() if not name.startswith("_")}


def _minor(amount: Any) -> int:
    return int(amount["value"].replace(".", ""))


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1_000:03}Z"
