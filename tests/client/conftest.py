"""The server to which the clients of these tests speak."""

from collections.abc import Iterator

import pytest

from conftest import Server, serving_demo
from holdfast.kernel.embedded import EmbeddedPostgres


@pytest.fixture(scope="package")
def server(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for these tests alone: they book on any day, and nothing is given back that was cancelled."""
    with serving_demo(postgres, "served_to_clients", tmp_path_factory.mktemp("server") / "log") as running:
        yield running
