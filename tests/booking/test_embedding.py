"""The booking page within the site of the business: who may show it, and what nobody may (U-1)."""

import re
from collections.abc import Iterator
from html import unescape

import pytest

from booking.served import SLUG, Clients, Json
from booking.staffed import StaffClients
from holdfast.administration.settings import origins_in
from holdfast.identity.permissions import Role

PAGE = f"/{SLUG}/booking/slot"
SITE = "https://practice.example.org"


@pytest.fixture
def allowed(clients: Clients) -> Iterator[None]:
    """One site may show the page."""
    owner = StaffClients(clients, Role.OWNER)
    for value in (f"{SITE}/", None):
        answer = owner.call("PUT", "/api/admin/settings/embedding_sites", {"value": value})
        assert answer.status_code == 200, answer.text
        if value:
            yield


def framers(clients: Clients, path: str) -> str:
    """Return who may show a page within theirs."""
    policy = clients.http.get(path).headers["content-security-policy"]
    [found] = re.findall(r"frame-ancestors ([^;]*)", policy)
    return str(found)


def test_only_named_sites_may_show_it(clients: Clients, allowed: None) -> None:
    """Asked for so, the page may stand in frames of the sites that the business names and of our own, else in none (U-1)."""
    for query in ("", "?service=intro-call"):
        assert framers(clients, f"{PAGE}{query}") == "'none'"
        joined = f"{PAGE}{query}{'&' if query else '?'}embed=1"
        assert framers(clients, joined) == f"'self' {SITE}"
        assert "embedded.js" in clients.http.get(joined).text
    assert framers(clients, f"{PAGE}?embed=2") == "'none'"


def test_without_a_site_only_ours(clients: Clients) -> None:
    """Where nobody has named a site, no other one shows the page (U-1)."""
    assert framers(clients, f"{PAGE}?embed=1") == "'self'"


def test_what_one_click_changes_stands_in_no_frame(clients: Clients, allowed: None, made: Json) -> None:
    """The pages of a link that moves, cancels or pays are never shown in a frame, however they are asked for (U-2)."""
    token = made["cancellationToken"]
    for more in ("", "/move", "/cancel"):
        path = f"{PAGE}/manage/{made['appointmentId']}{more}?token={token}&embed=1"
        assert framers(clients, path) == "'none'"


def test_all_of_the_path_stays_within(clients: Clients, allowed: None) -> None:
    """From the first page to the confirmation every link and form keeps to the frame (U-1)."""
    page = clients.http.get(f"{PAGE}?service=intro-call&embed=1&lang=en")
    links = [unescape(link) for link in re.findall(r'(?:href|action)="(/[^"]*booking/slot[^"]*)"', page.text)]
    assert links
    assert [link for link in links if "embed=1" not in link and "<form" not in link and "?" in link] == []


@pytest.fixture
def made(clients: Clients) -> Json:
    """An appointment."""
    return clients.booked("intro-call", clients.slots("intro-call", clients.fresh_day())[0])


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("", ""),
        ("https://a.example", "https://a.example"),
        ("https://A.example/ http://localhost:8080", "https://a.example http://localhost:8080"),
        ("https://a.example https://a.example/", "https://a.example"),
        ("https://a.example:99999", None),
        ("https://a.example:0", None),
        ("a.example", None),
        ("https://a.example/path", None),
        ("https://*.example", None),
        ("https://a.example; script-src *", None),
        ("https://a.example\r\nSet-Cookie: x", None),
        ("'self'", None),
        ("javascript:alert(1)", None),
        (" ".join(f"https://a{n}.example" for n in range(11)), None),
        (5, None),
    ],
)
def test_a_site_is_an_origin(typed: object, kept: str | None) -> None:
    """Sites are kept as origins, each once; what could say anything else in a policy is refused (U-1)."""
    assert origins_in(typed) == kept
