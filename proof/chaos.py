"""`python -m proof.chaos`: the whole deployment under load while its parts are killed, cut off and starved.

The faults and their order follow from the seed. After the last one everything is put right, every request that is open
is repeated with its key until it is told, and then what clients were told is compared with what the database holds.

Exit codes: 0 every promise was kept; 1 one was broken; 2 it could not be run, or, with --all, not every fault.
"""

import argparse
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import psycopg

from holdfast.kernel.embedded import EmbeddedPostgresError
from proof import document
from proof.check import examine
from proof.crowd import Crowd
from proof.deployment import Deployment, DeploymentError, deployed, eventually
from proof.faults import FAULTS, Fault, NotInjectedError
from proof.findings import Finding, Kind
from proof.history import Call, History
from proof.provider import Provider, provider
from proof.recorded import record
from proof.report import Injected, Report, as_markdown
from proof.shop import on_their_way
from proof.stage import furnish, look
from proof.timetable import Planned, drawn

_SERVERS = 2
PROVIDER_SECONDS = (2.0, 5.0)
_BEFORE = 60
_START_SECONDS = 180.0
_BACK_SECONDS = 120.0
_QUIET_SECONDS = 180.0
Say = Callable[[str], None]


@dataclass
class Run:
    """A deployment under load, what has been done to it, and what was wrong."""

    deployment: Deployment
    history: History
    crowd: Crowd
    faults: Mapping[str, Fault]
    say: Say
    injected: list[Injected] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def strike(self, planned: Planned) -> None:
        """Inject a fault, let it last, and wait until the service is back; that it does not come back is a finding."""
        time.sleep(planned.pause_seconds)
        self.crowd.check()
        self.say(str(planned))
        began = time.monotonic()
        with ExitStack() as stack:
            try:
                stack.enter_context(self.faults[planned.kind].inject(self.deployment, planned))
            except NotInjectedError as refusal:
                self.say(f"    not here: {refusal}")
                self.injected.append(Injected(planned, refused=str(refusal)))
                return
            time.sleep(planned.seconds)
            ended = time.monotonic()
        try:
            back = self._back(ended)
        except DeploymentError as away:
            self.findings.append(Finding(Kind.UNANSWERED, f"after {planned}: {away}"))
            back = time.monotonic() - ended
            self.deployment.put_right()
        attempts: Counter[str] = Counter(call.outcome for call in self.history.since(began))
        self.say(f"    back after {back:.1f} s; {dict(attempts)}")
        self.injected.append(Injected(planned, attempts, back))

    def _back(self, moment: float) -> float:
        """Return how long after a moment every server was ready and a request that was made since was acknowledged."""
        eventually(self.deployment.is_whole, "not all servers are ready", _BACK_SECONDS)
        ready = time.monotonic()
        eventually(lambda: self.history.recovered(moment) is not None, "nothing is acknowledged", _BACK_SECONDS)
        return max(ready, self.history.recovered(moment) or ready) - moment

    def finish(self, shop: Provider) -> None:
        """Put everything right, let every client be told, and look for what is wrong."""
        self.deployment.put_right()
        self.say("all is put right; what is open is repeated")
        self.crowd.end()
        business = self.history.heading.stage.business
        try:
            eventually(
                lambda: not shop.owed and not on_their_way(record(self.deployment.dsn, business), shop.charges()),
                "not all money is settled",
                _QUIET_SECONDS,
            )
        except DeploymentError as open_still:
            self.findings.append(Finding(Kind.UNANSWERED, str(open_still)))
        self.say("clients were told; comparing that with what there is")
        master_key = bytes.fromhex(self.deployment.environment["HOLDFAST_MASTER_KEY"])
        self.findings += examine(self.history, self.deployment.dsn, shop.charges(), master_key)
        self.findings += misdated(self.history.calls)


def misdated(calls: Sequence[Call]) -> list[Finding]:
    """Return which holds do not end so long after the request as was asked, by the clock of the database.

    That clock is the one of this machine, whatever a server takes for the time.
    """
    return [
        Finding(
            Kind.ALTERED,
            f"the hold of {call.key}, asked for at {call.at:.1f} for {call.asked.ttl_seconds} s,"
            f" is told to end at {call.told.expires:.1f}",
            (call.id,),
        )
        for call in calls
        if call.operation == "reserve" and call.told is not None and not call.told.replayed
        if call.told.expires is not None and call.asked.ttl_seconds is not None
        if not -1.5 <= call.told.expires - call.asked.ttl_seconds - call.at <= call.ended - call.started + 1.5
    ]


