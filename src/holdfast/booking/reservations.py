"""Reserving: from a wish to a held place, or to a refusal that names what is free instead."""

import asyncio
import itertools
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

import msgspec
import psycopg
import structlog

from holdfast.availability.slots import Offering
from holdfast.availability.snapshots import Snapshot, Snapshots
from holdfast.availability.walltime import day_bounds, local_day, utc_text
from holdfast.booking import tracked
from holdfast.booking.admission import (
    Admission,
    Answer,
    CommitAnswer,
    Request,
    instant,
    place_of,
    queries,
)
from holdfast.booking.alternatives import find_alternatives
from holdfast.booking.bookings import Keyed, find_answer
from holdfast.booking.contacts import Guest, for_whom, put_person
from holdfast.booking.errors import (
    CapacityExceeded,
    CheckLater,
    IdempotencyKeyReused,
    PaymentRequired,
    PaymentsUnavailable,
    ReservationNotFoundOrExpired,
    ScheduleStarted,
    SlotConflict,
    SlotNotOffered,
    UnknownResource,
    UnknownSchedule,
    UnknownService,
    raise_too,
)
from holdfast.booking.guard import ContactGuard
from holdfast.booking.measures import CONFLICTS
from holdfast.booking.prepayment import Till
from holdfast.booking.states import BookingState
from holdfast.booking.terms import PUBLIC, Terms
from holdfast.booking.tokens import BookingTokens
from holdfast.catalog.services import Service
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.database import Database
from holdfast.kernel.errors import OutcomeUnknown, TryLater, UserError
from holdfast.kernel.ids import new_id
from holdfast.kernel.recorder import Recorder
from holdfast.kernel.rounds import Rounds

log = structlog.get_logger(__name__)

_STALE_TRIES = 5
# The year 9999: beyond every horizon, and where the arithmetic of dates ends.
END_OF_TIMES = 253_370_764_800

