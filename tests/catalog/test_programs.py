"""Programs as they are put: their weekly rules and the resources that they use."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import time
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from holdfast.catalog.programs import Program, ProgramRule, deactivate_programs, programs_of, put_program
from holdfast.catalog.resources import put_resource
from holdfast.kernel.database import Transaction

GROUP: dict[str, Any] = {"slug": "group", "name": "Group", "duration_minutes": 60, "max_capacity": 12}
RULES = (ProgramRule(0, time(7, 30)), ProgramRule(5, time(12)), ProgramRule(5, time(18)))


@pytest_asyncio.fixture
async def rooms(run: Any) -> list[UUID]:
    """Two resources."""

    async def work(tx: Transaction) -> list[UUID]:
        return [await put_resource(tx, slug=f"room-{n}", name=f"Room {n}", kind="room") for n in range(2)]

    found: list[UUID] = await run(work)
    return found


async def only_program(run: Any) -> Program:
    """Return the one program."""
    [program] = await run(programs_of)
    return program


async def test_put_says_all_of_a_program(run: Any, rooms: list[UUID]) -> None:
    """What is put is what is read: every field of a program, its weekly rules and resources (K-2)."""
    given = GROUP | {
        "price_minor": 80_000,
        "payment_policy": "on_site",
        "hold_minutes": 20,
        "cancel_notice_minutes": 90,
        "timezone": "Asia/Tokyo",
    }
    made = await run(lambda tx: put_program(tx, **given, rules=RULES[::-1], resource_ids=rooms[::-1]))
    program = await only_program(run)
    assert asdict(program).items() >= (given | {"id": made, "active": True}).items()
    assert program.rules == RULES
    assert program.resource_ids == tuple(sorted(rooms))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "Other"},
        {"duration_minutes": 90},
        {"max_capacity": 13},
        {"price_minor": 1},
        {"payment_policy": "on_site"},
        {"hold_minutes": 16},
        {"cancel_notice_minutes": 1},
        {"timezone": "Asia/Tokyo"},
        {"rules": RULES[:2]},
        {"rules": (*RULES, ProgramRule(6, time(9)))},
        {"resource_ids": ()},
    ],
)
async def test_only_a_change_writes(
    run: Any, rooms: list[UUID], version: Callable[[], Awaitable[int]], change: dict[str, Any]
) -> None:
    """A put that changes nothing writes nothing, and one that changes anything raises the catalog version (K-2)."""
    given = GROUP | {"rules": RULES, "resource_ids": rooms}
    made = await run(lambda tx: put_program(tx, **given))
    before = await version()
    assert await run(lambda tx: put_program(tx, **given)) == made
    assert await version() == before
    assert await run(lambda tx: put_program(tx, **given | change)) == made
    assert await version() > before
    assert asdict(await only_program(run)).items() >= change.items()


async def test_what_was_taken_out_comes_back(run: Any) -> None:
    """A deactivated program keeps its row, and is active again when it is put again (K-2)."""
    made = await run(lambda tx: put_program(tx, **GROUP))
    await run(lambda tx: deactivate_programs(tx, [made]))
    assert not (await only_program(run)).active
    assert await run(lambda tx: put_program(tx, **GROUP)) == made
    assert (await only_program(run)).active
