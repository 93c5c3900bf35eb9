"""Finds the calendars of an account at a server of CalDAV (RFC 6764, RFC 4791, RFC 3744)."""

import asyncio
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Final
from xml.etree.ElementTree import Element

import httpx2

from holdfast.calendars.dav_xml import CALDAV, DAV, Multistatus, Response, multistatus, propfind
from holdfast.calendars.files import Reading
from holdfast.calendars.port import Access, CalendarGone, FeedBroken, Refused, RemoteCalendar
from holdfast.calendars.wire import Answer, Wire

_PRINCIPAL: Final = f"{DAV}current-user-principal"
_HOME: Final = f"{CALDAV}calendar-home-set"
_TYPE: Final = f"{DAV}resourcetype"
_NAME: Final = f"{DAV}displayname"
_PRIVILEGES: Final = f"{DAV}current-user-privilege-set"
_COMPONENTS: Final = f"{CALDAV}supported-calendar-component-set"
_ZONE: Final = f"{CALDAV}calendar-timezone"
_OF_CALENDARS: Final = (_TYPE, _NAME, _PRIVILEGES, _COMPONENTS, _ZONE)


async def asked(wire: Wire, method: str, url: httpx2.URL, body: bytes, depth: int) -> Multistatus:
    """Return what a server says to a question about properties. Raises CalendarGone, Refused, and what a wire does."""
    answer = await question(wire, method, url, body, depth)
    if answer.status != HTTPStatus.MULTI_STATUS:
        raise refusal(answer)
    return await asyncio.to_thread(multistatus, answer.body)


async def question(wire: Wire, method: str, url: httpx2.URL, body: bytes, depth: int) -> Answer:
    """Return the answer to a question, for the caller to judge."""
    return await wire.ask(method, url, {"depth": str(depth), "content-type": "application/xml; charset=utf-8"}, body)


def refusal(answer: Answer) -> CalendarGone | Refused:
    """Return the error for an answer that is none that was hoped for."""
    if answer.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
        return CalendarGone("there is no such calendar")
    return Refused(f"the server answers {answer.status}")


async def discovered(wire: Wire, address: str) -> list[RemoteCalendar]:
    """Return the calendars of the account, or the one at the address if that is one.

    Raises Refused when nobody speaks CalDAV there.
    """
    given = wire.url(address)
    async for url, here in _entrances(wire, given):
        if _is_calendar(here):
            return [await _calendar(here, url)]
        home = here.href_in(_HOME)
        principal = here.href_in(_PRINCIPAL)
        if home is None and principal is not None:
            url = wire.url(principal, url)  # noqa: PLW2901 - addresses are relative to who tells them
            of_principal = await asked(wire, "PROPFIND", url, propfind(_HOME), 0)
            home = next((each.href_in(_HOME) for each in of_principal.responses), None)
        if home is not None:
            home_url = wire.url(home, url)
            inside = await asked(wire, "PROPFIND", home_url, propfind(*_OF_CALENDARS), 1)
            found = (each for each in inside.responses if _is_calendar(each))
            return [await _calendar(each, wire.url(each.href, home_url)) for each in found]
    raise Refused("nobody speaks CalDAV at this address")


async def _entrances(wire: Wire, given: httpx2.URL) -> AsyncIterator[tuple[httpx2.URL, Response]]:
    """Yield what is known of where an account may begin: the address, and where its server says that calendars are."""
    body = propfind(_PRINCIPAL, _HOME, *_OF_CALENDARS)
    for url in (given, given.copy_with(path="/.well-known/caldav", query=None)):
        answer = await question(wire, "PROPFIND", url, body, 0)
        if answer.status == HTTPStatus.MULTI_STATUS:
            for each in (await asyncio.to_thread(multistatus, answer.body)).responses[:1]:
                yield answer.url, each


def _is_calendar(response: Response) -> bool:
    """Tell whether this is a calendar that events can be in."""
    kind = response.properties.get(_TYPE)
    if kind is None or kind.find(f"{CALDAV}calendar") is None:
        return False
    components = response.properties.get(_COMPONENTS)
    names = [each.get("name", "").upper() for each in components] if components is not None else []
    return not names or "VEVENT" in names


async def _calendar(response: Response, url: httpx2.URL) -> RemoteCalendar:
    name = response.text(_NAME) or url.path.rstrip("/").rpartition("/")[2]
    zone = response.text(_ZONE)
    timezone = None
    if zone is not None:
        try:
            timezone = (await asyncio.to_thread(Reading().about, zone.encode())).timezone
        except FeedBroken:
            # A calendar whose zone we cannot read is in that of whoever connects it.
            timezone = None
    return RemoteCalendar(str(url), name[:200], timezone, _access(response.properties.get(_PRIVILEGES)))


def _access(privileges: Element | None) -> Access:
    """Return what we may do; a server that does not say is asked when it comes to it."""
    if privileges is None:
        return Access.WRITE
    names = {each.tag for privilege in privileges.iter(f"{DAV}privilege") for each in privilege}
    if names & {f"{DAV}all", f"{DAV}write"} or {f"{DAV}write-content", f"{DAV}bind", f"{DAV}unbind"} <= names:
        return Access.WRITE
    return Access.READ if f"{DAV}read" in names else Access.FREE_BUSY
