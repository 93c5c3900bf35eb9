"""Judges a load: what clients were told, beside what the database and the provider of payments hold in the end.

Wait until nothing is on its way any more, then `examine` is the whole of it. `judge` does the same from files alone.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from holdfast.verify import verify
from proof.check_answers import check_answers
from proof.check_effects import check_effects
from proof.check_money import Charge, check_money
from proof.check_places import check_places
from proof.findings import Finding, Kind
from proof.history import Call, Heading, History
from proof.lives import effects_of, lives_of
from proof.recorded import Recorded, record


def judge(
    heading: Heading, calls: Iterable[Call], recorded: Recorded, charges: Sequence[Charge] | None = None
) -> list[Finding]:
    """Return every promise that was broken, nothing where every word was kept.

    `recorded` was read when all calls had ended. `charges` are the provider's books; without them (None) money is not
    looked at.
    """
    effects = effects_of(calls)
    lives = lives_of(effects)
    return [
        *check_answers(effects, lives),
        *check_places(heading.stage, effects, lives),
        *check_effects(heading.stage, effects, lives, recorded),
        *(() if charges is None else check_money(lives, recorded, charges)),
    ]


def examine(
    history: History, dsn: str, charges: Sequence[Charge] | None = None, master_key: bytes | None = None
) -> list[Finding]:
    """Return every promise that was broken, and what `holdfast verify` finds; the role is an administrative one."""
    found = judge(history.heading, history.calls, record(dsn, history.heading.stage.business), charges)
    broken = verify(dsn, lambda _: None, master_key=master_key)
    return found + [Finding(Kind.INVARIANT, f"{each.check}: {each.problem}") for each in broken]


def resolved(calls: Iterable[Call]) -> Counter[str]:
    """Return how what had first no answer became known: `done before`, `done when repeated`, `refused`, or `never`."""
    ways: Counter[str] = Counter()
    for effect in effects_of(calls):
        if all(call.outcome != "unknown" for call in effect.calls):
            continue
        if effect.done is not None:
            # Repeated, it is a repetition for the server only when an attempt without an answer had taken effect.
            ways["done before" if effect.told.replayed else "done when repeated"] += 1
        else:
            ways["refused" if any(call.outcome == "refused" for call in effect.calls) else "never"] += 1
    return ways