_refusals: dict[str, type[UserError]] = {
    "key_reused": IdempotencyKeyReused,
    "unknown_schedule": UnknownSchedule,
    "started": ScheduleStarted,
    "prepay": PaymentsUnavailable,
    "payment_required": PaymentRequired,
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client wants to reserve: a slot of a service, or places in a schedule."""

    party: int
    key: Keyed
    ttl_seconds: int | None = None
    timezone: str | None = None
    schedule_id: UUID | None = None
    service_id: UUID | None = None
    start: int | None = None
    end: int | None = None
    resource_id: UUID | None = None
    guest: Guest | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """A slot that the business offers, whoever else may have it."""

    snapshot: Snapshot
    service: Service
    offering: Offering
    start: int
    eligible: list[list[UUID]]
    # Who is not offered for now, whatever is looked for.
    unknown: Collection[UUID] = ()


class Reservations:
    """Takes wishes to admission, and turns its answers into reservations or errors."""

    def __init__(
        self,
        database: Database,
        snapshots: Snapshots,
        admission: Admission,
        tokens: BookingTokens,
        guard: ContactGuard | None = None,
        till: Till | None = None,
    ) -> None:
        """Prepare; events are written by whoever keeps their recorder. Without a till nothing is paid beforehand."""
        self.database = database
        self.guard = guard
        self.snapshots = snapshots
        self.admission = admission
        self.tokens = tokens
        self.till = till
        self.events = Recorder(database)
        self._conflicts: Rounds[dict[str, object]] = Rounds()
        self._turn = itertools.count()
        self._telling: set[asyncio.Task[None]] = set()

    async def reserve(self, business_id: UUID, wish: Wish) -> Answer:
        """Hold a place, or book it at once when the wish names a guest; the answer may be a replayed one.

        Raises SlotConflict, SlotNotOffered, CapacityExceeded, IdempotencyKeyReused, PaymentRequired for what cannot be
        booked at once and the other errors of this capability; TryLater and OutcomeUnknown.
        """
        if wish.schedule_id is not None:
            request = await self._for_guest(business_id, wish, _request_of(wish))
            return await self._admit(business_id, wish, request, None)
        for _ in range(_STALE_TRIES):
            try:
                place = await self.find_place(business_id, wish)
                if wish.guest is not None and place.service.due_minor:
                    raise PaymentRequired
            except UserError:
                # What is not offered any more may have been reserved with this very key while it was.
                replayed = await self._replay(business_id, wish)
                if replayed is not None:
                    return replayed
                raise
            request = await self._for_guest(business_id, wish, self._slot_request(wish, place))
            answer = await self._admit(business_id, wish, request, place)
            if answer.outcome != "stale":
                if answer.outcome != "replayed":
                    self.tell_selected(business_id, wish, place)
                return without_pools(answer, place.snapshot)
            await self.snapshots.refresh(business_id)
        raise TryLater

    def take_turn(self) -> int:
        """Return a number that grows with each request, by which those who are equal take turns."""
        return next(self._turn)

    async def now(self) -> float:
        """Return the clock of the database, by which holds live, as epoch seconds."""
        async with self.database.reading() as tx:
            return float(await tx.value(queries["clock_epoch"]))

    async def commit(self, business_id: UUID, reservation_id: UUID, guest: Guest) -> CommitAnswer:
        """Turn a live reservation into an appointment; the same one when repeated.

        Raises ReservationNotFoundOrExpired (404, 410), TryLater, OutcomeUnknown.
        """
        request = guest.commit_of(await self.database.keys(business_id), reservation_id)
        try:
            answer = await self.admission.commit(business_id, request)
        except OutcomeUnknown:
            log.warning("outcome_unknown", booking_id=str(reservation_id), business_id=str(business_id))
            raise
        self.tell_submitted(business_id, answer)
        if answer.outcome == "expired":
            raise ReservationNotFoundOrExpired.gone()
        if answer.outcome == "unknown":
            raise ReservationNotFoundOrExpired
        return for_whom(answer, guest.email)

    def tell_selected(self, business_id: UUID, wish: Wish, place: Place) -> None:
        """Tell that a slot was chosen and is held, or booked already when the wish names a guest."""
        slug = place.service.slug
        zone = wish.timezone or place.snapshot.business.timezone
        self.events.add(
            business_id, tracked.SLOT_SELECTED, service_slug=slug, slot_start_at=instant(place.start), timezone=zone
        )
        if wish.guest is not None:
            self.events.add(business_id, tracked.DETAILS_SUBMITTED, service_slug=slug)
            self.events.add(business_id, tracked.CONFIRMED, service_slug=slug)

    def tell_submitted(self, business_id: UUID, answer: CommitAnswer) -> None:
        """Tell that details were given for a slot that was held, and whether it is an appointment now."""
        if answer.service is None or answer.outcome not in ("committed", "expired"):
            return
        snapshot = self.snapshots.at_hand(business_id)
        if snapshot is not None:
            self._tell_submitted(snapshot, answer)
            return
        # The slot was chosen at another process. The client does not wait until this one knows its name.
        telling = asyncio.create_task(self._tell_later(business_id, answer))
        self._telling.add(telling)
        telling.add_done_callback(self._telling.discard)

    async def _tell_later(self, business_id: UUID, answer: CommitAnswer) -> None:
        try:
            snapshot = await self.snapshots.get(business_id)
        except (TryLater, psycopg.Error):
            log.warning("event_not_told", booking_id=str(answer.id))
            return
        if snapshot is not None:
            self._tell_submitted(snapshot, answer)

    def _tell_submitted(self, snapshot: Snapshot, answer: CommitAnswer) -> None:
        service = None if answer.service is None else snapshot.services.get(answer.service)
        if service is not None:
            self.events.add(snapshot.business.id, tracked.DETAILS_SUBMITTED, service_slug=service.slug)
            if answer.state == BookingState.CONFIRMED and answer.outcome == "committed":
                self.events.add(snapshot.business.id, tracked.CONFIRMED, service_slug=service.slug)

    async def find_place(self, business_id: UUID, wish: Wish, terms: Terms = PUBLIC) -> Place:
        """Return the slot that a wish names, if the terms allow it.

        Raises UnknownService, UnknownResource, PaymentsUnavailable, SlotNotOffered, CheckLater.
        """
        snapshot = await self.snapshots.get(business_id)
        if snapshot is None:
            raise UnknownBusiness
        try:
            return place_in(snapshot, wish, terms, await self.unknown(snapshot, wish, terms))
        except UserError:
            # Admission finds out when an old picture says yes; when it says no, nobody else would.
            newer = await self.snapshots.newer_than(snapshot)
            if newer is None:
                raise
        return place_in(newer, wish, terms, await self.unknown(newer, wish, terms))

    async def unknown(self, snapshot: Snapshot, wish: Wish, terms: Terms = PUBLIC) -> Collection[UUID]:
        """Return who of those that the service of a wish may take is not offered on these terms."""
        if snapshot.freshness is None or not terms.in_sight or wish.service_id is None:
            return ()
        service = snapshot.services.get(wish.service_id)
        return () if service is None else await self.snapshots.unknown(snapshot, service.resource_ids())

    async def conflict_details(self, business_id: UUID, place: Place, party: int) -> dict[str, object]:
        """Return the details of a slot conflict: what is free near the place, as the API shows it.

        Computed once for everybody who has lost the same place meanwhile.
        """
        CONFLICTS.add(place.service.slug)
        self.events.add(business_id, tracked.CONFLICT, service_slug=place.service.slug)
        key = (business_id, place.service.id, place.start, party, frozenset(place.unknown))
        return await self._conflicts.join(key, lambda: self._conflict(business_id, place, party))

    async def _conflict(self, business_id: UUID, place: Place, party: int) -> dict[str, object]:
        service = place.service
        found = await find_alternatives(
            self.database,
            business_id,
            (place.snapshot.offering(service) or place.offering).without(place.unknown),
            place.start,
            party,
            service.min_notice_minutes * 60,
            service.max_horizon_days * 86_400,
        )
        return {
            "alternatives": [
                {"start": utc_text(a.slot.start), "end": utc_text(a.slot.end), "resourceId": a.resource_id}
                for a in found
            ]
        }

    async def _admit(self, business_id: UUID, wish: Wish, request: Request, place: Place | None) -> Answer:
        try:
            answer = await self.admission.admit(business_id, request)
        except OutcomeUnknown as unknown:
            log.warning("outcome_unknown", booking_id=str(request.id), business_id=str(business_id))
            own = wish.key.guard_seconds is None
            raise OutcomeUnknown(details={"idempotencyKey": wish.key.key if own else None}) from unknown
        outcome = answer.outcome
        if outcome in ("held", "confirmed", "replayed", "stale"):
            return answer
        if outcome == "refused" and place is not None:
            raise SlotConflict(details=await self.conflict_details(business_id, place, wish.party))
        if outcome in ("too_soon", "too_far"):
            raise_too(outcome)
        if outcome == "full":
            raise CapacityExceeded(details={"placesLeft": answer.left})
        raise _refusals[outcome]

    async def _replay(self, business_id: UUID, wish: Wish) -> Answer | None:
        if wish.key.guard_seconds is not None:
            return None
        async with self.database.transaction(business_id) as tx:
            found = await find_answer(tx, wish.key)
            if found is None:
                return None
            now = await tx.value(queries["clock"])
        answer = msgspec.convert({"n": 0, "outcome": "replayed", "now": now, **found}, Answer)
        snapshot = await self.snapshots.get(business_id)
        return answer if snapshot is None else without_pools(answer, snapshot)

    async def _for_guest(self, business_id: UUID, wish: Wish, request: Request) -> Request:
        """Return a request to book at once, the contact sealed, where the wish names a guest."""
        guest = wish.guest
        if guest is not None:
            put_person(request, await self.database.keys(business_id), guest.person)
            request.timezone, request.locale = guest.timezone or wish.timezone, guest.locale
        return request

    def put_place(self, request: Request, place: Place) -> None:
        """Write into a request which place it is for, those who are equally busy that day in turn."""
        put_fairly(request, place, self.take_turn())

    def _slot_request(self, wish: Wish, place: Place) -> Request:
        request = _request_of(wish)
        self.put_place(request, place)
        return _as_offered(request, wish, place)


def request_for(wish: Wish, place: Place, eligible: list[list[UUID]]) -> Request:
    """Return what admission is asked for a place, with the resources of each need in order of preference."""
    request = _request_of(wish)
    _put_eligible(request, place, eligible)
    return _as_offered(request, wish, place)


def put_fairly(request: Request, place: Place, turn: int) -> None:
    """Write into a request which place it is for: of the eligible in turn, and the least busy of them first."""
    leaders, *others = place.eligible
    # In turn: it decides between those who are equally busy that day (B-7).
    turn %= len(leaders)
    eligible = [leaders[turn:] + leaders[:turn], *others]
    if any(len(need) > 1 for need in eligible):
        zone = place.snapshot.business.timezone
        request.day_from, request.day_to = map(instant, day_bounds(local_day(place.start, zone), zone))
    _put_eligible(request, place, eligible)


def _put_eligible(request: Request, place: Place, eligible: list[list[UUID]]) -> None:
    for name, value in place_of(place.offering, place.start, eligible).items():
        setattr(request, name, value)
    request.service = place.service.id
    request.catalog = place.snapshot.version
    request.price = place.service.price_minor
    request.currency = place.snapshot.business.currency


def _as_offered(request: Request, wish: Wish, place: Place) -> Request:
    service = place.service
    request.notice_seconds = service.min_notice_minutes * 60
    request.horizon_seconds = service.max_horizon_days * 86_400
    request.ttl = min(wish.ttl_seconds or service.hold_minutes * 60, service.hold_minutes * 60)
    request.due = service.due_minor
    return request


def without_pools(answer: Answer, snapshot: Snapshot) -> Answer:
    """Return an answer that names whom and what the client meets: a pool only counts."""
    kinds = snapshot.resources
    answer.resources = [r for r in answer.resources if r not in kinds or kinds[r].kind != "pool"]
    return answer


def place_in(snapshot: Snapshot, wish: Wish, terms: Terms = PUBLIC, unknown: Collection[UUID] = ()) -> Place:
    """Return the slot that a wish names, by the hours in this picture of the business; raises as find_place does."""
    assert wish.service_id is not None, "a wish without schedule names a service"
    assert wish.start is not None, "a wish for a slot names its start"
    service = snapshot.services.get(wish.service_id)
    if service is None or not service.active:
        raise UnknownService
    if terms.is_sale and service.due_minor and not snapshot.takes_payments:
        raise PaymentsUnavailable
    offering = snapshot.offering(service, wish.resource_id)
    if offering is None:
        raise UnknownResource
    if not 0 <= wish.start < END_OF_TIMES:
        raise SlotNotOffered
    if wish.end != wish.start + offering.duration_seconds:
        raise SlotNotOffered(f"A slot of this service lasts {service.duration_minutes} minutes")
    leaders = [r.id for r in offering.needs[0] if r.active and terms.lets_lead(r.hours, wish.start, offering)]
    others = [
        [r.id for r in need if r.active and terms.lets_join(r.hours, wish.start, offering)]
        for need in offering.needs[1:]
    ]
    if not leaders or not all(others):
        raise SlotNotOffered
    # A resource of capacity 1 takes one party of any size; the others take a place for each person.
    sizes = [max(r.capacity for r in need) for need in offering.needs]
    largest = min((size for size in sizes if size > 1), default=wish.party)
    if wish.party > largest:
        raise SlotNotOffered(f"At most {largest} places can be booked together")
    eligible = [[r for r in need if r not in unknown] for need in (leaders, *others)]
    if not all(eligible):
        hidden = zip((leaders, *others), eligible, strict=True)
        raise CheckLater.of({r: None for every, some in hidden if not some for r in every})
    return Place(snapshot, service, offering, wish.start, eligible, unknown)


def _request_of(wish: Wish) -> Request:
    return Request(
        id=new_id(),
        operation=wish.key.operation,
        party=wish.party,
        key=wish.key.key,
        hash=wish.key.hash,
        guard_seconds=wish.key.guard_seconds,
        schedule=wish.schedule_id,
        ttl=wish.ttl_seconds,
        timezone=wish.timezone,
    )
