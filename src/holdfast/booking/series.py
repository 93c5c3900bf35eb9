"""Reserving a series: all its occurrences in one transaction, whole or item by item (B-21)."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from uuid import UUID

import msgspec
import psycopg

from holdfast.availability.occurrences import occurrences
from holdfast.availability.snapshots import Snapshot
from holdfast.booking.admission import Answer, Request
from holdfast.booking.bookings import Keyed, find_answer, keep_answer
from holdfast.booking.errors import (
    CheckLater,
    PaymentRequired,
    SlotConflict,
    SlotNotOffered,
    UnknownService,
    beyond_border,
)
from holdfast.booking.reservations import (
    END_OF_TIMES,
    Place,
    Reservations,
    Wish,
    place_in,
    request_for,
    without_pools,
)
from holdfast.booking.series_views import MOST_OCCURRENCES, OccurrenceView, SeriesView
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import OutcomeUnknown, TryLater, UserError, ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

queries = load(__package__, "series.sql")

_ASKS = 40
_decode = msgspec.json.Decoder(list[Answer]).decode


@dataclass(frozen=True, slots=True)
class SeriesWish:
    """What a client wants to reserve as one: the slot of `each` at the starts of a rule, or at those of a list."""

    each: Wish
    key: Keyed
    partial: bool
    starts: tuple[int, ...] = ()
    rule: str | None = None
    length_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class _Occurrence:
    """A time that is wished for: a place that the business offers, or why it offers none."""

    start: int
    end: int
    place: Place | None = None
    refusal: UserError | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request for the occurrence of this index, with the time that it claims."""

    index: int
    begins: int
    ends: int
    request: Request


_Told = Answer | UserError


class _NotHeld(Exception):
    """Not enough could be held; what was is rolled back."""

    def __init__(self, told: Sequence[_Told]) -> None:
        self.told = told


class _AskAgain(Exception):
    """Admission has no final answer yet; what was held is rolled back."""

    def __init__(self, outcome: str) -> None:
        self.outcome = outcome


async def reserve_series(desk: Reservations, business_id: UUID, wish: SeriesWish) -> SeriesView:
    """Hold every occurrence of a series, or with `partial` those that are free; the answer may be a replayed one.

    Raises SlotConflict with all occurrences and with alternatives for the first that is taken, SlotNotOffered when
    nothing but the offer stands against it, CheckLater when only calendars that were not seen for too long do,
    ValidationFailed, UnknownService, UnknownResource, PaymentsUnavailable, PaymentRequired, IdempotencyKeyReused;
    TryLater and OutcomeUnknown.
    """
    try:
        return await _reserve(desk, business_id, wish)
    except TryLater:
        raise
    except OutcomeUnknown as unknown:
        raise OutcomeUnknown(details={"idempotencyKey": wish.key.key}) from unknown
    except UserError:
        # It may have been made with this very key, before or while this one waited.
        answered = await desk.database.run(business_id, lambda tx: _answered(tx, wish.key))
        if answered is None:
            raise
        return answered


async def _reserve(desk: Reservations, business_id: UUID, wish: SeriesWish) -> SeriesView:
    turn = desk.take_turn()
    for _ in range(_ASKS):
        found = await _look(desk, business_id, wish)
        try:
            made = await desk.database.run(business_id, partial(_make, wish=wish, found=found, turn=turn))
            _tell(desk, business_id, wish, found, made)
            return made  # noqa: TRY300 - what follows is for each way in which it was not made
        except _AskAgain as again:
            if again.outcome == "spent":
                await desk.admission.sweep(business_id)
            elif again.outcome == "stale":
                await desk.snapshots.refresh(business_id)
        except psycopg.errors.ForeignKeyViolation:
            # The capacity of a resource has changed since it was looked at.
            await desk.snapshots.refresh(business_id)
        except (
            psycopg.errors.LockNotAvailable,
            psycopg.errors.DeadlockDetected,
            psycopg.errors.SerializationFailure,
        ) as busy:
            raise TryLater from busy
        except _NotHeld as refused:
            raise await _refusal(desk, business_id, wish, found, refused.told) from None
    raise TryLater


