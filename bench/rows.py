"""The rows of the table: what is measured, by which script, against which baseline, and how good it has to be."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.data import SLOTS_A_DAY, SLOTS_DAYS, SLOTS_SERVICE, SLUG
from bench.pgbench import CLIENTS
from bench.scripts import AnyScript, Echo, LookAndTake, ManySlots, OneSchedule, OneSlot
from bench.session import Measured, Session, ratio

LOOK = "look"
_PGBENCH, _ECHO = "pgbench", "echo"


@dataclass(frozen=True)
class Row:
    """Something that 64 clients do at once. The targets are multiples of baselines, and of its own median."""

    name: str
    title: str
    script: Callable[[Session, str], AnyScript]
    of_pgbench: float | None = None
    of_echo: float | None = None
    tail: float | None = None


@dataclass(frozen=True)
class Judgement:
    """One promise of speed, and whether it was kept."""

    row: str
    value: float
    unit: str
    target: float
    at_least: bool

    @property
    def is_kept(self) -> bool:
        """Whether the value is on the right side of the target."""
        return self.value >= self.target if self.at_least else self.value <= self.target


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
LOOK_TIMES_SELECT = 40.0
KEPT_WITH_A_PAST = 0.8


@dataclass(frozen=True)
class Pass:
    """Everything measured once over, on tables of one size; the best of the rounds."""

    past_bookings: int
    baselines: dict[str, Measured]
    rows: dict[str, Measured]


def run_pass(session: Session, past_bookings: int, rounds: int, looks: int) -> Pass:
    """Measure every row and every baseline in turn, `rounds` times; the machine's bad moments hit all alike."""
    baselines: dict[str, Measured] = {}
    rows: dict[str, Measured] = {}

    def keep_best(of: dict[str, Measured], name: str, measured: Measured) -> None:
        if name not in of or measured.rate > of[name].rate:
            of[name] = measured

    def measure_echo() -> None:
        keep_best(baselines, _ECHO, session.load("echo", _echo(session, session.new_prefix("echo"))))

    def measure_pgbench(clients: int) -> None:
        measured = session.pgbench(clients)
        keep_best(baselines, f"pgbench {clients} clients", measured)
        keep_best(baselines, _PGBENCH, measured)

    for number in range(1, rounds + 1):
        session.say(f"-- round {number} of {rounds}, {past_bookings:,} past bookings")
        measure_pgbench(CLIENTS[0])
        measure_echo()
        for position, row in enumerate(ROWS):
            keep_best(rows, row.name, session.load(row.name, row.script(session, session.new_prefix(row.name))))
            if position == len(ROWS) // 2:
                measure_pgbench(CLIENTS[1])
                measure_echo()
    look = session.load(LOOK, _look(session, session.new_prefix(LOOK)), attempts=looks, connections=1)
    return Pass(past_bookings, baselines, rows | {LOOK: look})


def judge(measured: Pass) -> list[Judgement]:
    """Compare the rows with their baselines."""
    found = []
    for row in ROWS:
        it = measured.rows[row.name]
        for times, baseline in ((row.of_pgbench, _PGBENCH), (row.of_echo, _ECHO)):
            if times is not None:
                times_baseline = ratio(it.rate, measured.baselines[baseline].rate)
                found.append(Judgement(row.name, times_baseline, f"x {baseline}", times, at_least=True))
        if row.tail is not None:
            found.append(Judgement(row.name, it.tail, "x p50 is p99", row.tail, at_least=False))
    times = ratio(median_ms(measured.rows[LOOK], "slots"), median_ms(measured.rows[LOOK], "select-1"))
    found.append(Judgement(LOOK, times, "x select-1", LOOK_TIMES_SELECT, at_least=False))
    return found


def judge_past(small: Pass, large: Pass) -> list[Judgement]:
    """Compare the rows on large tables with the same on small ones.

    Minutes lie between the two, in which the machine itself may become slower or faster. So not rates are compared but
    what they are of their pass's echo; the ratio of the bare rates is told beside.
    """
    found = []
    echo = ratio(large.baselines[_ECHO].rate, small.baselines[_ECHO].rate)
    for row in ROWS:
        bare = ratio(large.rows[row.name].rate, small.rows[row.name].rate)
        found.append(_kept(row.name, ratio(bare, echo), bare))
    bare = ratio(median_ms(small.rows[LOOK], "slots"), median_ms(large.rows[LOOK], "slots"))
    return [*found, _kept(LOOK, ratio(bare, echo), bare)]


def _kept(row: str, value: float, bare: float) -> Judgement:
    return Judgement(row, value, f"x small (bare {bare:.2f})", KEPT_WITH_A_PAST, at_least=True)


def median_ms(measured: Measured, step: str) -> float:
    """Return the median of one step; 0 when it never succeeded."""
    latency = measured.latencies.get(step)
    return latency.p50_ms if latency else 0.0


def run_memory(session: Session, attempts: tuple[int, int]) -> tuple[float, float]:
    """Return the memory of the web process, in MiB, after the first and after all of these reservations."""
    found = []
    for more in (attempts[0], attempts[1] - attempts[0]):
        session.load("memory", _hot(session, session.new_prefix("memory")), attempts=more)
        found.append(session.server.web_memory_mb())
        session.say(f"web process: {found[-1]:.0f} MiB")
    return found[0], found[1]


def judge_memory(memory: tuple[float, float]) -> list[Judgement]:
    """Compare the memory with its bound and with itself."""
    first, last = memory
    return [
        Judgement("memory", last, "MiB", 150.0, at_least=False),
        Judgement("memory", last / first, "x after 1/5", 1.05, at_least=False),
    ]
