"""Bad input to the pages is answered by a page with the right status, and nothing is held by it (H-1)."""

from datetime import date, datetime
from urllib.parse import urlencode

import pytest

from booking.hostile import TEXTS, TIMES, ZONES
from booking.served import SLUG, Clients, new_key

PAGE = f"/{SLUG}/booking/slot"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HTML = "text/html; charset=utf-8"


def holds(clients: Clients) -> int:
    """Return how many holds live."""
    return int(clients.get("/health/booking")["active"])


@pytest.mark.parametrize(
    ("form", "status"),
    [
        (b"", 404),
        (b"service=nothing&start=1", 404),
        (b"service=intro-call", 400),
        (b"service=intro-call&start=now", 400),
        (b"service=intro-call&start=-1", 400),
        (b"service=intro-call&start=1e9", 400),
        (b"service=intro-call&start=%D9%A3", 400),
        (b"service=intro-call&start=999999999999", 400),
        (b"service=intro-call&start=1", 422),
        (b"service=intro-call&start=99999999999", 422),
        (b"service=%ff&start=1", 400),
        (b"\xff\xfe=1", 400),
        (b"service=intro-call&start=1&" + b"&".join(b"a=1" for _ in range(1_001)), 400),
        (b'{"service": "intro-call"}', 404),
        (b"\x00\x01", 404),
    ],
)
def test_forms_that_hold_nothing(clients: Clients, form: bytes, status: int) -> None:
    """A form that names no free time of a service is refused by a page (H-1)."""
    before = holds(clients)
    answer = clients.http.post(f"{PAGE}/hold", content=form, headers=FORM)
    assert (answer.status_code, answer.headers["content-type"]) == (status, HTML)
    assert holds(clients) == before


def test_a_form_with_a_key_that_is_none(clients: Clients, day: date) -> None:
    """A key that is too long is refused by a page; the same key twice holds one place (B-9, H-1)."""
    start = int(datetime.fromisoformat(clients.slots("intro-call", day)[0]["start"]).timestamp())
    form = {"service": "intro-call", "start": str(start), "key": "k" * 201}
    refused = clients.http.post(f"{PAGE}/hold", data=form)
    assert (refused.status_code, refused.headers["content-type"]) == (400, HTML)

    key = new_key()
    answers = [clients.http.post(f"{PAGE}/hold", data=form | {"key": key}) for _ in range(2)]
    assert [a.status_code for a in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    reservation = answers[0].headers["location"].partition("?")[0].rpartition("/")[2]
    assert clients.http.delete(f"/api/booking/reservations/{reservation}").status_code == 204


@pytest.mark.parametrize("name", ["email", "phone", "name"])
def test_details_that_are_none(clients: Clients, day: date, name: str) -> None:
    """Details that cannot be taken show the form again, what was typed shown as text and never as markup (H-1)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    for typed in ("<script>alert(1)</script>@", "\"'><b>@@", "x" * 60_000, "@" * 300, "Ё" * 300):
        details = {"email": "guest@example.org", "name": "Guest", "phone": "", "consent": "yes", name: typed}
        if name == "name" and len(typed) <= 200:
            details["email"] = "@"  # a name may be anything that fits on a line
        answer = clients.http.post(f"{PAGE}/held/{held['reservationId']}", data=details)
        assert (answer.status_code, answer.headers["content-type"]) == (400, HTML)
        assert "<script>" not in answer.text
        assert "<b>" not in answer.text
    assert clients.read(held)["status"] == "held"


@pytest.mark.parametrize(
    "parameter", ["service", "program", "day", "month", "tz", "lang", "resource", "party", "business"]
)
def test_pages_with_broken_queries(clients: Clients, parameter: str) -> None:
    """Whatever stands in the query of a page, a page is the answer (H-1)."""
    texts = [*TEXTS, *(urlencode({"x": text})[2:] for text in (*TIMES, *ZONES))]
    for text in texts:
        service = "" if parameter == "service" else "service=intro-call&"
        answer = clients.http.get(f"/booking/slot/?{service}{parameter}={text}")
        assert answer.headers["content-type"] == HTML, text
        assert answer.status_code in {200, 400, 404}, text
        assert "<script>" not in answer.text


def test_a_form_of_ten_megabytes(clients: Clients, day: date) -> None:
    """A form that is too large is 413, and the connection is good for more (H-1)."""
    held = clients.reserve("intro-call", clients.slots("intro-call", day)[0])
    for path in (f"{PAGE}/hold", f"{PAGE}/held/{held['reservationId']}"):
        answer = clients.http.post(path, content=b"name=" + b"x" * 10_000_000, headers=FORM)
        assert answer.status_code == 413
    assert clients.read(held)["status"] == "held"
