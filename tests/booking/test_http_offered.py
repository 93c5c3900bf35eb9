"""Offers of the waitlist over HTTP: how a request stands, the page of an offer, and what staff see of it."""

import re
from collections.abc import AsyncIterator
from html import unescape
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio

from booking.opened import HOUR_SECONDS, START
from booking.served import Json, problem
from booking.staffed import bearer, make_key
from booking.tenants import application
from booking.waiting import Line, fill
from conftest import MASTER_KEY
from holdfast.booking.admission import instant
from holdfast.identity.permissions import Role
from holdfast.kernel.embedded import SUPERUSER, EmbeddedPostgres
from wording import say

PATH = "/api/public/booking/waitlist"
HTML = "text/html; charset=utf-8"


@pytest_asyncio.fixture(scope="module")
async def http(postgres: EmbeddedPostgres, shared_database: str) -> AsyncIterator[httpx.AsyncClient]:
    """The application on the database that tests share, without a worker."""
    app_uri, admin_uri = (postgres.uri(user=user, database=shared_database) for user in ("holdfast_app", SUPERUSER))
    async with application(app_uri, admin_uri, MASTER_KEY) as client:
        yield client


async def wait(http: httpx.AsyncClient, line: Line, **more: object) -> Json:
    """Ask to wait for a talk; return the answer, with its token."""
    times = {"from": instant(START).isoformat(), "to": instant(START + HOUR_SECONDS).isoformat()}
    what = {} if "scheduleId" in more else {"serviceId": str(line.practice.services["talk"]), **times}
    answer = await http.post(PATH, json={**what, "guestEmail": f"{uuid4().hex}@example.org", **more})
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


def proof(made: Json) -> dict[str, str]:
    """Return the header that proves whose request it is."""
    return {"Booking-Token": made["token"]}


def id_of(made: Json) -> UUID:
    """Return the id of a request."""
    return UUID(made["waitlistId"])


async def standing(http: httpx.AsyncClient, made: Json) -> Json:
    """Return how a request stands."""
    answer = await http.get(f"{PATH}/{made['waitlistId']}", headers=proof(made))
    assert answer.status_code == 200, answer.text
    body: Json = answer.json()
    return body


async def page_path(line: Line, made: Json) -> str:
    """Return the address of the page of a request, without its token."""
    [row] = await line.run(lambda tx: tx.rows("select slug from businesses where id = %s", [tx.business_id]))
    return f"/{row['slug']}/booking/slot/offer/{made['waitlistId']}"


async def test_how_a_request_stands(http: httpx.AsyncClient, line: Line) -> None:
    """Whoever has the token sees what they wait for, what they are offered and until when, and the appointment that they
    have made of it; nothing of their contact (W-1).
    """
    [appointment] = await fill(line)
    made = await wait(http, line, partySize=1)
    shown = await standing(http, made)
    assert shown == {
        "waitlistId": made["waitlistId"],
        "status": "waiting",
        "serviceId": str(line.practice.services["talk"]),
        "scheduleId": None,
        "from": instant(START).isoformat().replace("+00:00", "Z"),
        "to": instant(START + HOUR_SECONDS).isoformat().replace("+00:00", "Z"),
        "partySize": 1,
        "createdAt": made["createdAt"],
        "offer": None,
        "appointmentId": None,
    }
    await line.practice.cancel(appointment)
    await line.turn()
    offered = await standing(http, made)
    offer = offered["offer"]
    assert offered == shown | {"status": "offered", "offer": offer}
    reservation = (await http.get(f"/api/booking/reservations/{offer['reservationId']}")).json()
    assert [offer[name] for name in ("start", "end", "expiresAt")] == [
        reservation[name] for name in ("start", "end", "expiresAt")
    ]
    body = {"reservationId": offer["reservationId"], "guestEmail": f"{uuid4().hex}@example.org"}
    assert (await http.post("/api/booking/commit", json=body)).status_code == 201
    accepted = {"status": "accepted", "offer": None, "appointmentId": offer["reservationId"]}
    assert await standing(http, made) == shown | accepted


