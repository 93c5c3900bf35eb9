"""What happens to a series after it was reserved: reading, committing, releasing, cancelling (B-21).

The edges prove whose a series is. The use cases take its id, whoever calls.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import msgspec

from holdfast.booking.admission import CommitAnswer
from holdfast.booking.bookings import Booking, Keyed, check_changeable, find_all, find_answer, keep_answer
from holdfast.booking.contacts import Guest, for_whom
from holdfast.booking.errors import AppointmentNotFound, NotChangeable, ReservationNotFoundOrExpired, SeriesNotFound
from holdfast.booking.series import queries
from holdfast.booking.series_views import CancelledItemView, CancelledSeriesView, status_of
from holdfast.booking.states import UNCOMMITTED, BookingState
from holdfast.booking.tokens import new_nonce
from holdfast.kernel.audit import seal_reason
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError

_decode_commits = msgspec.json.Decoder(list[CommitAnswer]).decode


@dataclass(frozen=True, slots=True)
class Series:
    """A series without its bookings; the nonce of its token from the first commit on."""

    id: UUID
    token_nonce: bytes | None


@dataclass(frozen=True, slots=True)
class CommittedSeries:
    """The appointments that a commit has made of a series, or had made before."""

    nonce: bytes
    appointments: list[CommitAnswer]
    repeated: bool


async def find_series(tx: Transaction, series_id: UUID) -> Series:
    """Return a series. Raises SeriesNotFound."""
    found = await tx.first(Series, queries["find_series"], {"business_id": tx.business_id, "id": series_id})
    if found is None:
        raise SeriesNotFound
    return found


async def find_series_of(tx: Transaction, booking_id: UUID) -> Series | None:
    """Return the series that a booking is part of."""
    values = {"business_id": tx.business_id, "booking_id": booking_id}
    return await tx.first(Series, queries["find_series_of"], values)


async def bookings_of(tx: Transaction, series_id: UUID) -> list[Booking]:
    """Return the bookings of a series in their order. Raises SeriesNotFound."""
    await find_series(tx, series_id)
    return await find_all(tx, await _ids(tx, series_id))


async def commit_series(tx: Transaction, series_id: UUID, guest: Guest) -> CommittedSeries:
    """Turn what a series holds into appointments, all or none; the same ones when repeated.

    What was released by itself is left out. Raises SeriesNotFound, and ReservationNotFoundOrExpired (410) when
    nothing is held, or with `details.expired` when something has run out.
    """
    await find_series(tx, series_id)
    keys = await tx.keys()
    requests = [guest.commit_of(keys, booking_id, n) for n, booking_id in enumerate(await _ids(tx, series_id), 1)]
    values = {"business_id": tx.business_id, "requests": msgspec.json.encode(requests).decode()}
    told = _decode_commits(await tx.value(queries["commit_holds"], values))
    answers = sorted((for_whom(answer, guest.email) for answer in told), key=lambda answer: answer.n)
    expired = [a for a in answers if a.outcome == "expired" and a.state != BookingState.RELEASED]
    appointments = [a for a in answers if a.outcome in ("committed", "repeated")]
    if expired or not appointments:
        gone = ReservationNotFoundOrExpired.gone()
        gone.details = {"expired": [{"reservationId": a.id, "start": a.starts, "end": a.ends} for a in expired]}
        raise gone
    signing = {"business_id": tx.business_id, "id": series_id, "nonce": new_nonce()}
    nonce = await tx.value(queries["sign_series"], signing)
    return CommittedSeries(bytes(nonce), appointments, all(a.outcome == "repeated" for a in appointments))


async def release_series(tx: Transaction, series_id: UUID) -> None:
    """Give back whatever a series still holds; nothing happens when that was done before.

    Raises SeriesNotFound, NotChangeable when nothing is held but appointments are there,
    ReservationNotFoundOrExpired (410) when everything has run out.
    """
    before = await _lock_bookings(tx, series_id)
    ids = [booking.id for booking in before if booking.state == BookingState.HELD]
    released = await tx.rows(queries["release_holds"], {"business_id": tx.business_id, "ids": ids})
    if released:
        free = {"business_id": tx.business_id, "ids": [row["id"] for row in released]}
        await tx.run(queries["free_places_of"], free)
        return
    states = {booking.status for booking in before}
    if not states <= UNCOMMITTED:
        raise NotChangeable("This series is booked already; cancel it instead", details={"status": status_of(states)})
    if BookingState.RELEASED not in states:
        raise ReservationNotFoundOrExpired.gone()


async def cancel_series(
    tx: Transaction, series_id: UUID, key: Keyed, *, since: UUID | None, reason: str | None
) -> CancelledSeriesView:
    """Cancel the appointments of a series for its client: all, or one and those that begin later.

    What cannot be cancelled stays, and is told with its reason. The same key has the same answer.

    Raises SeriesNotFound, AppointmentNotFound when `since` is not of the series, IdempotencyKeyReused; when nothing
    could be cancelled, what stood against the first: AlreadyCancelled, NotChangeable, CancellationClosed.
    """
    before = await _lock_bookings(tx, series_id)
    kept = await find_answer(tx, key)
    if kept is not None:
        return msgspec.convert({**kept, "replayed": True}, CancelledSeriesView)
    reasons = {booking.id: _reason_against(booking) for booking in _meant(before, since)}
    ids = [booking_id for booking_id, against in reasons.items() if against is None]
    if not ids:
        raise next((r for r in reasons.values() if r is not None), NotChangeable())
    values = {"business_id": tx.business_id, "ids": ids}
    await tx.run(queries["cancel_appointments"], values)
    await tx.run(queries["free_places_of"], values)
    keys = await tx.keys()
    chained = {"chain_keys": [keys.chain_key(each) for each in ids], "reason_id": await seal_reason(tx, reason)}
    await tx.run(queries["record_cancellations"], values | chained)
    after = await find_all(tx, [booking.id for booking in before])
    answer = CancelledSeriesView(
        series_id=series_id,
        status=status_of(booking.status for booking in after),
        items=[CancelledItemView.of(booking, reasons[booking.id]) for booking in after if booking.id in reasons],
    )
    await keep_answer(tx, key, ids[0], answer)
    return answer


def _meant(bookings: Sequence[Booking], since: UUID | None) -> list[Booking]:
    """Return the appointments that a cancellation means; an appointment that was moved counts where it is now."""
    appointments = [booking for booking in bookings if booking.state not in UNCOMMITTED]
    if since is None:
        return appointments
    first = next((booking for booking in appointments if booking.id == since), None)
    if first is None:
        raise AppointmentNotFound
    return [booking for booking in appointments if booking.id == since or booking.starts_at >= first.starts_at]


def _reason_against(booking: Booking) -> UserError | None:
    try:
        check_changeable(booking, None)
    except UserError as reason:
        return reason
    return None


async def _lock_bookings(tx: Transaction, series_id: UUID) -> list[Booking]:
    """Lock all bookings of a series with what changing them may touch, and return them as they are then."""
    await find_series(tx, series_id)
    ids = await _ids(tx, series_id)
    await tx.run(queries["lock_bookings"], {"business_id": tx.business_id, "ids": ids})
    return await find_all(tx, ids)


async def _ids(tx: Transaction, series_id: UUID) -> list[UUID]:
    rows = await tx.rows(queries["booking_ids"], {"business_id": tx.business_id, "id": series_id})
    return [row["booking_id"] for row in rows]
