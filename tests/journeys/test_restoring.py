"""A database that is gone is had again as it was at a moment, and what the world did since is found."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from journeys.instance import Instance, copy_of, eventually, holdfast, serving
from journeys.load import Book, check, load_on, settle, until, wishes_of
from journeys.test_paying import ACCOUNTS, TERMS, Place, demo_text
from leaks.capture import RUN
from payments.yookassa.fake import FakeYooKassa, fake_yookassa

BEFORE, AFTER = 100, 100


@dataclass
class Practice:
    """Folders of a server that is backed up, and of what is restored from it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def data(self) -> Path:
        """Where it serves from until it is lost."""
        return self.folder / "data"

    @property
    def backups(self) -> Path:
        """Where its log and its base backups are kept; a name that a shell could take amiss."""
        return self.folder / "it's 100% kept"

    @property
    def again(self) -> Path:
        """Where it serves from afterwards."""
        return self.folder / "again"

    def back_up(self, *words: str) -> dict[str, Any]:
        """Make a base backup, and return what was told."""
        done = holdfast("backup", "--data", self.data, "--to", self.backups, "--json", *words)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def doctor(self) -> tuple[str, str]:
        """Return what the doctor says of backups."""
        told = holdfast("doctor", "--data", self.data, "--json", **self.environment)
        [finding] = [each for each in json.loads(told.stdout) if each["check"] == "backups"]
        return finding["level"], finding["message"]

    def restore(self, at: datetime | None = None, place: Path | None = None) -> dict[str, Any]:
        """Restore under the master key, which was kept elsewhere; nothing is violated."""
        data = place or self.again
        data.mkdir(exist_ok=True)
        (data / "master.key").write_text((self.data / "master.key").read_text())
        moment = [] if at is None else ["--at", at.isoformat()]
        done = holdfast("restore", self.backups, "--data", data, "--json", *moment)
        assert done.returncode == 0, done.stderr
        told: dict[str, Any] = json.loads(done.stdout)
        assert told["violations"] == []
        return told


@pytest.fixture
def practice(served_before: Path, tmp_path: Path) -> Practice:
    """A data directory that has served the demo business, whose log is kept when it is served again."""
    made = Practice(tmp_path)
    made.environment = {"HOLDFAST_BACKUP_DIR": str(made.backups)}
    copy_of(served_before, made.data)
    return made