async def test_an_accepted_offer_is_cancelled_as_an_appointment(http: httpx.AsyncClient, line: Line) -> None:
    """Whoever leaves the waitlist when they have accepted is told which appointment to cancel, and keeps it; the page shows
    them that they have it (W-1).
    """
    made = await wait(http, line)
    await line.turn()
    booking_id = await line.booking_of(id_of(made))
    await line.accept(id_of(made))
    gone = await http.delete(f"{PATH}/{made['waitlistId']}", headers=proof(made))
    told = problem(gone, 409, "not_changeable")
    assert told["details"] == {"status": "confirmed", "appointmentId": str(booking_id)}
    left = await http.post(f"{await page_path(line, made)}?lang=en", data={"token": made["token"]})
    assert left.status_code == 200
    assert say("en", "You have taken this place") in unescape(left.text)
    assert (await line.practice.read(booking_id)).state == "confirmed"


async def test_how_a_request_stands_is_for_whoever_has_its_token(http: httpx.AsyncClient, line: Line) -> None:
    """Without its token, with that of another, or under another business, nobody reads a request (W-1, H-4)."""
    made, other = await wait(http, line), await wait(http, line)
    path = f"{PATH}/{made['waitlistId']}"
    for headers in ({}, {"Booking-Token": "x" * 43}, proof(other)):
        problem(await http.get(path, headers=headers), 401, "authentication_required")
    problem(await http.get(path, headers=proof(made), params={"businessId": str(uuid4())}), 404, "not_found")
    for nothing in (str(uuid4()), "nothing", "%00"):
        problem(await http.get(f"{PATH}/{nothing}", headers=proof(made)), 404, "not_found")


async def test_an_offer_is_declined_by_its_token(http: httpx.AsyncClient, line: Line) -> None:
    """Leaving the waitlist while a place is offered gives it back, and the next is offered it (W-1)."""
    first, second = await wait(http, line), await wait(http, line)
    await line.turn()
    for _ in range(2):
        assert (await http.delete(f"{PATH}/{first['waitlistId']}", headers=proof(first))).status_code == 204
    await line.turn()
    assert [(await standing(http, made))["status"] for made in (first, second)] == ["withdrawn", "offered"]


async def test_staff_see_what_is_offered(http: httpx.AsyncClient, line: Line) -> None:
    """The list of staff tells who is offered which place until when, and finds them by that (W-1)."""
    key = await make_key(line.practice.desk.database, line.practice.business_id, Role.ASSISTANT)
    made, waits = await wait(http, line), await wait(http, line)
    await line.turn()
    [shown] = (await http.get("/api/admin/waitlist", params={"status": "offered"}, headers=bearer(key))).json()[
        "requests"
    ]
    assert shown["waitlistId"] == made["waitlistId"]
    assert shown["offer"] == (await standing(http, made))["offer"]
    [behind] = (await http.get("/api/admin/waitlist", params={"status": "waiting"}, headers=bearer(key))).json()[
        "requests"
    ]
    assert (behind["waitlistId"], behind["offer"]) == (waits["waitlistId"], None)


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_the_page_of_an_offer(http: httpx.AsyncClient, line: Line, language: str) -> None:
    """Without scripts the page shows what is offered and until when, filled with the contact that was given, and its form
    takes the place; opening it changes nothing. It claims no place that was cancelled since (W-1, U-4).
    """
    given = {
        "guestName": 'Guest "of" <the> page',
        "guestPhone": "+7 900 444-55-66",
        "timezone": "Asia/Tokyo",
        "locale": language,
    }
    made = await wait(http, line, **given)
    path, query = await page_path(line, made), {"token": made["token"]}
    waiting = await http.get(path, params=query)
    assert f"<h1>{say(language, 'You are on the waitlist')}</h1>" in waiting.text
    await line.turn()
    booking = await line.practice.read(await line.booking_of(id_of(made)))
    for _ in range(2):
        page = await http.get(path, params=query)
        assert (page.status_code, page.headers["content-type"]) == (200, HTML)
    assert f"<h1>{say(language, 'A place is free for you')}</h1>" in page.text
    assert say(language, "I do not want this place") in page.text
    assert "talk" in page.text
    assert "(Asia/Tokyo)" in page.text
    email = re.findall(r'name="email"[^>]* value="([^"]+)"', page.text)
    assert email == [(await line.read(id_of(made))).guest.email]
    assert unescape(re.findall(r'name="name"[^>]* value="([^"]*)"', page.text)[0]) == given["guestName"]
    assert "<the>" not in page.text
    assert (await line.practice.read(booking.id)).version == booking.version

    action = unescape(re.findall(r'<form class="details" method="post" action="([^"]+)"', page.text)[0])
    taken = await http.post(action, data={"email": email[0], "name": "Guest", "consent": "yes"})
    assert taken.status_code == 200
    assert f"<h1>{say(language, 'Your booking is confirmed')}</h1>" in taken.text
    after = await http.get(path, params=query)
    assert f"<h1>{say(language, 'You have taken this place')}</h1>" in after.text
    assert str(booking.id) in after.text
    assert await line.states(id_of(made)) == ["accepted"]
    await line.practice.cancel(booking.id)
    assert f"<h1>{say(language, 'This booking is cancelled')}</h1>" in (await http.get(path, params=query)).text


