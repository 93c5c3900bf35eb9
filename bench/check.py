"""Compares what the server acknowledged with what the database holds: nothing lost, nothing doubled, nothing else."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import psycopg

from bench.load import Acknowledgement
from bench.scripts import SLOT_MINUTES
from holdfast.kernel.sql import load

_statements = load("bench", "check.sql")


@dataclass(frozen=True)
class Booking:
    """A row of bookings; epoch seconds."""

    id: str
    business: str
    service: str | None
    schedule: str | None
    start: int
    end: int
    party: int
    state: str


@dataclass(frozen=True)
class Claim:
    """A row of claims; epoch seconds."""

    booking: str
    resource: str
    start: int
    end: int


@dataclass(frozen=True)
class Recorded:
    """What the database holds of a run."""

    keys: Sequence[tuple[str, str]]  # key, booking
    bookings: Sequence[Booking]
    claims: Sequence[Claim]
    schedules: Sequence[tuple[str, int, int]]  # id, counter, sum of the bookings


def check(
    dsn: str, business: str, prefix: str, acknowledged: Sequence[Acknowledgement], doubtful: Iterable[str]
) -> list[str]:
    """Return what is wrong with a run whose keys began with the prefix; nothing when every word was kept.

    `doubtful` are keys of which the client never learnt whether they succeeded: they may have, once.
    """
    return judge(business, acknowledged, set(doubtful), read(dsn, business, prefix, acknowledged))


def check_total(dsn: str, business: str, acknowledged: int, doubtful: int) -> list[str]:
    """Return what is wrong with the number of bookings, over all runs together."""
    with psycopg.connect(dsn) as connection:
        row = connection.execute(_statements["live_bookings"], {"business": business}).fetchone()
    assert row is not None, "a count is a row"
    if acknowledged <= row[0] <= acknowledged + doubtful:
        return []
    return [f"there are {row[0]} bookings, but {acknowledged} were acknowledged and {doubtful} are doubtful"]


def read(dsn: str, business: str, prefix: str, acknowledged: Sequence[Acknowledgement]) -> Recorded:
    """Read what the database holds of a run, in one snapshot."""
    with psycopg.connect(dsn) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        keys = connection.execute(_statements["keys"], {"business": business, "prefix": f"{prefix}-"}).fetchall()
        ids = {a.id for a in acknowledged if _is_uuid(a.id)} | {id_ for _, id_ in keys if id_ is not None}
        bookings = connection.execute(_statements["bookings"], {"ids": list(ids)}).fetchall()
        claims = connection.execute(_statements["claims"], {"ids": list(ids)}).fetchall()
        asked = {a.place.schedule for a in acknowledged if a.place.schedule is not None}
        schedules = connection.execute(_statements["schedules"], {"ids": list(asked)}).fetchall()
    return Recorded(keys, [Booking(*row) for row in bookings], [Claim(*row) for row in claims], schedules)


def judge(business: str, acknowledged: Sequence[Acknowledgement], doubtful: set[str], recorded: Recorded) -> list[str]:
    """Return what is wrong."""
    reserved = [a for a in acknowledged if a.operation == "reserve"]
    committed = [a for a in acknowledged if a.operation == "commit"]
    return [
        *_promised_twice(reserved, "reserved"),
        *_promised_twice(committed, "committed"),
        *_committed_unheld(reserved, committed),
        *_not_kept(business, reserved, {a.id for a in committed}, doubtful, recorded),
        *_keys_astray(reserved, doubtful, recorded),
        *_miscounted(reserved, doubtful, recorded),
    ]


def _promised_twice(acknowledged: Sequence[Acknowledgement], how: str) -> Iterator[str]:
    for id_, times in Counter(a.id for a in acknowledged).items():
        if times > 1:
            yield f"booking {id_} was {how} {times} times"
    for key, times in Counter(a.key for a in acknowledged).items():
        if times > 1:
            yield f"key {key} was {how} {times} times"
    # Every resource of the benchmark has one place.
    slots = Counter((a.place.resource, a.place.start) for a in acknowledged if a.place.resource is not None)
    for (resource, start), times in slots.items():
        if times > 1:
            yield f"the slot at {start} of resource {resource} was {how} {times} times"


def _committed_unheld(reserved: Sequence[Acknowledgement], committed: Sequence[Acknowledgement]) -> Iterator[str]:
    held = {a.id: a.key for a in reserved}
    for a in committed:
        if held.get(a.id) != a.key:
            yield f"{a.key}: {a.id} was committed, but {held.get(a.id, 'nothing')} was reserved"


def _not_kept(
    business: str, reserved: Sequence[Acknowledgement], committed: set[str], doubtful: set[str], recorded: Recorded
) -> Iterator[str]:
    bookings: dict[str, list[Booking]] = defaultdict(list)
    for booking in recorded.bookings:
        bookings[booking.id].append(booking)
    claims: dict[str, list[Claim]] = defaultdict(list)
    for claim in recorded.claims:
        claims[claim.booking].append(claim)
    for a in reserved:
        found = bookings[a.id]
        if len(found) != 1:
            yield f"{a.key}: booking {a.id} was acknowledged and has {len(found)} rows"
            continue
        states = {"confirmed"} if a.id in committed else {"held", "confirmed"} if a.key in doubtful else {"held"}
        wrong = [*_wrong_booking(business, a, found[0], states), *_wrong_claims(a, claims[a.id])]
        if wrong:
            yield f"{a.key}: booking {a.id} {', '.join(wrong)}"


def _wrong_booking(business: str, a: Acknowledgement, booking: Booking, states: set[str]) -> Iterator[str]:
    if booking.business != business:
        yield f"belongs to business {booking.business}"
    if (booking.service, booking.schedule) != (a.place.service, a.place.schedule):
        yield f"is for service {booking.service}, schedule {booking.schedule} instead of {a.place}"
    if a.place.start is not None and (booking.start, booking.end) != _span(a.place.start):
        yield f"is from {booking.start} to {booking.end} instead of {a.place.start}"
    if booking.party != 1:
        yield f"has a party of {booking.party}"
    if booking.state not in states:
        yield f"is {booking.state} instead of {' or '.join(sorted(states))}"


def _wrong_claims(a: Acknowledgement, claims: Sequence[Claim]) -> Iterator[str]:
    if a.place.start is None:
        if claims:
            yield f"has {len(claims)} claims, but a schedule takes none"
    elif len(claims) != 1:
        yield f"has {len(claims)} claims instead of 1"
    elif claims[0].resource != (a.place.resource or claims[0].resource):
        yield f"occupies resource {claims[0].resource} instead of {a.place.resource}"
    elif (claims[0].start, claims[0].end) != _span(a.place.start):
        yield f"occupies {claims[0].start} to {claims[0].end} instead of {a.place.start}"


def _keys_astray(reserved: Sequence[Acknowledgement], doubtful: set[str], recorded: Recorded) -> Iterator[str]:
    told = {a.key: a.id for a in reserved}
    written: dict[str, list[str]] = defaultdict(list)
    for key, booking in recorded.keys:
        written[key].append(booking)
    for key, id_ in told.items():
        if written[key] != [id_]:
            yield f"{key}: is recorded for {written[key]} instead of once for {id_}"
    for key, bookings in written.items():
        if bookings and key not in told and key not in doubtful:
            yield f"{key}: made booking {bookings}, which was never acknowledged"


def _miscounted(reserved: Sequence[Acknowledgement], doubtful: set[str], recorded: Recorded) -> Iterator[str]:
    acknowledged = Counter(a.place.schedule for a in reserved if a.place.schedule is not None)
    counted = {schedule: (taken, booked) for schedule, taken, booked in recorded.schedules}
    told = {a.key for a in reserved}
    unheard = sum(key in doubtful and key not in told for key, _ in recorded.keys)
    for schedule, times in acknowledged.items():
        taken, booked = counted.get(schedule, (0, 0))
        if taken != booked or not times <= taken <= times + unheard:
            yield (
                f"schedule {schedule} counts {taken} places taken and has {booked} booked, "
                f"but {times} were acknowledged"
            )


def _span(start: int) -> tuple[int, int]:
    return start, start + SLOT_MINUTES * 60


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
