"""What the clients of the load generator do: scripts of requests, rendered as bytes and cheap to render.

A script has steps. A client takes the next number and does the steps with it, one after the other; an answer that is
not expected ends the attempt. Everything that varies has a fixed width, so that a request is one `%` on a template.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

SLOT_MINUTES = 50
SLOTS_A_DAY = 24 * 60 // SLOT_MINUTES

# An answer is as expected when its status is listed and its body contains the mark.
Expected = Mapping[int, bytes]

_ID = b"-" * 36
_HELD: Expected = {201: b'"status":"held"'}
_CONFIRMED: Expected = {201: b'"status":"confirmed"'}


class Place(msgspec.Struct, frozen=True, array_like=True):
    """What was asked for: a place of a schedule, or a slot, of one resource or (None) of any; epoch seconds."""

    schedule: str | None = None
    service: str | None = None
    resource: str | None = None
    start: int | None = None


class Script(msgspec.Struct, tag=True, kw_only=True):
    """What a client does with one number; `key_prefix` makes the idempotency keys of a run its own."""

    key_prefix: str = ""
    first: int = 0

    @property
    def steps(self) -> Sequence[str]:
        """Return the names of the requests of one attempt, in order."""
        raise NotImplementedError

    @property
    def expected(self) -> Sequence[Expected]:
        """Return which answers each step may have."""
        raise NotImplementedError

    def render(self, step: int, n: int, reservation: bytes) -> bytes:
        """Return the request of a step for a number; `reservation` is the id that an earlier step has got."""
        raise NotImplementedError

    def key(self, n: int) -> str:
        """Return the idempotency key of the number's reservation."""
        return f"{self.key_prefix}-{n:08d}"

    def place(self, n: int) -> Place:
        """Return the place that the number asks for."""
        raise NotImplementedError


class Echo(Script):
    """JSON there and back through the same stack: what HTTP costs without the product."""

    business: str
    schedule: str

    @property
    def steps(self) -> Sequence[str]:
        """Return the one step."""
        return ("echo",)

    @property
    def expected(self) -> Sequence[Expected]:
        """Expect the body that was sent."""
        return ({200: b'"idempotencyKey":"' + self.key_prefix.encode()},)

    def render(self, step: int, n: int, reservation: bytes) -> bytes:  # noqa: ARG002
        """Return a body like that of a reservation."""
        return _echo_template(self.business, self.schedule, self.key_prefix) % n


class OneSchedule(Script):
    """Every number reserves a place of one schedule; with `commits` it commits it as well."""

    business: str
    schedule: str
    commits: bool = False

    @property
    def steps(self) -> Sequence[str]:
        """Return reserve, and commit if asked for."""
        return ("reserve", "commit") if self.commits else ("reserve",)

    @property
    def expected(self) -> Sequence[Expected]:
        """Expect nothing but success."""
        return (_HELD, _CONFIRMED)

    def render(self, step: int, n: int, reservation: bytes) -> bytes:
        """Return the request."""
        if step == 1:
            return _COMMIT % (reservation, n)
        return _schedule_template(self.business, self.schedule, self.key_prefix) % n

    def place(self, n: int) -> Place:  # noqa: ARG002
        """Return the schedule."""
        return Place(schedule=self.schedule)


class ManySlots(Script):
    """Every number reserves a slot of its own, going round the resources; with `commits` it commits it as well."""

    business: str
    service: str
    resources: Sequence[str]
    day: datetime
    commits: bool = False

    @property
    def steps(self) -> Sequence[str]:
        """Return reserve, and commit if asked for."""
        return ("reserve", "commit") if self.commits else ("reserve",)

    @property
    def expected(self) -> Sequence[Expected]:
        """Expect nothing but success."""
        return (_HELD, _CONFIRMED)

    def render(self, step: int, n: int, reservation: bytes) -> bytes:
        """Return the request."""
        if step == 1:
            return _COMMIT % (reservation, n)
        slot, turn = divmod(n, len(self.resources))
        begins, ends = _slot_texts(self.day, slot)
        template = _slot_template(self.business, self.service, self.key_prefix, of_resource=True)
        return template % (begins, ends, self.resources[turn].encode(), n)

    def place(self, n: int) -> Place:
        """Return the slot and the resource."""
        slot, turn = divmod(n, len(self.resources))
        return Place(
            service=self.service, resource=self.resources[turn], start=int(slot_start(self.day, slot).timestamp())
        )


