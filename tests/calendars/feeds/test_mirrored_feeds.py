"""Feeds as they block time: kept while they are unchanged or broken, replaced when they can be read."""

from datetime import UTC, datetime

from availability.calendar_texts import calendar as file
from availability.calendar_texts import event as vevent
from booking.opened import HOUR_SECONDS, START
from calendars.http_servers import Asked, Reply, Server
from calendars.scripted import Connected
from holdfast.administration.settings import Stage
from holdfast.calendars import mirror
from holdfast.calendars.connections import ProviderName
from holdfast.calendars.ics import IcsFeed
from holdfast.calendars.providers import Providers


def hour(number: int, uid: str) -> list[str]:
    """Return an event an hour long, so many hours after `START`."""
    begins = datetime.fromtimestamp(START + number * HOUR_SECONDS, UTC)
    return vevent(f"DTSTART:{begins:%Y%m%dT%H%M%SZ}", "DURATION:PT1H", uid=uid)


async def test_a_broken_feed_keeps_what_was_read_last_and_tells_its_owner(office: Connected) -> None:
    """A feed blocks what it says; broken, too large, or unchanged it blocks what it said last, and staff hear of the first two (C-2, calendars 23)."""
    good = file(*hour(0, "a"), *hour(2, "b"))
    reply = Reply(200, {"etag": '"1"'}, good)

    def answer(asked: Asked) -> Reply:
        return Reply(304) if asked.headers.get("if-none-match") == reply.headers.get("etag") else reply

    calendar_id = await office.add_calendar("feed", access="read", connection_id=await office.connect("ics"))
    with Server(answer).running() as server:

        async def look() -> list[int]:
            opening = Providers(
                {ProviderName.ICS: lambda _business, _connection: IcsFeed(server.address, private_networks=True)}
            )
            database = office.practice.desk.database
            assert await mirror.sync(database, opening, office.business_id, calendar_id, stage=Stage.PROD)
            return office.hours()

        assert await look() == [0, 2]
        assert await look() == [0, 2]
        assert office.inbox() == []
        for broken in (b"<html>", good[:-30], b"X:" + b"x" * (21 * 1024 * 1024)):
            reply = Reply(200, {"etag": '"2"'}, broken)
            assert await look() == [0, 2]
            assert office.inbox() == [("calendar_unreadable", calendar_id)]
        reply = Reply(200, {"etag": '"3"'}, file(*hour(2, "b"), *hour(5, "c")))
        assert await look() == [2, 5]
        assert office.inbox() == []
