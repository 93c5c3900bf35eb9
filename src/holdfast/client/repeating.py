"""When a call is repeated, for how long, and what it has come to; it waits and sends nothing by itself.

A server that does not answer may have done what it was asked. All that changes something has a key by which the server
knows it again, so that repeating is safe, and not repeating is the mistake.
"""

import random
from collections.abc import Generator
from dataclasses import dataclass
from time import monotonic
from typing import TypeVar

import msgspec

from holdfast.client.calls import Call
from holdfast.client.errors import (
    HoldfastError,
    NotThere,
    OutcomeUnknown,
    Told,
    Unavailable,
    Unreadable,
    refusal_of,
)

T = TypeVar("T")

_NO_CONTENT, _TIMEOUT, _TOO_MANY, _MADE_BELOW, _FAILED_FROM = 204, 408, 429, 300, 500
# Of the server, or of a proxy that has not heard from it.
_LATER = frozenset({_TOO_MANY, 502, 503, 504})
# What can go wrong with an answer that is none of ours.
_STRANGE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
# The server says that it has changed nothing; whoever else answers so cannot know.
_UNTOUCHED = frozenset({"overloaded", "too_many_requests"})


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds a call is repeated, and how long it waits in between, ever longer and never in step."""

    seconds: float = 30.0
    first_pause_seconds: float = 0.1
    longest_pause_seconds: float = 5.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of an attempt: an answer; or none, with the word whether the request may have arrived."""

    status: int = 0
    body: bytes = b""
    retry_after: str | None = None
    may_have_arrived: bool = False


def course(call: Call[T], patience: Patience) -> Generator[float, Reply, T]:
    """Yield how many seconds to wait before the next attempt, take what came of it, and return the answer.

    Raises Refused, Unavailable, OutcomeUnknown, Unreadable.
    """
    begun, pause, is_doubtful = monotonic(), 0.0, False
    while True:
        reply = yield pause
        told = _told(reply)
        if reply.status and not _is_for_later(reply, told):
            return _read(call, reply, told, is_doubtful=is_doubtful)
        if reply.may_have_arrived or (reply.status and (told is None or told.code not in _UNTOUCHED)):
            is_doubtful = True
        pause = _next_pause(pause, reply, patience)
        if monotonic() + pause - begun > patience.seconds:
            if is_doubtful and call.changes:
                raise OutcomeUnknown(call.key)
            raise Unavailable("the server could not be reached" if told is None else told.message)


def _is_for_later(reply: Reply, told: Told | None) -> bool:
    """Return whether who answers may answer otherwise soon; a proxy that fails says so in words of its own."""
    of_a_proxy = told is None and (reply.status == _TIMEOUT or reply.status >= _FAILED_FROM)
    return reply.status in _LATER or of_a_proxy


def _next_pause(last: float, reply: Reply, patience: Patience) -> float:
    longest = min(max(patience.first_pause_seconds, 2 * last), patience.longest_pause_seconds)
    # The other form, a date, is not used by a server of ours.
    text = reply.retry_after or ""
    asked = float(text) if text.isascii() and text.isdigit() else 0.0
    return max(asked, longest * random.uniform(0.5, 1.0))  # noqa: S311  not a secret


def _read(call: Call[T], reply: Reply, told: Told | None, *, is_doubtful: bool) -> T:
    if reply.status < _MADE_BELOW:
        if reply.status == _NO_CONTENT:
            return None  # type: ignore[return-value]
        try:
            return msgspec.json.decode(reply.body, type=call.answer)
        except _STRANGE as strange:
            raise _unreadable(call, str(strange), is_doubtful=True) from None
    if told is None:
        raise _unreadable(call, f"answered with status {reply.status}", is_doubtful=is_doubtful)
    refusal = refusal_of(reply.status, told)
    if call.gone_is_done and is_doubtful and isinstance(refusal, NotThere):
        return None  # type: ignore[return-value]
    raise refusal


def _unreadable(call: Call[T], why: str, *, is_doubtful: bool) -> HoldfastError:
    """Return that what came makes no sense; where something may have taken effect, with the key that finds it out."""
    strange = Unreadable(f"{call.method} {call.path}: {why}")
    if not (is_doubtful and call.changes):
        return strange
    unknown = OutcomeUnknown(call.key)
    unknown.add_note(str(strange))
    return unknown


def _told(reply: Reply) -> Told | None:
    try:
        return msgspec.json.decode(reply.body, type=Told)
    except _STRANGE:
        return None
