"""What guards a run of the tests against leaks finds them: each way in which something could leak is leaked here."""

import json
import logging
from collections.abc import Callable, Iterator
from urllib.parse import quote
from uuid import uuid4

import httpx
import psycopg
import pytest
import pytest_asyncio
import structlog

from conftest import MASTER_KEY
from holdfast.identity import businesses
from holdfast.kernel.columns import registry
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring, TenantKeys
from house.test_columns import EMPTIED
from leaks.capture import Capture, judge, listening
from leaks.databases import blind_columns, dump, guard_database, sealed_columns
from leaks.finder import is_telling

TEXT, EMAIL, PHONE = "вогонские стихи ночью", "Marvin@Sirius.example", "+44 909 424 42 43"
TOKEN = "A" * 20 + "b" * 23
# Frees a table of what its rows must have.
BARE = """
    select format('alter table %%s drop constraint %%I cascade', k.conrelid::regclass, k.conname)
      from pg_constraint k
     where k.conrelid = %s::regclass
       and not exists (select from pg_attribute a
                        where a.attrelid = k.conrelid and k.contype = 'n' and a.attnum = any (k.conkey)
                          and a.attidentity <> '')
     order by position(k.contype in 'fxupcn')"""
# Frees it of what only some of its rows must have.
PARTLY = """
    select format('drop index %%s', i.indexrelid::regclass) from pg_index i
     where i.indrelid = %s::regclass and i.indisunique and i.indpred is not null"""


@pytest.fixture
def capture() -> Capture:
    """A capture that guards a text, an e-mail and a phone, and has heard something harmless."""
    made = Capture()
    for value in (TEXT, EMAIL, PHONE, "two\nlines of them"):
        made.guard(value, "test")
    made.hear("log", '{"event": "started"}\nmy Marvin@Sirius.examples, стихи\n')
    return made


@pytest.fixture
def listened(capture: Capture) -> Iterator[Capture]:
    """The capture, listening to this process."""
    with listening(capture):
        yield capture


def fails(capture: Capture, *texts: Iterator[tuple[str, str]]) -> str:
    """Return why the capture is judged to leak; empty when it is not."""
    try:
        judge(capture, *texts)
    except pytest.fail.Exception as failure:
        return str(failure)
    return ""


def test_what_is_harmless_is_let_through(capture: Capture) -> None:
    """Words of a value, other values and part of a longer word are no leak (D-5)."""
    assert fails(capture) == ""


@pytest.mark.parametrize(
    "shown",
    [
        str,
        str.upper,
        repr,
        ascii,
        json.dumps,
        lambda text: json.dumps(json.dumps({"a": text})),
        lambda text: f"n\\n{text}\\t",
        lambda text: f"GET /x?y={quote(text)}&z",
        lambda text: f"\\x{text.encode().hex()}",
        lambda text: f"{'x ' * 5000}({text})",
    ],
)
@pytest.mark.parametrize("value", [TEXT, EMAIL, PHONE, "lines of them"])
def test_a_value_is_found_however_it_is_written(capture: Capture, value: str, shown: Callable[[str], str]) -> None:
    """A log line with a private value is a leak: plain, in other letters, escaped, in a URL, as bytes (D-5)."""
    capture.hear("log", shown(value))
    assert repr(value) in fails(capture)


def test_short_values_are_left_out() -> None:
    """What chance would find is not looked for: short texts, few digits, a date, one word of the language; nor our ids."""
    assert not any(map(is_telling, ["Anna", "123 45 6", "......", "Author", "Renamed", "ночью", "2026-12-01"]))
    assert not is_telling('  "payment_id": "01a1ff0d-4c9c-7735-8f6c-289d8b7f3f21",')
    assert not any(map(is_telling, ['"reason": null,', '"status": "succeeded"']))
    assert is_telling('"guestEmail": "a@b.ru",')
    assert all(map(is_telling, ["+7 912 345", "Marvin A", "a@b.ru", "Zarniwoopski", "не сплю"]))


