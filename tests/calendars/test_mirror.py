"""Busy time of external calendars: found by looks, kept as rows, in step with what changes there."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4

import pytest

from booking.opened import HOUR_SECONDS, START
from calendars.scripted import Connected, Killed, event, paused
from holdfast.administration.settings import Stage
from holdfast.availability.ics.times import Span
from holdfast.booking.contacts import Guest
from holdfast.booking.errors import SlotConflict
from holdfast.calendars.connections import lock_connection
from holdfast.calendars.event_ids import event_id_of
from holdfast.calendars.port import (
    CalendarGone,
    FeedBroken,
    Kind,
    Mark,
    NeedsReconnect,
    Page,
    QuotaExceeded,
    Refused,
    SyncPointGone,
    Unreachable,
)

# What is kept of the calendar itself: when it was looked at, and when it is next.
BOOKKEEPING = ("lease", "leased_until", "last_attempt_at", "last_success_at", "next_sync_at")
HISTORY = "select count(*) from {table} where business_id = %s"


def whole(*events: Any, point: str | None = "p1") -> Page:
    """Return a page that names everything, the last one when it has a sync point."""
    return Page(events, whole=True, sync_point=point)


def changed(*events: Any, point: str | None = "p2") -> Page:
    """Return a page that names what has changed."""
    return Page(events, whole=False, sync_point=point)


def rows_of(office: Connected) -> dict[str, list[Any]]:
    """Return every row of the business in every table, but for the bookkeeping of its calendars."""
    tables = office.sql(
        "select distinct table_name::text from information_schema.columns join pg_class on relname = table_name"
        " where column_name = 'business_id' and table_schema = 'public' and relkind = 'r'"
    )
    left_out = " - ".join(["to_jsonb(t)", *(f"'{column}'" for column in BOOKKEEPING)])
    found = {}
    for (table,) in tables:
        shown, version = (left_out, "null") if table == "calendars" else ("to_jsonb(t)", "t.xmin::text")
        found[table] = office.sql(
            f"select ({shown})::text, {version} from {table} t where business_id = %s order by 1", office.business_id
        )
    return found


async def test_a_busy_event_blocks_slots_and_reservations(office: Connected) -> None:
    """What an outside calendar says is busy cannot be reserved within one look; what is free can (C-2)."""
    calendar_id = await office.add_calendar()
    assert await office.look(calendar_id, whole(event("a", 0), event("b", 2, kind=Kind.FREE)))
    assert office.hours() == [0]
    with pytest.raises(SlotConflict):
        await office.practice.reserve("talk", START)
    await office.practice.reserve("talk", START + 2 * HOUR_SECONDS)
    await office.look(calendar_id, changed(event("a", kind=Kind.GONE)))
    await office.practice.reserve("talk", START)


async def test_a_moved_event_is_the_same_event(office: Connected) -> None:
    """An event that was moved blocks where it is now, and an instance of a series is told by its key (C-2, calendars 8)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("series_1", 0), event("series_2", 24), event("other", 3, 5)))
    await office.look(calendar_id, changed(event("series_2", 26), event("other", 5, 7)))
    assert office.hours() == [0, 5, 7, 26]
    await office.look(calendar_id, changed(event("series_2", kind=Kind.GONE), event("other", 5, kind=Kind.FREE)))
    assert office.hours() == [0]