def now_of(instance: Instance) -> datetime:
    """Return a moment between what was committed before and what will be after."""
    with psycopg.connect(instance.dsn, autocommit=True) as admin:
        row = admin.execute("select clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0].astimezone(UTC)
    return moment


def keep_log(instance: Instance) -> None:
    """Have PostgreSQL keep all of its log up to now, as it does by itself within a minute."""
    with psycopg.connect(instance.dsn, autocommit=True) as admin:
        row = admin.execute("select pg_walfile_name(pg_switch_wal())").fetchone()
        assert row is not None
        kept = "select last_archived_wal >= %s from pg_stat_archiver"
        eventually(lambda: admin.execute(kept, row).fetchone() == (True,))


def backups_shown(instance: Instance) -> tuple[float, float]:
    """Return what a server shows to monitors: when its last copy was made, and whether its log cannot be kept."""
    families = text_string_to_metric_families(instance.get("/metrics").text)
    shown = {sample.name: sample.value for family in families for sample in family.samples}
    return shown["holdfast_backup_last_timestamp_seconds"], shown["holdfast_backup_log_failing"]


def states_in(dsn: str) -> dict[str, str]:
    """Return the bookings of a database with their states."""
    with psycopg.connect(dsn) as connection:
        return {str(id_): state for id_, state in connection.execute("select id, state from bookings").fetchall()}


async def test_a_moment_under_load_is_restored(practice: Practice) -> None:
    """A base backup is made while clients book; the server is lost later, with its disk. What was acknowledged before the moment
    that is asked for is there, what was asked after it is not, and every client who repeats with his key has one
    effect (K-1, B-9).
    """
    with serving(practice.data, **practice.environment) as instance:
        book = Book(wishes_of(instance.url))
        async with load_on(instance.url, book):
            await until(lambda: book.acknowledged >= BEFORE)
            await asyncio.to_thread(practice.back_up)
            reached = book.acknowledged
            await until(lambda: book.acknowledged >= reached + AFTER)
            before = {order.id for order in book.orders if order.reservation is not None}
            told_before = [order for order in book.orders if order.appointment is not None]
            moment = await asyncio.to_thread(now_of, instance)
            asked = len(book.orders)
            reached = book.acknowledged
            await until(lambda: book.acknowledged >= reached + AFTER)
            await asyncio.to_thread(keep_log, instance)
        instance.kill_all()
    told = await asyncio.to_thread(practice.restore, moment)
    assert datetime.fromisoformat(told["lastChangeAt"]) <= moment
    with serving(practice.again) as instance:
        there = states_in(instance.dsn)
        after = {order.id for order in book.orders[asked:] if order.reservation is not None}
        assert after
        assert not after & there.keys()
        assert [order for order in told_before if there.get(order.id) != "confirmed"] == []
        assert before <= there.keys()
        for order in book.orders:
            if order.reservation is not None:
                order.appointment = order.appointment if there.get(order.id) == "confirmed" else None
                order.reservation = order.reservation if order.id in there else None
        await settle(instance.url, book)
        check(instance.dsn, book)


def test_all_that_was_kept_is_restored_when_no_moment_is_named(practice: Practice) -> None:
    """Without a moment everything is had again that was kept, up to the last change before a stop; the backups stay, so that
    it can be done twice; and a server on what was restored keeps its log apart (K-1).
    """
    with serving(practice.data, **practice.environment) as instance:
        practice.back_up()
        with psycopg.connect(instance.dsn) as admin:
            admin.execute("create table last_change as select 42 as answer")
        assert instance.stop() == 0
    kept = sorted(path.relative_to(practice.backups) for path in practice.backups.rglob("*") if path.is_file())
    practice.restore(place=practice.folder / "tried")
    practice.restore()
    with serving(practice.again, **practice.environment) as instance:
        with psycopg.connect(instance.dsn) as admin:
            assert admin.execute("select answer from last_change").fetchone() == (42,)
        keep_log(instance)
    first, second = sorted(practice.backups.iterdir(), key=lambda folder: folder.stat().st_ctime)
    assert [path for path in kept if not (practice.backups / path).exists()] == []
    assert [str(path) for path in kept if path.parts[0] == second.name] == []
    assert {path.name for path in first.iterdir()} == {"base", "wal"}
    refused = holdfast("restore", practice.backups, "--data", practice.folder / "third")
    assert refused.returncode == 2
    assert "several data directories" in refused.stderr


def test_old_backups_go_with_the_log_that_nobody_needs(practice: Practice) -> None:
    """Base backups beyond those to be kept are removed with the segments before them, and the last is restored; the doctor and
    the figures say whether there is one (K-1).
    """
    with serving(practice.data, **practice.environment) as instance:
        assert practice.doctor() == ("warning", "the log is kept, but there is no copy to begin with")
        assert backups_shown(instance) == (0, 0)
        first = practice.back_up()
        keep_log(instance)
        assert practice.doctor()[0] == "ok"
        ended = datetime.fromisoformat(first["endedAt"]).timestamp()
        eventually(lambda: backups_shown(instance) == (ended, 0))
        second = practice.back_up("--keep", "1")
        assert second["removed"] == [first["path"]]
        base = Path(second["path"])
        label = (base / "backup_label").read_text()
        segments = [path.name for path in (base.parents[1] / "wal").iterdir() if len(path.name) == 24]
        assert min(segments, default="G") >= label.partition("(file ")[2][:24]
        assert instance.stop() == 0
    assert practice.restore()["base"] == second["path"]


def test_what_cannot_be_restored_is_told(practice: Practice) -> None:
    """A moment before the first backup, one that the log does not reach, a base backup with a file that was altered, a directory
    that is in use: each is refused with what to do, and leaves no database behind (K-1, K-3).
    """
    made = practice.back_up()
    ended = datetime.fromisoformat(made["endedAt"])

    def refusal(*words: str | Path, place: Path = practice.again) -> str:
        done = holdfast("restore", practice.backups, "--data", place, *words)
        assert done.returncode == 2, done.stdout
        assert place == practice.data or not (place / "postgres").exists()
        return done.stderr.splitlines()[-1]

    assert "nothing before that" in refusal("--at", (ended - timedelta(hours=1)).isoformat())
    assert "does not reach" in refusal("--at", ended.isoformat())
    assert "yet to come" in refusal("--at", (ended + timedelta(days=1)).isoformat())
    assert "has a database already" in refusal(place=practice.data)
    altered = Path(made["path"]) / "postgresql.conf"
    altered.write_text(altered.read_text() + "\n")
    assert "pg_verifybackup failed" in refusal()
    assert "There are no backups" in holdfast("restore", practice.folder, "--data", practice.again).stderr
    within = holdfast("backup", "--data", practice.data, "--to", practice.data / "backups")
    assert (within.returncode, "lies in the data directory" in within.stderr) == (2, True)
    nowhere = holdfast("backup", "--data", practice.folder / "nowhere", "--to", practice.backups)
    assert (nowhere.returncode, "There is no database" in nowhere.stderr) == (2, True)
    assert not (practice.folder / "nowhere").exists()


@pytest.fixture
def yookassa() -> Iterator[FakeYooKassa]:
    """A provider that forgets nothing when we do."""
    with fake_yookassa() as provider:
        RUN.guard_secret(provider.secret, "secret of a shop")
        yield provider


def test_what_was_paid_since_is_found(practice: Practice, yookassa: FakeYooKassa) -> None:
    """A restore loses what was booked since: who had his place before and paid since is confirmed by the comparison with the
    provider, money for a booking that is not there any more is put before staff with its ids, and the ledger is
    sound (P-4, P-9, K-1).
    """
    practice.environment |= {
        "HOLDFAST_YOOKASSA_API_URL": yookassa.url,
        "HOLDFAST_PUBLIC_URL": "https://booking.example",
    }
    # As behind a proxy, which tells whom it has heard: one of YooKassa's published addresses.
    practice.environment |= {"HOLDFAST_STAGE": "stage", "HOLDFAST_TRUSTED_PROXIES": "127.0.0.1"}
    with serving(practice.data, **practice.environment) as instance:
        key = holdfast("key", "create", "--role", "owner", "--name", "Owner", "--data", practice.data).stdout.strip()
        place = Place(instance, yookassa, key)
        file = practice.folder / "business.toml"
        file.write_text(demo_text().replace('payment = "on_site"', TERMS, 1), encoding="utf-8")
        assert holdfast("import", file, "--data", practice.data).returncode == 0
        account = place.owner("PUT", f"{ACCOUNTS}/yookassa", {"shopId": yookassa.shop_id, "secretKey": yookassa.secret})
        yookassa.webhooks.url = account["webhookUrl"].replace("https://booking.example", instance.url)
        practice.back_up()
        kept = place.book()
        moment = now_of(instance)
        lost = place.book()
        for payment in yookassa.payments():
            yookassa.pay(payment["id"])
        for made in (kept, lost):
            eventually(lambda made=made: place.state(made) == "confirmed", 60)
        keep_log(instance)
        instance.kill_all()
    practice.restore(moment)
    with serving(practice.again, **practice.environment) as instance:
        place = Place(instance, yookassa, key)
        reconciled = holdfast("payments", "reconcile", "--data", practice.again, "--json", **practice.environment)
        eventually(lambda: place.state(kept) == "confirmed", 60)
        assert reconciled.returncode in (0, 1), reconciled.stderr
        with psycopg.connect(instance.dsn) as admin:
            items = admin.execute("select kind, subject_id, details from attention_items").fetchall()
        assert [kind for kind, *_ in items] == ["payment_unexplained"]
        [(_, subject, details)] = items
        assert str(UUID(lost["appointmentId"])) in json.dumps([str(subject), details])
        verified = holdfast("verify", "--data", practice.again)
        assert verified.returncode == 0, verified.stdout
