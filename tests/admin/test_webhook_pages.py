"""The pages on which owners have other programs told: shown once what is secret, and in words what has become of it (U-3, H-5)."""

import re
from collections.abc import Iterator
from uuid import UUID

import pytest

from admin.desk import PLANTED, Desk, Typed, audited, runs_planted
from calendars.http_servers import Reply
from holdfast.webhooks import deliveries, endpoints
from holdfast.webhooks.endpoints import Endpoint, Wish
from holdfast.webhooks.sending import send_one
from holdfast.webhooks.settings import WebhookSettings
from journeys.browser import Page
from webhooks.telling import HERE, OWNER, Receiver, open_receiver, verified
from wording import say

PATH = "/admin/webhooks"
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{44}")


@pytest.fixture
def receiver(owner: Desk) -> Iterator[Receiver]:
    """Another program, which the server of the practice may tell."""
    owner.practice.app.state.webhook_settings = HERE
    with open_receiver() as opened:
        yield opened
    owner.practice.app.state.webhook_settings = WebhookSettings()


async def added(at: Desk, url: str, name: str = "Bookkeeping") -> Endpoint:
    """Return a webhook that is there already."""
    endpoint, _ = await at.run(lambda tx: endpoints.add(tx, Wish(name, url), OWNER))
    return endpoint


async def send_all(at: Desk, endpoint_id: UUID) -> None:
    """Make an attempt with each message that is due."""
    found, _ = await at.run(lambda tx: deliveries.list_deliveries(tx, endpoint_id, state=None, cursor=None, limit=50))
    for each in found:
        await send_one(at.practice.database, HERE, at.practice.business_id, each.id)


async def test_a_webhook_is_added_and_its_secret_shown_once(owner: Desk, receiver: Receiver) -> None:
    """Who adds a webhook sees its secret on the page that follows, with which messages verify, and never again (U-3, H-5)."""
    empty = await owner.page(PATH)
    assert say("en", "No other program is told yet") in empty.text
    answer = await owner.send(PATH, name="Bookkeeping", url=receiver.url, which="some", types=["TimeBlocked"])
    assert answer.status_code == 200
    [secret] = SECRET.findall(answer.text)
    shown = await owner.page(PATH)
    assert "Bookkeeping" in shown.text
    [endpoint] = await owner.run(endpoints.list_all)
    assert endpoint.types == ("TimeBlocked",)
    one = await owner.page(f"{PATH}/{endpoint.id}")
    assert SECRET.findall(one.source) == []
    # The address may have a secret in it: the list names the server only.
    assert "a-token-of-theirs" not in shown.source
    done = await owner.done(f"{PATH}/{endpoint.id}/test")
    assert say("en", "A test is on its way. Reload this page in a moment to see whether it has arrived.") in done.text
    await send_all(owner, endpoint.id)
    assert verified(receiver.told[0], secret)["type"] == "WebhookTest"
    assert say("en", "Has arrived") in (await owner.page(f"{PATH}/{endpoint.id}")).text


async def test_what_is_wrong_is_said_at_its_field(owner: Desk) -> None:
    """An address that may not be reached, or no event, is told at its field, with what was typed still there (U-3, H-5)."""
    for url, told in (
        ("https://127.0.0.1/hooks", "leads to an address that is not public, which this server does not speak to"),
        ("http://example.org/hooks", "must begin with https://"),
        ("nothing", "must be an address like https://example.org/webhooks"),
    ):
        answer = await owner.send(PATH, name="Bookkeeping", url=url, which="all")
        page = Page(answer)
        typed = Typed(answer.text)
        assert answer.status_code == 400
        assert say("en", told) in page.text
        assert (typed.wrong, typed.fields["url"], typed.fields["name"]) == ({"url"}, url, "Bookkeeping")
    answer = await owner.send(PATH, name="", url="https://93.184.216.34/", which="some")
    assert answer.status_code == 400
    assert await owner.run(endpoints.list_all) == []


async def test_what_has_not_arrived_is_told_in_words_and_sent_again(owner: Desk, receiver: Receiver) -> None:
    """A message says why it has not arrived and when it is tried again, and goes once more at the press of a button (U-3, H-5)."""
    endpoint = await added(owner, receiver.url)
    path = f"{PATH}/{endpoint.id}"
    await owner.run(lambda tx: deliveries.send_trial(tx, endpoint.id, OWNER))
    receiver.answering = lambda _: Reply(503)
    await send_all(owner, endpoint.id)
    page = await owner.page(path, "ru")
    for told in ("It was refused.", "Is tried again", "Takes nothing"):
        assert say("ru", told) in page.text
    receiver.answering = lambda _: Reply(200)
    [button] = re.findall(r'action="([^"]*/deliveries/[^"]*/replay)"', page.source)
    await owner.done(button)
    await send_all(owner, endpoint.id)
    assert receiver.ids()[0] == receiver.ids()[1]
    assert say("en", "Works") in (await owner.page(path)).text
    assert say("en", "There is no such message") in (await owner.page(f"{path}?status=failed")).text


async def test_two_who_change_a_webhook_hear_of_each_other(owner: Desk, receiver: Receiver) -> None:
    """Whoever changes what somebody else has changed meanwhile is told, and overwrites nothing (U-3, H-5)."""
    endpoint = await added(owner, receiver.url)
    path = f"{PATH}/{endpoint.id}"
    seen = Typed((await owner.get(path)).text).fields["seen"]
    typed = {"url": receiver.url, "which": "all", "seen": seen}
    await owner.done(path, name="The first", **typed)
    late = await owner.send(path, name="The second", **typed)
    assert late.status_code == 409
    assert Typed(late.text).fields["name"] == "The second"
    [now] = await owner.run(endpoints.list_all)
    assert now.name == "The first"


async def test_a_webhook_is_rotated_disabled_enabled_and_removed(owner: Desk, receiver: Receiver) -> None:
    """Each step says what it did, is in the audit log, and what was missed is sent from a day on (U-3, D-7, H-5)."""
    endpoint = await added(owner, receiver.url)
    path = f"{PATH}/{endpoint.id}"
    rotated = await owner.send(f"{path}/rotate")
    assert len(SECRET.findall(rotated.text)) == 1
    assert say("en", "It is told nothing any more.") in (await owner.done(f"{path}/disable")).text
    refused = await owner.send(f"{path}/test")
    assert refused.status_code == 409
    assert say("en", "This endpoint is disabled; enable it first") in Page(refused).text
    await owner.done(f"{path}/enable")
    nothing = await owner.done(f"{path}/replay", since="2026-01-01")
    assert say("en", "In this time there is nothing that has not arrived.") in nothing.text
    empty = await owner.send(f"{path}/replay", since="")
    assert (empty.status_code, Typed(empty.text).wrong) == (400, {"since"})
    gone = await owner.done(f"{path}/remove")
    assert say("en", "The webhook is removed. That program is told nothing any more.") in gone.text
    assert await audited(owner.practice, endpoint.id) == ["create", "rotate", "deactivate", "reactivate", "remove"]


async def test_what_is_planted_shows_as_words(owner: Desk, receiver: Receiver) -> None:
    """A name that would be a script is shown as the words that it is, in the list and on its page (U-3)."""
    endpoint = await added(owner, receiver.url, PLANTED)
    for path in (PATH, f"{PATH}/{endpoint.id}"):
        page = await owner.page(path)
        assert not runs_planted(page)
        assert PLANTED[:20] in page.text
