"""What staff see and do about money: payments with their refunds, goodwill, refusals tried again, balances (P-6)."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath

from holdfast.booking.bookings import find_answer, keep_answer
from holdfast.booking.calls import Call, id_in, instant_in, key_of
from holdfast.booking.views import KeyedBody, Reason
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.audit import record
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import NotFound, ValidationFailed
from holdfast.kernel.http import decode, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import number_in, page_of, place_of, word_in
from holdfast.kernel.sql import load
from holdfast.payments.balances import balances
from holdfast.payments.ledger import find_payment, lock_booked
from holdfast.payments.port import ProviderName
from holdfast.payments.refunds import Refund, give_goodwill
from holdfast.payments.refunds import retry as try_again
from holdfast.payments.states import Cause, PaymentState, RefundState

_SQL = load(__package__, "staff.sql")

_MAX_LIMIT = 500
_READ, _REFUND = [Needs(Permission.READ_PAYMENTS)], [Needs(Permission.REFUND_PAYMENTS)]

Minor = Annotated[int, msgspec.Meta(ge=1, le=1_000_000_000_000)]


class PaymentCard(msgspec.Struct, rename="camel", kw_only=True):
    """An attempt to pay a booking, in minor units of `currency`.

    Where another currency was taken, it is `capturedCurrency`. `returningMinor` is on its way back; `feeMinor` is kept
    though the booking does not take place. `pays` says that the booking is confirmed by it, `mismatch` what of it is
    not as it was asked for. `nextAttemptAt` is null when nothing is open.
    """

    id: UUID
    booking_id: UUID
    attempt: int
    provider: ProviderName
    account_id: UUID | None
    is_test: bool
    status: PaymentState
    provider_payment_id: str | None
    amount_minor: int
    currency: str
    captured_minor: int
    captured_currency: str
    refunded_minor: int
    returning_minor: int
    fee_minor: int
    pays: bool
    mismatch: str | None
    reason: str | None
    error_code: str | None
    created_at: datetime
    captured_at: datetime | None
    checked_at: datetime | None
    next_attempt_at: datetime | None


class RefundView(msgspec.Struct, rename="camel", kw_only=True):
    """Money that goes back, or was to: `reason` and `errorCode` say why it was refused, or has not gone yet."""

    id: UUID
    payment_id: UUID
    number: int
    cause: Cause
    status: RefundState
    amount_minor: int
    currency: str
    provider_refund_id: str | None
    reason: str | None
    error_code: str | None
    created_at: datetime
    next_attempt_at: datetime | None
    replayed: bool = False


class EventView(msgspec.Struct, rename="camel", kw_only=True):
    """What the provider has told of a payment or its refunds; `outcome` is what became of it."""

    id: UUID
    type: str
    received_at: datetime
    times_heard: int
    processed_at: datetime | None
    outcome: str | None
    error_code: str | None


class PaymentView(PaymentCard, kw_only=True):
    """A payment with its refunds, the first one first, and what the provider has told."""

    refunds: list[RefundView]
    events: list[EventView]


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
        found = await _listed(tx, **wanted)
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
        about = {"business_id": tx.business_id, "payment_id": wanted}
        found = await _listed(tx, id=wanted)
        if not found:
            raise NotFound
        refunds = await tx.all(RefundView, _SQL["refunds_listed"], about | {"id": None})
        events = await tx.all(EventView, _SQL["events_listed"], about)
    return json_response(PaymentView(**msgspec.structs.asdict(found[0]), refunds=refunds, events=events))


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
        # Locked before the key is looked for, so that of two with one key the second finds what the first was told.
        booked = await lock_booked(tx, (await find_payment(tx, wanted)).booking_id)
        answered = await find_answer(tx, key)
        if answered is not None:
            return msgspec.convert({**answered, "replayed": True}, RefundView)
        shown = await _shown(tx, await give_goodwill(tx, wanted, data.amount_minor))
        await keep_answer(tx, key, booked.id, shown)
        amount = f"{shown.amount_minor} {shown.currency}"
        await record(tx, "refund", shown.id, "give_back", staff.actor, after=amount, reason=data.reason)
        return shown

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
        shown = await _shown(tx, await try_again(tx, wanted))
        await record(tx, "refund", shown.id, "retry", staff.actor, before=wanted, after=shown.status)
        return shown

    return json_response(await _database(request).run(staff.business_id, work), 201)


handlers = [payments, summary, payment, give_back, retry_refund]


async def _listed(tx: Transaction, **wanted: Any) -> list[PaymentCard]:
    values = dict.fromkeys(
        ("id", "booking_id", "states", "provider", "since", "until", "after", "after_id", "limit"), None
    )
    return await tx.all(PaymentCard, _SQL["payments_listed"], {"business_id": tx.business_id, **values, **wanted})


async def _shown(tx: Transaction, refund: Refund) -> RefundView:
    values = {"business_id": tx.business_id, "payment_id": None, "id": refund.id}
    [shown] = await tx.all(RefundView, _SQL["refunds_listed"], values)
    return shown


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
