"""The two fakes of providers, as whoever lets anything happen with either wants them."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from holdfast.payments.port import ProviderName
from holdfast.payments.settings import PaymentSettings
from holdfast.payments.states import PaymentState, RefundState
from payments.faults import Faults
from payments.stripe.fake import FakeStripe
from payments.stripe.webhooks import signature_of
from payments.yookassa.fake import FakeYooKassa

P, R = PaymentState, RefundState

# In the words of both.
_STATES = {
    "pending": P.PENDING,
    "waiting_for_capture": P.AUTHORIZED,
    "requires_payment_method": P.PENDING,
    "requires_capture": P.AUTHORIZED,
    "succeeded": P.SUCCEEDED,
    "canceled": P.CANCELLED,
}
_REFUNDS = {"pending": R.PENDING, "succeeded": R.SUCCEEDED, "canceled": R.REFUSED, "failed": R.REFUSED}


@dataclass(frozen=True)
class Taken:
    """A payment in the provider's own books, with the names that we have given it."""

    id: str
    names: dict[str, str]
    state: PaymentState
    amount_minor: int
    captured_minor: int
    refunded_minor: int


@dataclass(frozen=True)
class Returned:
    """A refund in the provider's own books; without an id of ours somebody else has made it."""

    id: str
    payment_id: str
    state: RefundState
    minor: int
    refund_id: str | None


@dataclass(frozen=True)
class Message:
    """Something that the provider tells, as it is sent."""

    path: str
    body: bytes
    headers: dict[str, str]


class Counterpart(Protocol):
    """A provider with one account, its books, its clients and its clock."""

    name: ProviderName
    account: str
    currency: str
    secret: str
    webhook_secret: str | None
    faults: Faults
    settings: PaymentSettings

    def payments(self) -> list[Taken]:
        """Return what clients have paid or are about to, the oldest first."""

    def refunds(self) -> list[Returned]:
        """Return what of it went back, the oldest first."""

    def changing(self) -> int:
        """Return how many calls have been made that change something."""

    def pay(self, payment_id: str) -> None:
        """Let the client pay: the money is set aside."""

    def end(self, payment_id: str) -> None:
        """End a payment that was not taken: the client had time enough, or we had."""

    def take(self, payment_id: str, minor: int) -> None:
        """Let staff take what was set aside, or a part of it, on the provider's own pages."""

    def give_back(self, payment_id: str, minor: int) -> None:
        """Let staff give money back on the provider's own pages."""

    def alter_mode(self, payment_id: str) -> None:
        """Let a payment be of the other mode, test or live, than the account is."""

    def twin(self, payment_id: str) -> str:
        """Make a payment with the names of another, as a call does whose key was forgotten; return its id."""

    def refunds_become(self, state: RefundState) -> None:
        """Let refunds that are asked for from now on be made, wait or be refused."""

    def end_refund(self, refund_id: str, *, refused: bool) -> None:
        """End a refund that waits."""

    def send_back(self, refund_id: str) -> None:
        """Let a bank send back what the client was given; not everywhere that becomes of it."""

    def advance(self, **by: float) -> None:
        """Let time pass there."""

    def messages(self) -> list[Message]:
        """Return all that there ever was to tell, the oldest first."""

    def forged(self, payment_id: str) -> Message:
        """Return a message that somebody else sends: that a payment was made that was not."""


class AtYooKassa:
    """The fake of YooKassa."""

    name = ProviderName.YOOKASSA
    webhook_secret: str | None = None

    def __init__(self, fake: FakeYooKassa) -> None:
        self._fake, self.currency = fake, fake.shop.currency
        self.account, self.secret, self.faults = fake.shop_id, fake.secret, fake.faults
        self.settings = PaymentSettings(yookassa_api_url=fake.url)

    def payments(self) -> list[Taken]:
        """Return what clients have paid or are about to, the oldest first."""
        return [
            Taken(
                told["id"],
                told["metadata"],
                _STATES[told["status"]],
                _minor(told["amount"]),
                _minor(told["amount"]) if told["status"] == "succeeded" else 0,
                _minor(told.get("refunded_amount")),
            )
            for told in self._fake.payments()
        ]

    def refunds(self) -> list[Returned]:
        """Return what of it went back, the oldest first."""
        return [
            Returned(
                told["id"],
                told["payment_id"],
                _REFUNDS[told["status"]],
                _minor(told["amount"]),
                told.get("metadata", {}).get("refund_id"),
            )
            for told in self._fake.refunds()
        ]

    def changing(self) -> int:
        """Return how many calls have been made that change something."""
        return sum(call.method != "GET" for call in self._fake.calls)

    def pay(self, payment_id: str) -> None:
        """Let the client pay."""
        self._fake.pay(payment_id)

    def end(self, payment_id: str) -> None:
        """End a payment that was not taken."""
        waits = self._fake.payment(payment_id)["status"] == "pending"
        self._fake.cancel(payment_id, "expired_on_confirmation" if waits else "expired_on_capture")

    def take(self, payment_id: str, minor: int) -> None:
        """Let staff take what was set aside."""
        self._fake.shop.capture(payment_id, {"amount": self._amount(minor)})

    def give_back(self, payment_id: str, minor: int) -> None:
        """Let staff give money back."""
        self._fake.shop.give_back({"payment_id": payment_id, "amount": self._amount(minor)})

    def alter_mode(self, payment_id: str) -> None:
        """Let a payment be of the other mode."""
        self._fake.alter(payment_id, test=not self._fake.shop.is_test)

    def twin(self, payment_id: str) -> str:
        """Make a payment with the names of another."""
        one = self._fake.payment(payment_id)
        asked = {
            "amount": one["amount"],
            "capture": False,
            "confirmation": {"type": "redirect", "return_url": "https://practice.test/"},
            "metadata": one["metadata"],
        }
        return str(self._fake.shop.create(asked)["id"])

    def refunds_become(self, state: RefundState) -> None:
        """Let refunds from now on be made, wait or be refused."""
        {
            R.SUCCEEDED: self._fake.grant_refunds,
            R.PENDING: self._fake.hold_refunds,
            R.REFUSED: self._fake.refuse_refunds,
        }[state]()

    def end_refund(self, refund_id: str, *, refused: bool) -> None:
        """End a refund that waits."""
        self._fake.settle_refund(refund_id, "canceled" if refused else "succeeded")

    def send_back(self, refund_id: str) -> None:
        """Let it be: what has gone back has."""

    def advance(self, **by: float) -> None:
        """Let time pass there."""
        self._fake.advance(**by)

    def messages(self) -> list[Message]:
        """Return all that there ever was to tell."""
        return [Message("yookassa", told.body, {}) for told in self._fake.webhooks.told()]

    def forged(self, payment_id: str) -> Message:
        """Return a message that somebody else sends from one of their addresses."""
        about = self._fake.payment(payment_id) | {"status": "succeeded", "paid": True}
        return Message("yookassa", _json(type="notification", event="payment.succeeded", object=about), {})

    def _amount(self, minor: int) -> dict[str, str]:
        return {"value": f"{minor // 100}.{minor % 100:02}", "currency": self.currency}


