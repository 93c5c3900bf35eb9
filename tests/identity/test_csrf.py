"""What a page of somebody else can do with the cookie of a user: nothing."""

import pytest

from holdfast.identity.permissions import Role
from identity.entrance import ORIGIN, PASSWORD, Practice, refused

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize("shown", [None, "", "x", "é", "of another login"])
async def test_a_change_needs_the_proof_of_its_page(practice: Practice, shown: str | None) -> None:
    """A change by cookie without the login's own CSRF token is 403 and changes nothing; a read needs none (H-4)."""
    user = await practice.user(Role.OWNER)
    browser, other = await practice.signed_in(user), await practice.signed_in(user)
    headers = {} if shown is None else {"X-CSRF-Token": (other.csrf or "") if shown == "of another login" else shown}
    browser.csrf = None
    for method, path in (
        ("DELETE", "/api/admin/login"),
        ("POST", "/api/admin/users"),
        ("DELETE", "/api/admin/blocks/1"),
    ):
        encoded = {name: value.encode() for name, value in headers.items()}
        answer = await browser.http.request(method, path, headers=encoded, json={})
        refused(answer, 403, "csrf_failed")
    assert await browser.is_in()


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({}, True),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": ORIGIN}, False),
        ({"Origin": ORIGIN}, True),
        ({"Origin": ORIGIN.replace("http", "https")}, True),
        ({"Origin": "http://elsewhere.test"}, False),
        ({"Origin": f"{ORIGIN}.elsewhere.test"}, False),
        ({"Origin": f"{ORIGIN}:8080"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "http://["}, False),
    ],
)
async def test_pages_of_others_are_refused(practice: Practice, headers: dict[str, str], passes: bool) -> None:
    """A page elsewhere can neither make a change, even with a token, nor sign somebody in (H-4)."""
    user = await practice.user(Role.OWNER)
    browser = await practice.signed_in(user)
    answer = await browser.call("POST", "/api/admin/users", {}, headers=headers)
    refused(answer, *((400, "validation_failed") if passes else (403, "csrf_failed")))
    stranger = practice.browser()
    answer = await stranger.sign_in(user.email, headers=headers)
    assert answer.status_code == (200 if passes else 403), answer.text
    assert await stranger.is_in() == passes


async def test_a_form_proves_itself_by_a_field(practice: Practice) -> None:
    """A form without scripts sends the token in a hidden field; only a form may (H-4)."""
    browser = await practice.signed_in(await practice.user(Role.OWNER))
    path = "/api/admin/users"
    body = f"csrf_token={browser.csrf}&name=x"
    passed = await browser.http.post(path, content=body, headers=FORM)
    refused(passed, 400, "validation_failed")
    for content, headers in ((body, {"Content-Type": "text/plain"}), ("csrf_token=x", FORM), ("", FORM)):
        refused(await browser.http.post(path, content=content, headers=headers), 403, "csrf_failed")


async def test_a_key_needs_no_proof(practice: Practice) -> None:
    """A call with a key is no browser's, and beside one the cookie plays no part (H-4)."""
    browser = await practice.signed_in(await practice.user(Role.OWNER))
    for cookies in (browser, practice.browser()):
        answer = await cookies.http.post("/api/admin/users", json={}, headers={"Authorization": "Bearer nothing"})
        refused(answer, 401, "authentication_required")


async def test_a_cookie_stands_back_where_clients_call(practice: Practice) -> None:
    """Where a client may call, a cookie that came by itself gives nothing: the token of a booking goes first (H-4)."""
    browser = await practice.signed_in(await practice.user(Role.OWNER))
    path = "/api/booking/appointments/00000000-0000-4000-8000-000000000000"
    assert refused(await browser.http.get(path), 404, "appointment_not_found")
    own = await browser.call("POST", f"{path}/cancel", {}, headers={"If-Match": '"1"'})
    assert refused(own, 404, "appointment_not_found")
    wrong = await browser.http.post(f"{path}/cancel", json={}, headers={"X-CSRF-Token": "x"})
    assert refused(wrong, 403, "csrf_failed")
    assert (await browser.http.post(f"{path}/cancel", json={"cancellationToken": PASSWORD})).status_code == 404
