"""An owner goes to Google to consent and comes back: only they, once, soon, and with what they were sent with."""

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import pytest

from booking.served import problem
from booking.staffed import bearer, make_key
from booking.tenants import Tenant, application
from calendars.accounts.owners import CALLBACK, GOOGLE, INTEGRATIONS, PUBLIC_URL, SETTING, Owner, add_resource
from calendars.google.server import settings_of
from conftest import MASTER_KEY
from holdfast.calendars.settings import CalendarSettings, GoogleSettings
from holdfast.identity.permissions import Role

PRIMARY, SECOND, COLLEAGUE = "owner@calendar.test", "second@group.calendar.test", "colleague@calendar.test"


async def test_an_owner_connects_an_account(owner: Owner) -> None:
    """After consent the account is connected, its first calendar blocks time and receives appointments, no other is for
    anything, and the state is shown (C-1, calendars 20).
    """
    url = await owner.leave()
    asked = dict(parse_qsl(urlsplit(url).query))
    assert (asked["access_type"], asked["prompt"], asked["code_challenge_method"]) == ("offline", "consent", "S256")
    assert asked["redirect_uri"] == PUBLIC_URL + CALLBACK
    answer = await owner.come_back(owner.consent(url))
    assert answer.status_code == 200, answer.text
    shown = await owner.only()
    assert shown["id"] == answer.json()["connectionId"]
    assert (shown["provider"], shown["account"], shown["state"]) == ("google", PRIMARY, "connected")
    assert (shown["needsReconnect"], shown["errorCode"], shown["lastSyncAt"]) == (False, None, None)
    assert shown["resourceId"] == str(owner.resource_id)
    calendars = {remote: (each.blocks, each.exports) for remote, each in (await owner.calendars()).items()}
    assert calendars == {PRIMARY: (True, True), SECOND: (False, False), COLLEAGUE: (False, False)}
    access = {each["name"]: each["access"] for each in shown["calendars"]}
    assert access[f"Calendar of {COLLEAGUE}"] == "free_busy"


async def test_what_google_has_granted_is_ciphertext(owner: Owner) -> None:
    """Tokens, the account and the ids and names of calendars stand nowhere in the database as they are (C-7)."""
    await owner.connect()
    [connection] = await owner.connections()
    assert connection.access_token is not None
    assert connection.refresh_token is not None
    secrets = (connection.access_token, connection.refresh_token, PRIMARY, SECOND)
    assert owner.in_the_open(*secrets) == []


async def test_the_state_counts_once_and_for_whom_it_was_made(owner: Owner, neighbour: Tenant) -> None:
    """A state that is wrong, absent, used, too old, of another actor or of another business stores no token (calendars 20)."""
    back = owner.consent(await owner.leave())
    for wrong in ({}, {"state": ""}, {"state": "x"}, {"state": back["state"][:-1]}, {"state": "я\u2028"}):
        refused = await owner.come_back({"code": back["code"], **wrong})
        problem(refused, 400, "calendar_authorization_invalid")
    other_key = await make_key(owner.tenant.database, owner.tenant.business_id, Role.OWNER)
    refused = await owner.tenant.http.get(CALLBACK, params=back, headers=bearer(other_key))
    problem(refused, 400, "calendar_authorization_invalid")
    await neighbour.done("PUT", SETTING, {"value": "prod"}, role=Role.OWNER)
    refused = await neighbour.call("GET", CALLBACK, role=Role.OWNER, params=back)
    problem(refused, 400, "calendar_authorization_invalid")
    owner.tenant.sql(
        "update calendar_authorizations set expires_at = clock_timestamp() where business_id = %s",
        owner.tenant.business_id,
    )
    problem(await owner.come_back(back), 400, "calendar_authorization_invalid")
    assert owner.count("calendar_connections") == 0

    back = owner.consent(await owner.leave())
    assert (await owner.come_back(back)).status_code == 200
    before = await owner.connections()
    problem(await owner.come_back(back), 400, "calendar_authorization_invalid")
    assert await owner.connections() == before
    assert owner.count("calendar_authorizations") == 0


async def test_a_refused_way_back_uses_the_state_up(owner: Owner) -> None:
    """A state that came back with an error of Google opens nothing afterwards (calendars 20)."""
    url = await owner.leave()
    denied = owner.consent(url, allow=False)
    problem(await owner.come_back(denied), 409, "calendar_access_denied")
    problem(await owner.come_back({"state": denied["state"], "code": "any"}), 400, "calendar_authorization_invalid")


