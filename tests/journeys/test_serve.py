"""`holdfast serve` starts with one command, says one line, stops when it is asked to, and gets up when it was pushed."""

import signal
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psycopg
import pytest

from holdfast.kernel.embedded import EmbeddedPostgres
from journeys.instance import HOLDFAST, Instance, Process, copy_of, eventually, family, holdfast, serving

DEMO = "emotional-balance"


@pytest.fixture
def data_dir(served_before: Path, tmp_path: Path) -> Path:
    """A data directory that has served the demo business."""
    return copy_of(served_before, tmp_path / "data")


def value(dsn: str, statement: str) -> object:
    """Return the first value of a statement that runs as administrator."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    return row and row[0]


def wish(instance: Instance, key: str) -> dict[str, object]:
    """Return a request for places in a group that has many."""
    schedules = instance.get("/api/public/programs/open-lecture/schedules?limit=1").json()
    return {"scheduleId": schedules["schedules"][0]["id"], "idempotencyKey": key}


def test_first_start_says_one_line(tmp_path: Path) -> None:
    """In a fresh directory one command serves the demo business, stdout has one line, the JSON object, and the master
    key that was made is its owner's alone (K-1, K-3, K-4).
    """
    data_dir = tmp_path / "new" / "data"
    with serving(data_dir, "--demo") as instance:
        assert set(instance.ready) == {"url", "dsn", "pid", "dataDir"}
        assert instance.ready["dataDir"] == str(data_dir)
        assert instance.ready["pid"] == instance.process.pid
        assert instance.get("/booking/slot/").status_code == 200
        eventually(lambda: instance.get("/health/booking").json()["status"] == "ok")
        assert len(bytes.fromhex((data_dir / "master.key").read_text())) == 32
        assert {path.name: path.stat().st_mode & 0o777 for path in data_dir.glob("master*")} == {"master.key": 0o600}
        assert value(instance.dsn, "select rolsuper from pg_roles where rolname = current_user") is True
        assert value(instance.dsn, "select slug from businesses") == DEMO
        assert instance.stop() == 0
        assert instance.process.stdout is not None
        assert instance.process.stdout.read() == ""
        assert "migrating 1/" in instance.log


def test_the_ready_line_is_for_people(data_dir: Path) -> None:
    """Without --json the one line on stdout has the address of the page; --demo again changes nothing, nor is the
    master key made anew (K-1, K-3).
    """
    key = (data_dir / "master.key").read_text()
    with serving(data_dir, "--demo", as_json=False) as instance:
        address = instance.first_line.split()[-1]
        assert httpx.get(address, timeout=30).status_code == 200
        assert instance.stop() == 0
        assert instance.process.stdout is not None
        assert instance.process.stdout.read() == ""
        assert "business unchanged" in instance.log
        assert "resources: 0 created, 0 updated, 5 unchanged, 0 deactivated" in instance.log
        assert (data_dir / "master.key").read_text() == key


def test_the_demo_business_that_was_changed(data_dir: Path) -> None:
    """With --demo a server starts although staff have raised a capacity of the demo business and filled it: the business
    stays as it is, and nothing is lost (K-1, B-2).
    """
    with serving(data_dir, "--demo") as instance:
        words = ("--role", "owner", "--name", "Owner", "--data", data_dir)
        key = holdfast("key", "create", *words).stdout.strip()
        business = instance.get(f"/api/public/businesses/{DEMO}").json()
        ids = {each["slug"]: each["id"] for each in business["resources"] + business["services"]}
        slot = instance.get("/api/public/booking/slots?service_slug=intro-call").json()["days"][2]["slots"][0]
        place = {"slotStart": slot["start"], "slotEnd": slot["end"], "resourceId": ids["practitioner-1"]}
        body = place | {"serviceId": ids["intro-call"], "guestName": "Anna", "partySize": 2}
        with httpx.Client(base_url=instance.url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as staff:
            raised = staff.patch(f"/api/admin/resources/{ids['practitioner-1']}", json={"capacity": 2})
            assert raised.status_code == 200
            assert staff.post("/api/booking/appointments", json=body).status_code == 201
        assert instance.stop() == 0
    with serving(data_dir, "--demo") as instance:
        assert "the demo business stays as it is: practitioner-1: the capacity cannot be lowered to 1" in instance.log
        resources = instance.get(f"/api/public/businesses/{DEMO}").json()["resources"]
        assert [each["capacity"] for each in resources if each["slug"] == "practitioner-1"] == [2]


def test_a_second_instance_is_refused(data_dir: Path) -> None:
    """A second server on one data directory ends with exit code 2 and says why; the first one serves on (K-1)."""
    with serving(data_dir) as instance:
        second = holdfast("serve", "--data", data_dir, "--port", "0")
        assert second.returncode == 2
        assert second.stdout == ""
        assert f"another Holdfast is running on {data_dir}" in second.stderr
        assert "Traceback" not in second.stderr
        assert instance.answers()


def test_another_master_key_is_told(data_dir: Path) -> None:
    """With another master key than that of its data nothing is served and no worker works; each says so, and makes no key
    (K-1, D-5).
    """
    with serving(data_dir) as instance:
        consent = {"email": "guest@example.org", "kind": "terms", "documentVersion": "1"}
        assert httpx.post(f"{instance.ready['url']}/api/public/consents", json=consent, timeout=30).status_code == 201
        keys = "select count(*) from tenant_keys"
        before = value(instance.dsn, keys)
        for words in (["serve", "--port", "0"], ["worker"]):
            refused = holdfast(*words, "--dsn", instance.dsn, HOLDFAST_MASTER_KEY="07" * 32)
            assert (refused.returncode, refused.stdout) == (2, "")
            assert "Restore HOLDFAST_MASTER_KEY" in refused.stderr
            assert "Traceback" not in refused.stderr
        assert value(instance.dsn, keys) == before == 3


def test_a_taken_port_is_told(data_dir: Path) -> None:
    """When the port stays in use, serve ends with exit code 2, names port and way out, and leaves nothing running (K-1)."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = holdfast("serve", "--data", data_dir, "--port", str(port))
    assert refused.returncode == 2
    assert (
        refused.stderr.splitlines()[-1] == f"holdfast: Port {port} on 127.0.0.1 is in use; choose another with --port."
    )
    assert not (data_dir / "postgres" / "postmaster.pid").exists()


