"""Offers to those who wait: what is free is held for whoever has waited longest of those who fit (W-1).

The worker looks again and again at what is free, and never at what has freed it. A place that somebody cancelled, that
a hold, a block or an outside calendar has left, or that is there since opening hours or a capacity were changed, is
found all alike, and so is one that became free while no worker ran.

A hold and what it makes of a request are one transaction: there is no crash between the two.
"""

import asyncio
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from math import ceil
from typing import Any
from uuid import UUID

import msgspec
import structlog

from holdfast.administration.settings import WAITLIST_OFFER_MINUTES, read
from holdfast.availability.slots import Occupation, Offering, free_slots
from holdfast.availability.snapshots import Snapshot, Snapshots
from holdfast.availability.walltime import utc_text
from holdfast.booking import waitlist
from holdfast.booking.admission import Answer, Request, sweep
from holdfast.booking.alternatives import occupation_of
from holdfast.booking.bookings import Keyed
from holdfast.booking.errors import PaymentsUnavailable
from holdfast.booking.reservations import Wish, place_in, put_fairly, request_for
from holdfast.booking.terms import PUBLIC
from holdfast.catalog.services import Service
from holdfast.kernel.database import Database, Row, Transaction, is_away
from holdfast.kernel.errors import UserError
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

log = structlog.get_logger(__name__)

_SQL = load("holdfast.booking", "offers.sql")

# So long a freed place waits at most for the next look, while no more businesses are waited for than a round has.
PAUSE_SECONDS = 3.0
_BUSINESSES_A_ROUND = 50
_TRIES_A_TURN = 50
# So long whoever is offered a place has at least to answer: what begins sooner is left to those who look by themselves.
LEAST_SECONDS = 5 * 60
_MOST_SECONDS = 24 * 3_600

_decode = msgspec.json.Decoder(list[Answer]).decode


class _Refused(Exception):
    """A place could not be held after all."""

    def __init__(self, outcome: str, request: Row, start: int | None = None) -> None:
        self.outcome = outcome
        self.request = request
        self.start = start


class _Stale(Exception):
    """What the business offers has changed since this process has read it."""


@dataclass(slots=True)
class _Turn:
    """What is not tried again while the places of a business are offered: it waits for the next round."""

    schedules: set[UUID] = field(default_factory=set)
    services: set[UUID] = field(default_factory=set)
    slots: set[tuple[UUID, int]] = field(default_factory=set)

    def leave_out(self, refused: _Refused) -> None:
        """Note what was refused."""
        schedule_id, service_id = refused.request["schedule_id"], refused.request["service_id"]
        if schedule_id is not None:
            # Of a full one the places that are left are counted anew, at once.
            if refused.outcome != "full":
                self.schedules.add(schedule_id)
        elif refused.start is None:
            self.services.add(service_id)
        else:
            self.slots.add((service_id, refused.start))


