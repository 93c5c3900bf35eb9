"""The page of the integrations: a calendar connected by the consent page, looked after, shared as a feed, disconnected."""

from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from booking.staffed import bearer
from calendars.accounts.owners import CALLBACK, Owner
from calendars.caldav.texts import ACCOUNT, PASSWORD, Radicale
from holdfast.identity.permissions import Role
from journeys.browser import Page
from wording import say

PATH = "/admin/settings/integrations"


async def opened(owner: Owner, path: str = PATH, role: Role = Role.OWNER, lang: str = "en") -> Page:
    """Open a page as one of the staff."""
    headers = bearer(owner.tenant.keys[role]) | {"Accept-Language": lang}
    return Page(await owner.tenant.http.get(path, headers=headers, follow_redirects=True))


async def answered(owner: Owner, path: str, role: Role = Role.OWNER, **typed: str) -> httpx.Response:
    """Return the answer to a form."""
    headers = bearer(owner.tenant.keys[role]) | {"Accept-Language": "en"}
    return await owner.tenant.http.post(path, headers=headers, data=typed or {"a": ""})


async def sent(owner: Owner, path: str, **typed: str) -> Page:
    """Send a form, and follow where it leads."""
    answer = await answered(owner, path, **typed)
    return await opened(owner, answer.headers["location"]) if answer.status_code == 303 else Page(answer)


def forms(page: Page, ending: str) -> list[str]:
    """Return the addresses of forms with this ending."""
    return [form.action for form in page.forms if form.action.partition("#")[0].endswith(ending)]


async def test_an_owner_connects_google_by_its_consent_page(owner: Owner) -> None:
    """The button leads to Google, Google leads back to the page, and the page shows the calendars and what they are for;
    the policy of the page lets the form go there and nowhere else (C-1, U-3).
    """
    before = await opened(owner)
    assert "No calendar is connected yet" in before.text
    headers = bearer(owner.tenant.keys[Role.OWNER])
    policy = (await owner.tenant.http.get(PATH, headers=headers)).headers["content-security-policy"]
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(owner.google.url))
    assert f"form-action 'self' {origin};" in policy
    leaving = await answered(owner, f"{PATH}/google", **{"google-resourceId": str(owner.resource_id)})
    assert leaving.status_code == 303
    back = owner.consent(leaving.headers["location"])
    came = await owner.tenant.http.get(CALLBACK, params=back, headers=headers | {"Accept": "text/html"})
    page = await opened(owner, came.headers["location"])
    for words in ("The calendar is connected.", "owner@calendar.test", "First look under way", "It can only be read"):
        assert words in page.text, words
    calendars = {each.name: each for each in (await owner.calendars()).values()}
    second = next(each for name, each in calendars.items() if "second@" in name)
    done = await sent(owner, f"{PATH}/calendars/{second.id}", blocks="yes")
    assert "What the calendar is for is kept." in done.text
    assert (await owner.calendars())["second@group.calendar.test"].blocks
    refused = await sent(owner, f"{PATH}/calendars/{second.id}", exports="yes")
    assert refused.status == 409
    assert "Another calendar of this account receives the appointments" in refused.text
    [look] = forms(page, "/sync")
    assert "The calendars are looked at" in (await sent(owner, look)).text
    [leave] = forms(page, "/disconnect")
    gone = await sent(owner, leave)
    assert "The account is disconnected." in gone.text
    assert await owner.connections() == []


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("calendar_access_denied", "Access to the calendar was not granted."),
        ("<script>", "Connect the calendar again. If that does not help, ask whoever runs this server."),
    ],
)
async def test_who_comes_back_without_a_calendar_reads_why(owner: Owner, problem: str, words: str) -> None:
    """Whoever comes back from Google without a calendar reads why in words of ours, whatever stands in the address (C-1)."""
    page = await opened(owner, f"{PATH}?problem={problem}")
    assert words in page.text
    assert problem not in page.text


async def test_a_calendar_that_needs_reconnecting_says_so(owner: Owner) -> None:
    """An account that lets nobody in any more is told in words in both languages, with the one button that helps (C-1, U-4)."""
    connection_id = await owner.connect()
    owner.tenant.sql(
        "update calendar_connections set state = 'needs_reconnect', error_code = 'needs_reconnect' where id = %s",
        connection_id,
    )
    for language in ("en", "ru"):
        page = await opened(owner, lang=language)
        for words in (
            "Has to be connected again",
            "Access was withdrawn or has ended. Connect the account again; nothing is made twice.",
        ):
            assert say(language, words) in page.text
        assert forms(page, "/sync") == []
    owner.tenant.sql(
        "update calendar_connections set state = 'stopped', error_code = 'refused' where id = %s", connection_id
    )
    [again] = forms(await opened(owner), "/retry")
    assert "The account answers again" in (await sent(owner, again)).text


