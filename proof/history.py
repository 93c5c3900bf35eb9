"""The record of a load: one line for each request, written down before its client asks for anything else.

On disk it is JSON, a line each: first the heading, then the calls. A run that broke off can be read up to there.
"""

import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import msgspec

from proof.stage import Stage

Outcome = Literal["done", "refused", "unknown"]


class Place(msgspec.Struct, frozen=True, array_like=True):
    """A slot of a service, of one resource or (None) of any, or a schedule; epoch seconds."""

    service: str | None = None
    schedule: str | None = None
    start: int | None = None
    end: int | None = None
    resource: str | None = None


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """What a request was about; `body` is a hash of all of it but the key."""

    place: Place | None = None
    party: int | None = None
    ttl_seconds: int | None = None
    booking: str | None = None
    body: str = ""


class Told(msgspec.Struct, frozen=True, array_like=True):
    """What an answer of success said. `answer` is a hash of all that has to be the same when it is repeated.

    `expires` is in epoch seconds, `token` a hash of what proves the client, and `pay_at` where a payment is made.
    """

    booking: str | None = None
    state: str | None = None
    start: int | None = None
    end: int | None = None
    resources: tuple[str, ...] | None = None
    party: int | None = None
    version: int | None = None
    expires: float | None = None
    token: str | None = None
    due_minor: int | None = None
    back_minor: int | None = None
    pay_at: str | None = None
    replayed: bool = False
    answer: str = ""


class Call(msgspec.Struct, frozen=True, array_like=True):
    """One request and its answer.

    `started` and `ended` are seconds of the monotonic clock of the clients' machine, and `at` is `started` in epoch
    seconds. Calls of one operation and one key are attempts at the same effect; what has no key of its own (commit,
    extend, release) is named by its booking. `status` 0 means that there was no answer.
    """

    id: int
    client: str
    operation: str
    key: str | None
    started: float
    ended: float
    at: float
    asked: Asked
    status: int = 0
    code: str | None = None
    told: Told | None = None

    @property
    def outcome(self) -> Outcome:
        """What the client knows: that it took effect, that it did not, or (no answer, or 5xx) nothing."""
        if 200 <= self.status < 300:
            return "done"
        return "refused" if 300 <= self.status < 500 else "unknown"

    @property
    def effect(self) -> tuple[str, str]:
        """What the attempts at one effect have in common: the operation, and the key or the booking."""
        return self.operation, self.key or self.asked.booking or str(self.id)


class Heading(msgspec.Struct, frozen=True):
    """Of which load the calls are. Every key of it begins with `run`, and no key of another."""

    seed: int
    run: str
    stage: Stage


class History:
    """All calls of a load so far, in memory and in a file."""

    def __init__(self, path: Path, seed: int, stage: Stage) -> None:
        self.heading = Heading(seed, f"proof-{seed}-{secrets.token_hex(4)}", stage)
        self.calls: list[Call] = []
        self._file = path.open("wb")
        self._encode = msgspec.json.Encoder().encode
        self._line(self.heading)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, call: Call) -> None:
        """Write a call down; when this returns, it is with the operating system."""
        self.calls.append(call)
        self._line(call)

    def tally(self, since: float = 0.0) -> Counter[tuple[str, str]]:
        """Return how many calls that ended since a moment had which outcome, by operation and outcome."""
        return Counter((call.operation, call.outcome) for call in self.since(since))

    def since(self, moment: float) -> Iterator[Call]:
        """Return the calls that ended after a moment of the monotonic clock, the last one first."""
        for call in reversed(self.calls):
            if call.ended < moment:
                return
            yield call

    def recovered(self, moment: float) -> float | None:
        """Return when the first change of a booking that began after a moment was acknowledged; None: not yet."""
        done = (call.ended for call in self.since(moment) if call.outcome == "done" and call.started >= moment)
        return min(done, default=None)

    def _line(self, record: Heading | Call) -> None:
        self._file.write(self._encode(record) + b"\n")
        self._file.flush()


def read(path: Path) -> tuple[Heading, list[Call]]:
    """Return what a file holds; a last line that was cut off is no call.

    Raises msgspec.DecodeError when anything else is wrong with it.
    """
    head, *lines = path.read_bytes().split(b"\n")
    decode = msgspec.json.Decoder(Call).decode
    return msgspec.json.decode(head, type=Heading), [decode(line) for line in lines[:-1]]
