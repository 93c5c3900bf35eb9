"""How backups lie in their folder, and how a segment of the log gets there (K-1)."""

import subprocess
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from holdfast.kernel.backup_measures import BackupFigures
from holdfast.kernel.backups import (
    BackupError,
    Base,
    Lineage,
    alone,
    archiving,
    fetching,
    forget_older,
    known_lineage,
    lineage_in,
    lineage_of,
)
from holdfast.kernel.database import Database

SEGMENT = "000000010000000000000007"


@pytest.fixture
def lineage(tmp_path: Path) -> Lineage:
    """Where a data directory keeps its backups, under a name that a shell and PostgreSQL could both take amiss."""
    return lineage_of(tmp_path / "data", tmp_path / "it's 100% kept")


def run(command: str, segment: Path, name: str = SEGMENT) -> int:
    """Run a command as PostgreSQL does, with its own words put in."""
    told = command.replace("%p", segment.name).replace("%f", name).replace("%%", "%")
    return subprocess.run(
        ["/bin/sh", "-c", told], cwd=segment.parent, check=False, stderr=subprocess.DEVNULL
    ).returncode


def test_a_segment_is_kept_and_fetched(lineage: Lineage, tmp_path: Path) -> None:
    """A segment is kept under its name alone and had again as it was; one that was given up early takes less room than it is
    long; what is not there cannot be had (K-1).
    """
    segment = tmp_path / "segment"
    segment.write_bytes(b"changes" + bytes(1 << 20))
    assert run(archiving(lineage)["archive_command"], segment) == 0
    [kept] = lineage.log.iterdir()
    assert (kept.name, kept.read_bytes()) == (SEGMENT, segment.read_bytes())
    assert kept.stat().st_blocks * 512 < 1 << 20
    back = tmp_path / "back"
    assert run(fetching(lineage), back) == 0
    assert back.read_bytes() == segment.read_bytes()
    assert run(fetching(lineage), back, "000000010000000000000008") != 0


def test_a_segment_is_never_overwritten(lineage: Lineage, tmp_path: Path) -> None:
    """PostgreSQL may repeat itself after a crash; another segment under the same name is refused, and the first one stays. What a
    crash has left of a copy is no hindrance (K-1).
    """
    command = archiving(lineage)["archive_command"]
    segment = tmp_path / "segment"
    (lineage.log / f".{SEGMENT}").write_text("half of")
    for content, accepted in (("first", True), ("first", True), ("second", False)):
        segment.write_text(content)
        assert (run(command, segment) == 0) == accepted
        assert (lineage.log / SEGMENT).read_text() == "first"


def test_a_segment_that_finds_no_place_is_not_taken_for_kept(lineage: Lineage, tmp_path: Path) -> None:
    """While the folder of the backups is away the command fails, so that PostgreSQL keeps the segment and tries again (K-1)."""
    segment = tmp_path / "segment"
    segment.write_text("changes")
    lineage.log.rename(tmp_path / "away")
    assert run(archiving(lineage)["archive_command"], segment) != 0


def test_a_data_directory_keeps_its_line(tmp_path: Path) -> None:
    """A data directory has the same place for its backups each time, and no other has it; within itself it may not be (K-1)."""
    first = lineage_of(tmp_path / "data", tmp_path / "backups")
    assert lineage_of(tmp_path / "data", tmp_path / "backups") == first
    assert known_lineage(tmp_path / "data", tmp_path / "backups") == first
    assert known_lineage(tmp_path / "other", tmp_path / "backups") is None
    assert lineage_in(tmp_path / "backups") == lineage_in(first.path) == first
    assert lineage_of(tmp_path / "other", tmp_path / "backups") != first
    with pytest.raises(BackupError, match="several data directories"):
        lineage_in(tmp_path / "backups")
    (tmp_path / "link").symlink_to(tmp_path / "data")
    for within in (tmp_path / "data" / "backups", tmp_path / "link" / "backups", tmp_path / "data"):
        with pytest.raises(BackupError, match="lies in the data directory"):
            lineage_of(tmp_path / "data", within)


def test_only_whole_copies_count(lineage: Lineage) -> None:
    """A copy that was broken off is none, nor is what somebody has put beside them; the others are in their order, and one that
    does not say where it begins is not built upon (K-1).
    """
    for name in ("20261122T010000.000000Z", "20261121T010000.000000Z", ".unfinished", "mineZ"):
        (lineage.path / "base" / name).mkdir()
    days = [base.ended_at for base in lineage.bases()]
    assert days == [datetime(2026, 11, day, 1, tzinfo=UTC) for day in (21, 22)]
    (lineage.bases()[-1].path / "backup_label").write_text("nothing")
    with pytest.raises(BackupError, match="does not say where it begins"):
        forget_older(lineage, 1)
    assert len(lineage.bases()) == 2


def test_one_copy_is_made_at_a_time(tmp_path: Path) -> None:
    """Whoever copies a data directory while somebody else does is refused, as is who names one in which no database is; once the
    first is done, the next one may (K-1).
    """
    data = tmp_path / "data"
    with pytest.raises(BackupError, match="There is no database"), alone(data):
        pass
    assert not data.exists()
    (data / "postgres").mkdir(parents=True)
    (data / "postgres" / "PG_VERSION").write_text("18\n")
    with alone(data), pytest.raises(BackupError, match="is being made already"), alone(data):
        pass
    with alone(data):
        pass


async def test_monitors_do_not_wait_for_a_disk_that_hangs(
    lineage: Lineage, tmp_path: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that does not answer is left out of the figures, and asked once at a time; when it answers again it is told (K-1)."""
    asked, answers = [], threading.Event()

    def bases(_: Lineage) -> list[Base]:
        asked.append(1)
        assert answers.wait(30)
        return [Base(tmp_path, datetime(2026, 11, 21, tzinfo=UTC))]

    monkeypatch.setattr(Lineage, "bases", bases)
    figures = BackupFigures(tmp_path / "data", lineage.path.parent)
    for _ in range(2):
        copied, failing = await database.run(None, figures.read)
        assert (copied.samples, len(failing.samples), asked) == ([], 1, [1])
    answers.set()
    copied, _ = await database.run(None, figures.read)
    assert [sample.value for sample in copied.samples] == [datetime(2026, 11, 21, tzinfo=UTC).timestamp()]
