"""`holdfast doctor` as its users have it."""

import json
from pathlib import Path

import psycopg

from holdfast.availability.walltime import zones
from journeys.instance import Instance, eventually, holdfast

KEY = {"HOLDFAST_MASTER_KEY": "11" * 32}
CHECKS = ["server", "role", "durability", "connections", "clock", "roles", "roles", "roles", "application"]
CHECKS += [
    "extensions",
    "migrations",
    "backups",
    "worker",
    "backfills",
    "contacts",
    "tenant-keys",
    "zones",
    "bookings",
    "disk",
    "open-files",
    "master-key",
    "tzdata",
    "mail",
]


def written_down(dsn: str) -> bool:
    """Tell whether the worker has written down every zone."""
    with psycopg.connect(dsn) as connection:
        return connection.execute("select count(*) from zone_records").fetchone() == (len(zones()),)


def test_a_running_server_is_well(running: Instance) -> None:
    """doctor finds no problem with a server as `serve` starts it: exit code 0, each finding on a line or as JSON
    (K-1, A-6).
    """
    assert eventually(lambda: written_down(running.dsn))
    told = holdfast("doctor", "--data", running.data_dir)
    assert told.returncode == 0, told.stdout
    lines = [line.split(":")[0].split() for line in told.stdout.splitlines() if not line.startswith(" ")]
    assert [check for _, check in lines] == CHECKS
    key = {"HOLDFAST_MASTER_KEY": (running.data_dir / "master.key").read_text()}
    as_json = holdfast("doctor", "--dsn", running.dsn, "--json", **key)
    findings = {each["check"]: each for each in json.loads(as_json.stdout)}
    assert as_json.returncode == 0
    assert {each["level"] for name, each in findings.items() if name not in {"disk", "open-files"}} == {"ok"}
    assert findings["mail"]["message"] == "not configured: no mail is sent"


def test_a_problem_ends_with_one(running: Instance, tmp_path: Path) -> None:
    """A problem gives exit code 1 and says what to do, be it a missing key, an open one, or no server at all (K-1)."""
    no_key = holdfast("doctor", "--dsn", running.dsn)
    assert no_key.returncode == 1
    assert "problem  master-key: HOLDFAST_MASTER_KEY is not set" in no_key.stdout
    assert "         -> Set it to 64 hexadecimal characters" in no_key.stdout
    key = running.data_dir / "master.key"
    key.chmod(0o644)
    try:
        open_key = holdfast("doctor", "--data", running.data_dir, "--json")
    finally:
        key.chmod(0o600)
    problems = [each for each in json.loads(open_key.stdout) if each["level"] == "problem"]
    assert (open_key.returncode, [each["advice"] for each in problems]) == (1, [f"chmod 600 {key}"])
    away = holdfast("doctor", "--data", tmp_path / "nothing")
    assert (away.returncode, "problem  database: cannot be reached: no Holdfast is running" in away.stdout) == (1, True)
    refused = holdfast("doctor", "--dsn", "postgresql://x@127.0.0.1:1/x", **KEY)
    assert "problem  database: cannot be reached: connection failed" in refused.stdout
    assert "Connection refused" in refused.stdout
    assert "Traceback" not in no_key.stderr + open_key.stderr + away.stderr + refused.stderr
    assert list(tmp_path.iterdir()) == []
