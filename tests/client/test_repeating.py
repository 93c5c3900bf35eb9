"""When a call is repeated and when it is not, without a clock and without a network (H-6)."""

import json
import pickle
from typing import Any
from uuid import UUID

import pytest

from holdfast.client.calls import Call, anything, release
from holdfast.client.errors import NotThere, OutcomeUnknown, Refused, SlotTaken, Unavailable, Unreadable
from holdfast.client.repeating import Patience, Reply, course

LOST = Reply(may_have_arrived=True)
NOT_SENT = Reply()
PLACE = UUID(int=7)
ENDLESS = Patience(seconds=1e9)


def problem(status: int, code: str, retry_after: str | None = None) -> Reply:
    """Return a problem as a server tells it."""
    return Reply(status, json.dumps({"code": code, "message": "words", "details": {}}).encode(), retry_after)


def went(call: Call[Any], *replies: Reply, patience: Patience = ENDLESS) -> tuple[Any, list[float]]:
    """Return what a call came to by these replies, and how long it was waited before each attempt."""
    way = course(call, patience)
    pauses = [next(way)]
    for reply in replies:
        try:
            pauses.append(way.send(reply))
        except StopIteration as done:
            return done.value, pauses
    raise AssertionError("it is not over")


WRITE = anything("POST", "/", params={}, body={}, key="mine")
READ = anything("GET", "/", params={}, body=None, key=None)
DONE = Reply(200, b'{"ok": true}')


@pytest.mark.parametrize("call", [WRITE, READ])
@pytest.mark.parametrize(
    "first", [LOST, NOT_SENT, problem(503, "overloaded"), problem(503, "outcome_unknown"), Reply(502, b"<html>")]
)
def test_what_may_help_is_repeated(call: Call[Any], first: Reply) -> None:
    """Lost answers, busy servers and proxies that have not heard from one are asked again (H-6)."""
    assert went(call, first, first, DONE)[0] == {"ok": True}


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_a_word_of_the_server_is_final(status: int) -> None:
    """A refusal is not repeated, and neither is an error of the server: its word is that one looks first (H-6)."""
    with pytest.raises(Refused) as refused:
        went(WRITE, problem(status, "some_code"))
    assert (refused.value.status, refused.value.code) == (status, "some_code")


@pytest.mark.parametrize("status", [408, 500, 520, 524])
def test_a_proxy_that_fails_has_no_last_word(status: int) -> None:
    """A failure in words that are not of the server is one on the way, after which much may have happened (H-6)."""
    page = Reply(status, b"<html>")
    assert went(WRITE, page, DONE)[0] == {"ok": True}
    with pytest.raises(OutcomeUnknown):
        went(WRITE, page, patience=Patience(seconds=0))


@pytest.mark.parametrize("body", [b"<html>", b"", b'"\xff"', b"[" * 100_000, b'{"ok": tru'])
def test_what_makes_no_sense_leaves_the_key(body: bytes) -> None:
    """Whoever cannot read what came has the key of what may have taken effect; who only reads has nothing to ask (H-6)."""
    with pytest.raises(OutcomeUnknown) as unknown:
        went(WRITE, Reply(200, body))
    assert unknown.value.key == "mine"
    with pytest.raises(OutcomeUnknown):
        went(WRITE, LOST, Reply(404, body))
    for call, reply in ((WRITE, Reply(404, body)), (READ, Reply(200, body))):
        with pytest.raises(Unreadable):
            went(call, reply)


@pytest.mark.parametrize("asked", ["\u00b2", "soon", "-5", "1e9", ""])
def test_a_wait_that_is_none_is_not_waited_for(asked: str) -> None:
    """What cannot be a number of seconds is no reason to wait, and no reason to stop (H-6)."""
    result, pauses = went(WRITE, problem(503, "overloaded", asked), DONE)
    assert (result, pauses[1] < 1) == ({"ok": True}, True)


def test_a_refusal_goes_to_other_processes() -> None:
    """Whoever works with several processes gets a refusal from each of them as it was raised there (H-6)."""
    with pytest.raises(Refused) as refused:
        went(WRITE, problem(409, "slot_conflict"))
    again = pickle.loads(pickle.dumps(refused.value))  # noqa: S301  our own
    assert isinstance(again, SlotTaken)
    assert (str(again), again.status, again.code) == ("slot_conflict: words", 409, "slot_conflict")


@pytest.mark.parametrize("wrong", ["a\nb", "ключ", "\x00"])
def test_a_key_that_no_header_can_have_is_told_at_once(wrong: str) -> None:
    """A key that could never be sent is a mistake of the program, not one of the network (H-6)."""
    with pytest.raises(ValueError, match="key must be"):
        anything("POST", "/", params={}, body={}, key=wrong)


def test_pauses_grow_and_heed_the_server() -> None:
    """Pauses grow up to their limit, none is shorter than the server has asked for, and the first attempt waits for nothing (H-6)."""
    patience = Patience(seconds=1e9, first_pause_seconds=1, longest_pause_seconds=4)
    _, pauses = went(WRITE, *[LOST] * 6, problem(429, "too_many_requests", "60"), DONE, patience=patience)
    assert pauses[0] == 0
    assert 0.5 <= pauses[1] <= 1
    assert all(0.5 <= pause <= 4 for pause in pauses[1:7])
    assert pauses[7] == 60


@pytest.mark.parametrize(
    ("call", "reply", "ends_in"),
    [
        (WRITE, LOST, OutcomeUnknown),
        (WRITE, problem(503, "outcome_unknown"), OutcomeUnknown),
        (WRITE, Reply(504, b"<html>"), OutcomeUnknown),
        (WRITE, NOT_SENT, Unavailable),
        (WRITE, problem(503, "overloaded"), Unavailable),
        (WRITE, problem(429, "too_many_requests"), Unavailable),
        (READ, LOST, Unavailable),
    ],
)
def test_the_end_of_patience_says_what_is_known(call: Call[Any], reply: Reply, ends_in: type[Exception]) -> None:
    """When time is over, a write that may have taken effect is in doubt, and nothing else is (H-6)."""
    with pytest.raises(ends_in) as end:
        went(call, reply, patience=Patience(seconds=0))
    if isinstance(end.value, OutcomeUnknown):
        assert end.value.key == "mine"


def test_doubt_stays() -> None:
    """One lost answer leaves the outcome open, whatever was heard later that says nothing about it (H-6)."""
    hurried = course(WRITE, Patience(seconds=0.5, first_pause_seconds=0))
    next(hurried)
    hurried.send(LOST)
    with pytest.raises(OutcomeUnknown):
        hurried.send(problem(503, "overloaded", "60"))


def test_what_has_gone_already_has_gone_by_us() -> None:
    """A place that was given back by an attempt without an answer is not missed; one that never was there is (H-6)."""
    gone = problem(404, "RESERVATION_NOT_FOUND_OR_EXPIRED")
    call = release(PLACE, business_id=None)
    assert went(call, LOST, gone)[0] is None
    with pytest.raises(NotThere):
        went(call, gone)
    with pytest.raises(NotThere):
        went(call, NOT_SENT, gone)
