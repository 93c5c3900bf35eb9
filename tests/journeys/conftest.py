"""Data directories that have served the demo business, and that of a proof, made once a run."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from journeys.instance import Instance, copy_of, serving
from journeys.loaded import Staged, stage_in


@pytest.fixture(scope="session")
def served_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the demo business whose server has stopped: to be copied, not used."""
    data_dir = tmp_path_factory.mktemp("served") / "data"
    with serving(data_dir, "--demo") as instance:
        assert instance.stop() == 0
    return data_dir


@pytest.fixture(scope="module")
def running(served_before: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """A server with the demo business for the tests of one file, which stop nothing."""
    with serving(copy_of(served_before, tmp_path_factory.mktemp("running") / "data")) as instance:
        yield instance


@pytest.fixture(scope="session")
def staged_before(tmp_path_factory: pytest.TempPathFactory) -> Staged:
    """A data directory with the business of a proof whose server has stopped: to be copied, not used."""
    return stage_in(tmp_path_factory.mktemp("staged") / "data")


@pytest.fixture
def staged(staged_before: Staged, tmp_path: Path) -> Staged:
    """A data directory with the business of a proof; its PostgreSQL is durable."""
    return Staged(copy_of(staged_before.data_dir, tmp_path / "data"), staged_before.staff_key)
