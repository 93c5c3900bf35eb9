"""The faults: each breaks something when it is entered and puts it right when it is left, as an operator would."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime

import httpx
import psycopg

from proof.deployment import Deployment, DeploymentError, Server, eventually
from proof.proxy import ProxyError
from proof.timetable import Planned

_AN_HOUR = 3600
_MOST_COMMIT_DELAY_MICROSECONDS = 100_000
# What a worker's job waits for, and nothing that books.
_KEPT_FROM_A_JOB = "lead_feed"
_A_JOB = "insert into procrastinate_jobs (queue_name, task_name, args) values ('default', %s, %s) returning id"


class NotInjectedError(Exception):
    """A fault that this machine does not permit; says why."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong, in words; how; and between how many and how many seconds it lasts."""

    words: str
    inject: Callable[[Deployment, Planned], AbstractContextManager[None]]
    seconds: tuple[float, float] = (0.0, 0.0)


@contextmanager
def _web_killed(deployment: Deployment, planned: Planned) -> Iterator[None]:
    _server(deployment, planned).kill_part("web")
    yield


@contextmanager
def _process_killed(deployment: Deployment, planned: Planned) -> Iterator[None]:
    _, answering = _server(deployment, planned).part("web").family()[:2]
    os.kill(answering.pid, signal.SIGKILL)
    yield


@contextmanager
def _supervisor_killed(deployment: Deployment, planned: Planned) -> Iterator[None]:
    server = _server(deployment, planned)
    server.kill()
    yield
    server.start()


@contextmanager
def _server_killed(deployment: Deployment, planned: Planned) -> Iterator[None]:
    server = _server(deployment, planned)
    server.kill_all()
    yield
    server.start()


@contextmanager
def _workers_killed(deployment: Deployment, planned: Planned) -> Iterator[None]:  # noqa: ARG001 - all of them
    waits = "select count(*) from pg_locks where relation = %s::regclass and not granted"
    with deployment.admin() as admin, deployment.admin() as holding:
        with holding.transaction():
            holding.execute(f"lock table {_KEPT_FROM_A_JOB} in access exclusive mode")
            admin.execute(_A_JOB, ["feed_leads", '{"timestamp": 0}'])
            eventually(lambda: admin.execute(waits, [_KEPT_FROM_A_JOB]).fetchone() != (0,), "no worker has begun a job")
            for server in deployment.servers:
                server.kill_part("worker")
        yield
        row = admin.execute(_A_JOB, ["end_unpaid", '{"timestamp": 0}']).fetchone()
        done = "select status = 'succeeded' from procrastinate_jobs where id = %s"
        eventually(lambda: admin.execute(done, row).fetchone() == (True,), "no worker does a job again")


@contextmanager
def _postmaster_killed(deployment: Deployment, planned: Planned) -> Iterator[None]:  # noqa: ARG001 - there is one
    os.kill(deployment.postgres.pid, signal.SIGKILL)
    yield
    deployment.postgres.start()


@contextmanager
def _backend_killed(deployment: Deployment, planned: Planned) -> Iterator[None]:
    pids = deployment.backends()
    if not pids:
        raise DeploymentError("PostgreSQL serves nobody")
    os.kill(pids[planned.number % len(pids)], signal.SIGKILL)
    yield


@contextmanager
def _connections_cut(deployment: Deployment, planned: Planned) -> Iterator[None]:
    proxy = _server(deployment, planned).proxy
    for _ in range(5):
        proxy.cut()
        time.sleep(0.2)
    yield


@contextmanager
def _network_lost(deployment: Deployment, planned: Planned) -> Iterator[None]:
    proxy = _server(deployment, planned).proxy
    proxy.lose()
    yield
    proxy.carry()


@contextmanager
def _connections_forgotten(deployment: Deployment, planned: Planned) -> Iterator[None]:
    try:
        _server(deployment, planned).proxy.forget()
    except ProxyError as refused:
        raise NotInjectedError(f"a socket cannot be closed in silence here: {refused}") from None
    yield


@contextmanager
def _network_slow(deployment: Deployment, planned: Planned) -> Iterator[None]:
    proxy = _server(deployment, planned).proxy
    proxy.delay(0.05)
    yield
    proxy.carry()


@contextmanager
def _disk_slow(deployment: Deployment, planned: Planned) -> Iterator[None]:  # noqa: ARG001 - there is one
    with deployment.admin() as admin:
        admin.execute(f"alter system set commit_delay = {_MOST_COMMIT_DELAY_MICROSECONDS}")
        admin.execute("alter system set commit_siblings = 0")
        admin.execute("select pg_reload_conf()")
        yield
        admin.execute("alter system reset commit_delay")
        admin.execute("alter system reset commit_siblings")
        admin.execute("select pg_reload_conf()")


