"""What browsers of staff are told while it happens."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from booking.opened import HOUR_SECONDS, START, open_practice
from holdfast.admin import live
from holdfast.admin.live import Live
from holdfast.identity.logins import Terms, Token
from holdfast.identity.permissions import Role
from holdfast.identity.staff import Staff
from holdfast.kernel.errors import TryLater
from holdfast.moderation.questions import Question, submit
from schedule.office import PATH, Clerk, Office

TEN = START + 9 * HOUR_SECONDS


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A follower that looks often, and beats as often."""
    monkeypatch.setattr(live, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(live, "_BEAT_SECONDS", 0.05)


@asynccontextmanager
async def following(office: Office) -> AsyncIterator[Live]:
    """Follow the outbox of an office as a process does."""
    follower = Live(office.entered.database, Terms())
    async with follower.kept():
        yield follower


def staff_of(office: Office, clerk: Clerk, role: Role = Role.OWNER) -> Staff:
    """Return who a browser is signed in as."""
    token = Token.read(clerk.browser.cookie)
    assert token is not None
    return Staff(office.business_id, frozenset({role}), user_id=clerk.user_id, login_id=token.login_id)


@asynccontextmanager
async def listening(office: Office, clerk: Clerk, role: Role = Role.OWNER) -> AsyncIterator[Any]:
    """Listen as somebody at a process of its own."""
    async with (
        following(office) as follower,
        aclosing(follower.stream(follower.open(staff_of(office, clerk, role)))) as stream,
    ):
        yield stream


async def told(parts: Any) -> dict[str, Any] | None:
    """Return what a stream tells next, passing over its beats; None at its end. Raises TimeoutError when it only beats."""
    async with asyncio.timeout(60):
        async for part in parts:
            if part.startswith(b"event: changed\ndata: "):
                found: dict[str, Any] = json.loads(part.partition(b"data: ")[2])
                return found
            assert part.startswith((b":", b"retry:"))
    return None


async def test_a_booking_is_told_to_whoever_listens(office: Office, hurried: None) -> None:
    """When a booking is made, everybody of the business who listens is told its kind and number, and nothing about it; a block is
    told as well (U-3).
    """
    clerk = await office.clerk()
    async with following(office) as follower:
        streams = [follower.stream(follower.open(staff_of(office, clerk))) for _ in range(2)]
        booked = await office.book("talk", TEN, name="Guest Seven")
        for stream in streams:
            assert await told(stream) == {"kinds": ["bookings"], "ids": [str(booked)]}
        form = (await clerk.open(f"{PATH}/block?at={TEN}&who={office.practice.resources['ben']}")).form("/block")
        await clerk.send(form)
        [block] = await office.rows("select id from blocks")
        assert await told(streams[0]) == {"kinds": ["blocks"], "ids": [str(block["id"])]}
        for stream in streams:
            await stream.aclose()


async def test_a_page_misses_nothing_between_its_making_and_its_listening(office: Office, hurried: None) -> None:
    """Whoever begins to listen is told at once what others have been told in the last moments, and not of other businesses' (U-3)."""
    clerk = await office.clerk()
    async with following(office) as follower:
        earlier = follower.stream(follower.open(staff_of(office, clerk)))
        booked = await office.book("talk", TEN)
        assert await told(earlier) == {"kinds": ["bookings"], "ids": [str(booked)]}
        later = follower.stream(follower.open(staff_of(office, clerk)))
        assert await told(later) == {"kinds": ["bookings"], "ids": [str(booked)]}
        elsewhere = follower.open(replace(staff_of(office, clerk), business_id=uuid4()))
        assert await told(follower.stream(elsewhere)) is None, "it has ended at a beat: nobody is signed in there"
        for stream in (earlier, later):
            await stream.aclose()


async def test_a_wall_stands_between_listeners(office: Office, app_uri: str, hurried: None) -> None:
    """What happens at another business is told to nobody else (D-1, U-3)."""
    clerk = await office.clerk()
    async with following(office) as follower, open_practice(app_uri) as other:
        await other.add_resource("ana")
        await other.add_service("talk", ["ana"])
        async with aclosing(follower.stream(follower.open(staff_of(office, clerk)))) as stream:
            held = (await other.reserve("talk", TEN)).made().id
            await other.commit(held)
            own = await office.book("talk", TEN)
            assert await told(stream) == {"kinds": ["bookings"], "ids": [str(own)]}


async def test_everybody_hears_of_what_they_may_see(office: Office, hurried: None) -> None:
    """An editor hears of questions and not of bookings (D-7, U-3)."""
    clerk = await office.clerk(Role.EDITOR)
    async with listening(office, clerk, Role.EDITOR) as stream:
        await office.book("talk", TEN)
        asked = await _ask(office)
        assert await told(stream) == {"kinds": ["questions"], "ids": [str(asked)]}


async def test_a_stream_ends_with_its_login(office: Office, hurried: None) -> None:
    """Whoever signs out hears nothing more: the stream ends at the next beat, or before the next event is told (H-4, U-3)."""
    out, next_out, still = [await office.clerk() for _ in range(3)]
    async with following(office) as follower:
        ended = follower.stream(follower.open(staff_of(office, out)))
        quiet = follower.stream(follower.open(staff_of(office, next_out)))
        others = follower.stream(follower.open(staff_of(office, still)))
        await out.send(("/admin/logout", {}))
        booked = await office.book("talk", TEN)
        assert await told(ended) is None
        assert await told(others) == {"kinds": ["bookings"], "ids": [str(booked)]}
        assert await told(quiet) == {"kinds": ["bookings"], "ids": [str(booked)]}
        await next_out.send(("/admin/logout", {}))
        assert await told(quiet) is None, "nothing has happened, and it has ended at a beat"
        await others.aclose()
        assert len(follower) == 0


async def test_listening_is_no_use_of_a_login(office: Office, hurried: None) -> None:
    """An open page does not keep a login from ending unused (H-4)."""
    clerk = await office.clerk()
    used = "select last_used_at from logins where user_id = %s"
    await office.rows(
        f"with x as (update logins set last_used_at = now() - interval '5 hours' returning 1) {used}", clerk.user_id
    )
    before = await office.rows(used, clerk.user_id)
    async with listening(office, clerk) as stream:
        await office.book("talk", TEN)
        assert await told(stream) is not None
    assert await office.rows(used, clerk.user_id) == before


async def test_all_streams_end_with_the_server(office: Office, hurried: None) -> None:
    """When the server is asked to stop, every stream ends and none is opened any more (K-1, U-3)."""
    clerk = await office.clerk()
    async with following(office) as follower:
        streams = [follower.stream(follower.open(staff_of(office, clerk))) for _ in range(3)]
        ends = [asyncio.create_task(told(stream)) for stream in streams]
        follower.end_all()
        assert await asyncio.gather(*ends) == [None] * 3
        with pytest.raises(TryLater):
            follower.open(staff_of(office, clerk))


async def test_there_is_a_bound_of_listeners(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """More streams than a login may have are refused, until one of them is gone; and so are more than a process may have (U-3)."""
    monkeypatch.setattr(live, "_MOST_OF_ONE_LOGIN", 2)
    clerk, other = await office.clerk(), await office.clerk()
    follower = Live(office.entered.database, Terms())
    streams = [follower.stream(follower.open(staff_of(office, clerk))) for _ in range(2)]
    for stream in streams:
        await anext(stream)
    with pytest.raises(TryLater):
        follower.open(staff_of(office, clerk))
    await streams[0].aclose()
    follower.open(staff_of(office, clerk))
    monkeypatch.setattr(live, "_MOST_LISTENERS", 2)
    with pytest.raises(TryLater):
        follower.open(staff_of(office, other))
    await streams[1].aclose()


async def test_what_is_committed_late_is_told_all_the_same(office: Office, hurried: None) -> None:
    """An event whose transaction took longer than others is told when it is there, and each only once (U-3)."""
    clerk = await office.clerk()
    fact = "insert into outbox_events (business_id, aggregate_id, version, type) values (%s, %s, 1, 'TimeBlocked')"
    async with listening(office, clerk) as stream:
        async with office.entered.database.transaction(office.business_id) as late:
            slow = uuid4()
            await late.run(fact, [office.business_id, slow])
            quick = await office.book("talk", TEN)
            assert await told(stream) == {"kinds": ["bookings"], "ids": [str(quick)]}
        assert await told(stream) == {"kinds": ["blocks"], "ids": [str(slow)]}


async def _ask(office: Office) -> UUID:
    question = Question(text="How do I sleep better?", email=None, topic=None, locale="en")
    taken = await office.entered.database.run(office.business_id, lambda tx: submit(tx, question))
    return taken.id
