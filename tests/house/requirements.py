"""Prints the requirements that no test names; `make requirements` runs it.

A test names a requirement when its docstring, or that of its class or file, contains the id.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "docs" / "requirements.md"
ID = re.compile(r"\b([A-Z])-(\d{1,2})\b(?: to \1-(\d{1,2})\b)?")
_LINE = re.compile(r"^\| ([A-Z]-\d+) \| (.+?) \| (built|partly|planned)\b(.*) \|$", re.MULTILINE)


def listed() -> dict[str, tuple[str, str]]:
    """Return each requirement of the list with its summary and its state."""
    return {line[0]: (line[1], line[2]) for line in _LINE.findall(LIST.read_text(encoding="utf-8"))}


def named_by_tests() -> dict[str, list[str]]:
    """Return each id that a test names, with the files that do."""
    named: dict[str, list[str]] = {}
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for words in _docstrings(ast.parse(path.read_text(encoding="utf-8"))):
            for requirement in ids(words):
                named.setdefault(requirement, []).append(str(path.relative_to(ROOT)))
    return named


def ids(words: str) -> Iterator[str]:
    """Yield the ids in a text; `B-1 to B-3` are three."""
    for letter, first, last in ID.findall(words):
        for number in range(int(first), int(last or first) + 1):
            yield f"{letter}-{number}"


def _docstrings(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef | ast.Module) or (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
        ):
            yield ast.get_docstring(node) or ""


def main() -> None:
    """Print the ids without a test, with their summary and state, and how many there are."""
    requirements = listed()
    named = named_by_tests()
    missing = [name for name in requirements if name not in named]
    for name in missing:
        summary, state = requirements[name]
        print(f"{name:5} {state:8} {summary}")  # noqa: T201 - this is what the program is for
    print(f"{len(missing)} of {len(requirements)} requirements are named by no test")  # noqa: T201


if __name__ == "__main__":
    main()
