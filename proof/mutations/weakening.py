"""A guard that is taken away, and the tests that have to notice."""

import ast
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class DoesNotApplyError(Exception):
    """The tree has changed under a weakening: its text is not there exactly once, or its test is not there."""


@dataclass(frozen=True, slots=True)
class Weakening:
    """Another text in the place of one that a file of the tree has exactly once; what is not kept out without that.

    Each of the tests has to fail: `file::name`, or one case of it, `file::name[case]`.
    """

    name: str
    lets_in: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...]

    def check(self, tree: Path) -> None:
        """Raise DoesNotApplyError unless the tree has the text exactly once, and every test."""
        self._weakened(tree)
        for test in self.tests:
            file, _, name = test.partition("::")
            if not (tree / file).is_file() or name.partition("[")[0] not in _functions(tree / file):
                raise DoesNotApplyError(f"{self.name}: there is no test {test}")

    @contextmanager
    def applied(self, tree: Path) -> Iterator[None]:
        """Weaken a tree for the time of the block. Raises DoesNotApplyError, and then has changed nothing."""
        text = self._weakened(tree)
        path = tree / self.path
        before = path.read_text(encoding="utf-8")
        path.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(before, encoding="utf-8")

    def _weakened(self, tree: Path) -> str:
        path = tree / self.path
        if not path.is_file():
            raise DoesNotApplyError(f"{self.name}: there is no {self.path}")
        text = path.read_text(encoding="utf-8")
        if (times := text.count(self.old)) != 1:
            raise DoesNotApplyError(f"{self.name}: {self.path} has this {times} times: {self.old.strip()}")
        return text.replace(self.old, self.new)


def _functions(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
