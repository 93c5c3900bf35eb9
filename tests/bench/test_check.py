"""The benchmark's checker can fail: every kind of lie about what was acknowledged is found."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from uuid import uuid4

import psycopg
import pytest
from bench.check import check, check_total
from bench.data import Stage, add_past, furnish
from bench.load import Acknowledgement
from bench.scripts import ManySlots, OneSchedule, Place

from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.verify import verify
from journeys.practice import ENVELOPE

PREFIX = "run"
List = list[Acknowledgement]


@dataclass
class Kept:
    """A database, and the acknowledgements that were given of it: schedule, then slots; the first of each committed."""

    stage: Stage
    given: List

    def problems(self, told: List, doubtful: tuple[str, ...] = ()) -> list[str]:
        """Return what the checker says of a list."""
        return check(self.stage.dsn, self.stage.business, PREFIX, told, doubtful)

    def damage(self, statement: str, **values: object) -> None:
        """Run a statement as an administrator whom no trigger stops."""
        with psycopg.connect(self.stage.dsn, options="-c session_replication_role=replica") as connection:
            connection.execute(statement.encode(), values)


@pytest.fixture
def kept(postgres: EmbeddedPostgres, own_database: str) -> Kept:
    """Three places of a schedule and three slots are held, one of each is committed."""
    stage = furnish(postgres.uri(database=own_database), practitioners=2, with_hours=1)
    schedule = stage.new_schedule()
    group = OneSchedule(key_prefix=PREFIX, business=stage.business, schedule=schedule)
    slots = ManySlots(
        key_prefix=PREFIX,
        business=stage.business,
        service=stage.many.service,
        resources=stage.many.resources,
        day=stage.day,
    )
    wanted = [(group.key(n), group.place(n)) for n in range(3)] + [(slots.key(n), slots.place(n)) for n in range(3, 6)]
    held = _admit(stage, wanted)
    return Kept(stage, held + _commit(stage, [held[0], held[3]]))


def test_what_was_kept_is_found_kept(kept: Kept) -> None:
    """A true list of acknowledgements has no problem, and neither has their number."""
    assert kept.problems(kept.given) == []
    assert check_total(kept.stage.dsn, kept.stage.business, 6, 0) == []


def _lost(given: List) -> List:
    return [_changed(given[0], id=str(uuid4())), *given[1:]]


def _no_id_at_all(given: List) -> List:
    return [_changed(given[0], id='{"status":"held"}'), *given[1:]]


def _one_booking_for_two(given: List) -> List:
    return [*given, _changed(given[1], key=f"{PREFIX}-00000099")]


def _one_key_for_two(given: List) -> List:
    return [*given, _changed(given[1], id=str(uuid4()))]


def _said_twice(given: List) -> List:
    return [*given, given[1]]


def _one_slot_for_two(given: List) -> List:
    return [*given[:4], _changed(given[4], place=given[3].place), *given[5:]]


def _another_start(given: List) -> List:
    place = given[4].place
    start = (place.start or 0) + 60
    return [
        *given[:4],
        _changed(given[4], place=Place(service=place.service, resource=place.resource, start=start)),
        *given[5:],
    ]


def _another_resource(given: List) -> List:
    place = given[4].place
    other = next(a.place.resource for a in given if a.place.resource not in (None, place.resource))
    elsewhere = Place(service=place.service, resource=other, start=(place.start or 0) + 3000)
    return [*given[:4], _changed(given[4], place=elsewhere), *given[5:]]


def _another_schedule(given: List) -> List:
    return [_changed(given[0], place=Place(schedule=str(uuid4()))), *given[1:]]


def _never_committed(given: List) -> List:
    return [*given, _changed(given[1], operation="commit")]


def _committed_unheld(given: List) -> List:
    return [*given, _changed(given[1], id=str(uuid4()), operation="commit")]


def _commit_forgotten(given: List) -> List:
    return given[:-1]


def _reserve_forgotten(given: List) -> List:
    return [given[0], *given[2:]]


@pytest.mark.parametrize(
    "doctor",
    [
        _lost,
        _no_id_at_all,
        _one_booking_for_two,
        _one_key_for_two,
        _said_twice,
        _one_slot_for_two,
        _another_start,
        _another_resource,
        _another_schedule,
        _never_committed,
        _committed_unheld,
        _commit_forgotten,
        _reserve_forgotten,
    ],
)
def test_a_doctored_list_is_found_out(kept: Kept, doctor: Callable[[List], List]) -> None:
    """An acknowledgement that is lost, doubled, for another place or missing from the list is a problem."""
    assert kept.problems(doctor(kept.given)) != []


@pytest.mark.parametrize(
    "damage",
    [
        "delete from bookings where id = %(slot)s",
        "delete from bookings where id = %(group)s",
        "delete from claims where booking_id = %(slot)s",
        "update claims set resource_id = gen_random_uuid() where booking_id = %(slot)s",
        (
            "update claims set during = tstzrange(lower(during), upper(during) - interval '1 minute')"
            " where booking_id = %(slot)s"
        ),
        "update bookings set state = 'expired' where id = %(slot)s",
        "update bookings set business_id = gen_random_uuid() where id = %(slot)s",
        "update bookings set starts_at = starts_at - interval '1 minute' where id = %(slot)s",
        "update bookings set party_size = 2 where id = %(slot)s",
        "delete from idempotency_keys where booking_id = %(slot)s",
        "update idempotency_keys set booking_id = %(group)s where booking_id = %(slot)s",
        "update program_schedules set taken = taken + 1",
        "update program_schedules set taken = taken - 1",
    ],
)
def test_a_damaged_database_is_found_out(kept: Kept, damage: str) -> None:
    """A true list is a problem for a database that has lost or changed a row of it."""
    kept.damage(damage, slot=kept.given[4].id, group=kept.given[1].id)
    assert kept.problems(kept.given) != []


def test_a_booking_beyond_the_promised_ones_is_found(kept: Kept) -> None:
    """A booking that no client was told of is a problem of the total."""
    assert check_total(kept.stage.dsn, kept.stage.business, 5, 0) != []
    assert check_total(kept.stage.dsn, kept.stage.business, 7, 0) != []


def test_a_doubtful_request_may_have_succeeded_or_not(kept: Kept) -> None:
    """A request without an answer may have its effect, once, and a commit without an answer as well."""
    first, *others = kept.given
    unheard = [a for a in others if a.key != first.key]
    assert kept.problems(unheard, (first.key,)) == []
    assert kept.problems([*kept.given[:-1]], (kept.given[-1].key, f"{PREFIX}-00000099")) == []
    assert check_total(kept.stage.dsn, kept.stage.business, 5, 1) == []


def test_the_past_is_sound(kept: Kept) -> None:
    """The past that the second pass is measured on breaks no invariant, and the checker does not mistake it."""
    add_past(kept.stage, 200, lambda _line: None)
    assert verify(kept.stage.dsn, lambda _line: None) == []
    assert kept.problems(kept.given) == []
    assert check_total(kept.stage.dsn, kept.stage.business, 6, 0) == []


def _changed(given: Acknowledgement, **changes: object) -> Acknowledgement:
    fields = {name: getattr(given, name) for name in Acknowledgement.__struct_fields__}
    return Acknowledgement(**(fields | changes))


def _admit(stage: Stage, wanted: list[tuple[str, Place]]) -> List:
    """Have the places admitted as the server does; return the acknowledgements."""
    with psycopg.connect(stage.dsn) as connection:
        (catalog,) = connection.execute("select catalog_version from businesses").fetchone() or (None,)
        requests = []
        for n, (key, place) in enumerate(wanted, 1):
            request = {
                "n": n,
                "id": str(uuid4()),
                "key": key,
                "operation": "reserve",
                "hash": key,
                "party": 1,
                "ttl": 3600,
            }
            if place.schedule is not None:
                request |= {"schedule": place.schedule}
            else:
                assert place.start is not None
                times = [f"{second}" for second in _texts(connection, place.start)]
                request |= {
                    "service": place.service,
                    "solo": place.resource,
                    "catalog": catalog,
                    "price": 0,
                    "currency": "EUR",
                }
                request |= dict(zip(("starts", "ends"), times, strict=True))
                request |= dict(zip(("claims_from", "claims_to"), times, strict=True))
                request |= {"notice_seconds": 0, "horizon_seconds": 10**8}
            requests.append(request)
        call = "select admit(%s, %s)"
        row = connection.execute(call, [stage.business, json.dumps(requests)]).fetchone()
        assert row is not None
        assert [answer["outcome"] for answer in row[0]] == ["held"] * len(wanted)
    return [
        Acknowledgement(str(request["id"]), key, place, "reserve")
        for request, (key, place) in zip(requests, wanted, strict=True)
    ]


def _commit(stage: Stage, held: List) -> List:
    """Have the reservations committed as the server does; return the acknowledgements."""
    requests = [
        {"n": n, "id": a.id, "contact": ENVELOPE.hex(), "nonce": "00" * 16, "chain_key": "00" * 32}
        for n, a in enumerate(held, 1)
    ]
    with psycopg.connect(stage.dsn) as connection:
        call = "select commit_reservations(%s, %s)"
        row = connection.execute(call, [stage.business, json.dumps(requests)]).fetchone()
        assert row is not None
        assert [answer["outcome"] for answer in row[0]] == ["committed"] * len(held)
    return [_changed(a, operation="commit") for a in held]


def _texts(connection: psycopg.Connection, start: int) -> tuple[str, str]:
    row = connection.execute(
        "select to_timestamp(%(start)s)::text, (to_timestamp(%(start)s) + interval '50 minutes')::text",
        {"start": start},
    ).fetchone()
    assert row is not None
    return row[0], row[1]
