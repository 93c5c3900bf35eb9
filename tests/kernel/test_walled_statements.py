"""Every statement of the product, asked by one tenant about another: the wall holds where a condition is forgotten."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import Connection

from holdfast.kernel.embedded import EmbeddedPostgres
from house.test_statements import STATEMENTS, is_check, numbered
from kernel.walled import Tenant, Walled, walled_database

# Functions of admission's role act for the business that they are told, whoever asks: the turnstile sends the wishes of
# several tenants as one. These two look whose transaction it is.
WALLED_FUNCTIONS = {"taken_by", "occupied_among"}
# How many statements reach the rows that this database has; the others ask for states and times that it has not.
REACHING = 75
OURS = [
    pytest.param(statement, id=f"{path.parent.name}/{path.name}:{name}")
    for path, name, statement in STATEMENTS
    if not is_check(path) and "%(" in statement
]


@pytest.fixture(scope="module")
def walled(postgres: EmbeddedPostgres) -> Iterator[Walled]:
    """A database in which two tenants have a row in every table."""
    with walled_database(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def beyond(walled: Walled) -> re.Pattern[str]:
    """What a statement says that calls a function with the rights of admission."""
    with psycopg.connect(walled.uri) as connection:
        found = connection.execute(
            "select proname from pg_proc where proowner = 'holdfast_admission'::regrole and prosecdef"
        )
        names = {name for (name,) in found.fetchall()} - WALLED_FUNCTIONS
    return re.compile(rf"\b({'|'.join(sorted(names))})\(")


def given(connection: Connection, statement: str, tenant: Tenant) -> dict[str, Any]:
    """Return what a tenant gives to each parameter of a statement, by the type that PostgreSQL takes it for."""
    names = dict.fromkeys(re.findall(r"%\((\w+)\)s", statement))
    connection.pgconn.prepare(b"asked", numbered(statement).encode())
    described = connection.pgconn.describe_prepared(b"asked")
    connection.pgconn.exec_(b"deallocate asked")
    kinds = [
        connection.execute("select format_type(coalesce(nullif(typbasetype, 0), oid), null) from pg_type where oid = %s",
                           [described.param_type(number)]).fetchone() or ("",)
        for number in range(described.nparams)
    ]  # fmt: skip
    return {name: tenant.value(name, kind) for name, (kind,) in zip(names, kinds, strict=True)}


def answer(connection: Connection, statement: str, values: dict[str, Any]) -> object:
    """Return the rows of a statement, or how many it touched, or how it was refused."""
    try:
        with connection.transaction():
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else cursor.rowcount
    except psycopg.Error as refusal:
        return type(refusal)


def asked(walled: Walled, acting_for: UUID, statement: str, about: Tenant, *, keep: bool = False) -> list[object]:
    """Return what a tenant hears who asks with the ids of another; once for its things, once for itself."""
    heard = []
    for owner in (about, Tenant(about.business_id, about.business_id, about.word)):
        with walled.acting_for(acting_for) as connection:
            heard.append(answer(connection, statement, given(connection, statement, owner)))
            if keep:
                connection.commit()
    return heard


@pytest.mark.parametrize("statement", OURS)
def test_a_statement_about_another_tenant_finds_nothing(
    walled: Walled, beyond: re.Pattern[str], statement: str
) -> None:
    """With the business and the ids of another tenant it answers as with ids that nobody has, and changes none of his rows.

    Every condition of a statement agrees to his rows then, so that nothing but row-level security holds it back (D-9).
    """
    if beyond.search(statement):
        pytest.skip("acts for the business that it is told")
    before = walled.rows(walled.theirs)
    ours = walled.ours.business_id
    assert asked(walled, ours, statement, walled.theirs, keep=True) == asked(walled, ours, statement, Tenant())
    assert walled.rows(walled.theirs) == before


def test_the_statements_reach_the_rows_of_who_asks(walled: Walled, beyond: re.Pattern[str]) -> None:
    """Many find or change something when the tenant itself asks the same, so that finding nothing says something (D-9)."""
    tried = [param.values[0] for param in OURS if not beyond.search(str(param.values[0]))]
    reaching = [
        statement
        for statement in map(str, tried)
        if any(
            heard and isinstance(heard, list | int)
            for heard in asked(walled, walled.theirs.business_id, statement, walled.theirs)
        )
    ]
    assert len(reaching) >= REACHING, set(tried) - set(reaching)