@pytest.mark.parametrize("words", [(), ("database",), ("web", "127.0.0.1", "none", "1")])
def test_a_part_is_no_command_for_people(words: tuple[str, ...]) -> None:
    """Whoever starts a part by hand, and not as the supervisor does, is told of `holdfast serve` (K-1)."""
    done = subprocess.run([*HOLDFAST, "part", *words], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "holdfast: the parts are `web HOST PORT WORKERS` and `worker`; use `holdfast serve`\n"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_stop_finishes_what_is_in_flight(data_dir: Path, sign: signal.Signals) -> None:
    """SIGTERM or Ctrl-C ends everything within 30 s with exit code 0, and a request in flight gets its answer (K-1)."""
    with serving(data_dir) as instance, ThreadPoolExecutor(1) as pool:
        body = wish(instance, "in flight")
        everybody = family(instance.process.pid)
        with psycopg.connect(instance.dsn) as admin:
            admin.execute("lock table bookings")
            answer = pool.submit(httpx.post, f"{instance.url}/api/booking/reserve", json=body, timeout=30)
            waiting = "select true from pg_stat_activity where usename = 'holdfast_app' and wait_event_type = 'Lock'"
            eventually(lambda: value(instance.dsn, waiting))
            instance.process.send_signal(sign)
            eventually(lambda: "stopping" in instance.log)
            admin.rollback()
        assert answer.result().status_code == 201
        assert instance.process.wait(30) == 0
        assert [process for process in everybody if process.lives] == []


def test_a_killed_supervisor_takes_everybody_along(data_dir: Path) -> None:
    """After kill -9 of the supervisor no process is left over, and a start right after it serves what was kept (K-1)."""
    with serving(data_dir) as instance:
        made = httpx.post(f"{instance.url}/api/booking/reserve", json=wish(instance, "kept"), timeout=30)
        assert made.status_code == 201
        everybody = family(instance.process.pid)
        assert len(everybody) > 5
        instance.process.kill()
        instance.process.wait()
        with serving(data_dir) as next_one:
            kept = next_one.get(f"/api/booking/reservations/{made.json()['reservationId']}")
            assert kept.json()["status"] == "held"
            eventually(lambda: not any(process.lives for process in everybody))


def test_a_killed_web_worker_is_replaced(data_dir: Path) -> None:
    """After kill -9 of the process that answers requests another one answers (K-1)."""
    with serving(data_dir) as instance:
        [killed] = instance.web_workers()
        killed.kill()
        eventually(lambda: killed.pid not in {process.pid for process in instance.web_workers()})
        eventually(instance.answers)
        assert instance.stop() == 0


@pytest.mark.parametrize("name", ["web", "worker"])
def test_a_killed_part_is_started_again(data_dir: Path, name: str) -> None:
    """After kill -9 of the web server or of the worker the others stay, and it is started again (K-1)."""
    with serving(data_dir) as instance:
        parts = {part: instance.part(part) for part in ("web", "worker")}
        orphans = [process for process in family(parts[name].pid) if process != parts[name]]
        postmaster = instance.postmaster()
        parts[name].kill()
        eventually(lambda: instance.part(name) != parts[name])
        eventually(instance.answers)
        eventually(lambda: not any(orphan.lives for orphan in orphans))
        other = "worker" if name == "web" else "web"
        assert (instance.part(other), instance.postmaster()) == (parts[other], postmaster)
        assert f"the {name} ended with status -9; starting it again" in instance.log
        assert instance.stop() == 0


def test_a_worker_that_keeps_ending_is_not_started_in_a_rush(data_dir: Path) -> None:
    """A worker that ends again and again is started after longer and longer pauses, the others serve on, and the last
    one does the work: it ends holds that have run out (B-23, K-1).
    """
    with serving(data_dir) as instance:
        seen = [instance.part("worker")]
        for _ in range(2):
            seen[-1].kill()
            eventually(lambda: instance.part("worker") not in seen)
            seen.append(instance.part("worker"))
        pauses = [float(line.split()[-2]) for line in instance.log.splitlines() if "the worker ended" in line]
        assert pauses == sorted(set(pauses))
        assert len(pauses) == 2
        assert instance.answers()
        made = httpx.post(
            f"{instance.url}/api/booking/reserve", json=wish(instance, "x") | {"ttlSeconds": 1}, timeout=30
        )
        state = f"select state from bookings where id = '{made.json()['reservationId']}'"
        eventually(lambda: value(instance.dsn, state) == "expired")


def test_postgresql_is_started_again_at_its_address(served_before: Path, tmp_path: Path) -> None:
    """A killed PostgreSQL comes back at the same URI, also where the socket needs a short path, its lock kept (K-1)."""
    data_dir = tmp_path / ("long" * 20) / "data"
    data_dir.parent.mkdir()
    server = EmbeddedPostgres(copy_of(served_before, data_dir), {"shared_buffers": "16MB"})
    try:
        server.start()
        before = server.uri()
        assert server.running
        postmaster = Process.look(server.pid)
        assert postmaster is not None
        postmaster.kill()
        eventually(lambda: not server.running)
        server.start()
        assert server.uri() == before
        assert value(before, "select 1") == 1
        assert server.pid != postmaster.pid
    finally:
        server.stop()
    assert not server.running
    assert not (data_dir / "sockets").is_symlink()
