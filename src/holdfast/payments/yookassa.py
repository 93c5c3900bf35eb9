"""YooKassa as a payment provider, over its REST API v3 (https://yookassa.ru/developers/api).

What a card or another means of paying tells of a person stays there: `payment_method` is never read.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeVar
from uuid import UUID

import msgspec

from holdfast.catalog.prices import minor_of, text_of
from holdfast.payments.port import (
    AccountFacts,
    Money,
    Names,
    NoSuchObject,
    RefundWish,
    Refused,
    RemotePayment,
    RemoteRefund,
    Unknown,
    Wish,
)
from holdfast.payments.states import PaymentState, RefundState
from holdfast.payments.yookassa_api import Query, YooKassaApi, is_id, read, word_of

T = TypeVar("T")

_PAYMENT_STATES: Final = {
    "pending": PaymentState.PENDING,
    "waiting_for_capture": PaymentState.AUTHORIZED,
    "succeeded": PaymentState.SUCCEEDED,
    "canceled": PaymentState.CANCELLED,
}
_REFUND_STATES: Final = {
    "pending": RefundState.PENDING,
    "succeeded": RefundState.SUCCEEDED,
    "canceled": RefundState.REFUSED,
}
# They show their pages in these.
_LOCALES: Final = {"ru": "ru_RU", "en": "en_US"}
_DESCRIPTION_CHARACTERS: Final = 128
_PAGE_SIZE: Final = 100
# Rather nothing than half of a list: whoever does not find a payment makes another.
_MOST_PAGES: Final = 1_000
# Their clock may be behind ours.
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_KEYS_ARE_KEPT: Final = timedelta(hours=24)
# A key that has come with another request before.
_KEY_IS_TAKEN: Final = "invalid_request_idempotence_key"


class YooKassa:
    """One shop at YooKassa: a `payments.port.Provider`."""

    def __init__(self, base_url: str, shop_id: str, secret: str) -> None:
        self._api = YooKassaApi(base_url, shop_id, secret)

    async def close(self) -> None:
        """Let go of connections."""
        await self._api.close()

    async def facts(self) -> AccountFacts:
        """Return the shop's id, and whether it is one for tests."""
        me = await self._api.get(_Me, "me")
        return AccountFacts(me.account_id, me.test)

    async def create(self, wish: Wish) -> RemotePayment:
        """Make a payment in two steps: the money is set aside until we capture it.

        The payment that the key has made is returned also when the wish has come in other words since.
        """
        confirmation = {"type": "redirect", "return_url": wish.return_url}
        if wish.locale in _LOCALES:
            confirmation["locale"] = _LOCALES[wish.locale]
        body = {
            "amount": _amount(wish.amount),
            "capture": False,
            "confirmation": confirmation,
            "description": wish.description[:_DESCRIPTION_CHARACTERS],
            "metadata": {name: str(getattr(wish.names, name)) for name in _Names.__struct_fields__},
        }
        try:
            return _payment(await self._api.post(_Payment, "payments", key=wish.key, body=body))
        except Refused as refused:
            made = (
                await self.find(wish, datetime.now(UTC) - _KEYS_ARE_KEPT) if refused.reason == _KEY_IS_TAKEN else None
            )
            if made is None:
                raise
            return made

    async def read(self, remote_id: str) -> RemotePayment:
        """Return a payment as it is now."""
        return _payment(await self._api.get(_Payment, "payments", _known(remote_id)))

    async def find(self, wish: Wish, since: datetime) -> RemotePayment | None:
        """Return the payment that carries the names of a wish, by looking through all since an hour before that time.

        One of which money may come goes before one that was cancelled. Raises Unknown when there are more than 100,000.
        """
        cancelled = None
        async with aclosing(self.payments_since(since - _CLOCKS_DIFFER)) as payments:
            async for payment in payments:
                if payment.names == wish.names:
                    if payment.state is not PaymentState.CANCELLED:
                        return payment
                    cancelled = payment
        return cancelled

    async def capture(self, remote_id: str, key: str, amount: Money) -> RemotePayment:
        """Take the money; a payment of which it was taken before is returned as it is."""
        return await self._ended(remote_id, "capture", key, {"amount": _amount(amount)}, PaymentState.SUCCEEDED)

    async def cancel(self, remote_id: str, key: str) -> RemotePayment:
        """Let go of money that was set aside; a payment that was cancelled before is returned as it is.

        Raises Refused for one that waits for the client: they end it by themselves.
        """
        return await self._ended(remote_id, "cancel", key, {}, PaymentState.CANCELLED)

    async def refund(self, wish: RefundWish) -> RemoteRefund:
        """Give money back."""
        body = {
            "payment_id": _known(wish.remote_payment_id),
            "amount": _amount(wish.amount),
            "metadata": {"refund_id": str(wish.refund_id)},
        }
        return _refund(await self._api.post(_Refund, "refunds", key=wish.key, body=body))

    async def read_refund(self, remote_id: str) -> RemoteRefund:
        """Return a refund as it is now."""
        return _refund(await self._api.get(_Refund, "refunds", _known(remote_id)))

    async def refunds_of(self, remote_payment_id: str) -> list[RemoteRefund]:
        """Return all refunds of a payment."""
        query = {"payment_id": _known(remote_payment_id)}
        found = [_refund(read(raw, _Refund)) async for raw in self._listed("refunds", query)]
        if not found:
            # The list of a payment that is not there is as empty as that of one without refunds.
            await self.read(remote_payment_id)
        return found

    async def payments_since(self, since: datetime) -> AsyncGenerator[RemotePayment, None]:
        """Yield the payments of the shop that were made since then, also those that others have made there."""
        async for raw in self._listed("payments", _made_since(since)):
            try:
                yield _payment(read(raw, _Payment))
            except Unknown:
                if _is_ours(raw, "payment_id"):
                    raise

    async def refunds_since(self, since: datetime) -> AsyncGenerator[RemoteRefund, None]:
        """Yield the refunds of the shop that were made since then, also those that others have made there."""
        async for raw in self._listed("refunds", _made_since(since)):
            try:
                yield _refund(read(raw, _Refund))
            except Unknown:
                if _is_ours(raw, "refund_id"):
                    raise

    async def _ended(self, remote_id: str, how: str, key: str, body: Any, state: PaymentState) -> RemotePayment:
        """Return a payment in the state that was asked for, whoever has brought it there."""
        try:
            return _payment(await self._api.post(_Payment, "payments", _known(remote_id), how, key=key, body=body))
        except Refused:
            payment = await self.read(remote_id)
            if payment.state is not state:
                raise
            return payment

    async def _listed(self, what: str, query: Query) -> AsyncIterator[msgspec.Raw]:
        """Yield the objects of a list, the newest first. Raises Unknown for one that does not end."""
        asked, cursors = {**query, "limit": _PAGE_SIZE}, set[str]()
        for _ in range(_MOST_PAGES):
            page = await self._api.get(_Page, what, query=asked)
            for item in page.items:
                yield item
            if page.next_cursor is None:
                return
            if page.next_cursor in cursors:
                break
            cursors.add(page.next_cursor)
            asked["cursor"] = page.next_cursor
        raise Unknown("a list that does not end")


