"""The run under faults: what it finds when a promise is broken, and that it finds nothing when none is."""

import io
import sys
from collections import Counter
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace

import psycopg
import pytest
from proof.chaos import chaos, misdated
from proof.deployment import Disk, eventually
from proof.faults import FAULTS
from proof.findings import Kind
from proof.history import Asked, Call, Told
from proof.report import Injected, Report, as_markdown
from proof.timetable import Planned

from holdfast.kernel.embedded import EmbeddedPostgres

# What was committed is not written to disk before it is acknowledged, nor for some time after.
FORGETFUL = {
    "synchronous_commit": "off",
    "wal_writer_delay": "10s",
    "wal_writer_flush_after": "1GB",
    "bgwriter_lru_maxpages": "0",
}
# What was lost shows as such, or, when its client repeats it, as done a second time or answered otherwise.
OF_A_LOSS = {Kind.LOST, Kind.ALTERED, Kind.DOUBLED, Kind.DIFFERING}


def say(line: str) -> None:
    """Tell whoever reads the output of a failed test how far it came."""
    sys.stderr.write(f"{line}\n")


def test_a_database_that_acknowledges_too_early_is_found_out(tmp_path: Path) -> None:
    """When PostgreSQL acknowledges what it has not written yet and is killed, the run says what was lost."""
    report = chaos(tmp_path, 1, say, kinds=["postmaster", "backend"], rounds=2, postgres=FORGETFUL)
    assert {finding.kind for finding in report.findings} & OF_A_LOSS


def test_a_durable_database_keeps_every_word(tmp_path: Path) -> None:
    """When PostgreSQL is killed under load, every promise is kept, and requests without an answer are told in the end what
    became of them (B-9, B-11, B-25, H-1).
    """
    report = chaos(tmp_path, 2, say, kinds=["postmaster"])
    assert [finding.what for finding in report.findings] == []
    assert [injected.refused for injected in report.injected] == [None]
    assert sum(injected.attempts["unknown"] for injected in report.injected) > 0
    assert sum(call.outcome == "done" for call in report.calls) > 50


def test_a_disk_is_filled_while_it_is_written_to(tmp_path: Path) -> None:
    """A disk is full at once, however much is written to it at that moment, and has room again (H-1)."""
    try:
        disk = Disk(tmp_path / "disk")
    except OSError as refusal:
        pytest.skip(f"a file system cannot be mounted here: {refusal}")
    over, full = Event(), Event()

    def write(file: io.FileIO) -> None:
        while not over.is_set():
            try:
                file.write(bytes(100_000))
            except OSError:
                full.set()

    with io.FileIO(disk.folder / "file", "a") as file:
        writer = Thread(target=write, args=[file])
        writer.start()
        try:
            for _ in range(10):
                disk.fill()
                full.clear()
                assert full.wait(20)
                disk.empty()
        finally:
            over.set()
            writer.join()
            disk.unmount()


def test_tables_are_locked_beside_who_has_one_of_them(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Tables that PostgreSQL refuses to lock, since a client has one and waits for the other, are locked after that."""
    uri = postgres.uri(database=own_database)
    deployment = SimpleNamespace(admin=lambda: psycopg.connect(uri, autocommit=True))
    locked, over = Event(), Event()

    def lock() -> None:
        with FAULTS["locks"].inject(deployment, Planned(0, "locks", 0.0, 0.0, 0)):  # type: ignore[arg-type]
            locked.set()
            over.wait()

    with psycopg.connect(uri) as client, psycopg.connect(uri, autocommit=True) as watching:
        # Not the one that looks first whether two wait for each other.
        client.execute("set deadlock_timeout = '1min'")
        client.execute("select from claims")
        fault = Thread(target=lock)
        fault.start()
        try:
            waiting = "select from pg_locks where relation = 'claims'::regclass and not granted"
            eventually(lambda: watching.execute(waiting).fetchone() is not None, "nobody waits for the client")
            client.execute("select from bookings")
            assert not locked.is_set()
            client.rollback()
            assert locked.wait(60)
        finally:
            over.set()
            client.rollback()
            fault.join()


def call_of_a_hold(at: float, expires: float, *, replayed: bool = False) -> Call:
    """Return a call that took a second, for a hold of a minute."""
    told = Told(booking="b", expires=expires, replayed=replayed)
    return Call(1, "client", "reserve", "key", 10.0, 11.0, at, Asked(ttl_seconds=60), 201, None, told)


def test_a_hold_that_ends_by_a_wrong_clock_is_found() -> None:
    """A hold whose end was reckoned by a clock that is an hour wrong is found, in either direction; one that ends when it
    should is not, nor a repeated answer, which speaks of an earlier time (B-4).
    """
    sound = call_of_a_hold(1_000.0, 1_060.4)
    wrong = [call_of_a_hold(1_000.0, 1_060.0 + shift) for shift in (3600, -3600)]
    assert misdated([sound, call_of_a_hold(1_000.0, 990.0, replayed=True)]) == []
    assert [finding.kind for finding in misdated([sound, *wrong])] == [Kind.ALTERED, Kind.ALTERED]


def test_a_fault_that_was_not_injected_is_told() -> None:
    """The table says of a fault that could not be injected why, and counts it nowhere."""
    planned = Planned(0, "full disk", 0.0, 1.0, 0)
    other = Planned(1, "cut", 0.0, 1.0, 0)
    injected = [Injected(planned, refused="no right to mount"), Injected(other, Counter(unknown=3), 1.25)]
    words = {"full disk": "no room is left", "cut": "connections are reset"}
    text = as_markdown(Report(7, 60.0, words, injected, [], []))
    assert "| no room is left | not here: no right to mount |" in text
    assert "| connections are reset | 1 | 1.2 s | 1.2 s | 3 |" in text
    assert "| faults | 1, of 1 kinds |" in text
