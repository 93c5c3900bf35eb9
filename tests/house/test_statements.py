"""SQL lives in named statements that the real schema accepts; each table has one writer."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.pq import ExecStatus

from holdfast.kernel.embedded import EmbeddedPostgres
from house.sources import PACKAGE, capability_of, named_sql_files, place, python_files, repository_files, tree
from house.statements import PLACEHOLDER, STATEMENTS, numbered
from house.tables import GUESTS, OWNERS

# Python that may speak SQL itself, because it works on a database that is not yet, or not only, ours.
SPEAKS_SQL = {
    "kernel/migrate.py": "creates what statements need",
    "kernel/distribution.py": "makes statements of tables and functions that it finds",
    "kernel/embedded.py": "creates the database",
    "kernel/database.py": "asks which role it is",
    "kernel/rotation.py": "goes through columns that it finds",
    "verify.py": "asks a database that may be damaged what can be seen in it",
}
SQL = re.compile(
    r"\s*(?:select\s|insert\s+into\s|update\s+\S+\s+set\s|delete\s+from\s|with\s+\w+\s+as\s*\(|merge\s+into\s"
    r"|(?:create|alter|drop)\s+(?:or\s+replace\s+)?(?:table|index|view|function|role|database|type|trigger|schema)\s"
    r"|truncate\s|lock\s+table\s|grant\s|revoke\s|set\s+(?:local|role|session)\s|notify\s|listen\s|call\s+\w+\()",
    re.IGNORECASE,
)

_NO_WRITE = re.compile(
    r"--.*|'(?:[^']|'')*'|\bfor\s+(?:no\s+key\s+)?update\b|\bdo\s+update\b|\bon\s+update\b|\b(?:before|after|or)\s+update\b"
)
_WRITE = re.compile(
    r"\b(?:insert\s+into|delete\s+from|merge\s+into|truncate(?:\s+table)?|update)\s+(?:only\s+)?([a-z_]\w*)"
)

EVERY_STATEMENT = [
    pytest.param(path, name, statement, id=f"{path.parent.name}/{path.name}:{name}")
    for path, name, statement in STATEMENTS
]


@pytest.fixture(scope="module")
def schema(postgres: EmbeddedPostgres, shared_database: str) -> Iterator[psycopg.Connection]:
    """A connection of the administrator to a migrated database."""
    with psycopg.connect(postgres.uri(database=shared_database), autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize(("path", "name", "statement"), EVERY_STATEMENT)
def test_the_schema_accepts_the_statement(schema: psycopg.Connection, path: Path, name: str, statement: str) -> None:
    """PostgreSQL prepares the statement without being told a type, and plans it for the role that will run it."""
    text = numbered(statement)
    prepared = schema.pgconn.prepare(b"", text.encode())
    assert prepared.status == ExecStatus.COMMAND_OK, f"{place(path)}: {name}: {prepared.error_message.decode()}"
    if re.match(r"(?:select|insert|update|delete|merge|with|values)\b", re.sub(r"--.*|\s+", " ", text).strip()):
        # Checks run as administrator, everything else as the application: planning asks for its rights.
        schema.execute("set role none" if is_check(path) else "set role holdfast_app")
        try:
            planned = schema.pgconn.exec_(b"explain (generic_plan) " + text.encode())
        finally:
            schema.execute("set role none")
        assert planned.status == ExecStatus.TUPLES_OK, f"{place(path)}: {name}: {planned.error_message.decode()}"


@pytest.mark.parametrize(("path", "name", "statement"), EVERY_STATEMENT)
def test_a_percent_sign_is_doubled_where_there_are_parameters(path: Path, name: str, statement: str) -> None:
    """A lone % beside parameters is an error of the driver; a doubled one without them stays doubled."""
    if any(match.group(1) for match in PLACEHOLDER.finditer(statement)):
        assert "%" not in PLACEHOLDER.sub("", statement), f"{place(path)}: {name}"
    else:
        assert "%%" not in statement, f"{place(path)}: {name}"


def test_every_statement_is_used_and_every_used_one_exists() -> None:
    """Python asks for no statement that is not there, and no statement lies unused."""
    findings = []
    for capability in {capability_of(path) for path in named_sql_files()}:
        named = {n for path, n, _ in STATEMENTS if capability_of(path) == capability and not is_check(path)}
        sources = [path for path in python_files("src") if capability_of(path) == capability]
        loaded = {name for path in sources for name in _loaded(tree(path))}
        asked = {key: place(path, node) for path in sources for key, node in _asked(tree(path), loaded)}
        words = {node.value for path in sources for node in ast.walk(tree(path)) if isinstance(node, ast.Constant)}
        findings += [f"{capability}: {name} is used by nobody" for name in sorted(named - words)]
        findings += [f"{asked[name]}: there is no statement {name}" for name in sorted(set(asked) - named)]
    assert findings == []


def test_python_speaks_no_sql() -> None:
    """No string in the package is SQL, but for the few files that say why."""
    found = [
        f"{place(path, node)}: {node.value.strip()[:60]}"
        for path in python_files("src")
        if str(path.relative_to(PACKAGE)) not in SPEAKS_SQL
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and SQL.match(node.value)
        if node.value != "select 1"  # asks for nothing
    ]
    assert found == []


def test_a_table_is_written_by_its_owner_only() -> None:
    """Statements and functions of a capability write its own tables and no others (migrations own all of them)."""
    strangers = []
    for path in repository_files():
        if path.suffix != ".sql" or not path.is_relative_to(PACKAGE) or path.is_relative_to(PACKAGE / "migrations"):
            continue
        text = _NO_WRITE.sub(" ", path.read_text(encoding="utf-8").lower())
        for table in sorted(set(_WRITE.findall(text))):
            writer = capability_of(path)
            if OWNERS.get(table) != writer and (writer, table) not in GUESTS:
                strangers.append(f"{place(path)}: writes {table}, which belongs to {OWNERS.get(table)}")
    assert strangers == []


def test_every_table_has_an_owner(schema: psycopg.Connection) -> None:
    """Each table of the schema belongs to one capability, and none is claimed that is not there."""
    tables = schema.execute(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
        " and relname not like 'procrastinate%'"
    ).fetchall()
    assert {name for (name,) in tables} == set(OWNERS)


def is_check(path: Path) -> bool:
    """Tell whether `holdfast verify` runs the statements of a file, by its name and not statement by statement."""
    return path.name.endswith("checks.sql") or capability_of(path).startswith("verify")


def _loaded(module: ast.Module) -> Iterator[str]:
    """Yield the names to which statements are bound: `_SQL = load("holdfast.catalog")`."""
    for node in ast.walk(module):
        match node:
            case ast.Assign(value=ast.Call(func=ast.Name(id="load"))):
                yield from (ast.unparse(target) for target in node.targets)


def _asked(module: ast.Module, loaded: set[str]) -> Iterator[tuple[str, ast.AST]]:
    """Yield the names of statements that a file asks for: `_SQL["find"]`."""
    for node in ast.walk(module):
        match node:
            case ast.Subscript(value=value, slice=ast.Constant(value=str(name))):
                if ast.unparse(value).rpartition(".")[2] in loaded:
                    yield name, node
