"""A provider in memory that keeps keys as the real ones do, and whose calls can fail, die or be answered with the past."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from holdfast.payments.ledger import Payment
from holdfast.payments.port import (
    AccountFacts,
    Names,
    NoSuchObject,
    RefundWish,
    Refused,
    RemotePayment,
    RemoteRefund,
    Wish,
)
from holdfast.payments.states import PaymentState, RefundState

P, R = PaymentState, RefundState

Step = Callable[[str, Literal["before", "after"]], Awaitable[None]]


async def _go_on(_call: str, _when: Literal["before", "after"]) -> None:
    return


@dataclass
class Scripted:
    """One account. `step` is awaited before and after what each call does; whatever it raises, the call raises.

    `views` are what the next reads of a payment find instead of how it is.
    """

    account: str = "acct_1"
    is_test: bool = True
    payments: dict[str, RemotePayment] = field(default_factory=dict)
    refunds: dict[str, RemoteRefund] = field(default_factory=dict)
    refunds_become: RefundState = R.SUCCEEDED
    views: list[RemotePayment] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    step: Step = _go_on
    _done: dict[str, str] = field(default_factory=dict)

    async def facts(self) -> AccountFacts:
        """Return whose account it is."""
        return AccountFacts(self.account, self.is_test)

    async def create(self, wish: Wish) -> RemotePayment:
        """Make a payment, once for a key."""
        return await self._call("create", wish.key, lambda: self.make(wish))

    async def read(self, remote_id: str) -> RemotePayment:
        """Return a payment as it is, or as the next view has it."""
        return await self._call("read", None, lambda: self.views.pop(0) if self.views else self._payment(remote_id))

    async def find(self, wish: Wish, since: datetime) -> RemotePayment | None:  # noqa: ARG002 - there is no history
        """Return the payment that a wish has made."""
        found = [payment for payment in self.payments.values() if payment.names == wish.names]
        return await self._call("find", None, lambda: found[-1] if found else None)

    async def capture(self, remote_id: str, key: str, amount: Any) -> RemotePayment:
        """Take what was set aside."""

        def capture() -> RemotePayment:
            payment = self._payment(remote_id)
            if payment.state is P.SUCCEEDED:
                return payment
            if payment.state is not P.AUTHORIZED:
                raise Refused("wrong_state")
            return self.become(remote_id, state=P.SUCCEEDED, captured_minor=amount.minor)

        return await self._call("capture", key, capture)

    async def cancel(self, remote_id: str, key: str) -> RemotePayment:
        """Let go of what was not taken."""

        def cancel() -> RemotePayment:
            if self._payment(remote_id).state is P.SUCCEEDED:
                raise Refused("wrong_state")
            return self.become(remote_id, state=P.CANCELLED, reason="requested_by_us")

        return await self._call("cancel", key, cancel)

    async def refund(self, wish: RefundWish) -> RemoteRefund:
        """Give money back, once for a key."""
        return await self._call("refund", wish.key, lambda: self.give_back(wish.remote_payment_id, wish))

    async def read_refund(self, remote_id: str) -> RemoteRefund:
        """Return a refund as it is."""
        return await self._call("read_refund", None, lambda: self._refund(remote_id))

    async def refunds_of(self, remote_payment_id: str) -> list[RemoteRefund]:
        """Return all refunds of a payment."""
        found = [refund for refund in self.refunds.values() if refund.remote_payment_id == remote_payment_id]
        return await self._call("refunds_of", None, lambda: found)

    async def payments_since(self, since: datetime) -> AsyncIterator[RemotePayment]:  # noqa: ARG002 - all are young
        """Yield all payments."""
        for payment in list(self.payments.values()):
            yield payment

    async def refunds_since(self, since: datetime) -> AsyncIterator[RemoteRefund]:  # noqa: ARG002 - all are young
        """Yield all refunds."""
        for refund in list(self.refunds.values()):
            yield refund

    async def close(self) -> None:
        """Let go of nothing."""

    def make(self, wish: Wish) -> RemotePayment:
        """Make a payment, whoever asks."""
        made = RemotePayment(
            id=f"pay_{len(self.payments) + 1}_{wish.names.payment_id.hex[-8:]}",
            state=P.PENDING,
            amount=wish.amount,
            captured_minor=0,
            refunded_minor=0,
            is_test=self.is_test,
            account=self.account,
            names=wish.names,
            confirmation_url="https://pay.test/1",
            created_at=datetime.now(UTC),
        )
        self.payments[made.id] = made
        return made

    def made_of(self, payment: Payment) -> RemotePayment:
        """Make a payment with its key, as a call does whose answer was lost."""
        names = Names(payment.business_id, payment.booking_id, payment.id)
        made = self.make(Wish(payment.provider_key, names, payment.amount, "A practice", "https://practice.test"))
        self._done[payment.provider_key] = made.id
        return made

    def pay(self, remote_id: str) -> None:
        """Let the client pay: the money is set aside."""
        assert self.payments[remote_id].state is P.PENDING, "it waits for the client"
        self.become(remote_id, state=P.AUTHORIZED)

    def take(self, remote_id: str) -> None:
        """Take what was set aside without our asking for it."""
        self.become(remote_id, state=P.SUCCEEDED, captured_minor=self.payments[remote_id].amount.minor)

    def become(self, remote_id: str, **changes: Any) -> RemotePayment:
        """Let a payment become another."""
        self.payments[remote_id] = replace(self.payments[remote_id], **changes)
        return self.payments[remote_id]

    def give_back_by_hand(self, remote_payment_id: str, minor: int) -> RemoteRefund:
        """Give money back at the provider itself: nobody here has asked for it."""
        amount = replace(self.payments[remote_payment_id].amount, minor=minor)
        return self.give_back(remote_payment_id, RefundWish("", UUID(int=0), remote_payment_id, amount))

    def give_back(self, remote_payment_id: str, wish: RefundWish) -> RemoteRefund:
        """Give money back; refuses more than is left."""
        payment = self._payment(remote_payment_id)
        given = sum(
            r.amount.minor for r in self.refunds.values() if r.remote_payment_id == payment.id and r.state != R.REFUSED
        )
        if payment.state is not P.SUCCEEDED or given + wish.amount.minor > payment.captured_minor:
            raise Refused("more_than_is_left")
        refund = RemoteRefund(
            f"ref_{len(self.refunds) + 1}_{payment.id}",
            payment.id,
            self.refunds_become,
            wish.amount,
            wish.refund_id if wish.refund_id.int else None,
            created_at=datetime.now(UTC),
        )
        self.refunds[refund.id] = refund
        if refund.state is R.SUCCEEDED:
            self.become(payment.id, refunded_minor=payment.refunded_minor + wish.amount.minor)
        return refund

    def forget_keys(self) -> None:
        """Take what comes with a known key for something new."""
        self._done.clear()

    def taken(self) -> int:
        """Return how much was taken in all, less what went back."""
        return sum(payment.captured_minor - payment.refunded_minor for payment in self.payments.values())

    def _payment(self, remote_id: str) -> RemotePayment:
        if remote_id not in self.payments:
            raise NoSuchObject("no such payment")
        return self.payments[remote_id]

    def _refund(self, remote_id: str) -> RemoteRefund:
        if remote_id not in self.refunds:
            raise NoSuchObject("no such refund")
        return self.refunds[remote_id]

    async def _call(self, name: str, key: str | None, effect: Callable[[], Any]) -> Any:
        self.calls.append((name, key or ""))
        await asyncio.sleep(0)
        await self.step(name, "before")
        if key is None:
            answer = effect()
        elif key in self._done:
            known = self._done[key]
            answer = self.refunds[known] if known in self.refunds else self.payments[known]
        else:
            answer = effect()
            self._done[key] = answer.id
        await asyncio.sleep(0)
        await self.step(name, "after")
        return answer
