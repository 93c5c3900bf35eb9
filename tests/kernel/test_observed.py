"""Every request has an id and is counted, whatever it is and whoever sent it."""

from typing import Any

import pytest

from holdfast.kernel import figures
from holdfast.kernel.about import CODE, note, notes
from holdfast.kernel.observed import REQUEST_SECONDS, Observed


async def asked(
    app: Observed, *, method: str = "GET", path: str = "/x", given: bytes | None = None
) -> dict[bytes, bytes]:
    """Send a request through an application; return the headers of its answer."""
    started: dict[str, Any] = {}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            started.update(message)

    headers = [(b"host", b"a"), *([] if given is None else [(b"x-request-id", given)])]
    await app({"type": "http", "method": method, "path": path, "headers": headers}, None, send)
    return dict(started["headers"])


def answering(status: int = 200, route: str | None = None) -> Observed:
    """Return a watched application that always answers the same."""

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        if route is not None:
            scope["path_template"] = route
        note(CODE, "seen")
        await send({"type": "http.response.start", "status": status, "headers": [(b"etag", b'"1"')]})
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        await send({"type": "http.response.body", "body": b"b"})

    return Observed(app)


def counted(method: str, route: str, status: str) -> int:
    """Return how many requests of a kind were counted."""
    figures.take(0)
    cell = REQUEST_SECONDS.cells.get((method, route, status))
    return 0 if cell is None else sum(cell.counts)


async def test_an_id_is_taken_over() -> None:
    """The id that a gateway gives to a request is answered and is on everything that the request logs."""
    given = b"7f3c2a90-0d7e-4c1b-9a55-3f0f6f7b1e11"
    headers = await asked(answering(), given=given)
    assert headers == {b"etag": b'"1"', b"x-request-id": given}
    assert notes() == {"request_id": given.decode(), "code": "seen"}


@pytest.mark.parametrize(
    "given",
    [
        b"",
        b"short1",
        b"a1" * 19,
        b"IOhRLiyH5AWMtuLrMsIvfiWojGPycqdihLRfwBw-0kk",
        b"zaphod.beeblebrox",
        b"499094244242",
        b"+49-9094244242a",
        b"zaphod1@example.org",
        b"two words 12",
        b"line1234\nlevel=info",
        "идентификатор1".encode(),
    ],
)
async def test_an_id_that_could_say_more_is_not(given: bytes) -> None:
    """What may be a name, a number of a telephone, an address, a token or a line of its own gets an id of ours instead."""
    own = (await asked(answering(), given=given))[b"x-request-id"]
    assert own != given
    assert own.isalnum()


async def test_ids_of_ours_are_all_different() -> None:
    """No two requests get one id, and an id of ours passes where it is sent on."""
    app = answering()
    ids = [(await asked(app))[b"x-request-id"] for _ in range(1_000)]
    assert len(set(ids)) == 1_000
    assert (await asked(app, given=ids[0]))[b"x-request-id"] == ids[0]


async def test_every_request_is_counted_once() -> None:
    """Requests are counted by method, route and status when their last byte is sent, without losing one."""
    app = answering(201, "/counted/{id}")
    for number in range(1_000):
        await asked(app, method="POST", path=f"/counted/{number}")
    assert counted("POST", "/counted/{id}", "201") == 1_000


async def test_clients_choose_no_labels() -> None:
    """Paths that nobody serves and methods that nobody knows count under one label each, however many there are."""
    app = answering(404)
    before = len(REQUEST_SECONDS.cells)
    for number in range(50):
        await asked(app, path=f"/guessed/{number}")
        await asked(app, method=f"M{number}", path="/guessed")
    assert counted("GET", "unmatched", "404") >= 50
    assert counted("other", "unmatched", "404") >= 50
    assert len(REQUEST_SECONDS.cells) <= before + 2
    assert len(app._cells) == 1
