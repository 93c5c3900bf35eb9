"""Connections with appointments in them: away and back again, and taken apart."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

from booking.served import problem
from calendars.accounts.owners import INTEGRATIONS, Owner
from calendars.accounts.test_using_connections import PRIMARY, choose, look, open_items, providers_of
from calendars.exporting import Exporting
from calendars.google.store import Json
from holdfast.calendars.event_ids import event_id_of
from holdfast.catalog.services import put_service

HOUR = timedelta(hours=1)
WRITES = ("calendar.events.insert", "calendar.events.patch", "calendar.events.delete")


async def open_practice(owner: Owner) -> Exporting:
    """Let the owner's clients book, and connect the owner's calendar, which is looked at."""

    async def work(tx: Any) -> UUID:
        needs = [[owner.resource_id]]
        return await put_service(tx, slug="talk", name="A talk", duration_minutes=60, requirements=needs)

    service_id = await owner.tenant.database.run(owner.tenant.business_id, work)
    await owner.connect()
    await look(owner, PRIMARY)
    return Exporting(owner.tenant, service_id, {"ana": owner.resource_id})


def events(owner: Owner) -> list[Json]:
    """Return the events that the calendar shows, in order."""
    entries = [entry.body for entry in owner.google.calendars[PRIMARY].expanded.values()]
    return sorted(
        (each for each in entries if each["status"] != "cancelled"), key=lambda each: each["start"]["dateTime"]
    )


def written(owner: Owner) -> list[str]:
    """Return the ids of the events that were written, in the order in which they were."""
    return [
        (call.body or {}).get("id") or call.path["eventId"]
        for call in owner.google.calls
        if call.method in WRITES and call.status < 300
    ]


async def test_a_withdrawn_access_makes_nothing_twice(owner: Owner) -> None:
    """While access is withdrawn the state says so, Google is asked nothing, bookings go on and their events wait; when the
    account is connected again they are written in order, once each, and the inbox is empty (C-1, C-3, calendars 17).
    """
    practice = await open_practice(owner)
    providers = providers_of(owner)
    first = await practice.book()
    await practice.export(providers)
    owner.google.oauth.void_grants()
    owner.google.oauth.expire_access_tokens()
    await look(owner, PRIMARY)
    assert (await owner.only())["needsReconnect"]
    assert open_items(owner) == ["calendar_needs_reconnect"]
    asked = len(owner.google.calls)
    second, third = await practice.book(2), await practice.book(4)
    await practice.reschedule(first, 6)
    await practice.export(providers)
    assert len(owner.google.calls) == asked
    assert (await owner.only())["exportsWaiting"] == 3

    # However long they have been put off.
    owner.tenant.sql(
        "update calendar_events set next_attempt_at = next_attempt_at + interval '1 hour', failures = 5"
        " where business_id = %s and next_attempt_at is not null",
        owner.tenant.business_id,
    )
    before = len(written(owner))
    connection_id = (await owner.only())["id"]
    assert str(await owner.connect()) == connection_id
    assert open_items(owner) == []
    await practice.export(providers)
    ids = [event_id_of(UUID(booking)) for booking in (second, third, first)]
    assert written(owner)[before:] == ids
    assert [each["id"] for each in events(owner)] == ids
    shown = await owner.only()
    assert (shown["exportsWaiting"], shown["state"], len(shown["calendars"])) == (0, "connected", 3)
    await look(owner, PRIMARY)
    assert owner.count("calendar_busy_intervals") == 0


async def test_appointments_stay_in_a_calendar_that_is_disconnected(owner: Owner) -> None:
    """A diary keeps its appointments when it is disconnected, unless the owner wants those to come removed (C-3)."""
    practice = await open_practice(owner)
    for hours in (0, 2):
        await practice.book(hours)
    await practice.export(providers_of(owner))
    path = f"{INTEGRATIONS}/{(await owner.only())['id']}"
    problem(await owner.call("DELETE", path, params={"removeEvents": "maybe"}), 400, "validation_failed")
    kept = await owner.done("DELETE", path)
    assert (kept["eventsRemoved"], kept["eventsLeft"]) == (0, 0)
    assert len(events(owner)) == 2

    path = f"{INTEGRATIONS}/{await owner.connect()}"
    await look(owner, PRIMARY)
    await practice.export(providers_of(owner))
    assert len(events(owner)) == 2, "they are found by their ids"
    removed = await owner.done("DELETE", path, params={"removeEvents": "true"})
    assert (removed["eventsRemoved"], removed["eventsLeft"], removed["problems"]) == (2, 0, [])
    assert events(owner) == []


async def test_what_could_not_be_removed_is_told(owner: Owner) -> None:
    """Events that a failing provider keeps are counted in the answer; the connection is gone (C-3)."""
    practice = await open_practice(owner)
    await practice.book()
    await practice.export(providers_of(owner))
    owner.google.faults.fail(503, times=99, only="calendar.events")
    answer = await owner.done("DELETE", f"{INTEGRATIONS}/{(await owner.only())['id']}", params={"removeEvents": "true"})
    assert (answer["eventsRemoved"], answer["eventsLeft"], answer["accessRevoked"]) == (0, 1, True)
    assert answer["problems"] == ["Events that could not be removed from the calendar: 1"]
    assert owner.count("calendar_connections") == 0


async def test_choosing_another_calendar_moves_appointments_there(owner: Owner) -> None:
    """When another calendar is to receive appointments, those to come go from the one and stand in the other (C-3)."""
    practice = await open_practice(owner)
    await practice.book()
    await practice.export(providers_of(owner))
    assert len(events(owner)) == 1
    # Longer ago than the exporter looks back.
    owner.tenant.sql(
        "update outbox_events set occurred_at = occurred_at - interval '1 day' where business_id = %s",
        owner.tenant.business_id,
    )
    second = "second@group.calendar.test"
    assert (await choose(owner, PRIMARY, exports=False)).status_code == 200
    assert (await choose(owner, second, exports=True)).status_code == 200
    await practice.export(providers_of(owner))
    assert events(owner) == []
    [moved] = [each.body for each in owner.google.calendars[second].expanded.values()]
    assert (moved["summary"], moved["status"]) == ("A talk", "confirmed")


async def test_two_ways_back_at_once_make_one_connection(owner: Owner) -> None:
    """Whoever consents in two windows at once has connected the account once (C-1)."""
    ways = [owner.consent(await owner.leave()) for _ in range(4)]
    answers = await asyncio.gather(*(owner.come_back(way) for way in ways))
    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.text for answer in answers}) == 1
    assert (owner.count("calendar_connections"), owner.count("calendars")) == (1, 3)
    assert sum(each.exports for each in (await owner.calendars()).values()) == 1
