"""Whom this server tells, and whom it never speaks to (H-5)."""

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from calendars.http_servers import Asked, Reply
from holdfast.kernel.errors import ValidationFailed
from holdfast.webhooks import wire
from holdfast.webhooks.settings import WebhookSettings
from holdfast.webhooks.states import DeliveryState
from webhooks.telling import HERE, Receiver, Telling

PUBLIC_ONLY = WebhookSettings()
NAME = "hooks.example.org"


def _meaning(monkeypatch: pytest.MonkeyPatch, *meanings: list[str]) -> list[str]:
    """Make names mean these addresses, the one list after the other; return what was looked up, as it happens."""
    left, looked_up = list(meanings), list[str]()

    async def look_up(host: str, port: int, **_: Any) -> Any:
        looked_up.append(host)
        return [(0, 0, 0, "", (each, port)) for each in left.pop(0)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    return looked_up


@pytest.mark.parametrize(
    "url",
    ["https://127.0.0.1/", "https://localhost/hooks", "https://10.1.2.3/", "https://[::1]/", "https://192.168.0.7:8443/",
     "https://169.254.169.254/latest/meta-data/", "https://[fe80::1]/", "https://[::ffff:10.0.0.1]/", "https://2130706433/",
     "https://0x7f.1/", "https://0.0.0.0/", "https://[fd00:ec2::254]/", "https://100.64.0.1/"],
)  # fmt: skip
async def test_an_endpoint_of_a_private_network_is_refused(url: str) -> None:
    """An address that is private, link-local or of this machine is refused when it is registered, however it is written (H-5)."""
    with pytest.raises(ValidationFailed, match="url: leads to"):
        await wire.check(url, PUBLIC_ONLY)


@pytest.mark.parametrize(
    "url", ["https://169.254.169.254/", "https://[fe80::1]/", "https://0.0.0.0/", "https://224.0.0.1/"]
)
async def test_some_addresses_are_refused_in_any_case(url: str) -> None:
    """What belongs to no program of a network is refused also where private networks are allowed (H-5)."""
    with pytest.raises(ValidationFailed, match="url: leads to"):
        await wire.check(url, HERE)


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://example.org/", "https"),
        ("ftp://example.org/", "address"),
        ("https://", "address"),
        ("example.org", "address"),
        ("https://guest:secret@example.org/", "password"),
        ("https://example.org/#here", "address"),
        ("https://exa mple.org/", "address"),
        ("https://example.org/" + "a" * 2_000, "address"),
        ("https://[::1/", "address"),
        ("https://127.0.0.1:99999/", "nobody knows"),
        ("https://127.0.0.1:99999999999999999999/", "nobody knows"),
    ],
)
async def test_what_is_no_address_is_refused(url: str, problem: str) -> None:
    """An endpoint is at an address under https, without a login in it and not longer than others read (H-5)."""
    with pytest.raises(ValidationFailed, match=problem):
        await wire.check(url, PUBLIC_ONLY)


@pytest.mark.parametrize("port", ["65536", "99999999999999999999"])
async def test_a_port_that_there_cannot_be_is_a_failure_as_any_other(port: str) -> None:
    """What leads to no port is given up in the end like what nobody answers, and not taken for an accident (H-5)."""
    reply = await wire.post(f"http://127.0.0.1:{port}/", b"{}", {}, HERE)
    assert (reply.status, reply.reason) == (None, "unknown_host")


async def test_a_name_that_means_another_address_later_leads_nowhere(
    monkeypatch: pytest.MonkeyPatch, telling: Telling, receiver: Receiver
) -> None:
    """A name is looked up at each attempt, and what is not public then is not connected to, whatever it was before (H-5)."""
    looked_up = _meaning(monkeypatch, ["93.184.216.34"], ["127.0.0.1"], ["10.0.0.1", "::1"], ["127.0.0.1"])
    url = f"https://{NAME}:{receiver.server.port}/"
    await wire.check(url, PUBLIC_ONLY)
    for _ in range(2):
        reply = await wire.post(url, b"{}", {}, PUBLIC_ONLY)
        assert (reply.status, reply.reason) == (None, "not_public")
    # By an address of this machine it would have been reached.
    reply = await wire.post(url.replace("https", "http"), b"{}", {}, HERE)
    assert reply.status == 204
    assert looked_up == [NAME] * 4
    assert len(receiver.told) == 1
    monkeypatch.undo()
    endpoint, _ = await telling.add(receiver.url)
    assert endpoint.url == receiver.url


async def test_nobody_is_followed_elsewhere(receiver: Receiver) -> None:
    """A redirect is a failure: what it names is not asked, not even by the address that was looked at (H-5)."""
    receiver.answering = lambda asked: Reply(307, {"location": "/elsewhere"}) if asked.path == "/" else Reply(200)
    reply = await wire.post(f"{receiver.server.address}/", b"{}", {}, HERE)
    assert (reply.status, reply.reason) == (307, "redirected")
    assert len(receiver.told) == 1


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """A proxy would look names up and connect in our stead: what is set for other programs is not obeyed (H-5)."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    assert (await wire.post(receiver.url, b"{}", {}, HERE)).status == 204


async def test_an_answer_without_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """A long answer is cut off and counts by its status; one that never comes ends with the time for it (H-5)."""
    receiver.answering = lambda _: Reply(200, {}, (b"x" * 10_000 for _ in range(1_000_000)))
    assert (await wire.post(receiver.url, b"{}", {}, HERE)).status == 200
    monkeypatch.setattr(wire, "EXCHANGE_SECONDS", 0.2)
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(_: Asked) -> Reply:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(30)
        return Reply(200)

    receiver.answering = hang
    assert (await wire.post(receiver.url, b"{}", {}, HERE)).reason == "too_slow"
    release.set()


async def test_whoever_is_not_there_is_tried_again(telling: Telling) -> None:
    """A server that nobody reaches, or knows, is a failure like another, with a word for it (H-5)."""
    closed, _ = await telling.add("http://127.0.0.1:9/")
    unknown, _ = await telling.add("http://nobody.invalid/")
    await telling.happen()
    await telling.tell()
    found = [(await telling.deliveries(each.id))[0] for each in (closed, unknown)]
    assert [(each.state, each.reason) for each in found] == [
        (DeliveryState.PENDING, "not_reached"),
        (DeliveryState.PENDING, "unknown_host"),
    ]


async def test_an_accident_of_ours_ends_the_attempt_like_any_failure(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    """What nobody has foreseen is a failed attempt with its pause, not one that begins again at once, for ever (H-5)."""

    async def stumble(*_: Any, **__: Any) -> Any:
        raise RuntimeError(receiver.url)

    monkeypatch.setattr("holdfast.kernel.outward.addresses_of", stumble)
    with capture_logs() as told:
        reply = await wire.post(receiver.url, b"{}", {}, HERE)
    assert (reply.status, reply.reason) == (None, "broken")
    assert [(each["event"], each["kind"]) for each in told] == [("webhook_failed_unforeseen", "RuntimeError")]
    assert receiver.url not in str(told)