class Offers:
    """Goes round the businesses for which somebody waits, and offers what is free."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._snapshots = Snapshots(database)
        self._after: UUID | None = None
        self._turns = count()

    async def keep_up(self) -> None:
        """Offer places as they become free, for ever."""
        while True:
            try:
                made = await self.go_round()
            except Exception as failure:  # noqa: BLE001 - the database may be away; it comes back
                log.warning("places_not_offered", error=type(failure).__name__)
                made = 0
            if not made:
                await asyncio.sleep(PAUSE_SECONDS)

    async def go_round(self) -> int:
        """Offer what is free at the next businesses in turn; return how many offers were made.

        A business that fails keeps nobody else from their turn. Raises what is raised when the database is away.
        """
        async with self._database.transaction() as tx:
            values = {"after": self._after, "limit": _BUSINESSES_A_ROUND}
            found = [row["business_id"] for row in await tx.rows(_SQL["businesses_waited_for"], values)]
        self._after = found[-1] if len(found) == _BUSINESSES_A_ROUND else None
        total = 0
        for business_id in found:
            try:
                total += await self.offer_of(business_id)
            except Exception as failure:
                if is_away(failure):
                    raise
                log.exception("offers_failed", business_id=str(business_id))
        if total:
            log.info("places_offered", count=total)
        return total

    async def offer_of(self, business_id: UUID) -> int:
        """Offer what is free at one business; return how many offers were made.

        Offers that have ended are settled first, so that their places go on in the same turn.
        """
        await self._database.run(business_id, _settle)
        made = 0
        turn = _Turn()
        for _ in range(_TRIES_A_TURN):
            try:
                if not await self._offer_next(business_id, turn):
                    break
            except _Stale:
                await self._snapshots.refresh(business_id)
            except _Refused as refused:
                if refused.outcome == "spent":
                    await sweep(self._database, business_id)
                elif refused.outcome != "again":
                    turn.leave_out(refused)
            else:
                made += 1
        return made

    async def _offer_next(self, business_id: UUID, turn: _Turn) -> bool:
        """Make one offer; return whether there was one to make.

        Raises _Refused and _Stale, and has then changed nothing.
        """
        wanted = await self._wanted(business_id, turn)

        async def work(tx: Transaction) -> bool:
            if not await tx.value(_SQL["take_turn"], {"business_id": business_id}):
                return False
            return await _offer_of_schedule(tx, turn) or await _offer_slot(tx, wanted, turn, next(self._turns))

        return await self._database.run(business_id, work)

    async def _wanted(self, business_id: UUID, turn: _Turn) -> "list[_Wanted]":
        """Return the services that are waited for, as far as they are for sale."""
        async with self._database.reading(business_id) as tx:
            groups = await tx.rows(_SQL["services_waited_for"], {"business_id": business_id})
        if not groups:
            return []
        # A service that is not for sale in an old picture would not be looked at, and nobody would see that it is.
        snapshot = await self._snapshots.get(business_id, at_least=groups[0]["catalog"])
        assert snapshot is not None, "a business that is waited for is there"
        found = []
        for group in groups:
            service = snapshot.services.get(group["service_id"])
            if service is None or not service.active or service.id in turn.services:
                continue
            offering, windows = snapshot.offering(service), list(_windows(group, service))
            if offering is not None and windows:
                unknown = await self._unknown(snapshot, offering)
                found.append(_Wanted(snapshot, service, offering, group["parties"], windows, unknown))
        return found

    async def _unknown(self, snapshot: Snapshot, offering: Offering) -> Mapping[UUID, datetime]:
        """Return who is not offered to the public for now, and so to nobody who waits."""
        return await self._snapshots.unknown(snapshot, [resource.id for resource in offering.resources()])


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A service that is waited for: by parties of which sizes, and within which windows together, in epoch seconds."""

    snapshot: Snapshot
    service: Service
    offering: Offering
    parties: list[int]
    windows: list[tuple[int, int]]
    unknown: Mapping[UUID, datetime]

    def free(self, occupation: Occupation, refused: Collection[tuple[UUID, int]]) -> dict[tuple[UUID, int], list[int]]:
        """Return the starts of the slots that are free, by service and size of the party."""
        offering = self.offering.without(self.unknown)
        sizes = [resource.capacity for resource in offering.resources() if resource.capacity > 1]
        # A whole second later than now, as everybody is offered slots.
        earliest = int(occupation.now) + 1 + self.service.min_notice_minutes * 60 + LEAST_SECONDS
        latest = int(occupation.now) + self.service.max_horizon_days * 86_400
        windows = [(max(first, earliest), min(last, latest)) for first, last in self.windows]
        found: dict[int, list[int]] = {}
        for party in self.parties:
            # A resource of capacity 1 takes one party of any size.
            places = party if sizes else 1
            if places in found or places > max(sizes, default=1):
                continue
            slots = (
                slot
                for first, last in windows
                if first < last
                for slot in free_slots(offering, occupation, first, last, places)
            )
            found[places] = [slot.start for slot in slots if (self.service.id, slot.start) not in refused]
        by_party = ((party, found.get(party if sizes else 1)) for party in self.parties)
        return {(self.service.id, party): starts for party, starts in by_party if starts}


def _windows(group: Row, service: Service) -> Iterator[tuple[int, int]]:
    """Yield the windows in which somebody wants a service, as far as they are neither over nor beyond its horizon."""
    now, latest = group["now"], group["now"] + service.max_horizon_days * 86_400
    for window in group["windows"]:
        first, last = max(ceil(window.lower.timestamp()), int(now)), ceil(min(window.upper.timestamp(), latest))
        if first < last:
            yield first, last


async def _settle(tx: Transaction) -> None:
    if await tx.value(_SQL["take_turn"], {"business_id": tx.business_id}):
        await waitlist.settle(tx)
        await waitlist.pass_over(tx)