class _Amount(msgspec.Struct):
    value: str
    currency: Annotated[str, msgspec.Meta(pattern=r"^[A-Z]{3}\Z")]


class _Confirmation(msgspec.Struct):
    confirmation_url: str | None = None


class _Recipient(msgspec.Struct):
    account_id: str | None = None


class _Cancellation(msgspec.Struct):
    reason: str = ""


_Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class _Payment(msgspec.Struct):
    id: str
    status: str
    paid: bool
    amount: _Amount
    test: bool
    created_at: _Instant
    refunded_amount: _Amount | None = None
    recipient: _Recipient | None = None
    confirmation: _Confirmation | None = None
    cancellation_details: _Cancellation | None = None
    metadata: Any = None


class _Refund(msgspec.Struct):
    id: str
    payment_id: str
    status: str
    amount: _Amount
    created_at: _Instant
    cancellation_details: _Cancellation | None = None
    metadata: Any = None


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    next_cursor: str | None = None


class _Me(msgspec.Struct):
    account_id: str
    test: bool


class _Names(msgspec.Struct):
    business_id: UUID
    booking_id: UUID
    payment_id: UUID


class _RefundNames(msgspec.Struct):
    refund_id: UUID


class _Marked(msgspec.Struct):
    metadata: Any = None


def _known(remote_id: str) -> str:
    """Return an id; raises NoSuchObject for what is none, of which nobody needs to be asked."""
    if not is_id(remote_id):
        raise NoSuchObject("no id of YooKassa's")
    return remote_id


