"""Channels by which a calendar tells that it has changed: opened, replaced, believed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from calendars.scripted import Connected, event, paused
from conftest import MASTER_KEY
from holdfast import config, web
from holdfast.administration.settings import Stage
from holdfast.calendars import channels
from holdfast.calendars.channels import renew_channels
from holdfast.calendars.port import Page, Refused, Unreachable, Watch
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres

PATH = "/api/webhooks/google-calendar"


@pytest_asyncio.fixture
async def watched(office: Connected) -> AsyncIterator[UUID]:
    """A calendar of Google with a channel, looked at lately."""
    # Jobs look at all tenants: they are not to open channels for what tests elsewhere have left, nor for this one later.
    office.sql("update calendar_connections set state = 'stopped'")
    office.turn_on("gcal_integration_enabled", "prod")
    calendar_id = await office.add_calendar(connection_id=await office.connect("google"))
    await office.look(calendar_id, Page((event("a", 0),), whole=True, sync_point="p"))
    await renew(office)
    yield calendar_id
    office.sql("update calendar_connections set state = 'stopped' where business_id = %s", office.business_id)


async def renew(office: Connected) -> int:
    """Run the job."""
    return await renew_channels(office.practice.desk.database, office.providers, Stage.PROD)


async def push(http: httpx.AsyncClient, channel_id: object, token: str, **more: str) -> httpx.Response:
    """Tell, as Google does, that something has changed."""
    headers = {"X-Goog-Channel-ID": str(channel_id), "X-Goog-Channel-Token": token, "X-Goog-Message-Number": "7"}
    return await http.post(PATH, headers=headers | {"X-Goog-Resource-State": "exists"} | more)


def ids(office: Connected, calendar_id: UUID) -> list[UUID]:
    """Return the channels of a calendar, the oldest first."""
    return [
        row[0]
        for row in office.sql(
            "select id from calendar_channels where calendar_id = %s order by created_at", calendar_id
        )
    ]


def is_due(office: Connected, calendar_id: UUID) -> bool:
    """Tell whether a calendar is to be looked at now."""
    return bool(office.calendar(calendar_id, "next_sync_at <= clock_timestamp()")[0])


async def test_a_push_has_the_calendar_looked_at(http: httpx.AsyncClient, office: Connected, watched: UUID) -> None:
    """However many pushes come, with whatever numbers, the calendar is due once, and nothing else changes (calendars 13)."""
    [(_, channel_id, token)] = office.provider.watched
    assert not is_due(office, watched)
    for number in (900, 3, 3, 17):
        answer = await push(http, channel_id, token, **{"X-Goog-Message-Number": str(number)})
        assert (answer.status_code, answer.content) == (204, b"")
    assert is_due(office, watched)
    assert await office.sync(watched)
    assert not is_due(office, watched)
    assert office.hours() == [0]


@pytest.mark.parametrize("what", ["token", "channel", "both"])
async def test_a_push_that_proves_nothing_is_refused(
    http: httpx.AsyncClient, office: Connected, watched: UUID, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong token and an unknown channel hear the same, after one comparison in constant time (C-7, calendars 13)."""
    [(_, channel_id, token)] = office.provider.watched
    compared: list[tuple[bytes, bytes]] = []
    compare = channels.hmac.compare_digest

    def watching(given: bytes, expected: bytes) -> bool:
        compared.append((given, expected))
        return compare(given, expected)

    monkeypatch.setattr(channels.hmac, "compare_digest", watching)
    wrong = await push(
        http, uuid4() if what != "token" else channel_id, token if what == "channel" else "not the token"
    )
    assert wrong.status_code == 404
    assert wrong.json()["code"] == "not_found"
    assert [len(side) for pair in compared for side in pair] == [32, 32]
    assert not is_due(office, watched)


