"""Runs: somebody goes through a quiz or a ritual. What is kept is when, for how long, and to which level.

Who it was is not known, and answers are forgotten with the request that brought them: they are in no table, in no log
and in no error.
"""

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec

from holdfast.interactive import definitions
from holdfast.interactive.shapes import Definition, Quiz, kind_of, level_of, stored
from holdfast.interactive.states import Kind
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import NotFound
from holdfast.kernel.http import Instant
from holdfast.kernel.ids import new_id
from holdfast.kernel.sql import load

_SQL = load("holdfast.interactive")

# Of fewer who finished on a day, levels and durations are not told: staff may know who it was.
LEAST_GROUP = 5


class PublicOption(msgspec.Struct):
    """What can be chosen."""

    id: str
    text: str


class PublicQuestion(msgspec.Struct):
    """A question, to which one option is the answer."""

    id: str
    text: str
    options: list[PublicOption]


class PublicStep(msgspec.Struct, rename="camel"):
    """Something to do for a time."""

    id: str
    text: str
    duration_seconds: int


class PublicInteractive(msgspec.Struct, rename="camel", kw_only=True):
    """A published quiz with its questions, or ritual with its steps; what answers count for is not told."""

    kind: Kind
    slug: str
    locale: str
    definition_version: int
    title: str
    intro: str
    questions: list[PublicQuestion]
    steps: list[PublicStep]


class StartedRun(msgspec.Struct, rename="camel", kw_only=True):
    """A run that has begun."""

    run_id: UUID
    started_at: Instant
    definition_version: int


class Result(msgspec.Struct, rename="camel", kw_only=True):
    """How a run ended: of a quiz with its level and the words for it, of a ritual without."""

    run_id: UUID
    duration_seconds: int
    result_level: str | None
    title: str | None
    text: str | None


class DayOfRuns(msgspec.Struct, rename="camel", kw_only=True):
    """Runs that began on a day in UTC.

    `levels` (how many ended in each) and `averageSeconds` are null when fewer than five have finished.
    """

    date: str
    starts: int
    completions: int
    levels: dict[str, int] | None
    average_seconds: int | None


class RunsView(msgspec.Struct, rename="camel", kw_only=True):
    """Runs by day, days without any left out."""

    starts: int
    completions: int
    days: list[DayOfRuns]


async def published(tx: Transaction, slug: str) -> PublicInteractive:
    """Return what the public is asked; raises NotFound for what is unpublished as for what never was."""
    found = await tx.rows(_SQL["published_definition"], {"business_id": tx.business_id, "slug": slug})
    if not found:
        raise NotFound
    [row] = found
    definition = stored(row["definition"])
    asked = definition.questions if isinstance(definition, Quiz) else []
    return PublicInteractive(
        kind=kind_of(definition),
        slug=row["slug"],
        locale=row["locale"],
        definition_version=row["number"],
        title=definition.title,
        intro=definition.intro,
        questions=[PublicQuestion(q.id, q.text, [PublicOption(o.id, o.text) for o in q.options]) for q in asked],
        steps=[]
        if isinstance(definition, Quiz)
        else [PublicStep(step.id, step.text, step.duration_seconds) for step in definition.steps],
    )


async def start(tx: Transaction, slug: str) -> StartedRun:
    """Begin a run of what is published; it counts as a start even if it is never finished. Raises NotFound."""
    found = await tx.rows(_SQL["start_run"], {"business_id": tx.business_id, "id": new_id(), "slug": slug})
    if not found:
        raise NotFound
    [row] = found
    return StartedRun(run_id=row["id"], started_at=row["started_at"], definition_version=row["version_number"])


async def finish(tx: Transaction, slug: str, run_id: UUID, answers: dict[str, str]) -> Result:
    """Finish a run and return its result; a run that is finished has the same result again, whatever is answered.

    The level is computed here, by the version with which the run began. Raises NotFound; ValidationFailed for a quiz
    without an answer to each question.
    """
    found = await tx.rows(_SQL["lock_run"], {"business_id": tx.business_id, "id": run_id, "slug": slug})
    if not found:
        raise NotFound
    [row] = found
    definition = stored(row["definition"])
    if row["finished_at"] is not None:
        return _result(run_id, row["duration_seconds"], definition, row["result_level"])
    level = level_of(definition, answers).id if isinstance(definition, Quiz) else None
    [done] = await tx.rows(_SQL["finish_run"], {"business_id": tx.business_id, "id": run_id, "level": level})
    return _result(run_id, done["duration_seconds"], definition, level)


async def count(tx: Transaction, definition_id: UUID, first: date, last: date) -> RunsView:
    """Return the runs that began on the days [first, last) in UTC, by day; raises NotFound."""
    await definitions.read(tx, definition_id)
    start_of = {name: datetime.combine(day, time(), UTC) for name, day in (("from", first), ("to", last))}
    values = {"business_id": tx.business_id, "id": definition_id, **start_of}
    days: dict[date, list[dict[str, Any]]] = defaultdict(list)
    for row in await tx.rows(_SQL["runs_by_day"], values):
        days[row["day"]].append(row)
    shown = [_day(day, rows) for day, rows in sorted(days.items())]
    return RunsView(
        starts=sum(day.starts for day in shown), completions=sum(day.completions for day in shown), days=shown
    )


def default_range(today: date) -> tuple[date, date]:
    """Return the thirty days up to and with today."""
    return today - timedelta(days=29), today + timedelta(days=1)


def _day(day: date, rows: list[dict[str, Any]]) -> DayOfRuns:
    completions = sum(row["completions"] for row in rows)
    told = completions >= LEAST_GROUP
    return DayOfRuns(
        date=day.isoformat(),
        starts=sum(row["starts"] for row in rows),
        completions=completions,
        levels={row["level"]: row["completions"] for row in rows if row["level"] is not None} if told else None,
        average_seconds=round(sum(row["seconds"] for row in rows) / completions) if told else None,
    )


def _result(run_id: UUID, duration_seconds: int, definition: Definition, level_id: str | None) -> Result:
    levels = definition.levels if isinstance(definition, Quiz) else []
    level = next((level for level in levels if level.id == level_id), None)
    return Result(
        run_id=run_id,
        duration_seconds=duration_seconds,
        result_level=level_id,
        title=None if level is None else level.title,
        text=None if level is None else level.text,
    )
