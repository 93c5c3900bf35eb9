"""The pages between the details and the appointment that is paid: where to pay, and how that stands.

The page that a client comes back to decides nothing: it asks the till, and shows what has become of the booking.
Anybody who has its address sees how it stands. Where to pay, and the token of the appointment, see only those who have
given the details: their browser keeps the token in a cookie, for this booking only.
"""

from dataclasses import replace
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from holdfast.availability.snapshots import Snapshot
from holdfast.booking import bookings
from holdfast.booking.admission import CommitAnswer
from holdfast.booking.bookings import Booking
from holdfast.booking.calls import base_url_of
from holdfast.booking.errors import NotChangeable, PaymentsUnavailable, ReservationNotFoundOrExpired
from holdfast.booking.giving_back import left_to_send
from holdfast.booking.pages.opening import PROBLEMS, Call, desk_of, open_page
from holdfast.booking.pages.rendering import PAYING, Page, render
from holdfast.booking.pages.what import what_of
from holdfast.booking.prepayment import Payable, open_payment
from holdfast.booking.states import BookingState
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import LANGUAGES

_PATHS = ["/booking/slot/paid/{reservation_id:str}", "/{business:str}/booking/slot/paid/{reservation_id:str}"]
_FORM = "/{business:str}/booking/slot/paid/{reservation_id:str}/form"
_COOKIE = "holdfast-booking"
# As long as a place can wait, and to come back to later that day.
_COOKIE_SECONDS = 2 * 86_400
# So often a page that waits is looked at again; by a header, since that needs no script and moves no focus by itself.
_REFRESH_SECONDS = 5

# Of a payment that nothing will come of any more.
_OVER = frozenset({"cancelled", "failed"})
_ENDED_BY_SOMEBODY = frozenset({BookingState.CANCELLED, BookingState.REFUNDED})


@get(_PATHS, exception_handlers=PROBLEMS)
async def paid(request: Call, reservation_id: FromPath[str]) -> Response[Any]:
    """Show how a booking stands that its client has paid for, or is to pay for."""
    page, snapshot, booking = await _opened(request, reservation_id)
    if booking.status is BookingState.HELD:
        return Redirect(page.link(f"/booking/slot/held/{booking.id}"), status_code=303)
    desk = desk_of(request)
    payable = None if desk.till is None else await desk.till.look(snapshot.business.id, booking.id)
    # Looking may have confirmed it.
    booking = await _read(request, snapshot, booking.id)
    token = _token_of(request, snapshot, booking)
    return await _shown(request, page, snapshot, booking, payable, token)