class AtStripe:
    """The fake of Stripe."""

    name = ProviderName.STRIPE

    def __init__(self, fake: FakeStripe) -> None:
        self._fake, self.currency = fake, "EUR"
        self.account, self.secret, self.faults = fake.account.id, fake.secret, fake.faults
        self.webhook_secret: str | None = fake.webhooks.secrets[0]
        self.settings = PaymentSettings(stripe_api_url=fake.url)

    def payments(self) -> list[Taken]:
        """Return what clients have paid or are about to, the oldest first."""
        return [self._taken(told) for told in self._fake.payments()]

    def _taken(self, told: dict[str, Any]) -> Taken:
        state = _STATES[told["status"]]
        back = 0
        if state is P.SUCCEEDED:
            # What was set aside and not taken counts as refunded there.
            back = told["latest_charge"]["amount_refunded"] - (told["amount"] - told["amount_received"])
        return Taken(told["id"], told["metadata"], state, told["amount"], told["amount_received"], back)

    def refunds(self) -> list[Returned]:
        """Return what of it went back; that something was let go before it was taken is no refund."""
        captured = {told["id"] for told in self._fake.payments() if told["status"] == "succeeded"}
        return [
            Returned(
                told["id"],
                told["payment_intent"],
                _REFUNDS[told["status"]],
                told["amount"],
                told["metadata"].get("refund_id"),
            )
            for told in self._fake.refunds()
            if told["payment_intent"] in captured
        ]

    def changing(self) -> int:
        """Return how many calls have been made that change something."""
        return sum(call.method != "GET" for call in self._fake.calls)

    def pay(self, payment_id: str) -> None:
        """Let the client pay, at the second attempt."""
        self._fake.decline(payment_id)
        self._fake.pay(payment_id)

    def end(self, payment_id: str) -> None:
        """End a payment that was not taken."""
        self._fake.cancel(payment_id, "automatic")

    def take(self, payment_id: str, minor: int) -> None:
        """Let staff take what was set aside."""
        self._fake.account.capture(payment_id, {"amount_to_capture": str(minor)})

    def give_back(self, payment_id: str, minor: int) -> None:
        """Let staff give money back."""
        self._fake.refund_by_hand(payment_id, minor)

    def alter_mode(self, payment_id: str) -> None:
        """Let a payment be of the other mode."""
        self._fake.alter(payment_id, livemode=self._fake.account.is_test)

    def twin(self, payment_id: str) -> str:
        """Make a payment with the names of another."""
        one = self._fake.payment(payment_id)
        asked = {
            "amount": str(one["amount"]),
            "currency": one["currency"],
            "capture_method": "manual",
            "metadata": one["metadata"],
        }
        return str(self._fake.account.create(asked)["id"])

    def refunds_become(self, state: RefundState) -> None:
        """Let refunds from now on be made, wait or be refused."""
        {
            R.SUCCEEDED: self._fake.grant_refunds,
            R.PENDING: self._fake.hold_refunds,
            R.REFUSED: self._fake.refuse_refunds,
        }[state]()

    def end_refund(self, refund_id: str, *, refused: bool) -> None:
        """End a refund that waits."""
        self._fake.settle_refund(refund_id, "failed" if refused else "succeeded")

    def send_back(self, refund_id: str) -> None:
        """Let a bank send back what the client was given."""
        self._fake.settle_refund(refund_id, "failed")

    def advance(self, **by: float) -> None:
        """Let time pass there."""
        self._fake.advance(**by)

    def messages(self) -> list[Message]:
        """Return all that there ever was to tell, signed now."""
        return [self._signed(told.body) for told in self._fake.webhooks.told()]

    def forged(self, payment_id: str) -> Message:
        """Return a message that was signed by whoever had the secret, and is not true."""
        about = self._fake.payment(payment_id) | {"status": "succeeded"}
        event = {"id": f"evt_{payment_id}", "object": "event", "type": "payment_intent.succeeded"}
        return self._signed(_json(**event, data={"object": about}))

    def _signed(self, body: bytes) -> Message:
        return Message("stripe", body, {"Stripe-Signature": signature_of(body, self._fake.webhooks.secrets)})


def _minor(amount: Any) -> int:
    return 0 if amount is None else int(amount["value"].replace(".", ""))


def _json(**members: Any) -> bytes:
    return json.dumps(members).encode()
