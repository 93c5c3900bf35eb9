"""Opening hours as they are stored."""

from collections.abc import Awaitable, Callable
from datetime import date, time
from typing import Any
from uuid import UUID

import pytest_asyncio

from holdfast.availability.hours import Override, WeeklyRule
from holdfast.availability.rules import overrides_of, replace_overrides, replace_rules, rules_of
from holdfast.catalog.resources import put_resource

MORNING = WeeklyRule(0, time(9), time(13))
NIGHT = WeeklyRule(4, time(20), time(2), date(2027, 1, 1), date(2027, 6, 30))
LATE = WeeklyRule(4, time(20), time(0), date(2027, 7, 1))
HOLIDAY = Override(date(2027, 1, 1))
SHORT_DAY = Override(date(2027, 3, 7), time(10), time(14))


@pytest_asyncio.fixture
async def room(run: Any) -> UUID:
    """A resource without hours."""
    made: UUID = await run(lambda tx: put_resource(tx, slug="room", name="Room", kind="room"))
    return made


async def test_rules_are_replaced_as_a_whole(run: Any, room: UUID, version: Callable[[], Awaitable[int]]) -> None:
    """A resource has the rules that it was given last; giving it the same ones again writes nothing (A-1, K-2)."""
    await run(lambda tx: replace_rules(tx, room, [MORNING, NIGHT, MORNING]))
    assert await run(rules_of) == {room: [MORNING, NIGHT]}
    before = await version()
    await run(lambda tx: replace_rules(tx, room, [NIGHT, MORNING]))
    assert await version() == before
    await run(lambda tx: replace_rules(tx, room, [NIGHT, LATE]))
    assert await version() > before
    assert await run(rules_of) == {room: [LATE, NIGHT]}
    await run(lambda tx: replace_rules(tx, room, []))
    assert await run(rules_of) == {}


async def test_overrides_are_replaced_as_a_whole(run: Any, room: UUID, version: Callable[[], Awaitable[int]]) -> None:
    """A resource has the overrides that it was given last; the same ones again write nothing (A-1, K-2)."""
    await run(lambda tx: replace_overrides(tx, room, [SHORT_DAY, HOLIDAY, HOLIDAY]))
    assert await run(overrides_of) == {room: [HOLIDAY, SHORT_DAY]}
    before = await version()
    await run(lambda tx: replace_overrides(tx, room, [HOLIDAY, SHORT_DAY]))
    assert await version() == before
    await run(lambda tx: replace_overrides(tx, room, [SHORT_DAY]))
    assert await version() > before
    assert await run(overrides_of) == {room: [SHORT_DAY]}


async def test_resources_keep_their_own_hours(run: Any, room: UUID) -> None:
    """Replacing the hours of one resource leaves those of another alone (A-1)."""
    other = await run(lambda tx: put_resource(tx, slug="other", name="Other", kind="room"))
    for resource_id in (room, other):
        await run(lambda tx, resource_id=resource_id: replace_rules(tx, resource_id, [MORNING]))
        await run(lambda tx, resource_id=resource_id: replace_overrides(tx, resource_id, [HOLIDAY]))
    await run(lambda tx: replace_rules(tx, other, []))
    await run(lambda tx: replace_overrides(tx, other, []))
    assert (await run(rules_of), await run(overrides_of)) == ({room: [MORNING]}, {room: [HOLIDAY]})
