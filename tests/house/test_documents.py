"""The documents name only what exists, and leave out nothing that a reader has to know."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import typer

from holdfast import cli, config, web
from house import payments_doc
from house.access import DOCUMENT, written
from house.sources import PACKAGE, ROOT, place, repository_files, tree
from house.tables import GUESTS, OWNERS

DOCUMENTS = [
    path
    for path in repository_files()
    if path.suffix == ".md" and (path.parent == ROOT or path.is_relative_to(ROOT / "docs"))
]
RECORDS = sorted((ROOT / "docs" / "adr").glob("*.md"))

FENCE = re.compile(r"^```\w*\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
SETTING = re.compile(r"\b(?:HOLDFAST_[A-Z_]+|CRON_SECRET(?:_FILE)?)\b")
PATH_LIKE = re.compile(
    r"^(?!/|https?:|application/)[\w.-]+(?:/[\w.*<>{}-]*)+$|^[\w-]+\.(?:py|sql|md|toml|lock|cfg|yml)$"
)
ROUTE_LIKE = re.compile(r"(?:^|\s)(/(?:api|health|metrics|schema|booking|admin)\b[^\s?`'\"\\]*)")


@cache
def code(path: Path) -> tuple[str, ...]:
    """Return what a document shows as code: spans, and the lines of its blocks."""
    text = path.read_text(encoding="utf-8")
    blocks = [line.strip() for block in FENCE.findall(text) for line in block.splitlines()]
    return (*SPAN.findall(FENCE.sub("", text)), *blocks)


def every_code() -> Iterator[tuple[str, str]]:
    """Yield each piece of code of each document, with the document's name."""
    for path in DOCUMENTS:
        for piece in code(path):
            yield place(path), piece


def test_make_targets_exist() -> None:
    """A document names only targets that the Makefile has, and CONTRIBUTING or README names each of them."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):.*## ", makefile, re.MULTILINE))
    named = {(name, target) for name, piece in every_code() for target in re.findall(r"\bmake ([a-z]+)", piece)}
    assert {(name, target) for name, target in named if target not in targets} == set()
    phony = set(re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split())
    assert phony == targets


def test_commands_and_their_options_exist() -> None:
    """A document names only commands that `holdfast` has, with options that they have; README names every command."""
    commands = _commands()
    wrong = []
    for name, piece in every_code():
        for command, rest in re.findall(r"\bholdfast ([a-z]+)((?: +[^\s|;&#]+)*)", piece):
            options = commands.get(command)
            if options is None:
                wrong.append(f"{name}: holdfast {command}")
            else:
                wrong += [f"{name}: holdfast {command} {o}" for o in re.findall(r"--[a-z-]+", rest) if o not in options]
    assert wrong == []
    readme = "\n".join(code(ROOT / "README.md"))
    assert [command for command in commands if f"holdfast {command}" not in readme] == []


def test_settings_exist_and_are_told() -> None:
    """A document names only settings that are read, and the README tells of every one, with its default."""
    read = set(SETTING.findall((PACKAGE / "config.py").read_text(encoding="utf-8")))
    named = {(place(path), name) for path in DOCUMENTS for name in SETTING.findall(path.read_text(encoding="utf-8"))}
    assert {(document, name) for document, name in named if name not in read} == set()
    table = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert table == read


def test_paths_exist() -> None:
    """A path or file name that a document shows is there: in the repository, or in the package."""
    names = {path.name for path in repository_files()}
    missing = [
        f"{document}: {piece}"
        for document, piece in every_code()
        if PATH_LIKE.match(piece) and not piece.startswith(".venv/") and not _exists(piece) and piece not in names
    ]
    assert missing == []


def test_links_lead_somewhere() -> None:
    """A link of a document to another file of the repository finds it."""
    broken = [
        f"{place(path)}: {target}"
        for path in DOCUMENTS
        for target in LINK.findall(path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def test_routes_exist() -> None:
    """A path of the API or of a page that a document shows is served."""
    every_route = web.handlers(config.Settings(cron_secret="any", bench_routes=True))  # noqa: S106 - opens a route
    routes = [_pattern(route) for handler in every_route for route in handler.paths]
    unknown = [
        f"{document}: {route}"
        for document, piece in every_code()
        for route in ROUTE_LIKE.findall(re.sub(r"https?://[^/\s]+", " ", piece))
        if not any(re.fullmatch(pattern, route.rstrip("/") or "/") for pattern in routes)
    ]
    assert unknown == []


def test_the_states_and_decisions_of_payments_are_those_of_the_code() -> None:
    """docs/payments.md draws states and decisions as they are; `.venv/bin/python tests/house/payments_doc.py` writes them (P-3)."""
    text = payments_doc.DOCUMENT.read_text(encoding="utf-8")
    assert payments_doc.written(text) == text


def test_the_table_of_access_is_that_of_the_code() -> None:
    """docs/access.md shows who may what and by which calls; `.venv/bin/python tests/house/access.py` writes it (D-7)."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == written(text)