def test_logs_and_errors_are_heard(listened: Capture) -> None:
    """What this process logs and what its clients get as an error is heard, a good answer is not (D-5)."""
    structlog.get_logger().warning("structured", text=TEXT)
    logging.getLogger("library").warning("an address: %s", EMAIL)
    problem = {"headers": {"Content-Type": "application/problem+json"}, "json": {"detail": PHONE}}
    answers = {"/good": httpx.Response(200, json={"x": "lines of them"}), "/bad": httpx.Response(400, **problem)}
    transport = httpx.MockTransport(lambda request: answers[request.url.path])
    with httpx.Client(transport=transport, base_url="http://holdfast.test") as client:
        client.get("/good")
        client.get("/bad")
    found = fails(listened)
    assert [value in found for value in (TEXT, EMAIL, PHONE, "lines of them")] == [True, True, True, False]


def test_what_clients_show_is_secret(listened: Capture) -> None:
    """Keys, tokens, cookies and passwords of requests and answers are guarded (D-5)."""
    secret = [f"{number}{TOKEN[1:]}" for number in range(7)]
    answer = httpx.Response(
        200,
        headers={"Set-Cookie": f"login={32 * '0'}.{secret[0]}; HttpOnly"},
        json={"items": [{"cancellationToken": secret[1]}], "made": f"hf_{'0' * 32}_{secret[2]}"},
    )
    with httpx.Client(transport=httpx.MockTransport(lambda _: answer), base_url="http://holdfast.test") as client:
        headers = {"Authorization": f"Bearer hf_{'0' * 32}_{secret[3]}", "Booking-Token": secret[4]}
        client.post("/", headers=headers, json={"password": secret[5]})
        client.post("/", data={"password": secret[6]})
    assert set(secret) <= set(listened.private())
    for each in secret:
        listened.hear("log", f"saw {each}")
        assert each in fails(listened)


@pytest_asyncio.fixture
async def keys(postgres: EmbeddedPostgres, own_database: str) -> TenantKeys:
    """The keys of a business in the test's own database."""
    uri = postgres.uri(user="holdfast_app", database=own_database)
    database = Database(uri, min_connections=1, max_connections=1)
    await database.open()
    business = await database.run(
        None, lambda tx: businesses.put(tx, slug="b", name="B", timezone="UTC", currency="EUR")
    )
    await database.close()
    return await Keyring(MASTER_KEY, uri).of(business.id)


def seal_everywhere(connection: psycopg.Connection, keys: TenantKeys) -> set[str]:
    """Put an envelope into every column that takes one, in a row that has nothing else; return their texts."""
    connection.execute("set session_replication_role = replica")
    wanted = sealed_columns(connection)
    texts = set()
    for table, columns in wanted.items():
        for (drop,) in connection.execute(BARE, [table]).fetchall():
            connection.execute(drop.encode())
        for (drop,) in connection.execute(PARTLY, [table]).fetchall():
            connection.execute(drop.encode())
        for column in columns:
            row, text = uuid4(), f"a text for {table} and {column}"
            insert = f'insert into "{table}" (business_id, id, "{column}") values (%s, %s, %s)'
            connection.execute(insert.encode(), [keys.business_id, row, keys.seal(f"{table}.{column}", row, text)])
            texts.add(text)
    return texts


async def test_every_envelope_is_opened(
    postgres: EmbeddedPostgres, own_database: str, keys: TenantKeys, capture: Capture
) -> None:
    """Whatever is sealed in a database, in whatever column, is guarded, and found in the dump where it stands plain."""
    uri = postgres.uri(database=own_database)
    with psycopg.connect(uri) as connection:
        bytes_columns = {
            f"{table}.{column}" for table, columns in sealed_columns(connection).items() for column in columns
        }
        bytes_columns |= blind_columns(connection)
        assert bytes_columns == {name for name, its in registry().items() if its != "P0"} - set(EMPTIED)
        texts = seal_everywhere(connection, keys)
    assert guard_database(capture, uri, [bytes(32), MASTER_KEY]) == len(texts)
    assert texts <= set(capture.private())
    assert fails(capture, dump(uri, "own")) == ""
    with psycopg.connect(uri) as connection:
        connection.execute("update businesses set name = %s", [f"for {EMAIL}!"])
    assert "stands in own: public.businesses" in fails(capture, dump(uri, "own"))
