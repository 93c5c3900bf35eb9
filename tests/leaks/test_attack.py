"""Addresses, phone numbers and sentences, written to every call wherever a text can stand, end up where they belong."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import psycopg
import pytest
import pytest_asyncio
from psycopg.rows import dict_row

from booking.staffed import make_key
from conftest import MASTER_KEY, created
from holdfast import config, web
from holdfast.business_files.demo import demo_text
from holdfast.business_files.importing import load
from holdfast.business_files.toml_file import read
from holdfast.identity import businesses
from holdfast.identity.permissions import Role
from holdfast.kernel.columns import registry
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.privacy import Keyring
from leaks.attack import Attack, writing
from leaks.capture import Capture, listening
from leaks.marks import marks_in

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")
# Whatever is written there, no address, no number and no sentence stays.
WORDS = {
    "audit_log.to_state",
    "outbox_events.payload",
    "consents.document_version",
    "deep_links.id",
    *(f"{table}.{name}" for table in ("leads", "deep_links") for name in UTM),
}
PUBLISHED = "staff write it for everybody to read"
# Where a text that somebody has written may stand in the open, and why. All of these are P0 by the registry.
OPEN = {
    "idempotency_keys.key": "the name that a client gives to its request, by which it is asked for again",
    **dict.fromkeys(("topics.slug", "topics.name_ru", "topics.name_en", "tags.slug", "tags.name"), PUBLISHED),
    **dict.fromkeys(("content_items.slug", "content_versions.title"), PUBLISHED),
    **dict.fromkeys(("content_versions.summary", "content_versions.body"), PUBLISHED),
    **dict.fromkeys(("curated_collections.slug", "curated_collections.title"), PUBLISHED),
    **dict.fromkeys(("curated_collections.description", "media_assets.alt_text"), PUBLISHED),
    **dict.fromkeys(("glossary_terms.term", "glossary_terms.definition"), PUBLISHED),
    **dict.fromkeys(WORDS, "one word: a slug of what is published, a word of a campaign"),
    **dict.fromkeys(("ugc_items.public_text", "ugc_items.public_answer"), PUBLISHED),
    **dict.fromkeys(("glossary_term_synonyms.synonym", "glossary_term_synonyms.folded"), PUBLISHED),
}
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
    ("post", "/api/public/booking/waitlist"),
    ("post", "/api/admin/leads/{lead_id}/notes"),
}


@dataclass
class Attacked:
    """The attack, what the server said meanwhile, and where the marks are now."""

    attack: Attack = field(repr=False)
    log: str = field(repr=False)
    stored: dict[str, set[str]] = field(repr=False)


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
    return Attacked(attack, log, stored_marks(postgres.uri(database=attacked_database)))


def stored_marks(uri: str) -> dict[str, set[str]]:
    """Return by column, named `table.column`, the marks that stand in it."""
    found: dict[str, set[str]] = {}
    with psycopg.connect(uri, row_factory=dict_row) as connection:
        tables = [
            row["relname"]
            for row in connection.execute(
                "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
            )
        ]
        for table in tables:
            for row in connection.execute(f'select * from "{table}"'.encode()):
                for column, value in row.items():
                    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
                    if marks := marks_in(text):
                        found.setdefault(f"{table}.{column}", set()).update(marks)
    return found


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


def test_nothing_is_stored_in_the_open(attacked: Attacked) -> None:
    """A mark stands in plain text only where everybody may read it; in no event, no audit entry, no figure (D-5, D-6)."""
    assert {place: marks for place, marks in attacked.stored.items() if place not in OPEN} == {}
    assert {
        mark for place in WORDS for mark in attacked.stored.get(place, ()) if not mark.startswith("vroomfondel")
    } == set()
    assert "content_versions.body" in attacked.stored, "what is published is found"
    assert [place for place in OPEN if registry()[place] != "P0"] == []