async def test_where_the_next_look_goes_on_is_kept_with_the_last_page(office: Connected) -> None:
    """Who dies on page 2 of 3 leaves the old sync point, and a short page is not the end (C-2, calendars 5)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("old", 9), point="first"))
    pages: list[Any] = [changed(event("a", 0), point=None), changed(point=None), changed(event("b", 1), point="last")]
    with pytest.raises(Killed):
        await office.look(calendar_id, *pages[:2], Killed())
    assert office.hours() == [0, 9]
    office.sql("update calendars set lease = null, leased_until = null where id = %s", calendar_id)
    await office.look(calendar_id, *pages)
    assert [point for _, point, _ in office.provider.asked] == [None, "first", "first"]
    assert office.hours() == [0, 1, 9]
    await office.sync(calendar_id)
    assert office.provider.asked[-1][1] == "last"


async def test_the_last_page_is_stored_with_the_sync_point(office: Connected) -> None:
    """When the rows of the last page cannot be stored, the sync point is not (calendars 5)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(point="first"))
    name = f"refuse_{calendar_id.hex}"
    office.sql(
        f"create function {name}() returns trigger language plpgsql as $$ begin"
        f" if new.calendar_id = '{calendar_id}' then raise 'no'; end if; return new; end $$"
    )
    office.sql(f"create trigger {name} before insert on calendar_busy_intervals for each row execute function {name}()")
    try:
        await office.look(calendar_id, changed(event("a", 0), point="second"))
    finally:
        office.sql(f"drop function {name} cascade")
    assert (office.hours(), office.calendar(calendar_id, "failures, lease")) == ([], (1, None))
    await office.look(calendar_id, changed(event("a", 0), point="second"))
    assert office.provider.asked[-1][1] == "first"


async def test_a_forgotten_sync_point_means_everything_is_read_over_what_is_there(office: Connected) -> None:
    """Until a full look has ended the old mirror blocks; then what it has not named is gone (C-2, calendars 7)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("stays", 0), event("goes", 1), event("moves", 2)))
    [(kept, choice)] = office.sql(
        "select i.id, k.blocks from calendar_busy_intervals i join calendars k on k.id = i.calendar_id"
        " where k.id = %s order by lower(i.during) limit 1",
        calendar_id,
    )
    between: list[list[int]] = []

    async def peek() -> None:
        between.append(office.hours())

    office.provider.answers.append([SyncPointGone("410")])
    await office.look(
        calendar_id,
        whole(event("stays", 0), point=None),
        whole(event("moves", 4), point=None),
        peek,
        whole(event("new", 6), point="p9"),
    )
    assert [point for _, point, _ in office.provider.asked] == [None, "p1", None]
    assert between == [[0, 1, 2]]
    assert office.hours() == [0, 4, 6]
    assert office.sql("select id from calendar_busy_intervals where id = %s", kept), "an unchanged row is not rewritten"
    assert office.calendar(calendar_id, "blocks, failures, events_seen") == (choice, 0, None)


async def test_the_horizon_moves_on(office: Connected) -> None:
    """A look covers 13 months; when less than 12 are left of it everything is looked at anew (C-2, calendars 8)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("a", 0)))
    now = int(datetime.now(UTC).timestamp())
    [(_, _, first)] = office.provider.asked
    assert now - 2 * 86_400 <= first.start <= now
    assert now + 390 * 86_400 <= first.end <= now + 400 * 86_400
    await office.sync(calendar_id)
    assert office.provider.asked[-1][1:] == ("p1", first)
    office.sql("update calendars set window_ends_at = now() + interval '364 days' where id = %s", calendar_id)
    await office.look(calendar_id, whole(event("a", 0)))
    assert office.provider.asked[-1][1] is None
    assert office.provider.asked[-1][2].end >= now + 390 * 86_400


async def test_tentative_events_block_as_the_business_chooses(office: Connected) -> None:
    """Tentative is busy by default, free when so chosen, and a change of mind is applied at the next look (calendars 10)."""
    calendar_id = await office.add_calendar()
    found = whole(event("maybe", 0, kind=Kind.TENTATIVE), event("sure", 1))
    await office.look(calendar_id, found)
    assert office.hours() == [0, 1]
    office.turn_on("calendar_tentative", "free")
    await office.look(calendar_id, found)
    assert office.provider.asked[-1][1] is None, "what was not changed there has to be seen as well"
    assert office.hours() == [1]
    await office.sync(calendar_id)
    assert office.provider.asked[-1][1] == "p1"