def _tell(desk: Reservations, business_id: UUID, wish: SeriesWish, found: list[_Occurrence], made: SeriesView) -> None:
    for each, shown in zip(found, () if made.replayed else made.items, strict=not made.replayed):
        if each.place is not None and shown.reservation_id is not None:
            desk.tell_selected(business_id, wish.each, each.place)


async def _look(desk: Reservations, business_id: UUID, wish: SeriesWish) -> list[_Occurrence]:
    snapshot = await desk.snapshots.get(business_id)
    if snapshot is None:
        raise UnknownBusiness
    try:
        found = _look_at(snapshot, wish, await desk.unknown(snapshot, wish.each))
    except UserError:
        newer = await desk.snapshots.newer_than(snapshot)
        if newer is None:
            raise
        return _look_at(newer, wish, await desk.unknown(newer, wish.each))
    # Admission finds out when an old picture says yes; when it says no, nobody else would.
    newer = await desk.snapshots.newer_than(snapshot) if any(each.refusal for each in found) else None
    return found if newer is None else _look_at(newer, wish, await desk.unknown(newer, wish.each))


def _look_at(snapshot: Snapshot, wish: SeriesWish, unknown: Collection[UUID]) -> list[_Occurrence]:
    assert wish.each.service_id is not None, "a series is of a service"
    service = snapshot.services.get(wish.each.service_id)
    if service is None:
        raise UnknownService
    if service.due_minor and snapshot.takes_payments:
        raise PaymentRequired("This offering must be paid in advance, each time by itself: reserve and commit instead")
    lasts = service.duration_minutes * 60
    found = []
    for start in _starts(snapshot, wish):
        each = replace(wish.each, start=start, end=start + (wish.length_seconds or lasts))
        try:
            found.append(_Occurrence(start, start + lasts, place=place_in(snapshot, each, unknown=unknown)))
        except (SlotNotOffered, CheckLater) as refusal:
            found.append(_Occurrence(start, start + lasts, refusal=refusal))
    return found


def _starts(snapshot: Snapshot, wish: SeriesWish) -> Sequence[int]:
    starts: Sequence[int] = wish.starts
    if wish.rule is not None and 0 <= starts[0] < END_OF_TIMES:
        try:
            starts = occurrences(wish.rule, starts[0], snapshot.business.timezone, most=MOST_OCCURRENCES)
        except ValueError as wrong:
            raise ValidationFailed.at("rule", str(wrong)) from None
    if not all(0 <= start < END_OF_TIMES for start in starts):
        raise SlotNotOffered
    return starts


async def _make(tx: Transaction, *, wish: SeriesWish, found: list[_Occurrence], turn: int) -> SeriesView:
    answered = await _answered(tx, wish.key)
    if answered is not None:
        return answered
    told = await _ask(tx, wish, found, turn)
    held = [answer.made().id for answer in told if isinstance(answer, Answer)]
    if not held or (len(held) < len(told) and not wish.partial):
        raise _NotHeld(told)
    series_id = new_id()
    await tx.run(queries["write_series"], {"business_id": tx.business_id, "id": series_id, "bookings": held})
    made = SeriesView(
        series_id=series_id,
        status="held",
        items=[_shown(each, answer) for each, answer in zip(found, told, strict=True)],
    )
    await keep_answer(tx, wish.key, held[0], made)
    return made


async def _answered(tx: Transaction, key: Keyed) -> SeriesView | None:
    kept = await find_answer(tx, key)
    return None if kept is None else msgspec.convert({**kept, "replayed": True}, SeriesView)