async def test_an_accepted_offer_that_has_to_be_paid(http: httpx.AsyncClient, line: Line) -> None:
    """Whoever comes back to the page of an offer that they have accepted and not paid is led to where it says so, and is
    not told that the place is theirs (W-1, P-1).
    """
    await line.practice.open_account()
    await line.run(lambda tx: tx.run("update services set payment_policy = 'prepay', price_minor = 100"))
    await line.practice.desk.snapshots.refresh(line.practice.business_id)
    made = await wait(http, line)
    await line.turn()
    offer = (await standing(http, made))["offer"]
    body = {"reservationId": offer["reservationId"], "guestEmail": f"{uuid4().hex}@example.org"}
    assert (await http.post("/api/booking/commit", json=body)).json()["status"] == "pending_payment"
    page = await http.get(await page_path(line, made), params={"token": made["token"], "lang": "en"})
    assert page.status_code == 303
    where = await http.get(page.headers["location"])
    assert f"<h1>{say('en', 'Waiting for your payment')}</h1>" in where.text


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_an_offer_of_a_group_is_declined_on_its_page(http: httpx.AsyncClient, line: Line, language: str) -> None:
    """The page names the group, and its button gives the place back, once however often it is pressed (W-1, U-4)."""
    schedule = await line.practice.add_schedule(1)
    made = await wait(http, line, scheduleId=str(schedule), locale=language)
    path, query = await page_path(line, made), {"token": made["token"]}
    await line.turn()
    page = await http.get(path, params=query)
    assert next(iter(line.practice.programs)) in page.text
    action = unescape(re.findall(r'<form class="apart" method="post" action="([^"]+)"', page.text)[0])
    for _ in range(2):
        left = await http.post(action, data=query)
        assert left.status_code == 200
        assert f"<h1>{say(language, 'You have left the waitlist')}</h1>" in left.text
    assert (await line.read(id_of(made))).status == "withdrawn"
    assert await line.rows("select id from bookings where state = 'held'") == []


async def test_the_page_of_an_offer_that_is_over(http: httpx.AsyncClient, line: Line) -> None:
    """Whoever comes too late reads so, with a way to wait again; the form of the place is gone (W-1)."""
    made = await wait(http, line)
    await line.turn()
    await line.run_out(id_of(made))
    path = await page_path(line, made)
    over = await http.get(path, params={"token": made["token"], "lang": "en"})
    assert over.status_code == 200
    assert f"<h1>{say('en', 'There is no place held for you any more')}</h1>" in over.text
    assert "/booking/slot/waitlist?" in over.text
    assert '<form class="details"' not in over.text


async def test_pages_of_offers_that_are_nobodys(http: httpx.AsyncClient, line: Line) -> None:
    """Without the token, for what is no request and under another business the page shows nothing and changes nothing
    (W-1, H-1, H-4).
    """
    made, other = await wait(http, line), await wait(http, line)
    await line.turn()
    path = await page_path(line, made)
    for token in ("", "x" * 43, other["token"]):
        for answer in (
            await http.get(path, params={"token": token, "lang": "ru"}),
            await http.post(path, data={"token": token}, params={"lang": "ru"}),
        ):
            assert (answer.status_code, answer.headers["content-type"]) == (401, HTML)
            assert say("ru", "This link is not complete. Please open it just as you have got it.") in answer.text
    for nothing in ("nothing", "%00"):
        answer = await http.get(path.replace(made["waitlistId"], nothing), params={"token": made["token"]})
        assert answer.status_code == 404
    assert await line.states(id_of(made)) == ["offered"]
