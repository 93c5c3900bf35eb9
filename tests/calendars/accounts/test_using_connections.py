"""Connections after they are made: what their calendars are for, how they are shown, tried again and taken apart."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from booking.served import problem
from booking.tenants import Tenant
from calendars.accounts.owners import GOOGLE, INTEGRATIONS, PUBLIC_URL, Owner, open_owner
from calendars.google.fake import FakeGoogle
from calendars.google.server import settings_of
from holdfast.administration.settings import Stage
from holdfast.calendars import accounts, tasks
from holdfast.calendars.channels import renew_channels
from holdfast.calendars.connections import ConnectionState, set_state
from holdfast.calendars.mirror import sync
from holdfast.calendars.providers import Providers, openings
from holdfast.calendars.settings import CalendarSettings
from holdfast.identity.permissions import Role
from holdfast.kernel.attention import Severity, raise_item
from holdfast.kernel.audit import SYSTEM
from holdfast.kernel.database import Transaction

PRIMARY, SECOND, COLLEAGUE = "owner@calendar.test", "second@group.calendar.test", "colleague@calendar.test"
TOMORROW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=1)


def providers_of(owner: Owner) -> Providers:
    """Return the adapters of a worker beside the server."""
    settings = CalendarSettings(settings_of(owner.google), PUBLIC_URL, private_networks=True)
    return Providers(openings(settings, owner.tenant.database))


async def look(owner: Owner, remote_id: str) -> None:
    """Look at a calendar as the worker does."""
    calendar = (await owner.calendars())[remote_id]
    business_id = owner.tenant.business_id
    assert await sync(owner.tenant.database, providers_of(owner), business_id, calendar.id, stage=Stage.PROD)


async def choose(owner: Owner, remote_id: str, **purposes: bool) -> Any:
    """Say what a calendar is for; return the answer."""
    calendar = (await owner.calendars())[remote_id]
    return await owner.call("PATCH", f"{INTEGRATIONS}/calendars/{calendar.id}", purposes)


async def watched(owner: Owner) -> None:
    """Have Google tell of changes."""
    assert await renew_channels(owner.tenant.database, providers_of(owner), Stage.PROD) > 0


async def test_calendars_are_for_what_the_owner_chooses(owner: Owner) -> None:
    """A calendar blocks time, receives appointments, both or neither; of an account one receives them, and only one that
    can be written to (C-1, C-3).
    """
    await owner.connect()
    assert (await choose(owner, SECOND, blocks=True)).json()["blocks"]
    refused = await choose(owner, SECOND, exports=True)
    problem(refused, 409, "one_export_calendar")
    assert (await choose(owner, PRIMARY, exports=False, blocks=False)).status_code == 200
    chosen = (await choose(owner, SECOND, exports=True)).json()
    assert (chosen["blocks"], chosen["exports"]) == (True, True)
    problem(await choose(owner, COLLEAGUE, exports=True), 409, "calendar_not_writable")
    assert (await choose(owner, COLLEAGUE, blocks=True)).status_code == 200
    used = {remote: (each.blocks, each.exports) for remote, each in (await owner.calendars()).items()}
    assert used == {PRIMARY: (False, False), SECOND: (True, True), COLLEAGUE: (True, False)}
    assert (await choose(owner, SECOND)).json() == chosen, "nothing is left as it is"


async def test_two_choices_at_once_leave_one_export_calendar(owner: Owner) -> None:
    """Of two calendars that are chosen for exports at the same moment one is; the other choice is refused (C-3)."""
    await owner.connect()
    owner.google.calendar("third@group.calendar.test")
    await owner.connect()
    await choose(owner, PRIMARY, exports=False)
    answers = await asyncio.gather(
        choose(owner, SECOND, exports=True), choose(owner, "third@group.calendar.test", exports=True)
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]


async def test_a_calendar_that_blocks_no_more_blocks_nothing_at_once(owner: Owner) -> None:
    """When a calendar is not to block any more, its busy time goes in the same transaction, and comes back whole when it
    is to block again (C-2).
    """
    await owner.connect()
    owner.google.calendars[PRIMARY].add(TOMORROW, TOMORROW + timedelta(hours=1))
    await look(owner, PRIMARY)
    assert owner.count("calendar_busy_intervals") == 1
    await choose(owner, PRIMARY, blocks=False)
    assert owner.count("calendar_busy_intervals") == 0
    await look(owner, PRIMARY)
    assert owner.count("calendar_busy_intervals") == 0, "it is looked at for the sake of exports only"
    await choose(owner, PRIMARY, blocks=True)
    await look(owner, PRIMARY)
    assert owner.count("calendar_busy_intervals") == 1


async def test_a_connection_goes_with_everything_that_it_blocked(owner: Owner) -> None:
    """Busy rows, calendars, channels and open questions of a connection are gone with it in one transaction; Google is
    told to send nothing more and gets the access back (C-7, calendars 24).
    """
    connection_id = await owner.connect()
    owner.google.calendars[PRIMARY].add(TOMORROW, TOMORROW + timedelta(hours=1))
    await look(owner, PRIMARY)
    await watched(owner)
    [connection] = await owner.connections()
    assert owner.count("calendar_busy_intervals") == 1
    answer = await owner.done("DELETE", f"{INTEGRATIONS}/{connection_id}")
    assert answer == {
        "channelsStopped": True,
        "accessRevoked": True,
        "eventsRemoved": 0,
        "eventsLeft": 0,
        "problems": [],
    }
    for table in ("calendar_connections", "calendars", "calendar_busy_intervals", "calendar_channels"):
        assert owner.count(table) == 0
    assert len(owner.google.called("calendar.channels.stop")) == 1
    assert connection.refresh_token is not None
    with pytest.raises(Exception, match="invalid_token"):
        owner.google.oauth.revoke(connection.refresh_token)
    problem(await owner.call("DELETE", f"{INTEGRATIONS}/{connection_id}"), 404, "not_found")


async def test_a_connection_and_its_busy_time_go_together(owner: Owner) -> None:
    """Until a connection is gone everybody else sees it with all that it blocks, and when that fails it is all there
    still (calendars 24).
    """
    connection_id = await owner.connect()
    owner.google.calendars[PRIMARY].add(TOMORROW, TOMORROW + timedelta(hours=1))
    await look(owner, PRIMARY)
    tables = ("calendar_connections", "calendar_busy_intervals", "calendars")
    before = [owner.count(table) for table in tables]

    async def fail_at_the_end(tx: Transaction) -> None:
        await accounts.disconnect(tx, connection_id, SYSTEM)
        assert [await tx.value(f"select count(*) from {table}") for table in tables] == [0, 0, 0]
        assert [owner.count(table) for table in tables] == before
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await owner.tenant.database.run(owner.tenant.business_id, fail_at_the_end)
    assert [owner.count(table) for table in tables] == before == [1, 1, 3]


async def test_a_connection_goes_also_while_its_provider_is_away(owner: Owner) -> None:
    """When the provider cannot be told, the connection is gone all the same, and the answer says what is left (C-7)."""
    connection_id = await owner.connect()
    await watched(owner)
    owner.google.faults.fail(503, times=99)
    answer = await owner.done("DELETE", f"{INTEGRATIONS}/{connection_id}")
    assert (answer["channelsStopped"], answer["accessRevoked"]) == (False, False)
    assert len(answer["problems"]) == 2
    assert owner.count("calendar_connections") == 0
    owner.google.faults.clear()


async def test_a_token_that_has_run_out_stops_nobody_from_leaving(owner: Owner) -> None:
    """Channels are stopped and access is given back also when the access token has run out (C-7)."""
    connection_id = await owner.connect()
    await watched(owner)
    owner.google.oauth.expire_access_tokens()
    owner.tenant.sql(
        "update calendar_connections set access_token_expires_at = now() - interval '1 minute' where id = %s",
        connection_id,
    )
    answer = await owner.done("DELETE", f"{INTEGRATIONS}/{connection_id}")
    assert (answer["channelsStopped"], answer["accessRevoked"], answer["problems"]) == (True, True, [])


async def test_access_stays_while_another_connection_stands_on_it(owner: Owner) -> None:
    """What Google grants is granted for the account: it is given back with the last connection of it (C-7)."""
    first, second = await owner.connect(), await owner.connect(await owner.add_resource())
    assert not (await owner.done("DELETE", f"{INTEGRATIONS}/{first}"))["accessRevoked"]
    assert (await owner.done("POST", f"{INTEGRATIONS}/{second}/retry"))["connectionId"] == str(second)
    assert (await owner.done("DELETE", f"{INTEGRATIONS}/{second}"))["accessRevoked"]


async def test_what_the_inbox_asks_goes_with_the_connection(owner: Owner) -> None:
    """Items about a connection are settled when it is connected again, and all about it when it goes (C-6)."""
    connection_id = await owner.connect()
    calendar = (await owner.calendars())[PRIMARY]

    async def ask(tx: Any) -> None:
        await raise_item(tx, tasks.NEEDS_RECONNECT, connection_id, Severity.URGENT, provider="google")
        await raise_item(tx, tasks.STOPPED, connection_id, Severity.URGENT, provider="google")
        await raise_item(tx, tasks.UNREADABLE, calendar.id, Severity.WARNING)
        await raise_item(tx, tasks.NOT_EXPORTED, uuid4(), Severity.WARNING, calendar=calendar.id)
        await raise_item(tx, tasks.NOT_EXPORTED, uuid4(), Severity.WARNING, calendar=uuid4())

    await owner.tenant.database.run(owner.tenant.business_id, ask)
    await owner.connect()
    assert open_items(owner) == [
        "calendar_event_not_exported",
        "calendar_event_not_exported",
        "calendar_unreadable",
    ]
    await owner.done("DELETE", f"{INTEGRATIONS}/{connection_id}")
    assert open_items(owner) == ["calendar_event_not_exported"]


def open_items(owner: Owner) -> list[str]:
    """Return the kinds of what the inbox asks."""
    return [
        kind
        for (kind,) in owner.tenant.sql(
            "select kind from attention_items where business_id = %s and resolved_at is null order by kind",
            owner.tenant.business_id,
        )
    ]


async def test_the_state_tells_how_calendars_are(owner: Owner) -> None:
    """The state shows last sync, lag, staleness, what needs reconnecting with words on what to do, and the policy of the
    business for the time in between (C-1, C-6).
    """
    connection_id = await owner.connect()
    shown = await owner.shown()
    assert (shown["outage"], shown["freshnessMinutes"]) == ("hide", 60)
    assert (shown["connections"][0]["stale"], shown["connections"][0]["lagSeconds"]) == (False, None)
    owner.tenant.sql(
        "update calendar_connections set connected_at = now() - interval '2 hours' where id = %s", connection_id
    )
    assert (await owner.only())["stale"], "a calendar that was never seen is as old as its connection"
    await look(owner, PRIMARY)
    shown = await owner.only()
    assert (shown["stale"], shown["errorCode"]) == (False, None)
    assert 0 <= shown["lagSeconds"] < 60
    assert shown["lastSyncAt"].endswith("Z")
    owner.tenant.sql(
        "update calendars set last_success_at = now() - interval '2 hours', failures = 4, error_code = 'unreachable'"
        " where connection_id = %s and blocks",
        connection_id,
    )
    shown = await owner.only()
    assert (shown["stale"], shown["errorCode"]) == (True, "unreachable")
    assert 7_190 <= shown["lagSeconds"] <= 7_260
    assert "tried again by itself" in shown["advice"]
    await owner.done("PUT", "/api/admin/settings/calendar_freshness_minutes", {"value": 180})
    await owner.done("PUT", "/api/admin/settings/calendar_outage", {"value": "keep"})
    shown = await owner.shown()
    assert (shown["outage"], shown["freshnessMinutes"], shown["connections"][0]["stale"]) == ("keep", 180, False)
    async with owner.tenant.database.transaction(owner.tenant.business_id) as tx:
        await set_state(tx, connection_id, ConnectionState.NEEDS_RECONNECT, "needs_reconnect")
    shown = await owner.only()
    assert (shown["state"], shown["needsReconnect"], shown["nextSyncAt"]) == ("needs_reconnect", True, None)
    assert "Connect the account again" in shown["advice"]


async def test_the_connections_are_a_list_with_a_cursor(owner: Owner) -> None:
    """Connections are listed by the time at which they were made, page by page (H-2)."""
    made = [
        str(await owner.connect(resource))
        for resource in (None, await owner.add_resource(), await owner.add_resource())
    ]
    first = await owner.done("GET", INTEGRATIONS, params={"limit": 2})
    rest = await owner.done("GET", INTEGRATIONS, params={"limit": 2, "cursor": first["nextCursor"]})
    assert [each["id"] for page in (first, rest) for each in page["connections"]] == made
    assert rest["nextCursor"] is None
    for wrong in ({"limit": "0"}, {"limit": "x"}, {"cursor": "x"}):
        problem(await owner.call("GET", INTEGRATIONS, params=wrong), 400, "validation_failed")


async def test_a_look_can_be_asked_for(owner: Owner) -> None:
    """Staff have calendars looked at now, of all accounts of Google that work or of one; not of one that does not (C-1)."""
    connection_id = await owner.connect()
    await choose(owner, SECOND, blocks=True)
    later = "update calendars set next_sync_at = now() + interval '1 hour' where connection_id = %s"
    due = "select count(*) from calendars where connection_id = %s and next_sync_at <= clock_timestamp()"
    for body in ({}, {"connectionId": str(connection_id)}):
        owner.tenant.sql(later, connection_id)
        answer = await owner.call("POST", f"{GOOGLE}/sync", body)
        assert (answer.status_code, answer.json()) == (202, {"calendars": 2})
        assert owner.tenant.sql(due, connection_id) == [(2,)]
    problem(await owner.call("POST", f"{GOOGLE}/sync", {"connectionId": str(uuid4())}), 404, "not_found")
    for state, code in (("needs_reconnect", "calendar_needs_reconnect"), ("stopped", "calendar_stopped")):
        owner.tenant.sql("update calendar_connections set state = %s where id = %s", state, connection_id)
        problem(await owner.call("POST", f"{GOOGLE}/sync", {"connectionId": str(connection_id)}), 409, code)
        assert (await owner.done("POST", f"{GOOGLE}/sync", {})) == {"calendars": 0}


async def test_what_has_stopped_is_tried_again(owner: Owner) -> None:
    """An account that was refused is asked again on request and goes on when it answers; while it does not, it stays as it
    is, and one whose access was withdrawn has to be connected again (C-1).
    """
    connection_id = await owner.connect()
    path = f"{INTEGRATIONS}/{connection_id}/retry"
    owner.tenant.sql(
        "update calendar_connections set state = 'stopped', error_code = 'refused' where id = %s", connection_id
    )
    owner.google.faults.fail(403, "insufficientPermissions")
    problem(await owner.call("POST", path), 422, "calendar_refused")
    assert (await owner.only())["state"] == "stopped"
    await owner.done("POST", path)
    assert ((await owner.only())["state"], (await owner.only())["errorCode"]) == ("connected", None)
    owner.google.oauth.void_grants()
    owner.google.oauth.expire_access_tokens()
    problem(await owner.call("POST", path), 409, "calendar_needs_reconnect")
    assert (await owner.only())["needsReconnect"]
    problem(await owner.call("POST", path), 409, "calendar_needs_reconnect")
    await owner.connect()
    assert not (await owner.only())["needsReconnect"]


async def test_every_change_is_audited(owner: Owner) -> None:
    """Connecting, choosing, trying again and disconnecting are in the audit log with who did it, and without names and
    secrets (C-7, D-7).
    """
    connection_id = await owner.connect()
    await choose(owner, SECOND, blocks=True)
    await owner.connect()
    await owner.done("POST", f"{INTEGRATIONS}/{connection_id}/retry")
    await owner.done("DELETE", f"{INTEGRATIONS}/{connection_id}")
    key = owner.tenant.key_id(Role.OWNER)
    assert owner.audited("calendar_connection") == [
        ("connect", None, "connected", key),
        ("reconnect", "connected", "connected", key),
        ("retry", "connected", "connected", key),
        ("disconnect", "connected", "disconnected", key),
    ]
    assert owner.audited("calendar") == [
        ("choose", None, "blocks+exports", key),
        ("choose", "unused", "blocks", key),
    ]


async def test_a_right_that_was_taken_away_ends_exports(owner: Owner) -> None:
    """A calendar that can only be read any more receives nothing, which is seen when the account lists its calendars (C-3)."""
    await owner.connect()
    owner.google.calendars[PRIMARY].roles[PRIMARY] = "reader"
    await owner.connect()
    assert not (await owner.calendars())[PRIMARY].exports
    assert owner.audited("calendar")[-1][:3] == ("choose", "blocks+exports", "blocks")


async def test_another_business_sees_nothing_of_a_connection(
    owner: Owner, neighbour: Tenant, google: FakeGoogle
) -> None:
    """Connections and calendars of another business are as unknown as those that are not, to every call (H-4)."""
    connection_id = await owner.connect()
    calendar = (await owner.calendars())[PRIMARY]
    other = await open_owner(neighbour, google)
    assert (await other.shown())["connections"] == []
    for named in (connection_id, uuid4(), "nothing"):
        problem(await other.call("DELETE", f"{INTEGRATIONS}/{named}"), 404, "not_found")
        problem(await other.call("POST", f"{INTEGRATIONS}/{named}/retry"), 404, "not_found")
    for named in (calendar.id, uuid4(), "nothing"):
        problem(await other.call("PATCH", f"{INTEGRATIONS}/calendars/{named}", {"blocks": False}), 404, "not_found")
    problem(await other.call("POST", f"{GOOGLE}/sync", {"connectionId": str(connection_id)}), 404, "not_found")
    assert owner.count("calendar_connections") == 1
    assert (await owner.calendars())[PRIMARY] == calendar


async def test_who_may_see_and_who_may_connect(owner: Owner) -> None:
    """An assistant sees how calendars are and changes nothing about them; an editor does not see them (D-7)."""
    connection_id = await owner.connect()
    assert (await owner.call("GET", INTEGRATIONS, role=Role.ASSISTANT)).status_code == 200
    problem(await owner.call("GET", INTEGRATIONS, role=Role.EDITOR), 403, "forbidden")
    calls: list[tuple[str, str]] = [
        ("POST", f"{GOOGLE}/connect"),
        ("GET", f"{GOOGLE}/callback"),
        ("POST", f"{GOOGLE}/sync"),
        ("POST", f"{INTEGRATIONS}/caldav"),
        ("POST", f"{INTEGRATIONS}/ics"),
        ("DELETE", f"{INTEGRATIONS}/{connection_id}"),
        ("POST", f"{INTEGRATIONS}/{connection_id}/retry"),
    ]
    for method, path in calls:
        problem(await owner.call(method, path, role=Role.ASSISTANT), 403, "forbidden")


async def test_the_view_of_google_connections_tells_states_and_no_secrets(owner: Owner) -> None:
    """`integrations_google_calendar` shows each account of Google with its state and last sync, of one's own business, and
    nothing of its tokens (C-1).
    """
    connection_id = await owner.connect()
    await look(owner, PRIMARY)

    async def read(business_id: UUID) -> list[dict[str, Any]]:
        async with owner.tenant.database.transaction(business_id) as tx:
            return await tx.rows("select * from integrations_google_calendar")

    [row] = await read(owner.tenant.business_id)
    assert (row["id"], row["resource_id"], row["status"]) == (connection_id, owner.resource_id, "connected")
    assert row["last_synced_at"] is not None
    assert not {"access_token", "refresh_token", "account", "password"} & set(row)
    assert await read(uuid4()) == []
