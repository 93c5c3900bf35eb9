"""The waitlist on a page of staff."""

from datetime import date
from uuid import uuid4

from admin.records.desks import Desk
from booking.served import Clients, Json
from wording import say

PATH = "/admin/waitlist"
NOBODY = "00000000-0000-4000-8000-000000000000"


def waiting(clients: Clients, day: date) -> Json:
    """Put somebody on the waitlist for a night, at which nothing is offered."""
    contact = {"guestEmail": f"{uuid4().hex}@example.org", "guestName": "Fourth Guest"}
    window = {"from": f"{day}T00:00:00Z", "to": f"{day}T01:00:00Z"}
    wish = {"businessId": clients.card["id"], "serviceId": clients.service("intro-call")["id"], **window, **contact}
    return clients.post("/api/public/booking/waitlist", wish) | contact


def test_staff_see_who_waits_and_take_them_off(clients: Clients, owner: Desk, assistant: Desk, day: date) -> None:
    """Who waits is shown with what they wait for; staff take them from the list, once, and the log tells who it was (W-1,
    U-3, D-7).
    """
    made = waiting(clients, day)
    page = assistant.open(PATH, service=clients.service("intro-call")["id"])
    for words in ("Fourth Guest", made["guestEmail"], "Знакомство", say("ru", "Waits")):
        assert words in page.text
    assert made["guestEmail"] not in assistant.open(PATH, status="offered").text
    assert made["guestEmail"] not in assistant.open(PATH, service=NOBODY).text
    done = assistant.send(page, f"{made['waitlistId']}/withdraw")
    assert say("ru", "They wait no more. What they were offered goes to the next in line.") in done.text
    assert made["guestEmail"] not in done.text
    assert made["guestEmail"] in owner.open(PATH, status="withdrawn").text
    [(action, before, after)] = clients.sql(
        "select action, from_state, to_state from audit_log where aggregate_id = %s", made["waitlistId"]
    )
    assert (action, before, after) == ("withdraw", "waiting", "withdrawn")


def test_who_is_not_on_the_waitlist_cannot_leave_it(owner: Desk) -> None:
    """A request that is not there is not found, and a state that there is not is refused (H-4)."""
    assert owner.post(f"{PATH}/{NOBODY}/withdraw").status_code == 404
    assert owner.open(PATH, status="sleeping").status == 400
    assert owner.open(PATH, status="all").status == 200
