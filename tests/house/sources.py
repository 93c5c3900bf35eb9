"""What the house tests look at: files of the repository, their syntax trees, their SQL."""

import ast
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "holdfast"
# What a source archive without git holds beside the sources.
_NOT_SOURCES = {".venv", ".git", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".import_linter_cache"}
_NOT_SOURCES |= {"__pycache__", "node_modules", "build", "dist"}


@cache
def repository_files() -> tuple[Path, ...]:
    """Return the files that git tracks or would add; without git every file outside caches and build folders."""
    if shutil.which("git") and (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True).stdout
        found = [ROOT / name for name in listed.split("\0") if name]
    else:
        found = [path for path in ROOT.rglob("*") if not _NOT_SOURCES & set(path.relative_to(ROOT).parts)]
    return tuple(sorted(path for path in found if path.is_file()))


def texts() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each text file of the repository."""
    for path in repository_files():
        try:
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def python_files(*folders: str) -> Iterator[Path]:
    """Yield the Python files of the repository below the given folders, or all."""
    for path in repository_files():
        if path.suffix == ".py" and (not folders or path.relative_to(ROOT).parts[0] in folders):
            yield path


@cache
def tree(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def place(path: Path, node: ast.AST | None = None) -> str:
    """Return how a finding names its place: file, and line if there is one."""
    name = str(path.relative_to(ROOT))
    return f"{name}:{node.lineno}" if node is not None and hasattr(node, "lineno") else name


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function of a file, methods and inner ones too."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def capability_of(path: Path) -> str:
    """Return the folder of `holdfast` in which a file is, or the file's own name at the top."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def named_sql_files() -> list[Path]:
    """Return the SQL files of the package that hold named statements."""
    return [
        path
        for path in repository_files()
        if path.suffix == ".sql" and path.is_relative_to(PACKAGE) and "-- name: " in path.read_text(encoding="utf-8")
    ]
