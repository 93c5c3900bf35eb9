"""Every column has a class, and what is personal is stored as ciphertext only (D-5)."""

from collections.abc import Iterator

import psycopg
import pytest

from holdfast.kernel.columns import registry
from holdfast.kernel.embedded import EmbeddedPostgres

# Columns of an earlier release, whose rows are being sealed into others; nothing is written there any more.
EMPTIED: dict[str, str] = {
    "bookings.guest_email": "in plain text until it is sealed",
    "bookings.guest_phone": "in plain text until it is sealed",
    "bookings.guest_name": "in plain text until it is sealed",
    "audit_log.reason": "in plain text until it is sealed",
    "blocks.reason": "in plain text until it is sealed",
}
# What P1 and P2 may be stored as: the types refuse everything else. A bytea with a CHECK by the function of the same
# meaning counts as the type.
SEALED = {"envelope", "blind_index", "envelope[]", "blind_index[]"}


@pytest.fixture(scope="module")
def columns(postgres: EmbeddedPostgres, shared_database: str) -> Iterator[dict[str, str]]:
    """Every column of every table, named `table.column`, with its type."""
    with psycopg.connect(postgres.uri(database=shared_database)) as connection:
        yield dict(
            connection.execute(
                """select c.relname || '.' || a.attname,
                          coalesce((select substring(pg_get_constraintdef(k.oid) from '\\mis_(envelope|blind_index)\\(')
                                      from pg_constraint k
                                     where k.conrelid = c.oid and k.contype = 'c' and k.conkey = array[a.attnum]
                                       and pg_get_constraintdef(k.oid) ~ format(
                                               '^CHECK \\(is_(envelope|blind_index)\\(%I\\)\\)', a.attname)),
                                   format_type(a.atttypid, null))
                     from pg_attribute a join pg_class c on c.oid = a.attrelid
                    where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0
                      and not a.attisdropped and c.relname not like 'procrastinate%'"""
            ).fetchall()
        )


def test_every_column_has_a_class(columns: dict[str, str]) -> None:
    """The registry names exactly the columns that there are."""
    assert sorted(set(columns) - set(registry())) == [], "columns without a class"
    assert sorted(set(registry()) - set(columns)) == [], "classes without a column"


def test_personal_columns_take_ciphertext_only(columns: dict[str, str]) -> None:
    """A column of class P1 or P2 has a type that refuses what is no envelope and no blind index."""
    personal = {name for name, its in registry().items() if its != "P0"}
    assert {name for name in personal if columns[name] not in SEALED} == set(EMPTIED)


def test_ciphertext_is_registered_as_personal(columns: dict[str, str]) -> None:
    """Whatever is sealed is in the registry as personal, so that rotation and erasure find it."""
    assert [name for name, its_type in columns.items() if its_type in SEALED and registry()[name] == "P0"] == []
