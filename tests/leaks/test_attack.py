"""Addresses, phone numbers and sentences, written to every call wherever a text can stand, are told to nobody."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
import pytest_asyncio

from booking.staffed import make_key
from conftest import MASTER_KEY, created
from holdfast import config, web
from holdfast.business_files.demo import demo_text
from holdfast.business_files.importing import load
from holdfast.business_files.toml_file import read
from holdfast.identity import businesses
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring
from leaks.attack import Attack, writing
from leaks.capture import Capture, listening
from leaks.marks import marks_in

# What clients and staff say, and what has to have succeeded so that the rest of this says something.
REACHED = {
    ("post", "/api/booking/reserve"),
    ("post", "/api/booking/commit"),
    ("post", "/api/booking/book"),
    ("post", "/api/booking/series"),
    ("post", "/api/booking/series/{series_id}/commit"),
    ("post", "/api/booking/appointments"),
    ("patch", "/api/booking/appointments/{appointment_id}"),
    ("post", "/api/booking/appointments/{appointment_id}/cancel"),
    ("post", "/api/admin/blocks"),
    ("patch", "/api/admin/resources/{resource_id}"),
    ("patch", "/api/admin/schedules/{schedule_id}"),
    ("post", "/api/admin/users"),
    ("patch", "/api/admin/users/{user_id}"),
    ("post", "/api/admin/content"),
    ("post", "/api/public/questions"),
    ("post", "/api/admin/moderation/items/{item_id}/answer"),
    ("post", "/api/public/leads"),
    ("post", "/api/public/consents"),
    ("post", "/api/public/booking/intake"),
    ("post", "/api/admin/leads/{lead_id}/notes"),
}


@dataclass
class Attacked:
    """The attack, and what the server said meanwhile."""

    attack: Attack = field(repr=False)
    log: str = field(repr=False)


@pytest.fixture(scope="module")
def attacked_database(postgres: EmbeddedPostgres) -> Iterator[str]:
    """A database of its own."""
    with created(postgres, "attacked") as name:
        yield name


@pytest_asyncio.fixture(scope="module")
async def attacked(postgres: EmbeddedPostgres, attacked_database: str) -> Attacked:
    """The demo business after an attack with the key of its owner, and without one."""
    uri = postgres.uri(user="holdfast_app", database=attacked_database)
    database = Database(uri, min_connections=1, max_connections=2, keyring=Keyring(MASTER_KEY, uri))
    await database.open()
    try:
        await load(database, read(demo_text()))
        async with database.transaction() as tx:
            business = await businesses.find(tx, "emotional-balance")
        assert business is not None
        key = await make_key(database, business.id, Role.OWNER)
        capture = Capture()
        with listening(capture):
            settings = config.Settings(
                dsn=postgres.uri(database=attacked_database),
                master_key=MASTER_KEY,
                access_log=True,
                public_writes_per_minute=0,
                business_writes_per_minute=0,
            )
            app = web.build(settings, uri)
            # With the line of each request in the log.
            stack = web.watched(web.layered(app, settings), settings)
            transport = httpx.ASGITransport(stack, raise_app_exceptions=False)
            async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as http:
                attack = Attack(http, (await http.get("/schema")).json(), key)
                await attack.run()
        log = "\n".join(line for place, line in capture.heard() if "log" in place)
    finally:
        await database.close()
    return Attacked(attack, log)


def test_every_writing_call_is_attacked(attacked: Attacked) -> None:
    """Every call that may change something was sent marks, and those that take people's words have taken them (D-5)."""
    assert set(writing(attacked.attack.document)) <= set(attacked.attack.numbers)
    assert sorted(REACHED - attacked.attack.reached) == []


def test_no_error_tells_what_was_sent(attacked: Attacked) -> None:
    """No error quotes an address, a number or a sentence, whatever is wrong with it and wherever it stood (D-5, H-1)."""
    assert [(call, status) for call, status, text in attacked.attack.errors if marks_in(text)] == []
    assert len(attacked.attack.errors) > 500


def test_no_log_tells_what_was_sent(attacked: Attacked) -> None:
    """No line of the log has a mark, those of requests and of errors included (D-5)."""
    assert "/api/booking/commit" in attacked.log
    assert [line for line in attacked.log.splitlines() if marks_in(line)] == []
