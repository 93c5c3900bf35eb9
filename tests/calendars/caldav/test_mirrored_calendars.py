"""Calendars of a real server of CalDAV as they block time, with our own events among them."""

import re
from datetime import UTC, datetime
from uuid import UUID

from availability.calendar_texts import calendar as file
from availability.calendar_texts import event as vevent
from booking.opened import HOUR_SECONDS, START
from calendars.caldav.texts import Radicale, opened
from calendars.http_servers import Asked, Reply, Server, passed_on
from calendars.scripted import Connected
from holdfast.administration.settings import Stage
from holdfast.calendars import mirror
from holdfast.calendars.connections import ProviderName
from holdfast.calendars.providers import Providers


def hour(number: int, uid: str) -> bytes:
    """Return a file with an event an hour long, so many hours after `START`."""
    begins = datetime.fromtimestamp(START + number * HOUR_SECONDS, UTC)
    return file(*vevent(f"DTSTART:{begins:%Y%m%dT%H%M%SZ}", "DURATION:PT1H", uid=uid))


async def look(office: Connected, address: str, calendar_id: UUID) -> list[int]:
    """Look at a calendar and return the hours that are busy."""
    opening = Providers({ProviderName.CALDAV: lambda _business, _connection: opened(address)})
    assert await mirror.sync(office.practice.desk.database, opening, office.business_id, calendar_id, stage=Stage.PROD)
    return office.hours()


async def test_a_calendar_is_followed(office: Connected, radicale: Radicale, calendar: str) -> None:
    """What is added, moved and deleted at a real server blocks time accordingly after the next look (C-2, C-8, calendars 22)."""
    calendar_id = await office.add_calendar(calendar)
    radicale.put(calendar, "a.ics", hour(0, "a"))
    radicale.put(calendar, "b.ics", hour(2, "b"))
    assert await look(office, radicale.address, calendar_id) == [0, 2]
    radicale.put(calendar, "a.ics", hour(4, "a"))
    radicale.delete(calendar, "b.ics")
    radicale.put(calendar, "c.ics", hour(6, "c"))
    assert await look(office, radicale.address, calendar_id) == [4, 6]
    assert await look(office, radicale.address, calendar_id) == [4, 6]
    assert office.inbox() == []


async def test_a_refused_token_is_followed_by_a_full_look_that_replaces(
    office: Connected, radicale: Radicale, calendar: str
) -> None:
    """After a refusal with valid-sync-token everything is read anew: what is gone disappears, nothing twice (C-2, calendars 22)."""

    def forgetful(asked: Asked) -> Reply:
        body = asked.body
        if forgotten and b"<D:sync-collection" in body:
            body = re.sub(rb"[0-9a-f]{64}", b"0" * 64, body)
        return passed_on(radicale.port, Asked(asked.method, asked.path, asked.headers, body))

    forgotten = False
    with Server(forgetful).running() as between:
        address = calendar.replace(radicale.address.rstrip("/"), between.address)
        calendar_id = await office.add_calendar(address)
        radicale.put(calendar, "a.ics", hour(0, "a"))
        radicale.put(calendar, "b.ics", hour(2, "b"))
        assert await look(office, between.address, calendar_id) == [0, 2]
        radicale.delete(calendar, "a.ics")
        radicale.put(calendar, "c.ics", hour(6, "c"))
        forgotten = True
        assert await look(office, between.address, calendar_id) == [2, 6]
    assert office.inbox() == []
