"""What every answer has in common, whatever it answers."""

import httpx
import pytest

from conftest import Server

READ = [
    "/health",
    "/metrics",
    "/schema",
    "/static/holdfast.css",
    "/emotional-balance/booking/slot",
    "/admin/login",
    "/nothing",
    "/admin/nothing",
]
# The same page twice differs in these.
OF_ONE_ANSWER = {"x-request-id", "date"}


def headers_of(answer: httpx.Response) -> dict[str, str]:
    """Return the headers of an answer, but for those that are of it alone."""
    return {name: value for name, value in answer.headers.items() if name not in OF_ONE_ANSWER}


@pytest.mark.parametrize("path", sorted(set(READ) - {"/metrics"}))
def test_whatever_can_be_read_has_a_head(server: Server, path: str) -> None:
    """HEAD has the status and the headers of GET, and no body (RFC 9110, section 9.3.2)."""
    read, head = httpx.get(server.url + path), httpx.head(server.url + path)
    assert (head.status_code, headers_of(head)) == (read.status_code, headers_of(read))
    assert read.content
    assert head.content == b""


def test_what_cannot_be_read_has_no_head(server: Server) -> None:
    """HEAD of what takes orders only is refused, as GET is."""
    assert httpx.head(f"{server.url}/api/booking/reserve").status_code == 405


@pytest.mark.parametrize("path", READ)
def test_an_answer_is_what_it_says_it_is(server: Server, path: str) -> None:
    """No browser takes an answer for anything but what it says it is."""
    assert httpx.get(server.url + path).headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/admin/nothing", "/admin/bookings/nothing/at/all"])
def test_no_page_of_staff_is_a_page(server: Server, path: str) -> None:
    """An address below the pages of staff where there is none is told in words, with a way on."""
    answer = httpx.get(server.url + path, headers={"Accept-Language": "ru"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert 'href="/admin"' in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/api/admin/nothing", "/administration"])
def test_no_route_is_a_problem(server: Server, path: str) -> None:
    """Any other address where there is nothing is answered with a problem (RFC 9457)."""
    answer = httpx.get(server.url + path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/problem+json")


@pytest.mark.parametrize(
    ("body", "says"),
    [("name=%ff", "UTF-8"), ("имя=1".encode(), "encode"), ("&".join(["a=1"] * 1_001), "1000 fields")],
)
def test_what_is_no_form_is_told(server: Server, body: str | bytes, says: str) -> None:
    """A form that cannot be read is refused with the reason, in words."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept-Language": "en"}
    answer = httpx.post(f"{server.url}/admin/login", content=body, headers=headers)
    assert answer.status_code == 400
    assert says in answer.text