def _made_since(since: datetime) -> Query:
    """Return the filter of a list."""
    return {"created_at.gte": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{since.microsecond // 1_000:03}Z"}


def _amount(money: Money) -> dict[str, str]:
    return {"value": text_of(money.minor, money.currency), "currency": money.currency}


def _money(amount: _Amount) -> Money:
    try:
        return Money(minor_of(amount.value, amount.currency), amount.currency)
    except ValueError:
        raise Unknown("an amount that cannot be read") from None


def _payment(told: _Payment) -> RemotePayment:
    """Return a payment. Raises Unknown for one that contradicts itself: it is believed neither way."""
    state, amount = _PAYMENT_STATES.get(told.status), _money(told.amount)
    if state is None or not is_id(told.id):
        raise Unknown("a payment that cannot be read")
    if state in {PaymentState.AUTHORIZED, PaymentState.SUCCEEDED} and not told.paid:
        raise Unknown("a payment that is paid and is not")
    refunded = Money(0, amount.currency) if told.refunded_amount is None else _money(told.refunded_amount)
    if refunded.currency != amount.currency:
        raise Unknown("a payment in two currencies")
    names = _converted(told.metadata, _Names)
    return RemotePayment(
        id=told.id,
        state=state,
        amount=amount,
        # Of a payment that was captured in part it is the amount that has changed.
        captured_minor=amount.minor if state is PaymentState.SUCCEEDED else 0,
        refunded_minor=refunded.minor,
        is_test=told.test,
        account=None if told.recipient is None else told.recipient.account_id,
        names=None if names is None else Names(names.business_id, names.booking_id, names.payment_id),
        confirmation_url=_page_of(told.confirmation),
        reason=_reason(told.cancellation_details),
        created_at=told.created_at,
    )


def _refund(told: _Refund) -> RemoteRefund:
    """Return a refund. Raises Unknown for one that cannot be read."""
    state, names = _REFUND_STATES.get(told.status), _converted(told.metadata, _RefundNames)
    if state is None or not is_id(told.id) or not is_id(told.payment_id):
        raise Unknown("a refund that cannot be read")
    return RemoteRefund(
        id=told.id,
        remote_payment_id=told.payment_id,
        state=state,
        amount=_money(told.amount),
        refund_id=None if names is None else names.refund_id,
        reason=_reason(told.cancellation_details),
        created_at=told.created_at,
    )


def _page_of(confirmation: _Confirmation | None) -> str | None:
    """Return where the client pays: an address that a browser may be sent to, or none."""
    url = None if confirmation is None else confirmation.confirmation_url
    return url if url is not None and url.startswith(("https://", "http://")) else None


def _reason(details: _Cancellation | None) -> str | None:
    return None if details is None else word_of(details.reason)


def _converted(metadata: Any, names: type[T]) -> T | None:
    """Return the names in an object, None when they are not ours."""
    try:
        return msgspec.convert(metadata, names)
    except msgspec.ValidationError:
        return None


def _is_ours(raw: msgspec.Raw, name: str) -> bool:
    """Return whether an object that cannot be read may be one that we have made."""
    try:
        metadata = msgspec.json.decode(raw, type=_Marked).metadata
    except (msgspec.DecodeError, UnicodeDecodeError):
        return True
    return isinstance(metadata, dict) and name in metadata
