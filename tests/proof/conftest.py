"""A server with the business of a proof, made once for the files that load it."""

from collections.abc import Iterator

import pytest

from journeys.loaded import Loaded, loaded_server


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loaded]:
    """A server with its worker on a PostgreSQL of its own, and the business of a proof."""
    with loaded_server(tmp_path_factory.mktemp("loaded") / "data") as server:
        yield server
