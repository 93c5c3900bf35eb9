"""What people do to our events in their calendars, decided on a page; and pages show nothing of another business."""

from datetime import timedelta

import httpx

from booking.staffed import bearer
from booking.tenants import open_tenant
from calendars.exporting import OWNER, START, Exporting
from calendars.test_conflicts import exported, moved
from holdfast.admin.customers_known import known_by
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database
from journeys.browser import Page

PATH = "/admin/conflicts"


async def opened(practice: Exporting, path: str, key: str | None = None) -> Page:
    """Open a page as the owner, or as whoever has another key."""
    headers = bearer(key or practice.tenant.keys[OWNER]) | {"Accept-Language": "en"}
    return Page(await practice.tenant.http.get(path, headers=headers, follow_redirects=True))


async def sent(practice: Exporting, path: str, key: str | None = None) -> Page:
    """Send a form without fields."""
    headers = bearer(key or practice.tenant.keys[OWNER]) | {"Accept-Language": "en"}
    answer = await practice.tenant.http.post(path, headers=headers, data={"reason": ""}, follow_redirects=True)
    return Page(answer)


async def test_a_move_is_taken_over_with_one_click(practice: Exporting) -> None:
    """The page shows both times side by side; taking the calendar's over moves the booking (C-5, U-3)."""
    booking_id = await exported(practice)
    await moved(practice, booking_id)
    page = await opened(practice, PATH)
    assert "Somebody has moved the appointment in the calendar" in page.text
    assert f"{START:%H:%M}" in page.text
    assert f"{START + timedelta(hours=3):%H:%M}" in page.text
    assert "In 1 case calendars and bookings disagree." in (await opened(practice, "/admin/settings/integrations")).text
    assert "somebody has changed it in the calendar" in (await opened(practice, f"/admin/bookings/{booking_id}")).text
    [accept] = [form.action for form in page.forms if form.action.endswith("/accept")]
    done = await sent(practice, accept)
    assert "The appointment is as the calendar says." in done.text
    assert practice.booked_at(booking_id) == START + timedelta(hours=3)
    assert "Nothing is here" in done.text
    again = await sent(practice, accept.replace("accept", "ignore"))
    assert again.status == 409
    assert "This conflict is not open any more" in again.text


async def test_a_move_onto_taken_time_stays_to_be_decided(practice: Exporting) -> None:
    """What cannot be taken over is refused in words and stays open; the booking is written back instead (C-5, U-3)."""
    booking_id = await exported(practice)
    await practice.book(3)
    await moved(practice, booking_id)
    [accept] = [form.action for form in (await opened(practice, PATH)).forms if form.action.endswith("/accept")]
    refused = await sent(practice, accept)
    assert refused.status == 409
    assert "No available capacity" in refused.text
    done = await sent(practice, accept.replace("accept", "restore"))
    assert "The calendar will be written back as the appointment is." in done.text
    assert "Written back" in (await opened(practice, f"{PATH}?status=restored")).text
    await practice.until_quiet()
    assert practice.shelves["ana"].times()[0][0] == int(START.timestamp())


async def test_a_deletion_is_left_as_it_is(practice: Exporting) -> None:
    """What is left as it is changes neither booking nor calendar (C-5, U-3)."""
    booking_id = await exported(practice)
    practice.shelves["ana"].delete(booking_id)
    await practice.observe(practice.shelves["ana"].of(booking_id))
    page = await opened(practice, PATH)
    assert "Somebody has deleted the appointment in the calendar" in page.text
    assert "It is not there any more." in page.text
    [ignore] = [form.action for form in page.forms if form.action.endswith("/ignore")]
    assert "Both stay as they are until the appointment changes." in (await sent(practice, ignore)).text
    assert practice.booked_at(booking_id) == START


async def test_pages_show_nothing_of_another_business(
    practice: Exporting, http: httpx.AsyncClient, database: Database, admin_uri: str
) -> None:
    """To staff of another business bookings, people and conflicts are not there, by number as by index, and cannot be changed
    (H-4, D-7).
    """
    booking_id = await exported(practice)
    await moved(practice, booking_id)
    [conflict] = await practice.conflicts()
    other = (await open_tenant(http, database, admin_uri)).keys[Role.OWNER]
    shown = await practice.tenant.done("GET", f"/api/booking/appointments/{booking_id}", role=OWNER)
    async with database.transaction(practice.tenant.business_id) as tx:
        known = known_by(await tx.keys(), shown["guestEmail"])
    assert (await opened(practice, f"/admin/customers/{known}")).status == 200
    for path in (f"/admin/bookings/{booking_id}", f"/admin/bookings/{booking_id}/move", f"/admin/customers/{known}"):
        assert (await opened(practice, path, other)).status == 404
    for path in ("/admin/bookings", f"/admin/bookings?who={known}", PATH, "/admin/settings/integrations"):
        page = await opened(practice, path, other)
        assert page.status == 200
        assert booking_id not in page.source
        assert conflict["id"] not in page.source
        assert "The calendar of" not in page.text
    data = {"version": str(shown["version"]), "outcome": "completed", "place": "1", "note": "x", "reason": ""}
    for ending in ("cancel", "refund", "note", "confided", "move", "outcome"):
        path = f"/admin/bookings/{booking_id}/{ending}"
        assert (await http.post(path, headers=bearer(other), data=data)).status_code == 404, ending
    for ending in ("accept", "restore", "ignore"):
        assert (await sent(practice, f"{PATH}/{conflict['id']}/{ending}", other)).status == 404
    assert practice.booked_at(booking_id) == START