async def test_an_unchanged_calendar_writes_nothing(office: Connected) -> None:
    """Ten looks that find nothing are ten requests and change no row but when the calendar was looked at (calendars 24)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("a", 0), event("b", 4)))
    before = rows_of(office)
    for number in range(10):
        assert await office.look(calendar_id, changed(point="p1") if number else whole(event("b", 4), event("a", 0)))
    assert rows_of(office) == before
    assert len(office.provider.asked) == 11
    assert office.calendar(calendar_id, "last_success_at > now() - interval '1 minute'") == (True,)


async def test_two_workers_do_not_look_at_one_calendar(office: Connected) -> None:
    """While one looks the other leaves at once, without asking the provider (calendars 26)."""
    calendar_id = await office.add_calendar()
    reached, go_on = asyncio.Event(), asyncio.Event()
    first = asyncio.create_task(office.look(calendar_id, partial(paused, reached, go_on), whole(event("a", 0))))
    await reached.wait()
    assert not await office.sync(calendar_id)
    go_on.set()
    assert await first
    assert len(office.provider.asked) == 1
    assert await office.sync(calendar_id)


async def test_who_has_lost_the_lease_writes_nothing(office: Connected) -> None:
    """A worker that comes late finds that another one was there, and leaves everything as that one has left it."""
    calendar_id = await office.add_calendar()
    reached, go_on = asyncio.Event(), asyncio.Event()
    pages = (whole(event("old", 0), point=None), partial(paused, reached, go_on), whole(event("old", 1), point="old"))
    late = asyncio.create_task(office.look(calendar_id, *pages))
    await reached.wait()
    office.sql("update calendars set leased_until = now() - interval '1 second' where id = %s", calendar_id)
    await office.look(calendar_id, whole(event("new", 5), point="new"))
    go_on.set()
    assert await late
    assert office.hours() == [5]
    await office.sync(calendar_id)
    assert office.provider.asked[-1][1] == "new"


async def test_who_has_lost_the_lease_writes_nothing_beside_its_holder(office: Connected) -> None:
    """A worker that comes late, while another one looks at the calendar, adds nothing to what that one has found."""
    calendar_id = await office.add_calendar()
    [late_is_there, late_goes_on, other_is_there, other_goes_on] = [asyncio.Event() for _ in range(4)]
    pages = (whole(event("old", 0), point=None), partial(paused, late_is_there, late_goes_on))
    more = (whole(event("older", 1), point=None), whole(event("old", 2), point="old"))
    late = asyncio.create_task(office.look(calendar_id, *pages, *more))
    await late_is_there.wait()
    office.sql("update calendars set leased_until = now() - interval '1 second' where id = %s", calendar_id)
    pages = (whole(event("new", 5), point=None), partial(paused, other_is_there, other_goes_on))
    other = asyncio.create_task(office.look(calendar_id, *pages, whole(event("newer", 6), point="new")))
    await other_is_there.wait()
    late_goes_on.set()
    assert await late
    # Of neither: a page is stored when the next one is there.
    assert office.hours() == []
    other_goes_on.set()
    assert await other
    assert office.hours() == [5, 6]


async def test_a_cancelled_look_lets_go(office: Connected) -> None:
    """At a shutdown the calendar is free for the next worker, from where it was before."""
    calendar_id = await office.add_calendar()
    reached, go_on = asyncio.Event(), asyncio.Event()
    look = asyncio.create_task(office.look(calendar_id, partial(paused, reached, go_on)))
    await reached.wait()
    look.cancel()
    with pytest.raises(asyncio.CancelledError):
        await look
    assert office.calendar(calendar_id, "lease, failures, next_sync_at <= now()") == (None, 0, True)
    assert office.provider.closed == 1


async def test_how_far_a_first_look_has_come_can_be_seen(office: Connected) -> None:
    """While pages come in, the calendar tells how many events were seen; afterwards nothing (C-1)."""
    calendar_id = await office.add_calendar()
    reached, go_on = asyncio.Event(), asyncio.Event()
    pages = [whole(*(event(f"{page}-{n}", n) for n in range(3)), point=None) for page in range(3)]
    look = asyncio.create_task(office.look(calendar_id, *pages, partial(paused, reached, go_on), whole(point="p1")))
    await reached.wait()
    assert office.calendar(calendar_id, "events_seen") == (6,)
    go_on.set()
    await look
    assert office.calendar(calendar_id, "events_seen") == (None,)


async def test_a_failure_is_tried_again_later_and_the_mirror_stays(office: Connected) -> None:
    """A provider that is away or has had enough is asked again after a growing pause, not sooner than it says (calendars 16)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("a", 0)))
    success = office.calendar(calendar_id, "last_success_at")
    wait = "failures, error_code, extract(epoch from next_sync_at - clock_timestamp())::float8"
    assert await office.look(calendar_id, Unreachable("away"))
    failures, code, seconds = office.calendar(calendar_id, wait)
    assert (failures, code, seconds <= 4) == (1, "unreachable", True)
    await office.look(calendar_id, QuotaExceeded("enough", retry_after=7_200))
    failures, code, seconds = office.calendar(calendar_id, wait)
    assert (failures, code, seconds > 7_000) == (2, "quota_exceeded", True)
    assert (office.hours(), office.calendar(calendar_id, "last_success_at")) == ([0], success)
    assert office.inbox() == []
    await office.sync(calendar_id)
    assert office.calendar(calendar_id, "failures, error_code") == (0, None)