@post("/{business:str}/booking/slot/paid/{reservation_id:str}", status_code=200, exception_handlers=PROBLEMS)
async def pay(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[Any]:  # noqa: ARG001
    """Lead on to where a booking is paid: another attempt, after one that has failed; and never a second charge."""
    page, snapshot, booking = await _opened(request, reservation_id)
    desk, payable = desk_of(request), None
    if _token_of(request, snapshot, booking) is not None and desk.till is not None:
        try:
            payable = await desk.till.open(snapshot.business.id, booking.id, base_url=base_url_of(request))
        except (NotChangeable, PaymentsUnavailable):
            # What has become of it is told by the page that it leads to.
            payable = None
    return lead_on(page, booking.id, payable)


@get(_FORM, exception_handlers=PROBLEMS)
async def form(request: Call, business: FromPath[str], reservation_id: FromPath[str]) -> Response[Any]:  # noqa: ARG001
    """Show the form of a provider that has none of its own: what is typed there is told to the provider alone."""
    page, snapshot, booking = await _opened(request, reservation_id)
    desk = desk_of(request)
    payable = None
    if _token_of(request, snapshot, booking) is not None and desk.till is not None:
        payable = await desk.till.look(snapshot.business.id, booking.id)
    if payable is None or payable.client_secret is None:
        return Redirect(page.link(f"/booking/slot/paid/{booking.id}"), status_code=303)
    what = await _what(request, snapshot, booking)
    return render(page, "paying.html", policy=PAYING, booking=booking, payable=payable, **what)


handlers: list[HTTPRouteHandler] = [paid, pay, form]


async def committed(request: Call, page: Page, snapshot: Snapshot, answer: CommitAnswer) -> Response[Any]:
    """Lead whoever has given their details on to where they pay; their browser keeps the token of the booking."""
    desk = desk_of(request)
    try:
        payable = await open_payment(desk.till, snapshot.business.id, answer, base_url_of(request))
    except NotChangeable:
        payable = None
    response = lead_on(page, answer.id, payable)
    token = desk.tokens.of_nonce(snapshot.business.id, answer.id, answer.nonce)
    if token is not None:
        response.headers["Set-Cookie"] = booking_cookie(request, page, answer.id, token)
    return response


def lead_on(page: Page, booking_id: UUID, payable: Payable | None) -> Response[Any]:
    """Return the way to the provider's page, or to ours with its form, or else to how the booking stands."""
    if payable is not None and payable.confirmation_url is not None:
        return Redirect(payable.confirmation_url, status_code=303)
    has_form = payable is not None and payable.client_secret is not None
    path = f"/booking/slot/paid/{booking_id}" + ("/form" if has_form else "")
    return Redirect(page.link(path), status_code=303)


async def _opened(request: Call, text: str) -> tuple[Page, Snapshot, Booking]:
    business = request.path_params.get("business") or request.query_params.get("business")
    page, snapshot = await open_page(request, business)
    booking = await _read(request, snapshot, uuid_or_none(text))
    # A provider brings clients back to one address, whatever language they had chosen.
    choices, language = dict(page.choices), (booking.locale or "")[:2]
    if "lang" not in choices and language in LANGUAGES:
        page = replace(page, language=language)
    if "tz" not in choices and booking.timezone is not None:
        page = replace(page, zone=booking.timezone)
    return page, snapshot, booking


async def _read(request: Call, snapshot: Snapshot, booking_id: UUID | None) -> Booking:
    if booking_id is None:
        raise ReservationNotFoundOrExpired
    async with desk_of(request).database.transaction(snapshot.business.id) as tx:
        return await bookings.read_reservation(tx, booking_id)


async def _shown(
    request: Call, page: Page, snapshot: Snapshot, booking: Booking, payable: Payable | None, token: str | None
) -> Response[Any]:
    what = await _what(request, snapshot, booking) | {"booking": booking, "payable": payable}
    if booking.status in {BookingState.CONFIRMED, BookingState.COMPLETED, BookingState.NO_SHOW}:
        async with desk_of(request).database.transaction(snapshot.business.id) as tx:
            back = await bookings.back_if_cancelled(tx, booking)
        return render(page, "confirmed.html", token=token, back=back, **what)
    # The window is over by the clock, whether or not the sweeper has come by.
    waits = booking.status is BookingState.PENDING_PAYMENT
    if not waits or (booking.expires_at is not None and booking.expires_at <= booking.now):
        left = 0
        # What the provider has refused to send is left as well, and told apart.
        if booking.status in _ENDED_BY_SOMEBODY and not (payable and payable.owed_minor):
            async with desk_of(request).database.transaction(snapshot.business.id) as tx:
                left = await left_to_send(tx, booking)
        status = 410 if booking.status in {BookingState.EXPIRED, BookingState.RELEASED} else 200
        answer = render(page, "unpaid.html", status, left_minor=left, **what)
        looks_again = waits or left > 0
    else:
        is_over = payable is not None and payable.status in _OVER
        answer = render(page, "awaiting.html", is_over=is_over, may_pay=token is not None, **what)
        looks_again = not is_over
    if looks_again:
        answer.headers["Refresh"] = str(_REFRESH_SECONDS)
    return answer


async def _what(request: Call, snapshot: Snapshot, booking: Booking) -> dict[str, Any]:
    """Return what was booked."""
    async with desk_of(request).database.transaction(snapshot.business.id) as tx:
        return (await what_of(tx, snapshot, booking)).values()


def _token_of(request: Call, snapshot: Snapshot, booking: Booking) -> str | None:
    """Return the token of a booking if the browser that asks has it."""
    token = request.cookies.get(_COOKIE)
    proven = desk_of(request).tokens.proves(token, snapshot.business.id, booking.id, booking.token_nonce)
    return token if proven else None


def booking_cookie(request: Call, page: Page, booking_id: UUID, token: str) -> str:
    """Return the header by which a browser keeps the token of a booking for the page on which it is paid."""
    assert page.business is not None, "what was booked was booked with somebody"
    path = f"/{page.business.slug}/booking/slot/paid/{booking_id}"
    # Brought along from the page of a provider, which leads back by a link, and by nobody's form.
    secure = "; Secure" if request.app.state.entrance.cookies.is_https(request) else ""
    return f"{_COOKIE}={token}; Path={path}; Max-Age={_COOKIE_SECONDS}; HttpOnly; SameSite=Lax{secure}"
