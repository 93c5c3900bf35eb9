"""One client of a load: it asks, writes down what it was told, and asks again with the same key until it is told."""

import asyncio
import hashlib
import json
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any

import httpx
import msgspec

from proof.history import Asked, Call, History, Place, Told
from proof.stage import epoch

Body = dict[str, Any]

# What differs between answers to one key: how much time is left, and that it is a repetition.
_VOLATILE = {"remainingSeconds", "replayed"}
# A commit is named by its booking, which goes on living: what stays is the appointment, its proof and its party.
_OF_A_COMMIT = {"appointmentId", "cancellationToken", "partySize"}
# Between an attempt without an answer and the next one; longer each time.
_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 0.05, 0.5


@dataclass(frozen=True)
class Request:
    """What is to be asked until there is an answer: the same each time."""

    operation: str
    method: str
    path: str
    body: Body
    asked: Asked
    key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The answer that ended the asking, and its body."""

    call: Call
    body: Body

    @property
    def done(self) -> bool:
        """Whether it took effect."""
        return self.call.outcome == "done"


@dataclass
class Surroundings:
    """What the clients of a load share.

    `pay` is told where a payment is made and makes it, as the client's bank does; without it nothing that is paid
    beforehand is asked for. `staff_key` is that of an owner; without it nothing is done by staff.
    """

    urls: list[str]
    history: History
    http: httpx.AsyncClient
    pay: Callable[[str], Awaitable[None]] | None = None
    staff_key: str | None = None
    # For how long a client repeats a request of which it knows nothing.
    patience_seconds: float = 60.0
    attempt_seconds: float = 10.0
    numbers: "count[int]" = field(default_factory=count)
    # Requests of which a client never learnt what became of them.
    open: list[tuple["Client", Request]] = field(default_factory=list)
    # What was done, to be repeated at the end.
    finished: list[tuple["Client", Request]] = field(default_factory=list)


class Client:
    """Who asks. Its choices follow from the seed and its name; when it meets whom does not."""

    def __init__(self, name: str, around: Surroundings) -> None:
        self.name = name
        self.around = around
        self.chance = random.Random(f"{around.history.heading.seed} {name}")  # noqa: S311 - chance, no secret
        self._keys = count()

    def new_key(self) -> str:
        """Return a key that nobody has used."""
        return f"{self.around.history.heading.run}-{self.name}-{next(self._keys)}"

    async def ask(self, request: Request) -> Answer | None:
        """Ask until there is an answer; None when patience ended before that."""
        deadline = time.monotonic() + self.around.patience_seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            answer = await self.attempt(request)
            if answer.call.outcome != "unknown":
                if answer.done:
                    self.around.finished.append((self, request))
                return answer
            if time.monotonic() > deadline:
                self.around.open.append((self, request))
                return None
            # So that a server that is away is not asked a thousand times a second.
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_PAUSE_SECONDS)

    async def attempt(self, request: Request) -> Answer:
        """Ask once, any server, and write down what came of it."""
        body = request.body if request.key is None else request.body | {"idempotencyKey": request.key}
        sent: Body = {"headers": request.headers} | ({} if request.method == "DELETE" else {"json": body})
        number, at, started = next(self.around.numbers), time.time(), time.monotonic()
        status, shown = 0, Body()
        try:
            url = self.chance.choice(self.around.urls)
            answer = await self.around.http.request(
                request.method, url + request.path, timeout=self.around.attempt_seconds, **sent
            )
            # An answer that was cut off is none.
            shown = answer.json() if answer.content else {}
            status = answer.status_code
        except (httpx.TransportError, json.JSONDecodeError):
            pass
        done = 200 <= status < 300
        call = Call(
            id=number,
            client=self.name,
            operation=request.operation,
            key=request.key,
            started=started,
            ended=time.monotonic(),
            at=at,
            asked=msgspec.structs.replace(request.asked, body=digest(request.body)),
            status=status,
            code=None if done else shown.get("code"),
            told=told(request, shown) if done else None,
        )
        self.around.history.write(call)
        return Answer(call, shown)


def other_body(request: Request, **changes: Any) -> Request:
    """Return another request with the same key."""
    return replace(request, body=request.body | changes)


def told(request: Request, shown: Body) -> Told:
    """Return what an answer of success says."""
    payment = shown.get("payment") or {}
    expires = shown.get("expiresAt") or payment.get("expiresAt")
    token = shown.get("cancellationToken")
    if request.operation == "commit":
        same = {name: value for name, value in shown.items() if name in _OF_A_COMMIT}
    else:
        same = {name: value for name, value in shown.items() if name not in _VOLATILE}
    return Told(
        booking=shown.get("reservationId") or shown.get("appointmentId") or request.asked.booking,
        state=shown.get("status"),
        start=epoch(shown["start"]) if "start" in shown else None,
        end=epoch(shown["end"]) if "end" in shown else None,
        resources=tuple(sorted(shown["resourceIds"])) if "resourceIds" in shown else None,
        party=shown.get("partySize"),
        version=shown.get("version"),
        expires=datetime.fromisoformat(expires).timestamp() if expires else None,
        token=None if token is None else hashlib.sha256(token.encode()).hexdigest(),
        due_minor=payment.get("amountMinor"),
        back_minor=shown.get("refundMinor"),
        pay_at=payment.get("confirmationUrl"),
        replayed=bool(shown.get("replayed")),
        answer=digest(same),
    )


def digest(body: Body) -> str:
    """Return a hash of a body, whatever the order of its members."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:32]


def slot_body(place: Place) -> Body:
    """Return the members that name a place."""
    if place.schedule is not None:
        return {"scheduleId": place.schedule}
    assert place.start is not None, "a slot has a start"
    assert place.end is not None, "and an end"
    body: Body = {"serviceId": place.service, "slotStart": _text(place.start), "slotEnd": _text(place.end)}
    return body | ({} if place.resource is None else {"resourceId": place.resource})


def _text(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
