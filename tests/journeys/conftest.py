"""A data directory that has served the demo business, made once a run."""

from pathlib import Path

import pytest

from journeys.instance import serving


@pytest.fixture(scope="session")
def served_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with the demo business whose server has stopped: to be copied, not used."""
    data_dir = tmp_path_factory.mktemp("served") / "data"
    with serving(data_dir, "--demo") as instance:
        assert instance.stop() == 0
    return data_dir
