"""Arbitrary JSON and arbitrary queries have documented answers only (H-1)."""

import json
from datetime import date
from typing import Any
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from booking.hostile import TIMES, VALUES, ZONES, targets
from booking.served import Clients, token_of

# Some ten seconds on a small machine for all of them together.
BOUNDED = settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
CALLS = ("reserve", "book", "commit", "series", "wait", "extend", "change", "cancel")
MEMBERS = (
    *("businessId", "serviceId", "scheduleId", "slotStart", "slotEnd", "resourceId", "partySize", "ttlMinutes"),
    *("ttlSeconds", "timezone", "locale", "guestEmail", "guestPhone", "guestName", "reservationId", "reason"),
    *("idempotencyKey", "clientRequestId", "client_request_id", "cancellationToken", "expectedVersion"),
    *("rule", "starts", "partial", "from", "to"),
)
PARAMETERS = (
    *("service_slug", "from", "to", "tz", "business", "resource_id", "party_size", "cursor", "limit", "businessId"),
    *("serviceId", "scheduleId", "slotStart", "slotEnd", "resourceId", "service", "day", "lang", "resource"),
)

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
values = (
    st.lists(st.sampled_from(TIMES), max_size=3)
    | st.sampled_from([v for v in VALUES if v is not True])
    | st.sampled_from([*TIMES, *ZONES])
    | anything
)


class Target:
    """A hold and an appointment to aim at, and values that get past the first look."""

    def __init__(self, clients: Clients, day: date) -> None:
        first, second = clients.slots("intro-call", day)[:2]
        held, made = clients.reserve("intro-call", first), clients.booked("intro-call", second)
        self.calls, self.token = targets(clients, held, made), token_of(made)
        schedule = clients.schedules()[-1]
        things = [clients.card, schedule, *clients.card["services"], *clients.card["resources"]]
        self.known = [*(thing["id"] for thing in things), *(s["slug"] for s in clients.card["services"])]
        self.known += [first["start"], first["end"], second["start"], second["end"], str(day), "Asia/Tokyo", "a@b.c"]
        self.known += ["FREQ=DAILY;COUNT=2", "FREQ=MONTHLY;UNTIL=99991231"]
        self.reads = [
            "/api/public/booking/slots",
            "/api/booking/capacity",
            "/api/public/programs/morning-group/schedules",
            f"/api/booking/reservations/{held['reservationId']}",
            f"/api/booking/appointments/{made['appointmentId']}",
            "/emotional-balance/booking/slot/",
        ]


@pytest.fixture
def target(clients: Clients, day: date) -> Target:
    """What arbitrary requests are about."""
    return Target(clients, day)


@BOUNDED
@given(data=st.data(), call=st.sampled_from(CALLS), members=st.lists(st.sampled_from(MEMBERS), max_size=8, unique=True))
def test_arbitrary_bodies(clients: Clients, target: Target, data: st.DataObject, call: str, members: list[str]) -> None:
    """Whatever JSON is sent to a call that takes a body, the answer is one that is documented (H-1)."""
    method, path, good = target.calls[call]
    body: Any = data.draw(st.just(good) | anything)
    if isinstance(body, dict):
        body = body | {member: data.draw(st.sampled_from(target.known) | values) for member in members}
    clients.http.request(method, path, content=json.dumps(body).encode(), headers=target.token)


@BOUNDED
@given(call=st.sampled_from(CALLS), body=st.binary(max_size=200))
def test_arbitrary_bytes(clients: Clients, target: Target, call: str, body: bytes) -> None:
    """Whatever bytes are sent to a call that takes a body, the answer is one that is documented (H-1)."""
    method, path, _ = target.calls[call]
    clients.http.request(method, path, content=body, headers=target.token)


@BOUNDED
@given(data=st.data(), names=st.lists(st.sampled_from(PARAMETERS), max_size=6))
def test_arbitrary_queries(clients: Clients, target: Target, data: st.DataObject, names: list[str]) -> None:
    """Whatever is asked of a read, the answer is one that is documented (H-1)."""
    texts = (
        st.sampled_from(target.known).map(str.encode) | st.binary(max_size=40) | st.text(max_size=40).map(str.encode)
    )
    query = "&".join(f"{name}={quote_from_bytes(data.draw(texts))}" for name in names)
    clients.http.get(f"{data.draw(st.sampled_from(target.reads))}?{query}", headers=target.token)
