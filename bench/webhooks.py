"""`python -m bench.webhooks`: how much providers can tell at once, and what that costs whoever books meanwhile.

Bursts of signed events are sent alone, as fast as they are answered. Then clients reserve places of a hot schedule as
in the main measurement, in turn without and with 1,000 events a second beside them, and the rates are compared within
one run. Each answer of 200 is looked up afterwards: what was acknowledged is in the inbox, once.

Each event is about a payment that is known, as nearly all are. The provider that the worker then asks takes connections
and never answers.

Exit codes: 0 every acknowledgement is in the database, whatever the speed; 1 one is not, or the database is not sound;
2 it could not be measured.
"""

import argparse
import asyncio
import json
import os
import secrets
import socket
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from uuid import UUID, uuid4

import psycopg

from bench.data import furnish
from bench.scripts import OneSchedule
from bench.server import running
from bench.session import Session, ratio
from bench.telling import Bursts, Told, heard, tell
from holdfast.kernel.privacy import Keyring
from holdfast.kernel.sql import load

TARGET_RATE = 1_000.0
TARGET_KEPT = 0.9
_statements = load("bench", "data.sql")
_PATH = "/api/webhooks/stripe/bench"


def main() -> int:
    """Measure, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.webhooks", description="Measure what providers tell.")
    parser.add_argument("--size", type=int, default=1_000, help="events in a burst (1,000)")
    parser.add_argument("--times", type=int, default=5, help="bursts alone; the median counts (5)")
    parser.add_argument(
        "--rounds", type=int, default=5, help="how often clients reserve each way; the median counts (5)"
    )
    parser.add_argument("--seconds", type=float, default=3.0, help="for how long each time (3)")
    parser.add_argument("--json", action="store_true", help="print one object instead of sentences")
    options = parser.parse_args()
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - started:6.1f}] {line}", file=sys.stderr, flush=True)

    master_key = os.urandom(32)
    with (
        socket.create_server(("127.0.0.1", 0), backlog=64) as silent,
        tempfile.TemporaryDirectory(prefix="holdfast-bench-") as folder,
        running(
            Path(folder) / "data",
            HOLDFAST_MASTER_KEY=master_key.hex(),
            HOLDFAST_STRIPE_API_URL=f"http://127.0.0.1:{silent.getsockname()[1]}",
        ) as server,
    ):
        stage = furnish(server.dsn)
        secret = f"whsec_{secrets.token_hex(16)}"
        asyncio.run(_connect(server.dsn, master_key, UUID(stage.business), secret))
        session = Session(server, stage, "", options.seconds, 64, say)
        found = _measured(session, secret, options)
        session.finish()
        found["problems"] = session.problems
    print(json.dumps(found) if options.json else _in_words(found))
    return 1 if session.problems else 0


async def _connect(dsn: str, master_key: bytes, business_id: UUID, secret: str) -> None:
    """Connect an account whose messages are signed with a secret."""
    account_id = uuid4()
    keys = await Keyring(master_key, dsn).of(business_id)
    with psycopg.connect(dsn) as admin:
        admin.execute(
            "insert into payment_accounts (business_id, id, provider, account, is_test, secret, webhook_secrets)"
            " values (%s, %s, 'stripe', 'acct_bench', true, %s, %s)",
            [
                business_id,
                account_id,
                keys.seal("payment_accounts.secret", account_id, "sk_test_bench"),
                keys.seal("payment_accounts.webhook_secrets", account_id, json.dumps([secret])),
            ],
        )


def _make_payments(session: Session, bursts: Bursts) -> None:
    """Make the payments that the events are about: attempts to pay one booking, all of them given up."""
    with psycopg.connect(session.server.dsn) as admin:
        values = {"business": session.stage.business, "prefix": bursts.prefix, "count": bursts.size * bursts.times}
        admin.execute(_statements["payments"], values)


def _measured(session: Session, secret: str, options: argparse.Namespace) -> dict[str, object]:
    server = session.server

    def bursts(size: int, times: int, every_seconds: float) -> Bursts:
        prefix = session.new_prefix("told").replace("-", "_")
        bursts = Bursts(server.port, _PATH, secret, prefix, size, times, every_seconds)
        _make_payments(session, bursts)
        return bursts

    # A booking that is paid, and what makes connections and plans.
    _reserve(session, "reserve, to begin with")
    _checked(session, heard(tell(bursts(200, 1, 0.0))))
    web, database = server.web_cpu_seconds(), server.database_cpu_seconds()
    alone = [_checked(session, heard(tell(bursts(options.size, 1, 0.0)))) for _ in range(options.times)]
    web, database = server.web_cpu_seconds() - web, server.database_cpu_seconds() - database
    events = options.size * options.times
    accepted = median(options.size / told.seconds[0] for told in alone)
    session.say(f"bursts of {options.size:,} alone: {accepted:,.0f}/s")
    without, beside, ratios, offered = [], [], [], []
    for number in range(options.rounds):
        # Who goes first takes turns.
        for with_events in (number % 2 == 0, number % 2 == 1):
            if not with_events:
                without.append(_reserve(session, "reserve"))
                continue
            # Longer than the clients take with their warm-up.
            seconds = int(options.seconds) + 2
            process = tell(bursts(100, seconds * 10, 0.1))
            beside.append(_reserve(session, "reserve, beside 1,000 events/s"))
            told = _checked(session, heard(process))
            offered.append(len(told.acknowledged) / (0.1 * len(told.seconds)))
        ratios.append(ratio(beside[-1], without[-1]))
    return {
        "acceptedPerSecond": accepted,
        "webCpuUs": web / events * 1e6,
        "databaseCpuUs": database / events * 1e6,
        "burstSeconds": [told.seconds[0] for told in alone],
        "reservedWithout": median(without),
        "reservedBeside": median(beside),
        "acceptedBeside": median(offered),
        "kept": median(ratios),
        "ratios": ratios,
    }


def _reserve(session: Session, name: str) -> float:
    script = OneSchedule(
        key_prefix=session.new_prefix("hot"), business=session.stage.business, schedule=session.stage.new_schedule()
    )
    return session.load(name, script).rate


def _checked(session: Session, told: Told) -> Told:
    """Look each acknowledgement up."""
    with psycopg.connect(session.server.dsn) as admin:
        rows = admin.execute(
            "select object_id, count(*) from webhook_events where object_id = any(%s) group by object_id",
            [told.acknowledged],
        ).fetchall()
    kept: dict[str, int] = dict(rows)
    wrong = [id_ for id_ in told.acknowledged if kept.get(id_) != 1]
    session.problems += [f"{id_} was acknowledged and has {kept.get(id_, 0)} entries" for id_ in wrong[:20]]
    if set(told.statuses) != {200}:
        session.say(f"answers: {told.statuses}")
    return told


def _in_words(found: dict[str, object]) -> str:
    kept, accepted = found["kept"], found["acceptedPerSecond"]
    assert isinstance(kept, float)
    assert isinstance(accepted, float)
    return (
        f"{accepted:,.0f} events/s accepted in bursts alone"
        f" (at least {TARGET_RATE:,.0f}: {'kept' if accepted >= TARGET_RATE else 'MISSED'}), each with"
        f" {found['webCpuUs']:.0f} us of web and worker and {found['databaseCpuUs']:.0f} us of the database;"
        f" {found['reservedBeside']:,.0f} reservations/s beside {found['acceptedBeside']:,.0f} events/s,"
        f" {found['reservedWithout']:,.0f} without, ratio {kept:.2f}"
        f" (at least {TARGET_KEPT}: {'kept' if kept >= TARGET_KEPT else 'MISSED'});"
        f" {len(found['problems'])} problems"  # type: ignore[arg-type]
    )


if __name__ == "__main__":
    try:
        code = main()
    except (RuntimeError, OSError, psycopg.Error) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        code = 2
    sys.exit(code)
