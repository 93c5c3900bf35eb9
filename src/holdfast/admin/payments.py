"""Payments: listed, summed up, and one with everything that has become of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.bookings_words import names_in, why
from holdfast.admin.frame import PROBLEMS, AdminPage, Call, Entry, checked, database_of, go, page_in, read_form, render
from holdfast.admin.payments_words import CAUSES, PAYMENT_STATES, PROVIDERS, REFUND_STATES
from holdfast.availability.walltime import day_bounds
from holdfast.booking import bookings
from holdfast.booking.admission import instant
from holdfast.booking.bookings import Booking, keyed
from holdfast.booking.views import Reason
from holdfast.catalog.prices import minor_of, text_of
from holdfast.identity.calls import id_named
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound, UserError, ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.kernel.languages import N_
from holdfast.kernel.lists import date_in, page_of, place_of, word_in
from holdfast.payments.balances import balances
from holdfast.payments.errors import RefundExceedsPayment
from holdfast.payments.port import ProviderName
from holdfast.payments.refunds import find_refund
from holdfast.payments.staff_views import PaymentCard, give_back_some, list_payments, read_payment, retry_refused
from holdfast.payments.states import PaymentState, RefundState

PATH = "/admin/payments"
ENTRY = Entry(PATH, N_("Payments"), "day", Permission.READ_PAYMENTS, order=40)

_READS, _REFUNDS = [Needs(Permission.READ_PAYMENTS)], [Needs(Permission.REFUND_PAYMENTS)]
_LIMIT = 50
_FIELDS = ("status", "provider", "from", "to", "cursor")
_NOTICES = {
    "given": N_("It will be given back. The provider is asked within seconds; the list of refunds tells how it goes."),
    "retried": N_("The provider is asked again within seconds."),
}
_NO_AMOUNT = N_("Write an amount like 1500 or 1500.50")
_TOO_MUCH = N_("At most %(amount)s is left to give back")


class _Why(msgspec.Struct, kw_only=True):
    """Why money is given back."""

    reason: Reason | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """A line of the list: a payment, and what it is for."""

    payment: PaymentCard
    booking: Booking | None
    what: str


@get(PATH, guards=_READS, exception_handlers=PROBLEMS)
async def admin_payments(request: Call) -> Response[Any]:
    """Show payments, newest first, and where the money of the same time is."""
    asked = {name: request.query_params.get(name) or "" for name in _FIELDS}
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        zone = page.business.timezone
        first, last = date_in(asked["from"], "from"), date_in(asked["to"], "to")
        since = None if first is None else instant(day_bounds(first, zone)[0])
        until = None if last is None else instant(day_bounds(last, zone)[1])
        status = word_in(asked["status"], "status", PaymentState)
        after, after_id = place_of(asked["cursor"] or None)
        found = await list_payments(
            tx,
            states=None if status is None else [status],
            provider=word_in(asked["provider"], "provider", ProviderName),
            since=since,
            until=until,
            after=after,
            after_id=after_id,
            limit=_LIMIT + 1,
        )
        found, cursor = page_of(found, _LIMIT, lambda payment: (payment.created_at, payment.id))
        shown = await _shown(tx, found)
        sums = await balances(tx, since=since, until=until)
    return render(
        page,
        "payments.html",
        request=request,
        typed=asked,
        shown=shown,
        sums=sums,
        following=cursor and f"{PATH}?{urlencode({**asked, 'cursor': cursor})}",
        states=PAYMENT_STATES,
        providers=PROVIDERS,
        is_filtered=any(asked.values()),
    )


@get(PATH + "/{payment_id:str}", guards=_READS, exception_handlers=PROBLEMS)
async def admin_payment(request: Call, payment_id: FromPath[str]) -> Response[Any]:
    """Show one payment, what has gone back of it, and what its provider has told."""
    return await _one(request, id_named(payment_id))


@post(PATH + "/{payment_id:str}/refunds", status_code=200, guards=_REFUNDS, exception_handlers=PROBLEMS)
async def admin_payment_give_back(request: Call, payment_id: FromPath[str]) -> Response[Any]:
    """Give back some of a payment of goodwill."""
    form = await read_form(request)
    wanted, staff = id_named(payment_id), staff_of(request)
    typed = form.as_typed()
    text = form.line("amount").replace(" ", "").replace("\u00a0", "").replace(",", ".")

    async def work(tx: Transaction) -> None:
        payment = await read_payment(tx, wanted)
        reason = checked(_Why, {"reason": form.line("reason")}).reason
        try:
            amount = minor_of(text, payment.captured_currency)
        except ValueError:
            raise ValidationFailed.at("amount", _NO_AMOUNT) from None
        if amount <= 0:
            raise ValidationFailed.at("amount", _NO_AMOUNT)
        # A form that is sent twice gives back once.
        key = keyed(form.line("key")[:64] or None, f"goodwill {wanted}", str(amount).encode())
        await give_back_some(tx, wanted, amount, key, staff.actor, reason)

    try:
        await database_of(request).run(staff.business_id, work)
    except NotFound:
        raise
    except UserError as error:
        return await _one(request, wanted, typed, error)
    return go(f"{PATH}/{wanted}", done="given")


@post("/admin/refunds/{refund_id:str}/retry", status_code=200, guards=_REFUNDS, exception_handlers=PROBLEMS)
async def admin_refund_retry(request: Call, refund_id: FromPath[str]) -> Response[Any]:
    """Try a refund again that the provider has refused."""
    wanted, staff = id_named(refund_id), staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        payment_id = (await find_refund(tx, wanted)).payment_id
    try:
        await database_of(request).run(staff.business_id, lambda tx: retry_refused(tx, wanted, staff.actor))
    except UserError as error:
        return await _one(request, payment_id, {}, error)
    return go(f"{PATH}/{payment_id}", done="retried")


handlers: list[HTTPRouteHandler] = [admin_payments, admin_payment, admin_payment_give_back, admin_refund_retry]


async def _shown(tx: Transaction, found: list[PaymentCard]) -> list[Shown]:
    booked = await bookings.find_all(tx, list({payment.booking_id for payment in found}))
    names = await names_in(tx, (booking.schedule_id for booking in booked))
    by_id = {booking.id: booking for booking in booked}
    return [
        Shown(payment, by_id.get(payment.booking_id), names.what(by_id[payment.booking_id]))
        for payment in found
        if payment.booking_id in by_id
    ]


async def _one(
    request: Call, payment_id: UUID, typed: Mapping[str, str] | None = None, error: UserError | None = None
) -> Response[Any]:
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        payment = await read_payment(tx, payment_id)
        [shown] = await _shown(tx, [payment])
    left = max(payment.captured_minor - payment.refunded_minor - payment.returning_minor, 0)
    return render(
        page,
        "payments_one.html",
        200 if error is None else error.status,
        request=request,
        notices=_NOTICES,
        payment=payment,
        booking=shown.booking,
        what=shown.what,
        left=left,
        left_text=text_of(left, payment.captured_currency),
        typed={"amount": "", "reason": "", **(typed or {})},
        opened=typed is not None,
        key=new_id(),
        slip=None if error is None or isinstance(error, (ValidationFailed, RefundExceedsPayment)) else why(page, error),
        wrong=_wrong(page, error, payment.captured_currency),
        state=PAYMENT_STATES[payment.status],
        refund_states=REFUND_STATES,
        refused=RefundState.REFUSED,
        causes=CAUSES,
        provider=PROVIDERS[payment.provider],
        may_refund=page.may(Permission.REFUND_PAYMENTS),
    )


def _wrong(page: AdminPage, error: UserError | None, currency: str) -> dict[str, str]:
    if isinstance(error, RefundExceedsPayment):
        return {"amount": page.text(_TOO_MUCH, amount=page.wording.price(error.details["leftMinor"], currency))}
    return {"amount": why(page, error)} if isinstance(error, ValidationFailed) else {}