def chaos(
    folder: Path,
    seed: int,
    say: Say,
    *,
    rounds: int = 1,
    minutes: float | None = None,
    kinds: Sequence[str] = (),
    clients: int = 8,
    postgres: Mapping[str, str] | None = None,
) -> Report:
    """Run it in an empty folder: rounds of these kinds of faults (all), so many or for so many minutes.

    `postgres` are settings of it other than the usual ones. Call it from the main thread.
    Raises DeploymentError, EmbeddedPostgresError or RuntimeError when it cannot be run.
    """
    began = time.monotonic()
    with ExitStack() as stack:
        shop = stack.enter_context(provider())
        say("starting PostgreSQL and the servers")
        deployment = stack.enter_context(deployed(folder, servers=_SERVERS, postgres=postgres, **shop.settings))
        owner_key = furnish(deployment.dsn, **deployment.environment)
        shop.connect(deployment.urls, owner_key)
        # A database that forgets is to lose what clients are told, and not the business that they come to.
        with deployment.admin() as admin:
            admin.execute("checkpoint")
        history = stack.enter_context(History(folder / "history.jsonl", seed, look(deployment.urls[0])))
        crowd = Crowd(deployment.urls, history, clients=clients, pay=shop.pay, staff_key=owner_key)
        faults = all_faults(shop)
        chosen = {kind: faults[kind].seconds for kind in kinds or faults}
        timetable = drawn(seed, chosen, _SERVERS)
        run = Run(deployment, history, crowd, faults, say)
        say("clients come")
        crowd.start()
        eventually(lambda: len(history.calls) >= _BEFORE, "clients are not served", _START_SECONDS)
        for planned in timetable:
            if planned.number >= rounds * len(chosen) if minutes is None else time.monotonic() - began >= minutes * 60:
                break
            run.strike(planned)
        run.finish(shop)
        words = {kind: fault.words for kind, fault in faults.items()}
        seconds = time.monotonic() - began
        return Report(seed, seconds, words, run.injected, history.calls, run.findings)


def all_faults(shop: Provider) -> dict[str, Fault]:
    """Return the faults by kind, that of the provider of payments among them."""
    words = "the provider of payments is silent, fails before and after its effect, then tells all twice, backwards"
    return FAULTS | {"provider": Fault(words, lambda _deployment, _planned: shop.misbehaving(), PROVIDER_SECONDS)}


def main() -> int:
    """Run, print, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m proof.chaos", description="Break what can be broken, under load.")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--short", action="store_true", help="each kind of fault once, as without this")
    length.add_argument("--minutes", type=float, help="round after round for so long")
    parser.add_argument("--seed", type=int, help="of faults and clients; by default another each time")
    known = sorted({*FAULTS, "provider"})
    parser.add_argument("--only", nargs="+", choices=known, default=[], metavar="KIND", help=f"of {', '.join(known)}")
    parser.add_argument("--clients", type=int, default=8, help="that book at the same time (8)")
    parser.add_argument("--list", action="store_true", help="print the order of the faults, and do nothing")
    parser.add_argument("--all", action="store_true", help="do not do without a fault that cannot be injected here")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave the record of all calls and the logs there")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/proof.md")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(1_000_000) if options.seed is None else options.seed
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"[{time.monotonic() - started:6.1f}] {line}", file=sys.stderr, flush=True)

    say(f"seed {seed}")
    if options.list:
        bounds = {kind: fault.seconds for kind, fault in FAULTS.items()} | {"provider": PROVIDER_SECONDS}
        print(*islice(drawn(seed, bounds, _SERVERS), len(bounds)), sep="\n")
        return 0
    with ExitStack() as stack:
        folder = options.keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="holdfast-chaos-")))
        folder.mkdir(parents=True, exist_ok=True)
        report = chaos(folder, seed, say, minutes=options.minutes, kinds=options.only, clients=options.clients)
    print(as_markdown(report))
    if options.write:
        document.write("chaos", as_markdown(report))
    if report.findings:
        return 1
    return 2 if options.all and any(injected.refused for injected in report.injected) else 0


if __name__ == "__main__":
    # Else a SIGTERM would leave processes running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(2))
    try:
        code = main()
    except (DeploymentError, EmbeddedPostgresError, OSError, RuntimeError, psycopg.Error) as failure:
        print(f"chaos: {failure}", file=sys.stderr)
        code = 2
    sys.exit(code)
