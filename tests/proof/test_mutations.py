"""The mutation gate: its weakenings fit the tree, and it tells those that nobody notices."""

import subprocess
import sys
from pathlib import Path

import pytest
from proof.mutations.catalogue import WEAKENINGS
from proof.mutations.gate import Gate, Outcome, Verdict
from proof.mutations.weakening import DoesNotApplyError, Weakening

TREE = Path(__file__).parents[2]

SOURCE = '''"""A till."""

MOST = 3


def pay(amount):
    if not 0 < amount <= MOST:
        raise ValueError(amount)
    return amount
'''
TESTS = """import pytest
from till import pay


@pytest.fixture
def paid():
    return pay(3)


def test_too_much_is_refused():
    with pytest.raises(ValueError):
        pay(4)


@pytest.mark.parametrize("amount", [1, 3])
def test_what_is_right_is_paid(amount):
    assert pay(amount) == amount


def test_all_is_paid(paid):
    assert paid == 3
"""


def weakening(old: str, new: str, *tests: str) -> Weakening:
    """Return a weakening of the little tree."""
    named = tuple(f"tests/test_till.py::{test}" for test in tests)
    return Weakening(new, "anything", "src/till.py", old, new, named)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A little tree with a package and its tests, as a project has them."""
    for path, text in (("src/till.py", SOURCE), ("tests/test_till.py", TESTS), ("pyproject.toml", "")):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def judged(tree: Path, *weakenings: Weakening) -> dict[str, Verdict]:
    """Return what becomes of each weakening."""
    told: list[Outcome] = []
    with Gate(tree, 2) as gate:
        outcomes = gate.judged(weakenings, told.append)
    assert [outcome.weakening for outcome in outcomes] == list(weakenings)
    assert sorted(outcome.weakening.name for outcome in told) == sorted(w.name for w in weakenings)
    return {outcome.weakening.name: outcome.verdict for outcome in outcomes}


@pytest.mark.parametrize("weakening", WEAKENINGS, ids=lambda weakening: weakening.name)
def test_every_weakening_applies(weakening: Weakening) -> None:
    """What a weakening changes stands in the tree exactly once, and the tests that have to notice exist."""
    weakening.check(TREE)
    assert weakening.old != weakening.new
    assert weakening.tests


def test_a_weakening_has_a_name_of_its_own() -> None:
    """No two weakenings have one name, so that a table of them says which is which."""
    names = [weakening.name for weakening in WEAKENINGS]
    assert sorted(set(names)) == sorted(names)


def test_what_nobody_notices_survives(tree: Path) -> None:
    """A weakening without which the named tests pass is told, one that they notice is red, and the tree stays as it was."""
    limit = "<= MOST:"
    found = judged(
        tree,
        weakening(limit, "< 5:", "test_too_much_is_refused"),
        # One of two named tests is not enough.
        weakening(limit, "<= 2:", "test_what_is_right_is_paid", "test_too_much_is_refused"),
        weakening(limit, "<= 1:", "test_what_is_right_is_paid[3]"),
    )
    assert found == {"< 5:": Verdict.RED, "<= 2:": Verdict.SURVIVED, "<= 1:": Verdict.RED}
    assert (tree / "src/till.py").read_text() == SOURCE


def test_what_breaks_the_test_itself_proves_nothing(tree: Path) -> None:
    """A weakening by which a test cannot be run, or stumbles, is broken and not red."""
    found = judged(
        tree,
        weakening("    return amount", "    return amounts", "test_what_is_right_is_paid"),
        weakening("    return amount", "    return amount +", "test_too_much_is_refused"),
        weakening("MOST = 3", "MOST = 2", "test_all_is_paid"),
        weakening("MOST = 3", "MOST = 1", "test_what_is_right_is_paid[7]"),
        weakening("MOST = 7", "MOST = 0", "test_too_much_is_refused"),
    )
    assert set(found.values()) == {Verdict.BROKEN}


def test_tests_that_are_red_anyway_are_told(tree: Path) -> None:
    """What is not green without any weakening is named before one is tried; what is green is not."""
    (tree / "src/till.py").write_text(SOURCE.replace("MOST = 3", "MOST = 2"))
    asked = weakening("MOST", "LEAST", "test_too_much_is_refused", "test_what_is_right_is_paid", "test_all_is_paid")
    with Gate(tree, 1) as gate:
        told = gate.unharmed([asked])
    assert [problem.partition("::")[2].partition(":")[0] for problem in told] == [
        "test_what_is_right_is_paid[3] failed",
        "test_all_is_paid error",
    ]


@pytest.mark.parametrize(
    ("old", "test"), [("MOST", "test_all_is_paid"), ("LEAST", "test_all_is_paid"), ("MOST = 3", "test_nothing")]
)
def test_what_does_not_apply_is_told(tree: Path, old: str, test: str) -> None:
    """A text that is there twice or not at all, and a test that is not there, are found before anything is run."""
    with pytest.raises(DoesNotApplyError):
        weakening(old, "5", test).check(tree)


def test_the_weakenings_are_listed() -> None:
    """The command lists the weakenings that it has, all or those that are asked for, and runs none."""
    command = [sys.executable, "-m", "proof.mutations", "--list"]
    told = subprocess.run([*command, "--only", "If-Match"], cwd=TREE, capture_output=True, text=True, check=True)
    wanted = [f"{w.name}: {w.lets_in}" for w in WEAKENINGS if "If-Match" in w.name]
    assert told.stdout.splitlines() == wanted != []