async def _of_another_departure(owner: Owner) -> dict[str, str]:
    """Let the code of one departure come back under the state of another: the verifier is wrong."""
    first, second = owner.consent(await owner.leave()), owner.consent(await owner.leave())
    return {"state": second["state"], "code": first["code"]}


async def _to_another_place(owner: Owner) -> dict[str, str]:
    """Let the code be exchanged as if Google had sent it elsewhere."""
    back = owner.consent(await owner.leave())
    elsewhere = "https://elsewhere.holdfast.test/callback"
    owner.tenant.sql(
        "update calendar_authorizations set redirect_uri = %s where business_id = %s",
        elsewhere,
        owner.tenant.business_id,
    )
    return back


async def _made_up(owner: Owner) -> dict[str, str]:
    """Make a code up."""
    return owner.consent(await owner.leave()) | {"code": "4/made-up"}


@pytest.mark.parametrize("wrong", [_of_another_departure, _to_another_place, _made_up])
async def test_a_code_opens_only_for_whom_it_was_given(
    owner: Owner, wrong: Callable[[Owner], Awaitable[dict[str, str]]]
) -> None:
    """A code with the wrong PKCE verifier, for another redirect or made up is refused by Google; no token is stored
    (calendars 20).
    """
    problem(await owner.come_back(await wrong(owner)), 409, "calendar_access_denied")
    assert owner.count("calendar_connections") == 0


async def test_half_a_consent_is_none(owner: Owner) -> None:
    """Whoever does not allow everything that is asked for has connected nothing (calendars 20)."""
    url = await owner.leave()
    scopes = dict(parse_qsl(urlsplit(url).query))["scope"].split()
    back = owner.consent(url, granted={scopes[0]})
    problem(await owner.come_back(back), 409, "calendar_access_denied")
    assert owner.count("calendar_connections") == 0


async def test_an_answer_without_refresh_token_keeps_the_old_one(owner: Owner) -> None:
    """A first grant without refresh token is refused; a later one leaves the refresh token that is there (calendars 20)."""
    owner.google.oauth.withholds_refresh_token = True
    back = owner.consent(await owner.leave())
    problem(await owner.come_back(back), 409, "calendar_grant_incomplete")
    assert owner.count("calendar_connections") == 0
    owner.google.oauth.withholds_refresh_token = False
    await owner.connect()
    [before] = await owner.connections()
    owner.google.oauth.withholds_refresh_token = True
    await owner.connect()
    [after] = await owner.connections()
    assert after.refresh_token == before.refresh_token
    assert after.access_token != before.access_token


async def test_connecting_again_makes_nothing_twice(owner: Owner) -> None:
    """The same account of the same resource is the connection that is there, with its calendars and what they were
    chosen for; it works again and everything is due (C-1, calendars 17).
    """
    connection_id = await owner.connect()
    calendars = await owner.calendars()
    path = f"{INTEGRATIONS}/calendars/{calendars[SECOND].id}"
    await owner.done("PATCH", path, {"blocks": True})
    owner.tenant.sql(
        "update calendar_connections set state = 'needs_reconnect', error_code = 'needs_reconnect' where id = %s",
        connection_id,
    )
    owner.tenant.sql(
        "update calendars set next_sync_at = now() + interval '1 hour', failures = 3, error_code = 'unreachable'"
        " where connection_id = %s",
        connection_id,
    )
    owner.google.calendar("third@group.calendar.test")
    del owner.google.calendars[COLLEAGUE]
    assert await owner.connect() == connection_id
    shown = await owner.only()
    assert (shown["state"], shown["errorCode"], shown["advice"]) == ("connected", None, None)
    after = await owner.calendars()
    assert set(after) == {PRIMARY, SECOND, "third@group.calendar.test"}
    assert [after[each].id for each in (PRIMARY, SECOND)] == [calendars[each].id for each in (PRIMARY, SECOND)]
    assert [(each.blocks, each.exports) for each in after.values()] == [(True, True), (True, False), (False, False)]
    due = owner.tenant.sql(
        "select count(*) from calendars where connection_id = %s and next_sync_at <= clock_timestamp()"
        " and failures = 0 and (blocks or exports)",
        connection_id,
    )
    assert due == [(2,)]


async def test_the_same_account_of_two_resources_is_two_connections(owner: Owner) -> None:
    """Whose time an account tells is part of the connection (C-1)."""
    first = await owner.connect()
    second = await owner.connect(await owner.add_resource())
    assert first != second
    assert len((await owner.shown())["connections"]) == 2


