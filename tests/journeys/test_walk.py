"""README's walk through the API works as it is printed."""

import os
import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from journeys.instance import Instance

README = Path(__file__).parents[2] / "README.md"


def walk() -> str:
    """Return the commands of the walk, in their order."""
    text = README.read_text(encoding="utf-8")
    [section] = re.findall(r"^<!-- walk -->$(.*?)^<!-- /walk -->$", text, re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == section.count("```") // 2, "every block of the walk is run"
    return "\n".join(blocks)


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_the_walk_works_word_for_word(running: Instance, shell: str) -> None:
    """README's walk from slots to reserve, commit, reschedule and cancel succeeds as printed (A-3, B-1, B-9, B-11, B-12,
    B-16, B-17, K-4).
    """
    environment = {**os.environ, "URL": running.url, "no_proxy": "*"}
    walked = subprocess.run(
        [shell, "-eu"], input=walk(), env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert (walked.returncode, walked.stderr) == (0, "")
    [id_] = set(re.findall(r'"appointmentId":"([^"]+)"', walked.stdout))
    with psycopg.connect(running.dsn) as admin:
        history = admin.execute(
            "select action from audit_log where aggregate_id = %s order by version", [id_]
        ).fetchall()
    assert [action for (action,) in history] == ["commit", "reschedule", "cancel"]
    assert '{"available":3,"capacity":3}' in walked.stdout