@pytest.mark.parametrize(
    ("failure", "state", "kind"),
    [
        (Refused("no"), "stopped", "calendar_stopped"),
        (NeedsReconnect("void"), "needs_reconnect", "calendar_needs_reconnect"),
    ],
)
async def test_a_refusal_stops_the_connection_and_tells_the_owner(
    office: Connected, failure: Exception, state: str, kind: str
) -> None:
    """What does not pass by itself is asked no more, one task stands in the inbox, and the mirror blocks (calendars 16, 17)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("a", 0)))
    await office.look(calendar_id, failure)
    assert office.sql("select state from calendar_connections where id = %s", office.connections[0]) == [(state,)]
    assert office.inbox() == [(kind, office.connections[0])]
    assert not await office.sync(calendar_id)
    assert (len(office.provider.asked), office.hours()) == (2, [0])


async def test_a_refusal_of_before_does_not_stop_what_was_connected_again(office: Connected) -> None:
    """A look that began before the owner connected again says nothing about the new connection (calendars 17)."""
    calendar_id = await office.add_calendar()

    async def reconnect() -> None:
        office.sql(
            "update calendar_connections set connected_at = clock_timestamp() where id = %s", office.connections[0]
        )

    await office.look(calendar_id, reconnect, NeedsReconnect("void"))
    assert office.sql("select state from calendar_connections where id = %s", office.connections[0]) == [("connected",)]
    assert office.inbox() == []


@pytest.mark.parametrize(
    ("failure", "kind"), [(CalendarGone("404"), "calendar_gone"), (FeedBroken("text"), "calendar_unreadable")]
)
async def test_what_is_gone_or_broken_keeps_blocking_and_is_told(
    office: Connected, failure: Exception, kind: str
) -> None:
    """The last good copy stays, the owner is told once, and the task settles when it can be read again (calendars 23)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("a", 0)))
    for _ in range(2):
        await office.look(calendar_id, failure)
    assert (office.hours(), office.inbox()) == ([0], [(kind, calendar_id)])
    await office.look(calendar_id, changed(event("b", 1)))
    assert (office.hours(), office.inbox()) == ([0, 1], [])


