"""What is installed is exactly what was locked."""

import json
import re
import tomllib
from typing import Any

import pytest

from house.sources import ROOT

LOCKS = [
    "requirements-bootstrap.lock",
    "requirements.lock",
    "requirements-dev.lock",
    "frontend/requirements-node.lock",
    "proof/failover/requirements.lock",
]


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


def _frontend(name: str) -> dict[str, Any]:
    content = json.loads((ROOT / "frontend" / name).read_text(encoding="utf-8"))
    assert isinstance(content, dict)
    return content


def test_what_comes_from_npm_is_locked_by_its_hash() -> None:
    """Every package of the lock of npm is one version with a hash, has no address, and runs nothing at its installation."""
    locked = _frontend("package-lock.json")["packages"]
    packages = {name: package for name, package in locked.items() if name}
    assert packages
    loose = [
        name
        for name, package in packages.items()
        if not re.fullmatch(r"\d[\w.+-]*", package.get("version", ""))
        or not re.fullmatch(r"sha512-[A-Za-z0-9+/]{86}==", package.get("integrity", ""))
        or "resolved" in package
        or "hasInstallScript" in package
    ]
    assert loose == []


def test_what_is_asked_of_npm_is_locked() -> None:
    """The lock of npm was written for the packages that are declared, and holds each of them."""
    declared, locked = _frontend("package.json"), _frontend("package-lock.json")["packages"]
    for kind in ("dependencies", "devDependencies"):
        assert locked[""][kind] == declared[kind]
        assert [name for name in declared[kind] if f"node_modules/{name}" not in locked] == []
