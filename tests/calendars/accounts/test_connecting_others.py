"""Servers of CalDAV and feeds are connected by what opens them; they are asked first, and secrets never come back."""

from uuid import UUID, uuid4

import pytest

from booking.served import problem, wrong_fields
from booking.staffed import bearer
from booking.tenants import Tenant, application
from calendars.accounts.owners import INTEGRATIONS, Owner, add_resource
from calendars.caldav.texts import ACCOUNT, PASSWORD, Radicale
from calendars.http_servers import Asked, Reply, Server
from conftest import MASTER_KEY
from holdfast.identity.permissions import Role

CALDAV, ICS = f"{INTEGRATIONS}/caldav", f"{INTEGRATIONS}/ics"
FEED = b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//x//EN\r\nX-WR-CALNAME:Quillfeather lessons\r\nEND:VCALENDAR\r\n"


async def test_a_server_of_caldav_is_connected(owner: Owner, radicale: Radicale, calendar: str) -> None:
    """An account at a server is connected with its calendars; its password stands nowhere in the open and never comes back,
    and connecting it again makes nothing twice (C-8, C-7).
    """
    body = {
        "resourceId": str(owner.resource_id),
        "address": radicale.address,
        "account": ACCOUNT,
        "password": PASSWORD,
    }
    answer = await owner.call("POST", CALDAV, body)
    assert answer.status_code == 201, answer.text
    again = await owner.call("POST", CALDAV, body)
    assert again.json() == answer.json()
    shown = await owner.only()
    assert (shown["provider"], shown["account"], shown["address"]) == ("caldav", ACCOUNT, radicale.address)
    assert PASSWORD not in answer.text + again.text + str(shown)
    assert owner.in_the_open(PASSWORD) == []
    used = [each for each in shown["calendars"] if each["blocks"] or each["exports"]]
    assert [(each["blocks"], each["exports"], each["access"]) for each in used] == [(True, True, "write")]
    gone = await owner.done("DELETE", f"{INTEGRATIONS}/{answer.json()['connectionId']}")
    assert (gone["accessRevoked"], gone["channelsStopped"], gone["problems"]) == (None, None, [])


async def test_a_wrong_password_connects_nothing(owner: Owner, radicale: Radicale) -> None:
    """A password that a server does not take is told as such, and nothing is stored (C-8)."""
    body = {"resourceId": str(owner.resource_id), "address": radicale.address, "account": ACCOUNT}
    refused = await owner.call("POST", CALDAV, body | {"password": "not the one that opens"})
    problem(refused, 422, "calendar_credentials_refused")
    assert owner.count("calendar_connections") == 0


async def test_a_feed_is_connected(owner: Owner) -> None:
    """A feed is connected and blocks time, as it can be nothing else; its address, which opens it, never comes back (C-8)."""
    with Server(lambda _: Reply(headers={"content-type": "text/calendar"}, body=FEED)).running() as server:
        address = f"{server.address}/secret-path-of-quillfeather.ics"
        answer = await owner.call("POST", ICS, {"resourceId": str(owner.resource_id), "address": address})
        assert answer.status_code == 201, answer.text
        shown = await owner.only()
        assert (shown["provider"], shown["account"], shown["address"]) == ("ics", None, None)
        [calendar] = shown["calendars"]
        assert (calendar["blocks"], calendar["exports"], calendar["access"]) == (True, False, "read")
        assert "secret-path" not in answer.text + str(shown)
        assert owner.in_the_open("secret-path-of-quillfeather", "Quillfeather lessons") == []
        path = f"{INTEGRATIONS}/calendars/{calendar['id']}"
        problem(await owner.call("PATCH", path, {"exports": True}), 409, "calendar_not_writable")
        other = address.replace("secret", "SECRET")
        made = await owner.done("POST", ICS, {"resourceId": str(owner.resource_id), "address": other})
        assert made != answer.json(), "letters of an address tell"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(404), "calendar_not_there"),
        (Reply(200, body=b"<!doctype html><title>No calendar</title>"), "calendar_feed_broken"),
        (Reply(503), "calendar_unreachable"),
        (Reply(403), "calendar_refused"),
    ],
)
async def test_what_is_no_calendar_is_not_connected(owner: Owner, reply: Reply, code: str) -> None:
    """A feed that does not answer as one is told by what is wrong with it, and nothing is stored (C-8, calendars 23)."""
    with Server(lambda _: reply).running() as server:
        body = {"resourceId": str(owner.resource_id), "address": f"{server.address}/x.ics"}
        problem(await owner.call("POST", ICS, body), 422, code)
    assert owner.count("calendar_connections") == 0


async def test_a_server_that_is_not_there_is_told(owner: Owner) -> None:
    """An address at which nobody listens is unreachable (C-8)."""
    with Server(lambda _: Reply(404)).running() as server:
        address = server.address
    for path, more in ((ICS, {}), (CALDAV, {"account": "quillfeather", "password": "p" * 12})):
        body = {"resourceId": str(owner.resource_id), "address": address, **more}
        problem(await owner.call("POST", path, body), 422, "calendar_unreachable")


async def test_private_addresses_are_refused(owner: Owner, app_uri: str, admin_uri: str) -> None:
    """Unless whoever runs the server allows it, nobody makes it ask its own network (C-8, calendars 23)."""
    asked: list[Asked] = []
    with Server(lambda each: asked.append(each) or Reply(200, body=FEED)).running() as server:
        async with application(app_uri, admin_uri, MASTER_KEY) as http:
            for path, more in ((ICS, {}), (CALDAV, {"account": "quillfeather", "password": "p" * 12})):
                body = {"resourceId": str(owner.resource_id), "address": server.address, **more}
                answer = await http.post(path, json=body, headers=bearer(owner.tenant.keys[Role.OWNER]))
                problem(answer, 422, "calendar_refused")
    assert asked == []


async def test_what_opens_a_calendar_is_checked(owner: Owner, neighbour: Tenant) -> None:
    """Bodies that lack something, and resources of nobody or of another business, are refused before anybody is asked
    (H-4).
    """
    whole = {"resourceId": str(owner.resource_id), "address": "https://x.test", "account": "a", "password": "p"}
    for missing in ("resourceId", "address", "account", "password"):
        body = {name: value for name, value in whole.items() if name != missing}
        problem(await owner.call("POST", CALDAV, body), 400, "validation_failed")
    for wrong in ("", "calendar", "https://", "https://x .test", "javascript:alert(1)", "https://x.test/\u0000"):
        assert wrong_fields(await owner.call("POST", ICS, whole | {"address": wrong})) == {"address"}
    theirs = await add_resource(neighbour)
    for resource_id in (uuid4(), theirs, UUID(int=0)):
        for path in (ICS, CALDAV):
            body = whole | {"resourceId": str(resource_id)}
            problem(await owner.call("POST", path, body), 404, "unknown_resource")
