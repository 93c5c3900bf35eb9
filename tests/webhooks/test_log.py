"""The log of events: whoever reads on from where they were misses nothing and sees nothing twice (H-5)."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from holdfast import web  # noqa: F401 - with every capability
from holdfast.kernel.errors import ValidationFailed, known_errors
from holdfast.webhooks import log
from holdfast.webhooks.events import EVENTS
from holdfast.webhooks.feed import feed
from holdfast.webhooks.log import Page
from house.sources import PACKAGE
from webhooks.telling import Telling, happen_in

# In quotes, two words or more without a space, of which the last says what has happened.
NAMED = re.compile(r"[\"']((?:[A-Z][a-z]+)+(?:[A-Z][a-z]*ed|Payment))[\"']")


async def read(telling: Telling, cursor: str | None = None, limit: int = 100, **more: object) -> Page:
    """Return a page of the log."""
    asked = {"since": None, "types": None} | more
    async with telling.database.transaction(telling.business_id) as tx:
        return await log.read(tx, cursor=cursor, limit=limit, **asked)  # type: ignore[arg-type]


async def test_what_is_committed_late_comes_late_and_is_not_missed(telling: Telling) -> None:
    """An event whose transaction lasts longer than others comes behind what was read already, and is read (H-5)."""
    early, late = uuid4(), uuid4()
    async with telling.database.transaction(telling.business_id) as slow:
        await happen_in(slow, late)
        async with telling.database.transaction(telling.business_id) as quick:
            await happen_in(quick, early)
        await feed(telling.database)
        before = await read(telling)
    await feed(telling.database)
    after = await read(telling, before.cursor)
    assert [event.aggregate_id for event in before.events] == [early]
    assert [event.aggregate_id for event in after.events] == [late]
    assert after.events[0].occurred_at < before.events[0].occurred_at


async def test_readers_miss_nothing_while_everybody_writes(telling: Telling) -> None:
    """With several writers and several workers at once, a reader that goes on by cursor gets every event once, in the
    order of numbers that have no gap (H-5).
    """
    written: list[object] = []
    writing = asyncio.Event()

    async def write(number: int) -> None:
        for each in range(25):
            async with telling.database.transaction(telling.business_id) as tx:
                subject = uuid4()
                await happen_in(tx, subject)
                # Transactions of different lengths, one within the time of the others.
                await tx.run("select pg_sleep(%s)", [(number * each % 4) / 100])
            written.append(subject)

    async def number_them() -> None:
        while not writing.is_set():
            await feed(telling.database, look_back=timedelta(minutes=1))

    seen: list[log.Event] = []

    async def follow() -> None:
        cursor = None
        while not writing.is_set() or len(seen) < len(written):
            page = await read(telling, cursor, limit=7)
            seen.extend(page.events)
            cursor = page.cursor
            if writing.is_set() and not page.more:
                await feed(telling.database)

    workers = [asyncio.create_task(number_them()) for _ in range(2)]
    reader = asyncio.create_task(follow())
    await asyncio.gather(*(write(number) for number in range(4)))
    writing.set()
    await asyncio.wait_for(asyncio.gather(reader, *workers), 60)
    assert sorted(map(str, written)) == sorted(str(event.aggregate_id) for event in seen)
    assert [event.number for event in seen] == list(range(1, 101))


async def test_a_cursor_ahead_of_the_log_is_refused(telling: Telling) -> None:
    """A reader that is further than the log, as after a restore, hears of it instead of missing what comes next (H-5)."""
    await telling.happen()
    await feed(telling.database)
    page = await read(telling)
    assert (await read(telling, page.cursor)).cursor == page.cursor
    with telling.as_admin() as connection:
        connection.execute("delete from event_log")
    with pytest.raises(ValidationFailed, match="ahead of the log"):
        await read(telling, page.cursor)
    await feed(telling.database)
    assert (await read(telling, page.cursor)).events == []


async def test_a_clock_that_is_put_back_hides_nothing(telling: Telling) -> None:
    """What happens while the clock of the database is behind where it was is found, at once and afterwards (H-5)."""
    ahead = "update event_feed set read_until = clock_timestamp() + interval '1 hour'"
    with telling.as_admin() as connection:
        connection.execute(ahead)
    subjects = [await telling.happen()]
    await feed(telling.database, look_back=timedelta(minutes=1))
    assert [event.aggregate_id for event in (await read(telling)).events] == subjects
    with telling.as_admin() as connection:
        [(is_ahead,)] = connection.execute("select read_until > clock_timestamp() from event_feed").fetchall()
    assert not is_ahead


async def test_the_log_is_read_from_a_time_and_by_kind(telling: Telling) -> None:
    """A reader begins at a time, and takes the kinds of events that it wants; the cursor goes on behind what it skipped (H-5)."""
    for event in ("TimeBlocked", "TimeUnblocked", "TimeBlocked"):
        await telling.happen(event)
    await feed(telling.database)
    everything = await read(telling)
    assert [event.type for event in everything.events] == ["TimeBlocked", "TimeUnblocked", "TimeBlocked"]
    since = everything.events[1].occurred_at
    assert (await read(telling, since=since)).events == everything.events[1:]
    assert (await read(telling, since=datetime.now(UTC) + timedelta(days=1))).events == []
    some = await read(telling, types=["TimeUnblocked"])
    assert (some.events, some.more) == ([everything.events[1]], False)
    assert (await read(telling, some.cursor)).events == []
    await telling.happen("TimeBlocked")
    await feed(telling.database)
    assert [event.number for event in (await read(telling, some.cursor)).events] == [4]


async def test_pages_are_as_long_as_asked_for(telling: Telling) -> None:
    """Pages say whether more is there, and a cursor that no page has given is refused (H-2, H-5)."""
    for _ in range(3):
        await telling.happen()
    await feed(telling.database)
    first = await read(telling, limit=2)
    last = await read(telling, first.cursor, limit=2)
    assert [(len(page.events), page.more) for page in (first, last)] == [(2, True), (1, False)]
    for wrong in ("", "x", "ZXZlbnRz", "ZXZlbnRzIC0x", "ZXZlbnRzIDk5OTk5OTk5OTk5OTk5OTk5OTk5OTk="):
        with pytest.raises(ValidationFailed):
            await read(telling, wrong)


def test_every_event_that_is_written_is_told_of() -> None:
    """Each kind of event that the product writes has its words in the list of those that others can ask for (H-5)."""
    words = {
        word
        for path in sorted(PACKAGE.rglob("*"))
        if path.suffix in {".py", ".sql"} and path.parent.name not in {"webhooks", "migrations"}
        for word in NAMED.findall(path.read_text(encoding="utf-8"))
    }
    assert words - {error.__name__ for error in known_errors().values()} == set(EVENTS)