@pytest.mark.parametrize("headers", [{}, {"X-Goog-Channel-ID": "no id"}, {"X-Goog-Channel-Token": "x" * 300}])
async def test_a_push_without_a_name_or_with_a_huge_token_is_refused(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """What can be no message of a channel is refused like one of an unknown channel (calendars 13)."""
    answer = await http.post(PATH, headers={"X-Goog-Channel-ID": str(uuid4())} | headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_first_message_may_come_before_the_answer(http: httpx.AsyncClient, office: Connected) -> None:
    """The message that a channel exists is believed while its provider has not answered yet (calendars 13)."""
    office.turn_on("gcal_integration_enabled", "prod")
    calendar_id = await office.add_calendar(connection_id=await office.connect("google"))
    await office.look(calendar_id, Page((), whole=True, sync_point="p"))
    answers = []

    async def tell(channel_id: UUID, token: str) -> None:
        answers.append(await push(http, channel_id, token, **{"X-Goog-Resource-State": "sync"}))

    office.provider.on_watch = tell
    assert await renew(office) == 1
    assert [answer.status_code for answer in answers] == [204]
    assert is_due(office, calendar_id)
    office.sql("update calendar_connections set state = 'stopped' where business_id = %s", office.business_id)


async def test_a_push_during_a_look_makes_one_more(http: httpx.AsyncClient, office: Connected, watched: UUID) -> None:
    """What changes while a look is under way may have been missed by it: the calendar is due again (calendars 13)."""
    [(_, channel_id, token)] = office.provider.watched
    reached, go_on = asyncio.Event(), asyncio.Event()
    pages = (Page((), whole=False), partial(paused, reached, go_on), Page((), whole=False), Page((), False, "p"))
    look = asyncio.create_task(office.look(watched, *pages))
    await reached.wait()
    for _ in range(3):
        await push(http, channel_id, token)
    assert not await office.sync(watched), "it is being looked at"
    go_on.set()
    await look
    assert is_due(office, watched)
    await office.sync(watched)
    assert not is_due(office, watched)


async def test_a_push_does_not_shorten_the_patience_with_a_failing_calendar(
    http: httpx.AsyncClient, office: Connected, watched: UUID
) -> None:
    """A provider that has asked for an hour's patience is not asked sooner for what it tells meanwhile (calendars 16)."""
    [(_, channel_id, token)] = office.provider.watched
    await office.look(watched, Unreachable("enough", retry_after=3_600))
    assert (await push(http, channel_id, token)).status_code == 204
    assert not is_due(office, watched)


async def test_pushes_are_not_counted_as_writes_of_a_client(
    postgres: EmbeddedPostgres, shared_database: str, office: Connected, watched: UUID
) -> None:
    """Google tells of all tenants from a few addresses, and none of them may be kept from telling (calendars 13)."""
    [(_, channel_id, token)] = office.provider.watched
    app_uri, admin_uri = (postgres.uri(user=user, database=shared_database) for user in ("holdfast_app", SUPERUSER))
    settings = config.Settings(dsn=admin_uri, master_key=MASTER_KEY, public_writes_per_minute=1)
    app = web.build(settings, app_uri)
    transport = httpx.ASGITransport(web.layered(app, settings))
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as limited:
        assert [(await push(limited, channel_id, token)).status_code for _ in range(4)] == [204] * 4


async def test_a_channel_is_replaced_before_it_ends(http: httpx.AsyncClient, office: Connected, watched: UUID) -> None:
    """The new one has another id and token and is granted before the old one is ended; both are heard (calendars 14)."""
    assert await renew(office) == 0
    [(_, old, old_token)] = office.provider.watched
    office.sql("update calendar_channels set expires_at = now() + interval '15 minutes' where id = %s", old)
    both: list[int] = []

    async def overlap(channel_id: UUID, token: str) -> None:
        assert office.provider.stopped == []
        told = [await push(http, *each) for each in ((channel_id, token), (old, old_token))]
        both.extend(answer.status_code for answer in told)

    office.provider.on_watch = overlap
    assert await renew(office) == 1
    [_, (_, new, new_token)] = office.provider.watched
    assert (new != old, new_token != old_token, both) == (True, True, [204, 204])
    assert [stopped for stopped, _ in office.provider.stopped] == [old]
    assert ids(office, watched) == [new]
    assert await office.sync(watched)
    assert not is_due(office, watched), "two channels make one look"
    assert await renew(office) == 0


async def test_a_channel_that_could_not_be_ended_is_ended_later(office: Connected, watched: UUID) -> None:
    """While its provider does not answer the old channel is kept, and the next run ends it without a third one."""
    [(_, old, _)] = office.provider.watched
    office.sql("update calendar_channels set expires_at = now() + interval '15 minutes' where id = %s", old)
    office.provider.stop_answers = [Unreachable("away")]
    assert await renew(office) == 1
    assert len(ids(office, watched)) == 2
    assert await renew(office) == 0
    assert [stopped for stopped, _ in office.provider.stopped] == [old, old]
    assert len(ids(office, watched)) == 1


async def test_a_calendar_that_cannot_be_watched_is_not_asked_again_and_again(office: Connected) -> None:
    """A refused channel stops neither connection nor looks, and is asked for again a day later (calendars 15)."""
    office.turn_on("gcal_integration_enabled", "prod")
    calendar_id = await office.add_calendar(connection_id=await office.connect("google"))
    office.provider.watch_answers = [Unreachable("away"), Refused("no push here")]
    for _ in range(4):
        assert await renew(office) == 0
    assert len(office.provider.watched) == 2
    assert await office.sync(calendar_id)
    office.sql("update calendar_channels set expires_at = now() where calendar_id = %s", calendar_id)
    assert await renew(office) == 1
    office.sql("update calendar_connections set state = 'stopped' where business_id = %s", office.business_id)


async def test_who_dies_while_a_channel_is_opened_leaves_nothing_for_long(office: Connected, watched: UUID) -> None:
    """A channel of which nobody knows whether it was granted is replaced, and forgotten a day after it has ended."""
    [(_, old, _)] = office.provider.watched
    office.sql(
        "update calendar_channels set remote_resource = null, expires_at = now() + interval '15 minutes' where id = %s",
        old,
    )
    assert await renew(office) == 1
    assert len(ids(office, watched)) == 2
    office.sql("update calendar_channels set expires_at = now() - interval '25 hours' where calendar_id = %s", watched)
    assert await renew(office) == 1
    assert len(ids(office, watched)) == 1


async def test_without_the_flag_nothing_is_watched(office: Connected) -> None:
    """While calendars of Google are off no channel is opened, nor for other providers ever (C-7)."""
    await office.add_calendar(connection_id=await office.connect("google"))
    await office.add_calendar("dav")
    assert await renew(office) == 0
    assert office.provider.watched == []


async def test_a_short_channel_is_renewed_in_time(office: Connected, watched: UUID) -> None:
    """When Google grants an hour only, the channel lasts through two runs of the job and is then replaced (calendars 14)."""
    office.sql("delete from calendar_channels where calendar_id = %s", watched)
    office.provider.watch_answers = [Watch("r", int(datetime.now(UTC).timestamp()) + 3_600)]
    assert await renew(office) == 1
    ages: list[Any] = []
    for minutes in (0, 10, 20, 30, 40):
        office.sql(
            "update calendar_channels set created_at = now() - make_interval(mins => %s),"
            " expires_at = now() + make_interval(mins => 60 - %s) where calendar_id = %s",
            minutes,
            minutes,
            watched,
        )
        if await renew(office):
            ages.append(minutes)
            break
    assert ages == [40]