class OneSlot(Script):
    """A herd: every number wants the same slot of the only resource. One gets it, all others hear `slot_conflict`."""

    business: str
    service: str
    resource: str
    start: datetime

    @property
    def steps(self) -> Sequence[str]:
        """Return the one step."""
        return ("reserve",)

    @property
    def expected(self) -> Sequence[Expected]:
        """Expect success or the refusal with alternatives."""
        return ({201: b'"status":"held"', 409: b'"code":"slot_conflict"'},)

    def render(self, step: int, n: int, reservation: bytes) -> bytes:  # noqa: ARG002
        """Return the request."""
        begins, ends = _slot_texts(self.start, 0)
        return _slot_template(self.business, self.service, self.key_prefix) % (begins, ends, n)

    def place(self, n: int) -> Place:  # noqa: ARG002
        """Return the slot."""
        return Place(service=self.service, resource=self.resource, start=int(self.start.timestamp()))


class LookAndTake(Script):
    """Asks for one row, asks for all free slots, then takes one of them, so that no answer can be a stored one."""

    business: str
    business_slug: str
    service: str
    service_slug: str
    day: datetime
    days: int
    slots_a_day: int

    @property
    def steps(self) -> Sequence[str]:
        """Return the three steps; their latencies are compared."""
        return ("select-1", "slots", "reserve")

    @property
    def expected(self) -> Sequence[Expected]:
        """Expect success."""
        return ({200: b'"one":1'}, {200: b'"days":'}, _HELD)

    def render(self, step: int, n: int, reservation: bytes) -> bytes:  # noqa: ARG002
        """Return the request."""
        if step == 0:
            return _get("/bench/select-1")
        if step == 1:
            until = self.day + timedelta(days=self.days)
            return _get(
                f"/api/public/booking/slots?service_slug={self.service_slug}&business={self.business_slug}"
                f"&from={self.day:%Y-%m-%d}&to={until:%Y-%m-%d}&tz=UTC"
            )
        start = self._start(n)
        begins, ends = _slot_texts(start, 0)
        return _slot_template(self.business, self.service, self.key_prefix) % (begins, ends, n)

    def place(self, n: int) -> Place:
        """Return the slot, of any resource."""
        return Place(service=self.service, start=int(self._start(n).timestamp()))

    def _start(self, n: int) -> datetime:
        # Over all days before the second slot of a day is taken, 09:00 first.
        slot, day = divmod(n, self.days)
        return self.day + timedelta(days=day, hours=9, minutes=SLOT_MINUTES * (slot % self.slots_a_day))


AnyScript = Echo | OneSchedule | ManySlots | OneSlot | LookAndTake


def slot_start(day: datetime, number: int) -> datetime:
    """Return the start of a slot of an always open resource, counted from a day's first one."""
    days, slot = divmod(number, SLOTS_A_DAY)
    return day + timedelta(days=days, minutes=SLOT_MINUTES * slot)


@lru_cache(maxsize=8)
def _slot_texts(day: datetime, number: int) -> tuple[bytes, bytes]:
    start = slot_start(day, number).astimezone(UTC)
    ends = start + timedelta(minutes=SLOT_MINUTES)
    return f"{start:%Y-%m-%dT%H:%M:%SZ}".encode(), f"{ends:%Y-%m-%dT%H:%M:%SZ}".encode()


@lru_cache(maxsize=8)
def _schedule_template(business: str, schedule: str, prefix: str) -> bytes:
    body = f'{{"businessId":"{business}","scheduleId":"{schedule}","idempotencyKey":"{prefix}-%08d"}}'
    return _post("/api/booking/reserve", body.encode(), 0)


@lru_cache(maxsize=8)
def _echo_template(business: str, schedule: str, prefix: str) -> bytes:
    body = f'{{"businessId":"{business}","scheduleId":"{schedule}","idempotencyKey":"{prefix}-%08d"}}'
    return _post("/bench/echo", body.encode(), 0)


@lru_cache(maxsize=8)
def _slot_template(business: str, service: str, prefix: str, *, of_resource: bool = False) -> bytes:
    resource = '"resourceId":"%s",' if of_resource else ""
    body = (
        f'{{"businessId":"{business}","serviceId":"{service}","slotStart":"%s","slotEnd":"%s",{resource}'
        f'"idempotencyKey":"{prefix}-%08d"}}'
    )
    return _post("/api/booking/reserve", body.encode(), *[b"2000-01-01T00:00:00Z"] * 2, *[_ID] * of_resource, 0)


def _post(path: str, body: bytes, *sample: bytes | int) -> bytes:
    """Return the template of a request; the sample has the widths of what it will be filled with."""
    length = len(body % sample)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode() + body


@lru_cache(maxsize=8)
def _get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


_COMMIT = _post("/api/booking/commit", b'{"reservationId":"%s","guestEmail":"guest-%08d@example.com"}', _ID, 0)