async def test_caldav_is_connected_by_its_form(owner: Owner, radicale: Radicale, calendar: str) -> None:
    """A server of CalDAV is connected by a form; a wrong password is told, what was typed stays, and no password comes back
    (C-8, C-7, U-3).
    """
    typed = {
        "caldav-resourceId": str(owner.resource_id),
        "caldav-address": radicale.address,
        "caldav-account": ACCOUNT,
    }
    refused = await sent(owner, f"{PATH}/caldav", **typed, **{"caldav-password": "a wrong word"})
    assert refused.status == 422
    assert "The account or its password is wrong" in refused.text
    [form] = [form for form in refused.forms if form.action.endswith("/caldav")]
    assert (form.fields["caldav-address"], form.fields["caldav-account"]) == (radicale.address, ACCOUNT)
    assert "a wrong word" not in refused.source
    missing = await sent(owner, f"{PATH}/caldav", **typed | {"caldav-address": "here"}, **{"caldav-password": "x"})
    assert missing.status == 400
    assert "caldav-address-wrong" in missing.source
    done = await sent(owner, f"{PATH}/caldav", **typed, **{"caldav-password": PASSWORD})
    assert "The calendar is connected." in done.text
    assert ACCOUNT in done.text
    assert PASSWORD not in done.source


async def test_a_feed_is_shown_once(owner: Owner) -> None:
    """The private address of a resource is shown when it is made and never again; renewed or taken away the old one opens
    nothing (C-8, U-3).
    """
    [make] = [path for path in forms(await opened(owner), str(owner.resource_id)) if "/feeds/" in path]

    async def made() -> str:
        page = await sent(owner, make.partition("#")[0])
        [url] = [str(given["value"]) for tag, given in page.tags if tag == "input" and given.get("class") == "copied"][
            :1
        ]
        return urlsplit(url).path

    first = await made()
    assert (await owner.tenant.http.get(first)).status_code == 200
    page = await opened(owner)
    assert first not in page.source
    assert "Since" in page.text
    second = await made()
    assert (await owner.tenant.http.get(first)).status_code == 404
    [drop] = forms(page, "/drop")
    assert "The address opens nothing any more." in (await sent(owner, drop)).text
    assert (await owner.tenant.http.get(second)).status_code == 404


async def test_an_assistant_sees_and_changes_nothing(owner: Owner) -> None:
    """Assistants see how calendars are, and have no form that would change them; payment accounts they do not see (C-1, D-7)."""
    connection_id = await owner.connect()
    page = await opened(owner, role=Role.ASSISTANT)
    assert "owner@calendar.test" in page.text
    changing = [form.action for form in page.forms if form.action.startswith(PATH) and "/calendars/" not in form.action]
    assert changing == []
    assert "YooKassa" not in page.text
    for path in (f"connections/{connection_id}/disconnect", "google", f"feeds/{owner.resource_id}", "payments/stripe"):
        assert (await answered(owner, f"{PATH}/{path}", Role.ASSISTANT)).status_code == 403
    assert (await opened(owner, role=Role.EDITOR)).status == 403


async def test_what_is_not_there_is_not_connected(owner: Owner) -> None:
    """Nothing is connected for a resource that is not there, and no connection of nobody is changed (H-4)."""
    answer = await sent(owner, f"{PATH}/google", **{"google-resourceId": str(uuid4())})
    assert answer.status == 404
    answer = await sent(owner, f"{PATH}/google", **{"google-resourceId": ""})
    assert answer.status == 400
    assert "Choose whose calendar it is" in answer.source
    for path in (f"connections/{uuid4()}/sync", f"connections/{uuid4()}/retry", f"connections/{uuid4()}/disconnect"):
        assert (await sent(owner, f"{PATH}/{path}")).status == 404
    assert (await sent(owner, f"{PATH}/calendars/{uuid4()}", blocks="yes")).status == 404
    assert (await sent(owner, f"{PATH}/feeds/{uuid4()}")).status == 404
