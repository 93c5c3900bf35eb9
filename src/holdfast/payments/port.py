"""The port to payment providers: all that Holdfast knows of one.

YooKassa and Stripe are adapters of it. An adapter speaks to the network and to nothing else: it gets what it needs to
know, returns values, and raises one of the errors below. Money is whole minor units with their currency (P-8).
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from holdfast.payments.states import PaymentState, RefundState


class ProviderName(StrEnum):
    """Who takes money for a business. A migration knows the same words."""

    YOOKASSA = "yookassa"
    STRIPE = "stripe"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in whole minor units of a currency of ISO 4217."""

    minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class Names:
    """What we write into an object of the provider, by which it is known again: nothing that tells of a person."""

    business_id: UUID
    booking_id: UUID
    payment_id: UUID


@dataclass(frozen=True, slots=True)
class Wish:
    """A payment as we want it made. The provider sets the money aside and waits for our capture, if it can."""

    key: str
    names: Names
    amount: Money
    # Shown to the client by the provider: the name of the business, and nothing that was confided.
    description: str
    # Where the provider sends the client back to; that they come back says nothing about the money.
    return_url: str
    locale: str | None = None


@dataclass(frozen=True, slots=True)
class RemotePayment:
    """A payment as the provider has it. What a provider does not tell is None.

    `state` is never `created` or `failed`. `captured` is what was taken, 0 before that; `refunded` what went back.
    """

    id: str
    state: PaymentState
    amount: Money
    captured_minor: int
    refunded_minor: int
    is_test: bool
    account: str | None = None
    names: Names | None = None
    # Where the client pays; or what a page of the provider's is opened with. Whoever has it can see the payment.
    confirmation_url: str | None = field(default=None, repr=False)
    client_secret: str | None = field(default=None, repr=False)
    # Why it was cancelled: the provider's word, in lower case with underscores.
    reason: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RefundWish:
    """A refund as we want it made."""

    key: str
    refund_id: UUID
    remote_payment_id: str
    amount: Money


@dataclass(frozen=True, slots=True)
class RemoteRefund:
    """A refund as the provider has it; `refund_id` is ours, None for one that we have not asked for."""

    id: str
    remote_payment_id: str
    state: RefundState
    amount: Money
    refund_id: UUID | None = None
    reason: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountFacts:
    """What a provider says of an account that we can prove ourselves for."""

    account: str
    is_test: bool


class ProviderError(Exception):
    """Something that a provider has said no to; the text holds nothing of what was sent, and no secret."""

    code = "provider_error"


class Unknown(ProviderError):
    """It does not answer, breaks off or fails: what was asked may have been done.

    Only the same call with the same key may follow, or a look at what has become of it.
    """

    code = "unknown"

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class Busy(Unknown):
    """It asks for patience and has done nothing."""

    code = "busy"


class Replayed(Unknown):
    """It gives the failure of an earlier call with this key once more, and will do so for as long as it knows the key.

    What was asked may have been done. A look at what has become of it follows, and then, if need be, another key.
    """

    code = "replayed"


class Refused(ProviderError):
    """It refuses what was asked; the same again would be refused again. `reason` is its word for it."""

    code = "refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Unauthorized(ProviderError):
    """It does not accept who we are: the owner has to see to the account."""

    code = "unauthorized"


class NoSuchObject(ProviderError):
    """It knows nothing under this id."""

    code = "no_such_object"


class Provider(Protocol):
    """One account at a provider. Every call may raise Unknown, Busy, Refused and Unauthorized.

    A call that changes something carries a key: with the same key it is the same call, for a day at least.
    """

    async def facts(self) -> AccountFacts:
        """Return whose account it is, as the provider says."""

    async def create(self, wish: Wish) -> RemotePayment:
        """Make a payment; the same one for the same key."""

    async def read(self, remote_id: str) -> RemotePayment:
        """Return a payment as it is now. Raises NoSuchObject."""

    async def find(self, wish: Wish, since: datetime) -> RemotePayment | None:
        """Return the payment that a wish has made since then, looked up by its names; None when it has made none.

        For a key that is too old to be repeated: one that was made is found, however the call had ended.
        """

    async def capture(self, remote_id: str, key: str, amount: Money) -> RemotePayment:
        """Take the money that was set aside; what was taken before stays as it is. Raises NoSuchObject."""

    async def cancel(self, remote_id: str, key: str) -> RemotePayment:
        """Give up a payment of which nothing was taken. Raises NoSuchObject; Refused where it cannot be yet."""

    async def refund(self, wish: RefundWish) -> RemoteRefund:
        """Give money back. Raises NoSuchObject."""

    async def read_refund(self, remote_id: str) -> RemoteRefund:
        """Return a refund as it is now. Raises NoSuchObject."""

    async def refunds_of(self, remote_payment_id: str) -> list[RemoteRefund]:
        """Return all refunds of a payment. Raises NoSuchObject."""

    def payments_since(self, since: datetime) -> AsyncIterator[RemotePayment]:
        """Yield the payments that were made at the account since then, in any order."""

    def refunds_since(self, since: datetime) -> AsyncIterator[RemoteRefund]:
        """Yield the refunds that were made at the account since then, in any order."""

    async def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What a provider has told us of: that something has become of an object, not what. The provider is asked that.

    `event_id` is the provider's; of one that has none, its type and object.
    """

    event_id: str
    type: str
    # A payment's or a refund's; with which it is told where the object is looked for.
    object_id: str
    is_refund: bool = False
    # The payment that a refund is of, where the notice tells it.
    remote_payment_id: str | None = None