async def test_a_server_that_answers_by_drops_holds_up_no_other(
    office: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that waits for a page longer than its lease would last is given up and tried again later (C-2)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("a", 0)))
    monkeypatch.setattr("holdfast.calendars.mirror._PAGE_SECONDS", 0.05)
    never = partial(paused, asyncio.Event(), asyncio.Event())
    assert await office.look(calendar_id, changed(event("b", 1), point=None), never)
    assert office.calendar(calendar_id, "lease, error_code, sync_point is not null, next_sync_at > now()") == (
        None,
        "unreachable",
        True,
        True,
    )
    assert office.hours() == [0]


async def test_who_finds_that_an_account_does_not_work_locks_it_first(office: Connected) -> None:
    """A look that fails waits for whoever connects again without holding a calendar, so that neither has to give up (C-1)."""
    calendar_id = await office.add_calendar()
    [(connection_id,)] = office.sql("select connection_id from calendars where id = %s", calendar_id)
    async with office.practice.desk.database.transaction(office.business_id) as tx:
        await lock_connection(tx, connection_id)
        look = asyncio.create_task(office.look(calendar_id, Refused("no")))
        while not await tx.value("select exists (select from pg_locks where not granted)"):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert office.sql("select id from calendars where id = %s for update nowait", calendar_id) == [(calendar_id,)]
    assert await look
    assert office.inbox() == [("calendar_stopped", connection_id)]


