"""What is installed is exactly what was locked."""

import re
import tomllib

import pytest

from house.sources import ROOT

LOCKS = ["requirements-bootstrap.lock", "requirements.lock", "requirements-dev.lock"]


def _entries(lock: str) -> dict[str, str]:
    """Return each requirement of a lock by its name, with the lines that belong to it."""
    text = (ROOT / lock).read_text(encoding="utf-8").replace("\\\n", " ")
    return {line.partition("==")[0]: line for line in text.splitlines() if line and not line.startswith("#")}


@pytest.mark.parametrize("lock", LOCKS)
def test_each_requirement_is_one_version_with_hashes(lock: str) -> None:
    """Every line of a lock pins a version and carries a hash, and none carries an address."""
    entries = _entries(lock)
    assert entries
    loose = [
        name
        for name, line in entries.items()
        if not re.match(r"[a-z0-9._-]+==[0-9][\w.+!]*( ; [^#]+?)? +--hash=sha256:[0-9a-f]{64}( |$)", line)
        or "://" in line
    ]
    assert loose == []


def test_the_locks_agree() -> None:
    """What the tests run on is what runs: the locks name no package in two versions."""
    pinned: dict[str, set[str]] = {}
    for lock in LOCKS:
        for name, line in _entries(lock).items():
            pinned.setdefault(name, set()).add(line.split()[0])
    assert {name: versions for name, versions in pinned.items() if len(versions) > 1} == {}


def test_everything_that_is_declared_is_locked() -> None:
    """Each dependency of the project and of its development stands in the lock that is installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    declared = {
        "requirements.lock": project["project"]["dependencies"],
        "requirements-dev.lock": project["dependency-groups"]["dev"] + project["build-system"]["requires"],
    }
    missing = [
        f"{requirement}: not in {lock}"
        for lock, requirements in declared.items()
        for requirement in requirements
        if re.split(r"[\[<>=;~! ]", requirement, maxsplit=1)[0] not in _entries(lock)
    ]
    assert missing == []
