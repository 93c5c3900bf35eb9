"""Runs the tests of weakenings, each in a copy of the tree that has it, and says which noticed."""

import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Self

from proof.mutations.weakening import DoesNotApplyError, Weakening

# What no test needs, or what is made anew.
_LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "build", "dist", "PG_VERSION"
)
# For each test that is asked for, the servers that it starts included, on a machine with other work.
_LONGEST_SECONDS = 300
# With these a test has not noticed a weakening: the weakening has broken what the test stands on.
_ACCIDENTS = (
    "ImportError", "ModuleNotFoundError", "NameError", "SyntaxError", "TypeError", "AttributeError",
    "psycopg.errors.SyntaxError", "psycopg.errors.Undefined", "holdfast.kernel.migrate.MigrationError",
)  # fmt: skip


class Verdict(StrEnum):
    """What became of a weakening."""

    RED = "red"
    SURVIVED = "survived"
    BROKEN = "broken"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a weakening, and in which words: those of the failure, or what went wrong."""

    weakening: Weakening
    verdict: Verdict
    words: str
    seconds: float


@dataclass(frozen=True, slots=True)
class _Case:
    """A case of a test as it ended: `passed`, `failed`, `error` or `skipped`."""

    name: str
    end: str
    words: str


class Gate:
    """Copies of a tree, one for each that works at once; a context manager, at whose end they are gone."""

    def __init__(self, tree: Path, jobs: int) -> None:
        self._tree = tree
        self._jobs = jobs
        self._lanes: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._folder = tempfile.TemporaryDirectory(prefix="holdfast-mutations-")

    def __enter__(self) -> Self:
        for number in range(self._jobs):
            lane = Path(self._folder.name) / str(number)
            shutil.copytree(self._tree, lane, ignore=_LEFT_OUT)
            self._lanes.put(lane)
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def unharmed(self, weakenings: Sequence[Weakening]) -> list[str]:
        """Run every named test in the tree as it is; return what is not green."""
        named: dict[str, list[str]] = {}
        for test in dict.fromkeys(test for weakening in weakenings for test in weakening.tests):
            named.setdefault(test.partition("::")[0], []).append(test)
        shares = [share for n in range(self._jobs) if (share := list(named.values())[n :: self._jobs])]
        with self._pool() as pool:
            return [words for found in pool.map(self._not_green, shares) for words in found]

    def judged(self, weakenings: Iterable[Weakening], tell: Callable[[Outcome], None]) -> list[Outcome]:
        """Return what becomes of each weakening, in their order; tells of each as soon as it is known."""
        with self._pool() as pool:
            begun = [pool.submit(self._judge, weakening) for weakening in weakenings]
            for done in as_completed(begun):
                tell(done.result())
            return [done.result() for done in begun]

    @contextmanager
    def _pool(self) -> Iterator[ThreadPoolExecutor]:
        """Lend threads; whoever breaks off ends the tests that run, and they what they have started."""
        with ThreadPoolExecutor(self._jobs) as pool:
            try:
                yield pool
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for process in list(self._running):
                    process.send_signal(signal.SIGINT)
                raise

    def _not_green(self, files: list[list[str]]) -> list[str]:
        tests = [test for file in files for test in file]
        lane = self._lanes.get()
        try:
            cases = self._run(lane, tests)
        except _NoReportError as none:
            return [str(none)]
        finally:
            self._lanes.put(lane)
        found = []
        for test in tests:
            own = _cases_of(test, cases)
            bad = [f"{case.name} {case.end}: {case.words}" for case in own if case.end != "passed"]
            found += bad if own else [f"{test} was not run"]
        return found

    def _judge(self, weakening: Weakening) -> Outcome:
        begun = time.monotonic()
        lane = self._lanes.get()
        try:
            with weakening.applied(lane):
                verdict, words = _verdict(weakening, self._run(lane, weakening.tests))
        except (DoesNotApplyError, _NoReportError) as problem:
            verdict, words = Verdict.BROKEN, str(problem)
        finally:
            self._lanes.put(lane)
        return Outcome(weakening, verdict, words, time.monotonic() - begun)

    def _run(self, tree: Path, tests: Sequence[str]) -> list[_Case]:
        """Run tests in a tree, with the package of that tree; return how their cases ended. Raises _NoReportError."""
        report = tree.with_name(f"{tree.name}.xml")
        report.unlink(missing_ok=True)
        options = ["-q", "-p", "no:cacheprovider", f"--junitxml={report}", "-o", "junit_family=xunit1"]
        # The first case that fails is enough where one test is asked for.
        options += ["--maxfail=1"] if len(tests) == 1 else []
        # Short, for the sockets of PostgreSQL lie below it.
        command = [sys.executable, "-m", "pytest", *options, f"--basetemp={tree.with_name(f't{tree.name}')}", *tests]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        environment["PYTHONPATH"] = str(tree / "src")
        with tempfile.TemporaryFile("w+") as output:
            with subprocess.Popen(
                command,
                cwd=tree,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process:
                self._running.add(process)
                try:
                    late = _wait(process, _LONGEST_SECONDS * len(tests))
                finally:
                    self._running.discard(process)
            output.seek(0)
            said = " / ".join(output.read().strip().splitlines()[-4:])
        if late:
            raise _NoReportError(f"not done in {_LONGEST_SECONDS * len(tests)} seconds: {said}")
        if process.returncode not in {0, 1} or not report.is_file():
            raise _NoReportError(f"pytest ended with {process.returncode}: {said}")
        return [_case(node) for node in ET.parse(report).iter("testcase")]  # noqa: S314  pytest has just written it


def _verdict(weakening: Weakening, cases: list[_Case]) -> tuple[Verdict, str]:
    """Every named test has to fail by itself; the words are those of the first one that does not, or that does."""
    first = ""
    for test in weakening.tests:
        own = _cases_of(test, cases)
        failed = [case for case in own if case.end == "failed"]
        broken = [case for case in own if case.end in {"error", "skipped"} or case.words.startswith(_ACCIDENTS)]
        if not own or (broken and not [case for case in failed if case not in broken]):
            return Verdict.BROKEN, f"{test}: {broken[0].words if broken else 'was not run'}"
        if not failed:
            return Verdict.SURVIVED, f"{test} passes without it"
        first = first or failed[0].words
    return Verdict.RED, first


def _cases_of(test: str, cases: list[_Case]) -> list[_Case]:
    return [case for case in cases if case.name == test or case.name.startswith(f"{test}[")]


class _NoReportError(Exception):
    """The tests could not be run to an end."""


def _wait(process: subprocess.Popen[bytes], longest_seconds: float) -> bool:
    """Wait for the tests; tell whether they had to be stopped, which is done as by hand, so that they clear up."""
    try:
        process.wait(longest_seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            # With the servers that it has started.
            os.killpg(process.pid, signal.SIGKILL)
        return True
    return False


def _case(node: ET.Element) -> _Case:
    name = f"{node.get('file')}::{node.get('name')}"
    for tag, end in (("failure", "failed"), ("error", "error"), ("skipped", "skipped")):
        told = node.find(tag)
        if told is not None:
            return _Case(name, end, (told.get("message") or "").strip().partition("\n")[0])
    return _Case(name, "passed", "")
