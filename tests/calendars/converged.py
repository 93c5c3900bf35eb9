"""What must be true of a practice and its calendars when all is quiet, computed from what Google has and what was done."""

from collections import Counter
from dataclasses import dataclass
from uuid import UUID

from calendars.converging import Booked, Person, World
from calendars.witnessed import Times
from holdfast.calendars.event_ids import event_id_of


@dataclass(frozen=True)
class Told:
    """A conflict that staff were told of."""

    kind: str
    state: str
    times: Times


def check(world: World) -> None:
    """Raise AssertionError for anything that is not as it should be."""
    assert world.google.violations == [], world.google.violations
    failures = [line for line in world.lines if line["log_level"] in {"error", "critical"}]
    assert failures == [], failures
    _bookings_are_as_was_decided(world)
    for person in world.people:
        _mirror_is_the_calendar(world, person)
        _each_appointment_is_one_event(world, person)
        _nothing_that_people_do_is_lost(world, person)
        _overlaps_are_told(world, person)
    _inbox_shows_what_is_open(world)


def _bookings_are_as_was_decided(world: World) -> None:
    """What happens in calendars changes no booking, but what staff accept."""
    rows = world.sql(
        "select b.id, b.state, extract(epoch from b.starts_at)::bigint, extract(epoch from b.ends_at)::bigint,"
        " (select c.resource_id from claims c where c.business_id = b.business_id and c.booking_id = b.id)"
        " from bookings b where b.business_id = %s",
        world.practice.business_id,
    )
    found = {
        booking_id: Booked(state, start, end, resource_id if state == "confirmed" else None)
        for booking_id, state, start, end, resource_id in rows
    }
    differing = {key: (found.get(key), world.booked.get(key)) for key in found | world.booked}
    assert found == world.booked, {key: pair for key, pair in differing.items() if pair[0] != pair[1]}


def _foreign(world: World, person: Person) -> dict[str, tuple[int, int]]:
    """Return when the events of a calendar block time that are none of ours, by their ids."""
    ours = {event_id_of(booking_id) for booking_id in world.booked}
    return {
        event_id: person.remote.span(body)
        for event_id, body in person.remote.live().items()
        if event_id not in ours and body.get("transparency") != "transparent"
    }


def _mirror_is_the_calendar(world: World, person: Person) -> None:
    rows = world.sql(
        "select event_key, extract(epoch from lower(during))::bigint, extract(epoch from upper(during))::bigint"
        " from calendar_busy_intervals where calendar_id = %s",
        person.calendar_id,
    )
    wanted = _foreign(world, person)
    found, there = Counter((start, end) for _, start, end in rows), Counter(wanted.values())
    assert found == there, f"{person.name} is busy without cause {found - there}, and not known to be {there - found}"
    assert len({bytes(key) for key, _, _ in rows}) == len(wanted), "two events are taken for one"


def _told(world: World, person: Person) -> dict[UUID, list[Told]]:
    rows = world.sql(
        "select booking_id, kind, state, extract(epoch from remote_starts_at)::bigint,"
        " extract(epoch from remote_ends_at)::bigint from calendar_conflicts where calendar_id = %s order by raised_at",
        person.calendar_id,
    )
    found: dict[UUID, list[Told]] = {}
    for booking_id, kind, state, start, end in rows:
        found.setdefault(booking_id, []).append(Told(kind, state, None if start is None else (start, end)))
    return found


def _is_left(told: list[Told]) -> bool:
    """Tell whether an event is left as people have made it: until staff decide, or because they have."""
    about_it = [conflict for conflict in told if conflict.kind != "overlap"]
    return any(conflict.state == "open" for conflict in about_it) or (
        bool(about_it) and about_it[-1].state == "ignored"
    )


def _each_appointment_is_one_event(world: World, person: Person) -> None:
    told = _told(world, person)
    for booking_id, booked in world.booked.items():
        event_id = event_id_of(booking_id)
        times, belongs = person.remote.times(event_id), booked.resource_id == person.resource_id
        if not belongs:
            assert times is None, f"{booking_id} is there still"
        elif not _is_left(told.get(booking_id, [])):
            assert times == (booked.start, booked.end), f"{booking_id} is not there, or at another time"
            body = person.remote.find(event_id)
            [(version,)] = world.sql("select version from bookings where id = %s", booking_id)
            assert body is not None
            shown = body["extendedProperties"]["private"]
            assert {str(booking_id), str(version)} <= set(shown.values()), f"{booking_id} is in another version"


def _nothing_that_people_do_is_lost(world: World, person: Person) -> None:
    """What people made of an event of ours was told, if it was written over, and is, if it is there still; no more is."""
    told = _told(world, person)
    bookings = {event_id_of(booking_id): booking_id for booking_id in world.booked}
    for event_id, times in person.remote.overwritten:
        if event_id in bookings:
            known = told.get(bookings[event_id], [])
            assert times in [c.times for c in known if c.kind != "overlap"], f"{bookings[event_id]}: {times} is lost"
    for event_id, booking_id in bookings.items():
        known = [c for c in told.get(booking_id, []) if c.kind != "overlap"]
        made = person.remote.theirs.get(event_id, [])
        assert {c.times for c in known} <= set(made), f"{booking_id}: {known}, but people have made {made}"
        booked, times = world.booked[booking_id], person.remote.times(event_id)
        if booked.resource_id == person.resource_id and times != (booked.start, booked.end):
            right = known and (known[-1].state == "ignored" or known[-1] == Told(known[-1].kind, "open", times))
            assert right, f"{booking_id}: it is {times}, and {known}"


def _overlaps_are_told(world: World, person: Person) -> None:
    told, foreign = _told(world, person), _foreign(world, person).values()
    for booking_id, booked in world.booked.items():
        known = [c for c in told.get(booking_id, []) if c.kind == "overlap"]
        over = [
            (start, end)
            for start, end in foreign
            if booked.resource_id == person.resource_id and start < booked.end and end > booked.start
        ]
        undecided = {c.times for c in known if c.state == "open"}
        assert undecided <= set(over), f"{booking_id} is not overlapped like that any more"
        assert set(over) <= {c.times for c in known if c.state in {"open", "ignored"}}, f"{booking_id} is overlapped"


def _inbox_shows_what_is_open(world: World) -> None:
    kinds = {"moved": "calendar_event_moved", "deleted": "calendar_event_deleted", "overlap": "calendar_overlap"}
    rows = world.sql(
        "select distinct kind, booking_id from calendar_conflicts where business_id = %s and state = 'open'",
        world.practice.business_id,
    )
    items = world.sql(
        "select kind, subject_id from attention_items where business_id = %s and resolved_at is null"
        " and kind like 'calendar%%'",
        world.practice.business_id,
    )
    open_ones = {(kinds[kind], booking_id) for kind, booking_id in rows}
    assert open_ones == set(items), open_ones ^ set(items)
