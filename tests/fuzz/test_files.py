"""A file that somebody has edited is loaded, or it is refused and everything is as it was."""

from collections.abc import Callable
from io import BufferedReader, BytesIO
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from availability.test_ics_reading import damaged as damaged_calendars
from booking.opened import violations
from business_files.test_fuzz import damaged_files
from fuzz.bounds import tried
from holdfast import transfers
from holdfast.business_files.demo import demo_text
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.errors import UserError

# Everything that belongs to a tenant, each row with the transaction that wrote it.
_ROWS = """
    select string_agg(format('select %L, xmin::text, ctid::text from %I where business_id is not null', relname, relname),
                      ' union all ')
      from pg_class join pg_attribute on attrelid = pg_class.oid
     where relkind = 'r' and relnamespace = 'public'::regnamespace and attname = 'business_id'"""


@pytest.fixture
def practice(postgres: EmbeddedPostgres, own_database: str) -> tuple[str, str]:
    """Where the demo business is, for the application and for an administrator."""
    app_uri = postgres.uri(user="holdfast_app", database=own_database)
    transfers.import_business(app_uri, demo_text())
    return app_uri, postgres.uri(database=own_database)


def everything(admin_uri: str) -> list[tuple[str, ...]]:
    """Return which row of which table was written when."""
    with psycopg.connect(admin_uri) as connection:
        [statement] = connection.execute(_ROWS).fetchone() or ("",)
        return sorted(connection.execute(str(statement).encode()).fetchall())


def is_loaded(practice: tuple[str, str], load: Callable[[str], object]) -> bool:
    """Return whether a file was loaded; fail where one that is refused has changed something."""
    app_uri, admin_uri = practice
    before = everything(admin_uri)
    assert before
    refusal = None
    try:
        load(app_uri)
    except UserError as refused:
        refusal = refused
    assert refusal is None or everything(admin_uri) == before, refusal
    return refusal is None


def test_a_damaged_business_file_is_loaded_or_changes_nothing(practice: tuple[str, str]) -> None:
    """Over a business that is there, a file that was edited is loaded whole, or refused and no row is written (K-2)."""
    loaded: list[bool] = []

    @tried(60, of="business files")
    @given(text=damaged_files())
    def load(text: str) -> None:
        loaded.append(is_loaded(practice, lambda uri: transfers.import_business(uri, text)))

    load()
    assert set(loaded) == {True, False}, "some are, some are not"
    assert violations(practice[1]) == []


def test_a_damaged_calendar_is_loaded_or_changes_nothing(practice: tuple[str, str], tmp_path: Path) -> None:
    """A calendar file that was edited is loaded whole, as holidays or busy time, or refused and no row is written (K-2)."""
    loaded: list[bool] = []

    @tried(60, of="calendar files")
    @given(text=damaged_calendars(), busy=st.booleans())
    def load(text: bytes, busy: bool) -> None:
        file = tmp_path / "calendar.ics"
        file.write_bytes(text)

        def bring(uri: str) -> None:
            transfers.import_calendar(
                uri,
                file,
                BufferedReader(BytesIO(text)),  # type: ignore[arg-type]
                lambda _: None,
                meaning="busy" if busy else "holidays",
                source=None,
                business=None,
                resources=["practitioner-1"] if busy else [],
            )

        loaded.append(is_loaded(practice, bring))

    load()
    assert set(loaded) == {True, False}, "some are, some are not"
    assert violations(practice[1]) == []