async def _ask(tx: Transaction, wish: SeriesWish, found: list[_Occurrence], turn: int) -> list[_Told]:
    """Return for each occurrence what admission says of it: its hold, or the reason against it.

    Raises _AskAgain.
    """
    told: list[_Told | None] = [each.refusal for each in found]
    asked = _asked(wish, found, turn)
    places = {r.id: r.capacity for each in found if each.place is not None for r in each.place.offering.resources()}
    crowded = False
    if _overlaps_itself(asked):
        crowded = max(places.values()) > 1
        for each in asked:
            # Where there is a choice admission knows what the batch has chosen before.
            if each.request.solo is not None:
                each.request.needs, each.request.solo = [[each.request.solo]], None
    if crowded:
        # It may take more than one batch: all locks now, in order, so that nobody is met half way.
        await tx.run(queries["lock_limited_resources"], {"business_id": tx.business_id, "ids": list(places)})
    while asked:
        again = []
        for each, answer in await _admit(tx, asked):
            if answer.outcome == "again":
                again.append(each)
            else:
                told[each.index] = _meaning(answer)
        # Within a batch a full pool is told as `again`, also where it is the series itself that has filled it.
        if again and not (crowded and len(again) < len(asked)):
            raise _AskAgain("again")
        asked = again
    return [each for each in told if each is not None]


async def _admit(tx: Transaction, asked: list[_Asked]) -> list[tuple[_Asked, Answer]]:
    for n, each in enumerate(asked, 1):
        each.request.n = n
    batch = msgspec.json.encode([each.request for each in asked]).decode()
    text = await tx.value(queries["admit_occurrences"], {"business_id": tx.business_id, "requests": batch})
    return [(asked[answer.n - 1], answer) for answer in _decode(text)]


def _meaning(answer: Answer) -> _Told:
    if answer.outcome == "held":
        return answer
    if answer.outcome == "refused":
        return SlotConflict()
    if answer.outcome in ("too_soon", "too_far"):
        return beyond_border(answer.outcome)
    raise _AskAgain(answer.outcome)


def _asked(wish: SeriesWish, found: list[_Occurrence], turn: int) -> list[_Asked]:
    """Return what admission is asked for those occurrences that are offered.

    Everybody is preferred in one order throughout the series: first who could serve most of it, then in turn.
    """
    could = Counter(leader for each in found if each.place is not None for leader in each.place.eligible[0])
    leaders = sorted(could)
    first = turn % max(len(leaders), 1)
    order = sorted(leaders[first:] + leaders[:first], key=lambda leader: -could[leader])
    asked = []
    for n, each in enumerate(found):
        if each.place is not None:
            leading, *others = each.place.eligible
            eligible = [[leader for leader in order if leader in leading], *others]
            request = request_for(wish.each, each.place, eligible)
            offering = each.place.offering
            asked.append(_Asked(n, each.start - offering.before_seconds, each.end + offering.after_seconds, request))
    return asked


def _overlaps_itself(asked: list[_Asked]) -> bool:
    """Return whether two occurrences, which are in order of time and last equally long, overlap with their buffers."""
    return any(later.begins < earlier.ends for earlier, later in pairwise(asked))


def _shown(each: _Occurrence, told: _Told) -> OccurrenceView:
    if not isinstance(told, Answer):
        return OccurrenceView.refused(each.start, each.end, told)
    made = told.made()
    assert each.place is not None, "what is held was offered"
    return OccurrenceView(
        start=made.starts,
        end=made.ends,
        status=made.state,
        reservation_id=made.id,
        expires_at=made.expires,
        resource_ids=without_pools(told, each.place.snapshot).resources,
    )


async def _refusal(
    desk: Reservations, business_id: UUID, wish: SeriesWish, found: list[_Occurrence], told: Sequence[_Told]
) -> UserError:
    reasons = [None if isinstance(each, Answer) else each for each in told]
    shown = [OccurrenceView.refused(e.start, e.end, reason) for e, reason in zip(found, reasons, strict=True)]
    for each, reason in zip(found, reasons, strict=True):
        if isinstance(reason, SlotConflict):
            assert each.place is not None, "what was taken is offered"
            near = await desk.conflict_details(business_id, each.place, wish.each.party)
            return SlotConflict(details={"occurrences": shown, **near})
    refusals = [reason for reason in reasons if reason is not None]
    first = next((reason for reason in refusals if not isinstance(reason, CheckLater)), None)
    if first is None:
        # Nothing else stands against any of it.
        later = CheckLater.of({r: None for reason in refusals for r in reason.details["resourceIds"]})
        later.details["occurrences"] = shown
        return later
    return SlotNotOffered(first.message, details={"occurrences": shown})