async def test_the_flag_says_where_google_may_be_asked(owner: Owner) -> None:
    """With the flag off for this stage nothing of Google can be connected, looked at now or tried again; the state says
    so (C-7).
    """
    connection_id = await owner.connect()
    departure = owner.consent(await owner.leave())
    for value in ("off", "internal", "stage"):
        await owner.done("PUT", SETTING, {"value": value})
        asked = len(owner.google.calls)
        body = {"resourceId": str(owner.resource_id)}
        problem(await owner.call("POST", f"{GOOGLE}/connect", body), 409, "google_calendar_off")
        problem(await owner.come_back(departure), 409, "google_calendar_off")
        problem(await owner.call("POST", f"{GOOGLE}/sync", {}), 409, "google_calendar_off")
        problem(await owner.call("POST", f"{INTEGRATIONS}/{connection_id}/retry"), 409, "google_calendar_off")
        assert (await owner.shown())["google"] == {"enabled": False, "configured": True}
        assert len(owner.google.calls) == asked
    await owner.done("PUT", SETTING, {"value": "prod"})
    assert (await owner.shown())["google"]["enabled"]
    assert (await owner.come_back(departure)).status_code == 200


@pytest.mark.parametrize("missing", ["client", "address"])
async def test_a_server_without_client_says_which_settings_it_lacks(
    owner: Owner, app_uri: str, admin_uri: str, missing: str
) -> None:
    """Without a client at Google, or a way back from there, the refusal names the settings (C-1)."""
    google = GoogleSettings() if missing == "client" else settings_of(owner.google)
    calendars = CalendarSettings(google, PUBLIC_URL if missing == "client" else None)
    async with application(app_uri, admin_uri, MASTER_KEY, calendars=calendars) as http:
        headers = bearer(owner.tenant.keys[Role.OWNER])
        body = {"resourceId": str(owner.resource_id)}
        refused = await http.post(f"{GOOGLE}/connect", json=body, headers=headers)
        message = problem(refused, 409, "google_not_configured")["message"]
        assert "HOLDFAST_GOOGLE_CLIENT_ID" in message
        assert "HOLDFAST_PUBLIC_URL" in message
        shown = (await http.get(INTEGRATIONS, headers=headers)).json()
        assert shown["google"] == {"enabled": True, "configured": False}


async def test_google_away_while_an_owner_comes_back(owner: Owner) -> None:
    """When Google fails between consent and the end, nothing is stored and the refusal says that it does not answer (C-1)."""
    for failing in ("oauth.token", "calendar.calendarList.list"):
        back = owner.consent(await owner.leave())
        owner.google.faults.fail(503, "backendError", times=9, only=failing)
        problem(await owner.come_back(back), 422, "calendar_unreachable")
        owner.google.faults.clear()
    assert owner.count("calendar_connections") == 0


async def test_a_browser_that_comes_back_is_led_to_the_integrations(owner: Owner) -> None:
    """A browser is led to the page of the integrations with what became of it, also when nobody is signed in any more; no code
    is passed on (C-1, U-3).
    """
    headers = {"Accept": "text/html,application/xhtml+xml", **bearer(owner.tenant.keys[Role.OWNER])}
    back = owner.consent(await owner.leave())
    answer = await owner.tenant.http.get(CALLBACK, params=back, headers=headers)
    again = await owner.tenant.http.get(CALLBACK, params=back, headers=headers)
    del headers["Authorization"]
    signed_out = await owner.tenant.http.get(CALLBACK, params=back, headers=headers)
    for led, what in (
        (answer, "done=connected"),
        (again, "problem=calendar_authorization_invalid"),
        (signed_out, "problem=authentication_required"),
    ):
        assert (led.status_code, led.headers["location"]) == (303, f"/admin/settings/integrations?{what}")
        assert led.headers["referrer-policy"] == "no-referrer"
    assert owner.count("calendar_connections") == 1


async def test_a_resource_of_nobody_is_connected_to_nothing(owner: Owner, neighbour: Tenant) -> None:
    """A resource that is not, or is another business's, is unknown before anybody goes to Google (H-4)."""
    theirs = await add_resource(neighbour)
    for resource_id in (uuid4(), theirs):
        refused = await owner.call("POST", f"{GOOGLE}/connect", {"resourceId": str(resource_id)})
        problem(refused, 404, "unknown_resource")
    problem(await owner.call("POST", f"{GOOGLE}/connect", {}), 400, "validation_failed")
