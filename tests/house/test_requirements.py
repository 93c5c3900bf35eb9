"""The list of requirements says what is true of the product."""

import subprocess
import sys

from house import requirements
from house.sources import ROOT

COUNTS = {"B": 25, "A": 7, "H": 6, "C": 8, "P": 9, "W": 2, "D": 9, "U": 5, "K": 4}


def test_the_list_is_complete() -> None:
    """Every id from the first to the last of its letter is listed once, in order, with a summary and a state."""
    wanted = [f"{letter}-{number}" for letter, count in COUNTS.items() for number in range(1, count + 1)]
    lines = requirements.LIST.read_text(encoding="utf-8").splitlines()
    assert [line.split()[1] for line in lines if line.startswith("| ") and line[3] == "-"] == wanted
    assert list(requirements.listed()) == wanted


def test_tests_name_requirements_that_exist() -> None:
    """No test names an id that is not on the list."""
    unknown = {
        name: files
        for name, files in requirements.named_by_tests().items()
        if name.split("-")[0] in COUNTS and name not in requirements.listed()
    }
    assert unknown == {}


def test_what_counts_as_built_is_proved() -> None:
    """A requirement that is called built, wholly or partly, is named by a test."""
    named = requirements.named_by_tests()
    unproved = [name for name, (_, state) in requirements.listed().items() if state != "planned" and name not in named]
    assert unproved == []


def test_the_report_names_what_no_test_names() -> None:
    """`make requirements` prints exactly the ids without a test."""
    command = [sys.executable, "tests/house/requirements.py"]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    named = requirements.named_by_tests()
    assert [line.split()[0] for line in printed[:-1]] == [name for name in requirements.listed() if name not in named]
