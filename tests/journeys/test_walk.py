"""README's walk through the API works as it is printed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from journeys.instance import Instance, clean_environment

README = Path(__file__).parents[2] / "README.md"


def walk(name: str = "walk") -> str:
    """Return the commands of a walk, in their order."""
    text = README.read_text(encoding="utf-8")
    [section] = re.findall(rf"^<!-- {name} -->$(.*?)^<!-- /{name} -->$", text, re.MULTILINE | re.DOTALL)
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


@pytest.mark.parametrize("shell", ["bash", "sh"])
def test_an_assistants_day_works_word_for_word(running: Instance, shell: str) -> None:
    """README's day of an assistant, book by phone, find, move, mark as no-show, succeeds as printed (B-14, B-15, B-16,
    B-19, H-2, H-4).
    """
    root = README.parent
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = clean_environment() | {
        "URL": running.url,
        "no_proxy": "*",
        "PATH": programs,
        "HOLDFAST_DATA_DIR": str(running.data_dir),
    }
    # "In the same shell": what the walk before has defined is there.
    lines = walk().partition("key=$(")[0] + walk("day")
    day = subprocess.run(
        [shell, "-eu"], input=lines, env=environment, cwd=root, capture_output=True, text=True, timeout=120, check=False
    )
    assert day.returncode == 0, day.stderr
    assert "Traceback" not in day.stderr
    assert re.findall(r'"status":"(\w+)"', day.stdout)[-1] == "no_show"
    anna, boris = dict.fromkeys(re.findall(r'"appointmentId":"([^"]+)"', day.stdout))
    with psycopg.connect(running.dsn) as admin:
        histories = [
            admin.execute(
                "select action, actor from audit_log where aggregate_id = %s order by version", [booking]
            ).fetchall()
            for booking in (anna, boris)
        ]
        revoked = admin.execute("select bool_and(revoked_at is not null) from api_keys").fetchone()
    assert histories == [[("book", "staff"), ("reschedule", "staff")], [("book", "staff"), ("outcome", "staff")]]
    assert revoked == (True,)
