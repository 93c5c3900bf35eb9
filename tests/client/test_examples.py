"""What the document of the client shows works as it stands (H-6)."""

import re
import subprocess
import sys

import pytest

from conftest import Server
from house.sources import ROOT

EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "client.md").read_text(encoding="utf-8"), re.DOTALL)
ADDRESS = "http://127.0.0.1:8000"


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(server: Server, number: int) -> None:
    """Each example runs by itself against a server with the demo business, and raises nothing (H-6)."""
    code = EXAMPLES[number]
    assert ADDRESS in code
    command = [sys.executable, "-W", "error", "-c", code.replace(ADDRESS, server.url)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_there_are_examples() -> None:
    """The document has them, for threads and for asyncio."""
    assert len(EXAMPLES) == 4
    assert any("AsyncClient" in code for code in EXAMPLES)