async def _offer_of_schedule(tx: Transaction, turn: _Turn) -> bool:
    values = {"business_id": tx.business_id, "refused": list(turn.schedules), "least": LEAST_SECONDS}
    rows = await tx.rows(_SQL["next_for_schedules"], values)
    if not rows:
        return False
    [waits] = rows
    request = Request(
        id=new_id(),
        operation="offer",
        party=waits["party_size"],
        schedule=waits["schedule_id"],
        ttl=await _ttl(tx, waits["seconds_left"]),
        timezone=waits["timezone"],
    )
    await _hold(tx, waits, request)
    return True


async def _offer_slot(tx: Transaction, wanted: list[_Wanted], turn: _Turn, number: int) -> bool:
    assert tx.business_id is not None, "offers are those of a business"
    if not wanted:
        return False
    by_service = {each.service.id: each for each in wanted}
    # Looked at once for all: what becomes free between two looks would go to those who want the service looked at last.
    first, last = min(each.windows[0][0] for each in wanted), max(each.windows[-1][1] for each in wanted)
    occupation = await occupation_of(tx, tx.business_id, _all_together(wanted), first, last)
    free: dict[tuple[UUID, int], list[int]] = {}
    for each in wanted:
        free |= each.free(occupation, turn.slots)
    if not free:
        return False
    rows = await tx.rows(
        _SQL["next_for_slots"],
        {
            "business_id": tx.business_id,
            "services": [service_id for service_id, _ in free],
            "parties": [party for _, party in free],
            "starts": ["{" + ",".join(_instant(start) for start in starts) + "}" for starts in free.values()],
        },
    )
    if not rows:
        return False
    [waits] = rows
    thing = by_service[waits["service_id"]]
    begin, end = waits["wanted_from"].timestamp(), waits["wanted_to"].timestamp()
    start = next(s for s in free[waits["service_id"], waits["party_size"]] if begin <= s < end)
    request = _request_for(thing, waits, start, number)
    request.ttl = await _ttl(tx, int(start - occupation.now) - thing.service.min_notice_minutes * 60)
    await _hold(tx, waits, request, start)
    return True


def _all_together(wanted: list[_Wanted]) -> Offering:
    """Return what takes all that any of the services takes, for the longest that one does."""
    offerings = [each.offering for each in wanted]
    resources = {resource.id: resource for offering in offerings for resource in offering.resources()}
    return Offering(
        needs=(tuple(resources.values()),),
        duration_seconds=max(offering.duration_seconds for offering in offerings),
        step_seconds=0,
        before_seconds=max(offering.before_seconds for offering in offerings),
        after_seconds=max(offering.after_seconds for offering in offerings),
    )


def _request_for(wanted: _Wanted, waits: Row, start: int, number: int) -> Request:
    """Return what admission is asked for: just what it would be asked if the public had chosen the slot."""
    wish = Wish(
        party=waits["party_size"],
        key=Keyed(None, "offer", ""),
        timezone=waits["timezone"],
        service_id=wanted.service.id,
        start=start,
        end=start + wanted.offering.duration_seconds,
    )
    try:
        place = place_in(wanted.snapshot, wish, PUBLIC, wanted.unknown)
    except PaymentsUnavailable as none:
        # Nothing of the service is for sale.
        raise _Refused(none.code, waits) from none
    except UserError as none:
        raise _Refused(none.code, waits, start) from none
    request = request_for(wish, place, place.eligible)
    put_fairly(request, place, number)
    return request


async def _hold(tx: Transaction, waits: Row, request: Request, start: int | None = None) -> None:
    """Hold a place for somebody who waits, and tell that they are offered it; raises _Refused, _Stale."""
    request.n = 1
    encoded = msgspec.json.encode([request]).decode()
    text = await tx.value(_SQL["admit"], {"business_id": tx.business_id, "requests": encoded})
    [answer] = _decode(text)
    if answer.outcome == "stale":
        raise _Stale
    if answer.outcome != "held":
        raise _Refused(answer.outcome, waits, start)
    values: dict[str, Any] = {"business_id": tx.business_id, "id": waits["id"], "booking_id": request.id}
    await tx.run(_SQL["offer"], values)
    await waitlist.tell(tx, "WaitlistOffered", waits | {"offered_booking_id": request.id})


async def _ttl(tx: Transaction, seconds_left: int) -> int:
    """Return for how long a place is offered: never beyond the last moment at which it could be booked."""
    minutes = await read(tx, WAITLIST_OFFER_MINUTES)
    assert isinstance(minutes, int), "the setting is a number"
    return min(minutes * 60, _MOST_SECONDS, seconds_left)


def _instant(start: int) -> str:
    """Return a start as the text of a range with nothing else in it."""
    at = utc_text(start)
    return f"[{at},{at}]"
