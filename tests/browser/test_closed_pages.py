"""Pages are closed to others: what they may load, who may frame them, whose forms they take, where they lead."""

import re
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from browser.furnished import PASSWORD, SLUG, Place
from browser.pages_list import PAGES, Address
from journeys.browser import Form, Page
from journeys.instance import NO_AUTHORITIES

# So a page is asked for that is made to be shown by others, in a frame of theirs.
FRAMED = "embed=1"
ELSEWHERE = "https://elsewhere.example"
get = partial(httpx.get, timeout=30, verify=NO_AUTHORITIES)
post = partial(httpx.post, timeout=30, verify=NO_AUTHORITIES)

every_page = pytest.mark.parametrize("address", PAGES, ids=lambda address: f"{address.role or 'public'}:{address.path}")


def opened(place: Place, address: Address) -> httpx.Response:
    """Return a page as it is sent to somebody."""
    cookies = place.logins[address.role] if address.role else {}
    return get(place.url + address.filled(place.names), cookies=cookies)


def directives(answer: httpx.Response) -> dict[str, list[str]]:
    """Return the policy of a page, by its directives."""
    parts = [one.split() for one in answer.headers["Content-Security-Policy"].split(";")]
    return {name: words for name, *words in parts}


@every_page
def test_a_page_runs_nothing_but_ours(place: Place, address: Address) -> None:
    """A page may load scripts and styles from this server and has none within itself, nor any handler or style of an element;
    it stands in no cache (U-1, U-3).
    """
    answer = opened(place, address)
    policy = directives(answer)
    assert policy["default-src"] == ["'none'"]
    assert (policy["base-uri"], policy.get("object-src", ["'none'"])) == (["'none'"], ["'none'"])
    loaded = {word for name, words in policy.items() if name.endswith("-src") for word in words}
    assert loaded <= {"'self'", "'none'", "data:"}
    assert "data:" not in policy.get("script-src", [])
    page = Page(answer)
    assert [given for tag, given in page.tags if tag == "script" and not given.get("src")] == []
    assert [tag for tag, given in page.tags if tag == "style" or any(name.startswith("on") for name in given)] == []
    assert [given for _, given in page.tags if "style" in given] == []
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"


@every_page
def test_nobody_frames_a_page(place: Place, address: Address) -> None:
    """Others cannot show a page within theirs, where clicks could be led astray, unless it is made for that (U-1, U-3)."""
    ancestors = directives(opened(place, address)).get("frame-ancestors")
    assert (ancestors == ["'none'"]) is (FRAMED not in address.path)


def forms_of(place: Place, role: str) -> Iterator[tuple[str, Form]]:
    """Yield every form that changes something on the pages of a role, each once, with the page on which it stands."""
    known = set()
    for address in PAGES:
        if address.role == role:
            for form in Page(opened(place, address)).forms:
                kind = (re.sub(r"[0-9a-f-]{32,36}", "", form.action), *sorted(form.fields))
                if form.method == "post" and kind not in known:
                    known.add(kind)
                    yield address.path, form


@pytest.mark.parametrize("role", ["owner", "assistant", "editor"])
def test_a_form_of_staff_is_taken_from_our_pages_only(place: Place, role: str) -> None:
    """A form of staff that does not prove its page, or that a browser sends for somebody else's page, changes nothing
    (U-3).
    """
    forms = list(forms_of(place, role))
    assert forms
    taken = []
    for path, form in forms:
        address = str(httpx.URL(place.url).join(form.action or path.format_map(place.names)))
        proofs = [{}, {"csrf_token": "x" * 43}]
        answers = [_sent(address, place.logins[role], {**form.fields, "csrf_token": "", **proof}) for proof in proofs]
        answers.append(_sent(address, place.logins[role], form.fields, {"Sec-Fetch-Site": "cross-site"}))
        answers.append(_sent(address, place.logins[role], form.fields, {"Origin": ELSEWHERE}))
        taken += [f"{path}: {form.action}: {answer.status_code}" for answer in answers if answer.status_code != 403]
    assert taken == []
    assert get(f"{place.url}/api/admin/login", cookies=place.logins[role]).status_code == 200


def _sent(
    address: str, cookies: dict[str, str], fields: dict[str, str], headers: dict[str, str] | None = None
) -> httpx.Response:
    return post(address, data=fields, cookies=cookies, headers=headers)


@pytest.mark.parametrize(
    "wanted",
    [
        ELSEWHERE,
        "//elsewhere.example",
        "/\\elsewhere.example",
        "/admin\\@elsewhere.example",
        "/admin.elsewhere.example",
        "/admin@elsewhere.example",
        "https:elsewhere.example",
        "javascript:alert(1)",
        "/admin\n//elsewhere.example",
        "\t//elsewhere.example",
        "/%2F/elsewhere.example",
    ],
)
def test_signing_in_leads_to_our_pages_only(place: Place, wanted: str) -> None:
    """Wherever a link to the sign-in page wants to lead afterwards, nobody ends up on somebody else's page (U-3)."""
    form = {"business": SLUG, "email": "owner@linden.test", "password": PASSWORD, "next": wanted}
    answer = post(f"{place.url}/admin/login", data=form)
    there = httpx.URL(place.url).join(answer.headers["Location"])
    assert (answer.status_code, there.netloc, there.path[:6]) == (303, httpx.URL(place.url).netloc, "/admin")
    shown = Page(get(f"{place.url}/admin/login", params={"next": wanted}))
    assert wanted not in shown.links
    assert shown.form.fields["next"] == ""


@every_page
def test_links_of_a_page_stay_here(place: Place, address: Address) -> None:
    """What an address says in front or behind is no place that a link of the page leads to (U-1, U-3)."""
    path = address.filled(place.names)
    asked = (
        f"{path}{'&' if '?' in path else '?'}lang=//elsewhere.example&next=//elsewhere.example&tz=//elsewhere.example"
    )
    cookies = place.logins[address.role] if address.role else {}
    page = Page(get(place.url + asked, cookies=cookies))
    there = [httpx.URL(page.address).join(link) for link in page.links if not link.startswith("mailto:")]
    here = httpx.URL(place.url).netloc
    assert [str(link) for link in there if link.netloc != here and b"elsewhere" in link.netloc] == []


def test_the_cookie_of_a_login_is_kept_from_scripts_and_others(place: Place) -> None:
    """No script can read the cookie of a login and other sites do not send it; behind https it goes by https only (U-3)."""
    form = {"business": SLUG, "email": "owner@linden.test", "password": PASSWORD, "next": ""}
    for told, is_secure, name in (("http", False, "holdfast="), ("https", True, "__Host-holdfast=")):
        headers = {"X-Forwarded-Proto": told}
        answer = post(f"{place.url}/admin/login", data=form, headers=headers)
        cookie = answer.headers["Set-Cookie"]
        attributes = set(cookie.split("; "))
        assert cookie.startswith(name)
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= attributes
        assert ("Secure" in attributes) is is_secure