def test_every_folder_has_its_line() -> None:
    """ARCHITECTURE.md has a line for each folder and file at the top of the package, and for each top folder."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    told = set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))
    parts = {path.relative_to(PACKAGE).parts for path in repository_files() if path.is_relative_to(PACKAGE)}
    inside = {part[0] + ("/" if len(part) > 1 else "") for part in parts} - {"__init__.py", "py.typed"}
    outside = {path.relative_to(ROOT).parts[0] + "/" for path in repository_files() if path.parent != ROOT}
    assert told == inside | outside


def test_records_of_decisions_are_in_form() -> None:
    """The records are numbered without a gap; each has its four parts and names a check that exists."""
    assert [path.name[:4] for path in RECORDS] == [f"{number:04}" for number in range(1, len(RECORDS) + 1)]
    for number, path in enumerate(RECORDS, 1):
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {number}. "), place(path)
        parts = re.findall(r"^## (.*)$", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Check"], place(path)
        checks = SPAN.findall(text.partition("## Check")[2])
        assert any(check.startswith(("tests/", "pyproject.toml")) for check in checks), place(path)


def test_tests_that_documents_name_exist() -> None:
    """A test named in a document (`tests/file.py::test_name` or `test_name`) is there."""
    tests = {
        node.name
        for path in repository_files()
        if path.suffix == ".py" and path.is_relative_to(ROOT / "tests")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    named = {(name, test) for name, piece in every_code() for test in re.findall(r"\btest_\w+(?!\w*\.py)\b", piece)}
    modules = {path.stem for path in repository_files() if path.suffix == ".py"}
    assert {(name, test) for name, test in named if test not in tests | modules} == set()


def test_the_description_of_the_database_is_the_database(admin_uri: str) -> None:
    """docs/database.md lists each table with its writer, and every name that it shows is one of the schema."""
    path = ROOT / "docs" / "database.md"
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\w+) \|$", path.read_text(encoding="utf-8"), re.MULTILINE)
    writers = {
        table: {owner} | {guest for guest, guested in GUESTS if guested == table} for table, owner in OWNERS.items()
    }
    assert set(dict(rows)) == set(OWNERS)
    assert [(table, writer) for table, writer in rows if writer not in writers[table]] == []
    names = """select conname from pg_constraint union select relname from pg_class union select proname from pg_proc
               union select rolname from pg_roles union select attname from pg_attribute"""
    with psycopg.connect(admin_uri) as connection:
        known = {name for (name,) in connection.execute(names)}
    shown = {piece for piece in code(path) if re.fullmatch(r"[a-z]+(_[a-z]+)+", piece)}
    assert shown - known == set()


def _commands() -> dict[str, set[str]]:
    """Return the options of each command that is not hidden; of a group, its commands and all their options."""
    group: Any = typer.main.get_command(cli.app)
    return {name: _options(command) for name, command in group.commands.items() if not command.hidden}


def _options(command: Any) -> set[str]:
    own = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return own.union(*(_options(inner) for inner in getattr(command, "commands", {}).values()))


def _exists(name: str) -> bool:
    if any(mark in name for mark in "*<{"):
        pattern = re.sub(r"<[^>]*>|\{[^}]*\}", "*", name)
        return any(True for folder in (ROOT, PACKAGE) for _ in folder.glob(pattern))
    return any((folder / name).exists() for folder in (ROOT, PACKAGE))


def _pattern(route: str) -> str:
    """Return a pattern that the route's path matches, and its form in a document: /x/{id} or /x/{business}/y."""
    return re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(route.rstrip("/") or "/"))