async def test_a_calendar_that_is_stale_is_told_until_it_answers(office: Connected) -> None:
    """Staff hear of a calendar that blocks and has not been seen for too long, not before; an answer settles it (C-6)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("a", 0)))
    await office.look(calendar_id, Unreachable("away"))
    assert office.inbox() == []
    office.sql(
        "update calendars set last_success_at = last_success_at - interval '61 minutes' where id = %s", calendar_id
    )
    await office.look(calendar_id, Unreachable("away"))
    assert office.inbox() == [("calendar_stale", calendar_id)]
    await office.look(calendar_id, changed())
    assert office.inbox() == []


async def test_what_only_tells_busy_time_is_asked_together(office: Connected) -> None:
    """All such calendars of a connection are asked in one go; one that could not be told stays as it was (calendars 12)."""
    known, unknown = [await office.add_calendar(name, access="free_busy") for name in ("a", "b")]
    others = [await office.add_calendar(f"c{n}", access="free_busy") for n in range(49)]
    hour = Span(START, START + HOUR_SECONDS)
    later = Span(START + 3 * HOUR_SECONDS, START + 4 * HOUR_SECONDS)
    everything: dict[str, Any] = {f"c{n}": () for n in range(49)}
    office.provider.busy_answers = [
        everything | {"a": (hour,), "b": (hour,)},
        everything | {"a": (hour, later), "b": None},
    ]
    assert await office.sync(known)
    assert office.hours(known) == office.hours(unknown) == [0]
    success = office.calendar(unknown, "last_success_at")
    assert await office.sync(others[0])
    assert [len(asked) for asked in office.provider.asked_busy] == [51, 51]
    assert (office.hours(known), office.hours(unknown)) == ([0, 3], [0])
    assert office.calendar(unknown, "last_success_at, failures") == (*success, 1)
    assert office.calendar(known, "failures, lease") == (0, None)
    with pytest.raises(SlotConflict):
        await office.practice.reserve("talk", START)


async def test_google_is_not_asked_while_its_flag_is_off(office: Connected) -> None:
    """With the flag off no calendar of Google is looked at; what is mirrored stays (C-7)."""
    google = await office.connect("google")
    calendar_id = await office.add_calendar(connection_id=google)
    office.turn_on("gcal_integration_enabled", "prod")
    await office.look(calendar_id, whole(event("a", 0)))
    office.turn_on("gcal_integration_enabled", "internal")
    assert not await office.sync(calendar_id)
    assert (len(office.provider.asked), office.hours()) == (1, [0])
    assert office.calendar(calendar_id, "lease, next_sync_at > now()") == (None, True)
    assert await office.sync(calendar_id, Stage.INTERNAL)


async def test_a_calendar_that_only_receives_exports_blocks_nothing(office: Connected) -> None:
    """Of a calendar that does not block nothing is mirrored, nor of one that is used for nothing (C-2)."""
    exporting = await office.add_calendar("out", blocks=False, exports=True)
    idle = await office.add_calendar("idle", blocks=False)
    assert await office.look(exporting, whole(event("a", 0)))
    assert not await office.sync(idle)
    assert office.hours() == []


async def test_one_that_dies_is_followed_after_its_lease(office: Connected) -> None:
    """A calendar whose worker was killed is due again when the lease has ended, and not before."""
    calendar_id = await office.add_calendar()
    with pytest.raises(Killed):
        await office.look(calendar_id, Killed())
    [until, due_at] = office.calendar(calendar_id, "leased_until, next_sync_at")
    assert until == due_at
    assert timedelta(minutes=4) < until - datetime.now(UTC) < timedelta(minutes=6)
    assert not await office.sync(calendar_id)
    office.sql("update calendars set leased_until = now(), next_sync_at = now() where id = %s", calendar_id)
    assert await office.sync(calendar_id)


async def test_our_own_event_is_never_busy(office: Connected) -> None:
    """An event that shows an appointment, by its mark or by what was exported, blocks nothing and is not written back
    (C-4, calendars 3).
    """
    reading, exporting = await office.add_calendar("in"), await office.add_calendar("out", exports=True)
    answer = await office.practice.reserve("talk", START, guest=Guest("guest@example.org"))
    assert answer.id is not None
    own = event_id_of(answer.id)
    marked = event(own, 0, event_id=own, mark=Mark(answer.id, 1))
    bare = event("feed", 0, event_id=f"{own}@google.com")
    await office.look(exporting, whole(marked))
    await office.look(reading, whole(bare))
    assert office.hours(reading) == [0], "nothing says yet that this is ours"
    office.sql(
        "insert into calendar_events (business_id, calendar_id, booking_id, event_id, state, booking_version, starts_at,"
        " ends_at, exported_at) select business_id, %s, id, %s, 'exported', version, starts_at, ends_at, now()"
        " from bookings where id = %s",
        exporting,
        own,
        answer.id,
    )
    await office.look(reading, changed(bare))
    await office.look(exporting, changed(marked))
    assert (office.hours(), office.inbox()) == ([], [])


async def test_a_copy_of_our_event_is_a_foreign_one(office: Connected) -> None:
    """A copy that carries our mark under an id of its own blocks time, as does the event of another business
    (C-4, calendars 4).
    """
    calendar_id = await office.add_calendar()
    answer = await office.practice.reserve("talk", START, guest=Guest("guest@example.org"))
    assert answer.id is not None
    mark, stranger = Mark(answer.id, 1), uuid4()
    await office.look(
        calendar_id,
        whole(
            event("copy", 3, mark=mark),
            event("other", 4, event_id=event_id_of(stranger), mark=mark),
            event("theirs", 5, event_id=event_id_of(stranger), mark=Mark(stranger, 1)),
            event(event_id_of(answer.id), 6, event_id=event_id_of(answer.id), mark=mark),
        ),
    )
    assert office.hours() == [3, 4, 5]


async def test_ids_that_differ_in_case_are_two_events(office: Connected) -> None:
    """What a calendar tells apart is told apart, and nothing of an event's id is kept in plain (C-2, D-5)."""
    calendar_id = await office.add_calendar()
    await office.look(calendar_id, whole(event("Meeting", 0), event("meeting", 1)))
    assert office.hours() == [0, 1]
    await office.look(calendar_id, changed(event("meeting", kind=Kind.GONE)))
    assert office.hours() == [0]
    rows = office.sql("select to_jsonb(i)::text from calendar_busy_intervals i where calendar_id = %s", calendar_id)
    assert "eeting" not in str(rows)
