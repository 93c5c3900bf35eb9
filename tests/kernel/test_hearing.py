"""Requests are heard out before they are answered, so that nobody's next request falls into a connection that ends."""

from collections import deque
from typing import Any

import pytest

from holdfast.kernel.hearing import HearingOut

MIB = 1 << 20
PARTS = (b"a" * 400, b"b" * 300)


class Call:
    """A request by its headers and the parts of its body, and what became of it in its order."""

    def __init__(self, *headers: tuple[bytes, bytes], parts: tuple[bytes, ...] = PARTS, leaves: bool = False) -> None:
        self.headers = [(b"host", b"a"), *headers]
        self.seen: list[str] = []
        self.answer: dict[bytes, bytes] = {}
        self._parts = deque({"type": "http.request", "body": part, "more_body": True} for part in parts)
        if leaves:
            self._parts.append({"type": "http.disconnect"})
        elif parts:
            self._parts[-1]["more_body"] = False

    async def receive(self) -> Any:
        """Hand a part over; whoever asks for more than there is would wait for ever."""
        self.seen.append("heard")
        return self._parts.popleft()

    async def send(self, message: Any) -> None:
        """Note a part of the answer."""
        self.seen.append(message["type"].rpartition(".")[2])
        self.answer |= dict(message.get("headers", ()))


async def asked(call: Call, *, read: int = 0) -> Call:
    """Send a request to an application that reads so many parts of its body."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        for _ in range(read):
            await receive()
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b"no"})

    await HearingOut(app)(
        {"type": "http", "method": "POST", "path": "/x", "headers": call.headers}, call.receive, call.send
    )
    return call


@pytest.mark.parametrize("header", [(b"content-length", b"700"), (b"transfer-encoding", b"chunked")])
@pytest.mark.parametrize("read", [0, 1, 2])
async def test_a_body_is_heard_before_the_answer(header: tuple[bytes, bytes], read: int) -> None:
    """Whatever an application has read of a body, the rest is heard before the answer begins, and nothing beyond its end (H-1)."""
    call = await asked(Call(header), read=read)
    assert call.seen == ["heard", "heard", "start", "body"]
    assert call.answer == {}


async def test_what_has_no_body_is_not_waited_for() -> None:
    """A request without a body, or with an empty one, is answered at once."""
    for headers in ([], [(b"content-length", b"0")]):
        assert (await asked(Call(*headers))).seen == ["start", "body"]


async def test_what_is_too_long_ends_its_connection() -> None:
    """The rest of a body beyond a mebibyte is not heard: the answer says that the connection ends (H-1)."""
    ending = {b"connection": b"close"}
    announced = await asked(Call((b"content-length", str(MIB + 1).encode())))
    assert (announced.seen, announced.answer) == (["start", "body"], ending)
    told = await asked(Call((b"transfer-encoding", b"chunked"), parts=(b"a" * (MIB // 2),) * 3))
    assert (told.seen, told.answer) == (["heard", "heard", "start", "body"], ending)
    whole = await asked(Call((b"content-length", str(MIB).encode()), parts=(b"a" * (MIB // 2),) * 2))
    assert (whole.seen, whole.answer) == (["heard", "heard", "start", "body"], {})


async def test_whoever_leaves_is_not_waited_for() -> None:
    """A client that goes away in the middle of its request does not keep it open."""
    call = await asked(Call((b"content-length", b"700"), parts=PARTS[:1], leaves=True))
    assert call.seen == ["heard", "heard", "start", "body"]
