"""`holdfast key`: keys are made, listed and revoked beside a running server, and shown once."""

import json
import re
from uuid import uuid4

import httpx
import psycopg
import pytest

from journeys.instance import Instance, holdfast

KEY = re.compile(r"hf_[0-9a-f]{32}_[A-Za-z0-9_-]{43}")
NOBODY = f"/api/booking/appointments/{uuid4()}"


def status(running: Instance, key: str) -> int:
    """Return how a call of staff with a key is answered: 404 when the key opens, for there is no such appointment."""
    return httpx.get(running.url + NOBODY, headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_key_from_its_making_to_its_end(running: Instance) -> None:
    """A key is printed alone and opens at once; the list tells of its use, and revoked it opens nothing (H-4, K-3)."""
    made = holdfast("key", "create", "--role", "assistant", "--name", "Front desk", "--data", running.data_dir)
    key = made.stdout.strip()
    assert (made.returncode, bool(KEY.fullmatch(key))) == (0, True), made
    assert key not in made.stderr
    assert status(running, key) == 404

    [listed] = json.loads(holdfast("key", "list", "--dsn", running.dsn, "--json").stdout)
    assert (listed["role"], listed["name"], listed["revokedAt"]) == ("assistant", "Front desk", None)
    assert listed["lastUsedAt"].endswith("Z")
    shown = holdfast("key", "list", "--data", running.data_dir).stdout
    assert listed["id"] in shown
    assert "Front desk" in shown

    for _ in range(2):
        revoked = holdfast("key", "revoke", listed["id"], "--data", running.data_dir)
        assert (revoked.returncode, revoked.stdout) == (0, f"revoked {listed['id']}\n")
    assert status(running, key) == 401
    assert "revoked " in holdfast("key", "list", "--data", running.data_dir).stdout


def test_a_key_as_json(running: Instance) -> None:
    """With --json a new key is one object with its business, and the list has no secret (H-4, K-3)."""
    made = holdfast(
        "key",
        "create",
        "--role=owner",
        "--name=B",
        "--business=emotional-balance",
        "--json",
        f"--data={running.data_dir}",
    )
    told = json.loads(made.stdout)
    assert (told["business"], told["role"], told["lastUsedAt"]) == ("emotional-balance", "owner", None)
    assert status(running, told["key"]) == 404
    listed = holdfast("key", "list", "--json", "--data", running.data_dir).stdout
    assert told["id"] in listed
    assert told["key"][-43:] not in listed


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["create", "--role", "king", "--name", "A"], "'king' is not one of"),
        (["create", "--role", "owner"], "Missing option '--name'"),
        (["create", "--role", "owner", "--name", ""], "holdfast: name: must be one line"),
        (["create", "--role", "owner", "--name", "A", "--business", "gone"], "holdfast: There is no such business"),
        (["list", "--business", "gone"], "holdfast: There is no such business"),
        (["revoke", "nothing"], "holdfast: There is no such API key"),
        (["revoke", str(uuid4())], "holdfast: There is no such API key"),
    ],
)
def test_what_cannot_be_done_is_said(running: Instance, words: list[str], told: str) -> None:
    """A wrong role, name, business or key ends with exit code 2 and a sentence, and makes no key (K-3)."""
    before = holdfast("key", "list", "--json", "--data", running.data_dir).stdout
    failed = holdfast("key", *words, "--data", running.data_dir, COLUMNS="200")
    assert (failed.returncode, failed.stdout) == (2, "")
    assert told in failed.stderr
    assert "Traceback" not in failed.stderr
    assert holdfast("key", "list", "--json", "--data", running.data_dir).stdout == before


def test_a_key_is_in_no_log_and_no_table(running: Instance) -> None:
    """Used, misspelt and revoked, a key leaves its secret in no log and in no row (H-4)."""
    key = holdfast("key", "create", "--role=owner", "--name=C", "--data", running.data_dir).stdout.strip()
    secret = key[-43:]
    assert status(running, key) == 404
    assert status(running, f"{key}x") == 401
    assert httpx.get(f"{running.url}/nothing/{key}", params={"key": key}).status_code == 404
    holdfast("key", "revoke", key[3:35], "--data", running.data_dir)
    assert status(running, key) == 401
    assert secret not in running.log
    assert secret not in (running.data_dir / "postgres.log").read_text()
    with psycopg.connect(running.dsn) as admin:
        tables = admin.execute("select oid::regclass::text from pg_class where relkind = 'r' and relnamespace = 2200")
        for (table,) in tables.fetchall():
            found = admin.execute(f"select count(*) from {table} t where strpos(t::text, %s) > 0".encode(), [secret])
            assert found.fetchone() == (0,), table
