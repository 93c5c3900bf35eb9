"""Series over HTTP: reserved, read, committed, released and cancelled as one."""

from uuid import UUID

import psycopg
from litestar import Response, delete, get, post
from litestar.params import FromPath

from holdfast.booking import series, series_changes, views
from holdfast.booking.bookings import keyed
from holdfast.booking.calls import Call, desk_of, key_of, located, tenancy_of
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import ReservationNotFoundOrExpired, SeriesNotFound, UnknownService
from holdfast.booking.reservations import Wish
from holdfast.booking.series_views import (
    CancelledSeriesView,
    CommittedSeriesView,
    SeriesAppointmentView,
    SeriesBody,
    SeriesCancelBody,
    SeriesView,
    status_of,
)
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import AuthenticationRequired, TryLater, ValidationFailed
from holdfast.kernel.http import decode, epoch_seconds, json_response

_PATH = "/api/booking/series"


@post(
    _PATH,
    opt=documented(
        SeriesBody,
        headers=("Idempotency-Key",),
        answers=SeriesView,
        created=True,
        made="seriesId",
        refusals=views.PLACE_REFUSALS,
    ),
)
async def reserve_series(request: Call) -> Response[bytes]:
    """Hold all slots of a series, or with `partial` those that are free."""
    data = decode(SeriesBody, await request.body())
    business_id = await tenancy_of(request).of(data.service_id)
    if business_id is None:
        raise UnknownService
    if data.business_id not in (None, business_id):
        raise UnknownBusiness
    made = await series.reserve_series(desk_of(request), business_id, _wish(request, data))
    tenancy_of(request).remember(made.series_id, business_id)
    return json_response(made, 200 if made.replayed else 201)


@get(f"{_PATH}/{{series_id:str}}", opt=documented(query=("businessId",), answers=SeriesView))
async def read_series(request: Call, series_id: FromPath[str]) -> Response[bytes]:
    """Return a series in any state, without personal data."""
    found, business_id = await _located(request, series_id)
    async with desk_of(request).database.transaction(business_id) as tx:
        bookings = await series_changes.bookings_of(tx, found)
    return json_response(SeriesView.of(found, bookings))


@post(
    f"{_PATH}/{{series_id:str}}/commit",
    opt=documented(views.GuestBody, answers=CommittedSeriesView, created=True, made="seriesId"),
)
async def commit_series(request: Call, series_id: FromPath[str]) -> Response[bytes]:
    """Turn all reservations of a series into appointments; repeated, it returns the same ones."""
    data = decode(views.GuestBody, await request.body())
    guest = Guest(data.guest_email, data.guest_phone, data.guest_name, views.checked_zone(data.timezone), data.locale)
    found, business_id = await _located(request, series_id, data.business_id)
    desk = desk_of(request)
    try:
        done = await desk.database.run(business_id, lambda tx: series_changes.commit_series(tx, found, guest))
    except psycopg.errors.LockNotAvailable as busy:
        raise TryLater from busy
    for appointment in done.appointments:
        desk.tell_submitted(business_id, appointment)
    appointments = [
        SeriesAppointmentView.of(a, desk.tokens.of_nonce(business_id, a.id, a.nonce)) for a in done.appointments
    ]
    shown = CommittedSeriesView(
        series_id=found,
        status=status_of(a.status for a in appointments),
        # For whom each of its appointments is.
        cancellation_token=desk.tokens.token(business_id, found, done.nonce)
        if all(a.nonce is not None for a in done.appointments)
        else None,
        appointments=appointments,
        replayed=done.repeated,
    )
    return json_response(shown, 200 if done.repeated else 201)


@delete(f"{_PATH}/{{series_id:str}}", status_code=204, opt=documented(query=("businessId",)))
async def release_series(request: Call, series_id: FromPath[str]) -> None:
    """Give back all places that a series holds."""
    found, business_id = await _located(request, series_id)
    await desk_of(request).database.run(business_id, lambda tx: series_changes.release_series(tx, found))


@post(
    f"{_PATH}/{{series_id:str}}/cancel",
    status_code=200,
    opt=documented(SeriesCancelBody, headers=("Idempotency-Key",), answers=CancelledSeriesView),
)
async def cancel_series(request: Call, series_id: FromPath[str]) -> Response[bytes]:
    """Cancel the appointments of a series: all, or with `from` one and those that begin later."""
    data = decode(SeriesCancelBody, await request.body())
    found, business_id = await _located(request, series_id, data.business_id)
    desk = desk_of(request)
    async with desk.database.transaction(business_id) as tx:
        signed = await series_changes.find_series(tx, found)
    if not desk.tokens.proves(data.cancellation_token, business_id, found, signed.token_nonce):
        raise AuthenticationRequired
    since, reason = data.since, data.reason
    key = key_of(request, data, f"cancel-series {found}")
    answer = await desk.database.run(
        business_id, lambda tx: series_changes.cancel_series(tx, found, key, since=since, reason=reason)
    )
    return json_response(answer)


handlers = [reserve_series, read_series, commit_series, release_series, cancel_series]


async def _located(request: Call, text: str, named: UUID | None = None) -> tuple[UUID, UUID]:
    """Return the series that a path names with its business; raises SeriesNotFound."""
    try:
        return await located(request, text, named)
    except ReservationNotFoundOrExpired:
        raise SeriesNotFound from None


def _wish(request: Call, data: SeriesBody) -> series.SeriesWish:
    """Return the wish of a body; raises ValidationFailed."""
    views.checked_zone(data.timezone)
    starts, length = _times(data)
    party = data.party_size or 1
    each = Wish(
        party=party,
        # The key is the series's; none of its bookings has one.
        key=keyed(None, "series", b""),
        ttl_seconds=views.ttl_of(data),
        timezone=data.timezone,
        service_id=data.service_id,
        resource_id=data.resource_id,
    )
    return series.SeriesWish(
        each=each,
        partial=data.partial,
        starts=starts,
        rule=data.rule,
        length_seconds=length,
        key=key_of(request, data, "series"),
    )


def _times(data: SeriesBody) -> tuple[tuple[int, ...], int | None]:
    """Return the starts that a body names, of a rule the first one, and how long each occurrence lasts if it says so.

    Raises ValidationFailed.
    """
    if (data.rule is None) == (data.starts is None):
        raise ValidationFailed.at("rule", "give slotStart with a rule, or starts")
    if data.starts is not None:
        if data.slot_start is not None or data.slot_end is not None:
            raise ValidationFailed.at("slotStart", "goes with a rule; starts name every time")
        starts = tuple(sorted(epoch_seconds(start, "starts") for start in data.starts))
        if len(set(starts)) < len(starts):
            raise ValidationFailed.at("starts", "one of them is given twice")
        return starts, None
    if data.slot_start is None:
        raise ValidationFailed.at("slotStart", "is missing")
    start = epoch_seconds(data.slot_start, "slotStart")
    if data.slot_end is None:
        return (start,), None
    end = epoch_seconds(data.slot_end, "slotEnd")
    if end <= start:
        raise ValidationFailed.at("slotEnd", "must be after slotStart")
    return (start,), end - start