@contextmanager
def _disk_full(deployment: Deployment, planned: Planned) -> Iterator[None]:  # noqa: ARG001 - there is one
    disk = deployment.disk
    if disk is None:
        raise NotInjectedError(deployment.refused["disk"])
    disk.fill()
    try:
        eventually(lambda: not _can_write(deployment), "PostgreSQL finds room where there is none")
        yield
    finally:
        disk.empty()


@contextmanager
def _clock_shifted(deployment: Deployment, planned: Planned) -> Iterator[None]:
    clock, server = deployment.clock, deployment.servers[0]
    if clock is None:
        raise NotInjectedError(deployment.refused["clock"])
    seconds = _AN_HOUR if planned.server else -_AN_HOUR
    clock.shift(seconds)
    eventually(lambda: abs(_ahead_seconds(server) - seconds) < 60, "the clock of the server is not shifted")
    yield
    clock.shift(0)
    eventually(lambda: abs(_ahead_seconds(server)) < 60, "the clock of the server is not right again")


@contextmanager
def _locked(deployment: Deployment, planned: Planned) -> Iterator[None]:  # noqa: ARG001 - all of them
    with deployment.admin() as admin:

        def take() -> bool:
            admin.execute("begin")
            try:
                admin.execute("lock table bookings, claims in access exclusive mode")
            except psycopg.errors.DeadlockDetected:
                # Whoever has one of them waited for the other.
                admin.execute("rollback")
                return False
            return True

        eventually(take, "the tables cannot be locked")
        yield
        admin.execute("rollback")


@contextmanager
def _no_connections(deployment: Deployment, planned: Planned) -> Iterator[None]:  # noqa: ARG001 - all of them
    with ExitStack() as stack:
        killer = stack.enter_context(deployment.admin())
        with suppress(psycopg.OperationalError):
            while True:
                killer.execute(
                    "select pg_terminate_backend(pid) from pg_stat_activity"
                    " where backend_type = 'client backend' and application_name <> 'crowd' and pid <> pg_backend_pid()"
                )
                stack.enter_context(psycopg.connect(deployment.dsn, application_name="crowd"))
        yield


FAULTS = {
    "web": Fault("a web server is killed with all its processes", _web_killed),
    "process": Fault("the process that answers is killed", _process_killed),
    "supervisor": Fault("a supervisor is killed and started again", _supervisor_killed, (0.0, 1.0)),
    "server": Fault("all processes of a server are killed, and it is started again", _server_killed, (0.0, 1.0)),
    "workers": Fault("both workers are killed in the middle of a job", _workers_killed),
    "postmaster": Fault("the head of PostgreSQL is killed and started again", _postmaster_killed, (0.2, 1.5)),
    "backend": Fault("a process of PostgreSQL is killed, so that it recovers", _backend_killed),
    "cut": Fault("all connections of a server are reset, five times", _connections_cut),
    "lost": Fault("all that a server and PostgreSQL say to each other is lost", _network_lost, (2.0, 5.0)),
    "forgotten": Fault("all connections of a server are forgotten in silence", _connections_forgotten),
    "slow network": Fault("every piece between a server and PostgreSQL takes 50 ms", _network_slow, (2.0, 4.0)),
    "slow disk": Fault("every commit takes 100 ms more", _disk_slow, (2.0, 4.0)),
    "full disk": Fault("PostgreSQL has no room left", _disk_full, (1.0, 3.0)),
    "clock": Fault("the clock of a server is an hour wrong", _clock_shifted, (2.0, 4.0)),
    "locks": Fault("somebody holds the tables of all bookings", _locked, (2.0, 5.0)),
    "crowd": Fault("every connection that PostgreSQL grants is somebody else's", _no_connections, (1.0, 3.0)),
}


def _server(deployment: Deployment, planned: Planned) -> Server:
    return deployment.servers[planned.server]


def _can_write(deployment: Deployment) -> bool:
    """Try to write, until the files are used up that PostgreSQL has made beforehand for its log."""
    try:
        with deployment.admin() as admin:
            admin.execute("select pg_logical_emit_message(true, 'proof', 'of room')")
            admin.execute("select pg_switch_wal()")
    except psycopg.OperationalError:
        return False
    return True


def _ahead_seconds(server: Server) -> float:
    """Return how far the clock of a server is ahead of ours, as the line says in which it logs a request."""
    with suppress(httpx.TransportError):
        httpx.get(f"{server.url}/health", timeout=2)
    told = re.findall(r'"timestamp": "([^"]+)"', server.last_words())
    return datetime.fromisoformat(told[-1]).timestamp() - time.time() if told else float("nan")
