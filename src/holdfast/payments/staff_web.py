"""What staff see and do about money: payments with their refunds, goodwill, refusals tried again, balances (P-6)."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking.calls import Call, id_in, instant_in, key_of
from holdfast.booking.views import KeyedBody, Reason
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import number_in, page_of, place_of, word_in
from holdfast.payments.balances import balances
from holdfast.payments.port import ProviderName
from holdfast.payments.staff_views import (
    PaymentCard,
    PaymentView,
    RefundView,
    give_back_some,
    list_payments,
    read_payment,
    retry_refused,
)
from holdfast.payments.states import PaymentState

_MAX_LIMIT = 500
_READ, _REFUND = [Needs(Permission.READ_PAYMENTS)], [Needs(Permission.REFUND_PAYMENTS)]

Minor = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000_000)]


class PaymentsView(msgspec.Struct, rename="camel"):
    """A page of payments, newest first; `nextCursor` leads to the next one."""

    payments: list[PaymentCard]
    next_cursor: str | None


class BalanceView(msgspec.Struct, rename="camel", kw_only=True):
    """Money in one currency: captured = refunded + returning + earned + fee + inbox.

    `earnedMinor` is what bookings are paid with that take place, less goodwill; `inboxMinor` waits for a decision;
    `authorizedMinor` is only set aside, and not in the sum. Play money is told apart by `isTest`.
    """

    currency: str
    is_test: bool
    captured_minor: int
    refunded_minor: int
    returning_minor: int
    earned_minor: int
    fee_minor: int
    inbox_minor: int
    authorized_minor: int


class BalancesView(msgspec.Struct):
    """Where the money of a time is; a time in which there was none has no balances."""

    balances: list[BalanceView]


class GoodwillBody(KeyedBody, kw_only=True):
    """How much of a payment goes back though its booking stays; why is for the log."""

    amount_minor: Minor
    reason: Reason | None = None


@get(
    "/api/admin/payments",
    guards=_READ,
    opt=documented(
        query=("status", "bookingId", "provider", "from", "to", "cursor", "limit"),
        answers=PaymentsView,
        security="StaffKey",
    ),
)
async def payments(request: Call) -> Response[bytes]:
    """Return payments of the business that were begun in a time, newest first.

    `from` and `to` (exclusive) are instants, or local dates of the business. `status` is one or several, with commas
    between.
    """
    asked = request.query_params
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    since, until = await _time_in(request)
    after, after_id = place_of(asked.get("cursor") or None)
    wanted = {
        "booking_id": id_in(asked.get("bookingId"), "bookingId"),
        "states": _states_in(asked.get("status")),
        "provider": word_in(asked.get("provider"), "provider", ProviderName),
        "since": since,
        "until": until,
        "after": after,
        "after_id": after_id,
        "limit": limit + 1,
    }
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        found = await list_payments(tx, **wanted)
    return json_response(PaymentsView(*page_of(found, limit, lambda payment: (payment.created_at, payment.id))))


@get(
    "/api/admin/payments/summary",
    guards=_READ,
    opt=documented(query=("from", "to"), answers=BalancesView, security="StaffKey"),
)
async def summary(request: Call) -> Response[bytes]:
    """Return by currency what was captured in a time, and where that money is now.

    `from` and `to` (exclusive) are instants, or local dates of the business.
    """
    since, until = await _time_in(request)
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        found = await balances(tx, since=since, until=until)
    return json_response(BalancesView([msgspec.convert(each, BalanceView, from_attributes=True) for each in found]))


@get(
    "/api/admin/payments/{payment_id:str}",
    guards=_READ,
    opt=documented(answers=PaymentView, security="StaffKey"),
)
async def payment(request: Call, payment_id: FromPath[str]) -> Response[bytes]:
    """Return a payment with its refunds and what the provider has told."""
    wanted = _id(payment_id)
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        found = await read_payment(tx, wanted)
    return json_response(found)


@post(
    "/api/admin/payments/{payment_id:str}/refunds",
    guards=_REFUND,
    opt=documented(GoodwillBody, headers=("Idempotency-Key",), answers=RefundView, created=True, security="StaffKey"),
)
async def give_back(request: Call, payment_id: FromPath[str]) -> Response[bytes]:
    """Give back some of a payment of goodwill; its booking stays as it is.

    Never more than is left: 409 `refund_exceeds_payment` says in `details.leftMinor` how much that is. The provider is
    asked within seconds; what becomes of it is told by the payment.
    """
    data = decode(GoodwillBody, await request.body())
    wanted, staff = _id(payment_id), staff_of(request)
    key = key_of(request, data, f"goodwill {wanted}")

    async def work(tx: Transaction) -> RefundView:
        return await give_back_some(tx, wanted, data.amount_minor, key, staff.actor, data.reason)

    shown = await _database(request).run(staff.business_id, work)
    return json_response(shown, 200 if shown.replayed else 201)


@post(
    "/api/admin/refunds/{refund_id:str}/retry",
    guards=_REFUND,
    opt=documented(answers=RefundView, created=True, security="StaffKey"),
)
async def retry_refund(request: Call, refund_id: FromPath[str]) -> Response[bytes]:
    """Try a refund again that the provider has refused; it is another one, which the answer tells of."""
    wanted, staff = _id(refund_id), staff_of(request)

    async def work(tx: Transaction) -> RefundView:
        return await retry_refused(tx, wanted, staff.actor)

    return json_response(await _database(request).run(staff.business_id, work), 201)


handlers = [payments, summary, payment, give_back, retry_refund]


async def _time_in(request: Call) -> tuple[datetime | None, datetime | None]:
    """Return from when until when a call asks; raises ValidationFailed."""
    asked = request.query_params
    zone = (await request.app.state.tenancy.named(str(staff_of(request).business_id))).timezone
    since, until = instant_in(asked.get("from"), "from", zone), instant_in(asked.get("to"), "to", zone)
    if since is not None and until is not None and until <= since:
        raise ValidationFailed.at("to", "must be after from")
    return since, until


def _states_in(text: str | None) -> list[PaymentState] | None:
    if not text:
        return None
    found = [word_in(word, "status", PaymentState) for word in text.split(",")]
    return [state for state in found if state is not None]


def _database(request: Call) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]


def _id(text: str) -> UUID:
    found = uuid_or_none(text)
    if found is None:
        raise NotFound
    return found
