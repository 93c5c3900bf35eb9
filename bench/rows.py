"""The rows of the table: what is measured, by which script, against which baseline, and how good it has to be.

A machine has its moments. So a pass has several short rounds, each of which measures every row and every baseline; a
row is compared with the best of the baselines of its own round, and the median of the rounds counts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from bench.data import SLOTS_A_DAY, SLOTS_DAYS, SLOTS_SERVICE, SLUG
from bench.pgbench import CLIENTS
from bench.scripts import AnyScript, Echo, LookAndTake, ManySlots, OneSchedule, OneSlot
from bench.session import Measured, Session

LOOK = "look"
PGBENCH, ECHO = "pgbench", "echo"


@dataclass(frozen=True)
class Row:
    """Something that 64 clients do at once. The targets are multiples of baselines, and of its own median."""

    name: str
    title: str
    script: Callable[[Session, str], AnyScript]
    of_pgbench: float | None = None
    of_echo: float | None = None
    tail: float | None = None


def _hot(session: Session, prefix: str) -> AnyScript:
    stage = session.stage
    return OneSchedule(key_prefix=prefix, business=stage.business, schedule=stage.new_schedule())


def _hot_cycle(session: Session, prefix: str) -> AnyScript:
    stage = session.stage
    return OneSchedule(key_prefix=prefix, business=stage.business, schedule=stage.new_schedule(), commits=True)


def _many(session: Session, prefix: str, *, commits: bool = False) -> AnyScript:
    stage = session.stage
    return ManySlots(
        key_prefix=prefix,
        first=session.first(ManySlots),
        business=stage.business,
        service=stage.many.service,
        resources=stage.many.resources,
        day=stage.day,
        commits=commits,
    )


def _many_cycle(session: Session, prefix: str) -> AnyScript:
    return _many(session, prefix, commits=True)


def _herd(session: Session, prefix: str) -> AnyScript:
    stage = session.stage
    return OneSlot(
        key_prefix=prefix,
        business=stage.business,
        service=stage.lone.service,
        resource=stage.lone.resources[0],
        start=stage.new_lone_slot(),
    )


def _look(session: Session, prefix: str) -> AnyScript:
    stage = session.stage
    return LookAndTake(
        key_prefix=prefix,
        first=session.first(LookAndTake),
        business=stage.business,
        business_slug=SLUG,
        service=stage.few.service,
        service_slug=SLOTS_SERVICE,
        day=stage.day,
        days=SLOTS_DAYS,
        slots_a_day=SLOTS_A_DAY,
    )


def _echo(session: Session, prefix: str) -> AnyScript:
    return Echo(key_prefix=prefix, business=session.stage.business, schedule=session.stage.program)


ROWS = (
    Row("hot", "reserve, one hot schedule", _hot, of_pgbench=3.0, of_echo=0.5, tail=10.0),
    Row("spread", "reserve, 1,000 resources", _many, of_pgbench=2.0, tail=10.0),
    Row("herd", "refusals of a herd on one slot", _herd, of_echo=0.5),
    Row("cycle", "reserve + commit, 1,000 resources", _many_cycle, of_pgbench=0.8, tail=10.0),
    Row("hot-cycle", "reserve + commit, one hot schedule", _hot_cycle, of_pgbench=0.8, tail=10.0),
)
LOOK_TITLE = "slots, 50 resources x 30 days"


@dataclass(frozen=True)
class Round:
    """Every baseline and every row, measured within a minute of each other."""

    baselines: dict[str, list[Measured]]  # "echo", "pgbench 8 clients", ...
    rows: dict[str, Measured]

    def best(self, baseline: str) -> float:
        """Return the best rate of a baseline."""
        return max(m.rate for name, found in self.baselines.items() if name.startswith(baseline) for m in found)


@dataclass(frozen=True)
class Pass:
    """The rounds on tables of one size, and the look at the slots."""

    past_bookings: int
    rounds: list[Round]
    look: Measured

    def row(self, name: str) -> Measured:
        """Return the figures of a row: the median of each."""
        return _median([of.rows[name] for of in self.rounds])

    def baselines(self) -> dict[str, Measured]:
        """Return the figures of the baselines: likewise."""
        names = self.rounds[0].baselines
        return {name: _median([m for of in self.rounds for m in of.baselines[name]]) for name in names}


def run_pass(session: Session, past_bookings: int, rounds: int, looks: int) -> Pass:
    """Measure everything, `rounds` times."""
    done = []
    for number in range(1, rounds + 1):
        session.say(f"-- round {number} of {rounds}, {past_bookings:,} past bookings")
        done.append(_run_round(session))
    look = session.load(LOOK, _look(session, session.new_prefix(LOOK)), attempts=looks, connections=1)
    return Pass(past_bookings, done, look)


def run_memory(session: Session, attempts: tuple[int, int]) -> tuple[float, float]:
    """Return the memory of the web process, in MiB, after the first and after all of these reservations."""
    found = []
    for more in (attempts[0], attempts[1] - attempts[0]):
        session.load("memory", _hot(session, session.new_prefix("memory")), attempts=more)
        found.append(session.server.web_memory_mb())
        session.say(f"web process: {found[-1]:.0f} MiB")
    return found[0], found[1]


def _run_round(session: Session) -> Round:
    baselines: dict[str, list[Measured]] = {}
    rows: dict[str, Measured] = {}

    def measure_baselines(clients: int) -> None:
        baselines.setdefault(f"{PGBENCH} {clients} clients", []).append(session.pgbench(clients))
        baselines.setdefault(ECHO, []).append(session.load(ECHO, _echo(session, session.new_prefix(ECHO))))

    measure_baselines(CLIENTS[0])
    for position, row in enumerate(ROWS):
        rows[row.name] = session.load(row.name, row.script(session, session.new_prefix(row.name)))
        if position == len(ROWS) // 2:
            measure_baselines(CLIENTS[1])
    return Round(baselines, rows)


def _median(found: list[Measured]) -> Measured:
    return Measured(
        rate=median(m.rate for m in found),
        p50_ms=median(m.p50_ms for m in found),
        p99_ms=median(m.p99_ms for m in found),
        web_cpu_us=median(m.web_cpu_us for m in found),
        database_cpu_us=median(m.database_cpu_us for m in found),
        client_cpu_us=median(m.client_cpu_us for m in found),
        attempts=sum(m.attempts for m in found),
        unexpected=sum(m.unexpected for m in found),
    )
