"""The gate of events: what is declared and technical passes, what anybody has written does not (D-6)."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.tracking import (
    EventRefused,
    Kind,
    Vocabulary,
    flag,
    identifier,
    instant,
    one_of,
    slug,
    whole,
    zone,
)

SOMEONE = UUID("00000000-0000-4000-8000-000000000000")
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

KINDS: dict[str, Kind] = {
    "slug": slug,
    "zone": zone,
    "instant": instant,
    "flag": flag,
    "identifier": identifier,
    "whole": whole(-5, 999_999),
    "one_of": one_of("email", "phone"),
}
# What people leave in fields: addresses, numbers in every writing, sentences, names.
WRITTEN = [
    "guest@example.org",
    "guest@пример.рф",
    "+7 912 345-67-89",
    "79123456789",
    "8-912-345-67-89",
    "tel-8-912-345-67-89",
    "a1b2c3d4e5f6g7",
    "1234567",
    "I cannot sleep",
    "мне-тревожно",
    "тревожно",
    "a" * 65,
    "two\nlines",
    "",
    "https://example.org/",
    "2026-11-21T12:00:00Z and more",
    79123456789,
    1_000_000,
    1.5,
    ["a"],
    {"a": "b"},
]
# What only the code can refuse, which knows what there is: no zones, no time of ours, not from JSON.
UNKNOWN = [
    "Europe/Nowhere",
    "Guest/Name",
    "2026-11-21T12:00:00Z",
    NOON.replace(tzinfo=None),
    NOON.replace(year=1970),
    b"ab",
]


@pytest.fixture
def vocabulary() -> Vocabulary:
    """One event with a property of each kind."""
    made = Vocabulary()
    made.declare("thing_done", **KINDS)
    return made


@pytest.fixture(scope="module")
def technical(postgres: EmbeddedPostgres, shared_database: str) -> Iterator[psycopg.Connection]:
    """A connection on which the database can be asked what it takes for technical."""
    with psycopg.connect(postgres.uri(database=shared_database), autocommit=True) as connection:
        yield connection


def is_technical(connection: psycopg.Connection, value: object) -> bool:
    """Return what the database says of a property with this value."""
    row = connection.execute("select is_technical(%s)", [Jsonb({"thing": value})]).fetchone()
    assert row is not None
    return bool(row[0])


def test_what_is_declared_passes_as_it_is_stored(vocabulary: Vocabulary, technical: psycopg.Connection) -> None:
    """Each kind of property has one form in which it is stored, and the database takes it (D-6)."""
    given = {
        "slug": "individual-session-2",
        "zone": "America/Argentina/Buenos_Aires",
        "instant": NOON.astimezone(timezone(timedelta(hours=3))),
        "flag": True,
        "identifier": SOMEONE,
        "whole": -5,
        "one_of": "email",
    }
    stored = vocabulary.check("thing_done", given)
    assert stored == given | {"instant": "2026-11-21T12:00:00Z", "identifier": str(SOMEONE)}
    assert vocabulary.check("thing_done", dict.fromkeys(KINDS)) == {}
    assert all(is_technical(technical, value) for value in stored.values())


@pytest.mark.parametrize("value", [*WRITTEN, *UNKNOWN], ids=repr)
@pytest.mark.parametrize("kind", KINDS)
def test_what_people_write_is_refused(vocabulary: Vocabulary, kind: str, value: object) -> None:
    """An address, a number, a sentence or a value of another kind passes as no property, and is not repeated (D-6)."""
    with pytest.raises(EventRefused) as refused:
        vocabulary.check("thing_done", {kind: value})
    assert refused.value.details["errors"] == [{"field": kind, "message": "is not of its kind"}]
    assert refused.value.message == f"thing_done: {kind} is not of its kind"


@pytest.mark.parametrize("value", WRITTEN, ids=repr)
def test_the_database_refuses_what_people_write(technical: psycopg.Connection, value: object) -> None:
    """What got past the code is refused by the database, which knows the shapes though not the lists (D-6)."""
    assert not is_technical(technical, value)
    assert is_technical(technical, "word"), "it can tell"


def test_a_yes_is_no_number(vocabulary: Vocabulary) -> None:
    """A yes is of its own kind only, although the language takes it for a one."""
    assert vocabulary.check("thing_done", {"flag": True}) == {"flag": True}
    for kind in KINDS.keys() - {"flag"}:
        with pytest.raises(EventRefused):
            vocabulary.check("thing_done", {kind: True})


@pytest.mark.parametrize(
    "properties", ['["a"]', '"text"', "7", "null", '{"I cannot sleep": true}', '{"a@example.org": 1}', '{"": 1}']
)
def test_properties_are_an_object_with_plain_names(technical: psycopg.Connection, properties: str) -> None:
    """The database takes an object of scalars only, and no words of people as names in it (D-6)."""
    assert technical.execute("select is_technical(%s::jsonb)", [properties]).fetchone() == (False,)


def test_properties_are_bounded(technical: psycopg.Connection) -> None:
    """So many words that they could be a text are refused together, though each would pass (D-6)."""
    many = Jsonb({f"p{chr(97 + n // 26)}{chr(97 + n % 26)}": "word" * 10 for n in range(60)})
    assert technical.execute("select is_technical(%s)", [many]).fetchone() == (False,)


def test_what_is_not_declared_is_refused_unnamed(vocabulary: Vocabulary) -> None:
    """An unknown event or property is refused, and its name, which could be anything, is not repeated (D-6)."""
    for name, properties in (("guest@example.org", {}), ("thing_done", {"guest@example.org": True})):
        with pytest.raises(EventRefused) as refused:
            vocabulary.check(name, properties)
        assert "guest" not in f"{refused.value} {refused.value.details}"


def test_an_event_is_declared_once() -> None:
    """A second declaration of a name would change what the first one has promised, so it is an error of the code."""
    made = Vocabulary()
    assert made.declare("thing_done", flag=flag) == "thing_done"
    with pytest.raises(ValueError, match="thing_done"):
        made.declare("thing_done")
    assert made.names() == {"thing_done"}


def test_a_number_cannot_be_declared_as_long_as_a_telephone_number() -> None:
    """A range of whole numbers beyond six digits is an error of the code."""
    with pytest.raises(AssertionError):
        whole(0, 1_000_000)
