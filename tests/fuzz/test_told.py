"""What is told at the addresses of webhooks and of the cron: nobody is believed who proves nothing, and no body ever is."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.documented import check_answer
from booking.served import CRON
from browser.furnished import SLUG, Place
from conftest import CRON_SECRET, Server
from fuzz.bounds import tried
from holdfast.payments.yookassa_notices import is_from_yookassa
from payments.telling import YOOKASSA, signature

# What bookings, money and calendars are, and when they were last written; holds run out by themselves meanwhile.
_STATE = (
    "select id, state, version, due_minor from bookings where state not in ('held', 'expired') order by id",
    "select id, state, captured_minor, refunded_minor, pays from payments order by id",
    "select id, state, amount_minor from refunds order by id",
    "select b.id, during::text from claims c join bookings b on b.id = booking_id and state = 'confirmed' order by 1, 2",
    "select id, next_sync_at from calendars order by id",
)
WORDS = ("notification", "payment.succeeded", "payment.canceled", "refund.succeeded", "succeeded", "canceled", "evt_1")
WORDS += ("payment_intent.succeeded", "charge.refunded", "", "\0", "ы", "../..", "1e999")
texts = st.sampled_from(WORDS) | st.text(max_size=30)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
headers = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=80)


class Told:
    """What a served practice answers to those who tell it something, and what this changes."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.http = httpx.Client(base_url=place.url, timeout=60)
        document = self.http.get("/schema").json()

        def check(answer: httpx.Response) -> None:
            answer.read()
            check_answer(document, answer)

        self.http.event_hooks = {"response": [check]}
        self.paid = place.sql("select provider_payment_id from payments where id = %s", place.names["payment"])[0][0]

    def state(self) -> list[Any]:
        """Return what nobody may change by telling."""
        return [self.place.sql(statement) for statement in _STATE]

    def yookassa(self, body: bytes, sender: str = YOOKASSA) -> httpx.Response:
        """Tell as YooKassa does, through the proxy that is trusted."""
        path, heard_from = f"/api/webhooks/yookassa/{SLUG}", {"X-Forwarded-For": sender}
        return self.http.post(path, content=body, headers={"Content-Type": "application/json"} | heard_from)


@pytest.fixture(scope="module")
def told(place: Place) -> Iterator[Told]:
    """The practice, which is as it was after each test."""
    made = Told(place)
    before = made.state()
    assert all(before[:2])
    yield made
    made.http.close()
    assert made.state() == before


@st.composite
def notices(draw: st.DrawFn, paid: str) -> bytes:
    """Return what YooKassa could have told of a payment, with some of it changed, lost or added."""
    amount = {"value": draw(st.sampled_from(["0.01", "1", "-5.00", "NaN", "3000.00"])), "currency": "RUB"}
    thing: dict[str, Any] = {"id": draw(st.sampled_from([paid, paid.upper(), f"{paid} "]) | texts), "amount": amount}
    thing |= {"status": draw(texts), "payment_id": paid, "paid": draw(st.booleans())}
    notice: dict[str, Any] = {"type": "notification", "event": draw(texts), "object": thing}
    for name in draw(st.lists(st.sampled_from(["type", "event", "object", *WORDS]), max_size=2)):
        notice[name] = draw(anything)
    for name in draw(st.lists(st.sampled_from(["type", "event", "object"]), max_size=1)):
        del notice[name]
    return json.dumps(notice).encode()


def test_no_body_of_a_provider_is_believed(told: Told) -> None:
    """Whatever is told of a payment from an address of YooKassa is heard or malformed; no booking and no money follows it (P-2)."""

    @tried(80, of="notices")
    @given(body=notices(told.paid) | anything.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=200))
    def tell(body: bytes) -> None:
        assert told.yookassa(body).status_code in {200, 400}

    tell()


def test_a_provider_that_is_none_is_refused(told: Told) -> None:
    """From another address it is 403, and with a signature that is none 400 or 404; nothing is written down (P-2)."""
    kept = told.place.sql("select count(*) from webhook_events")

    @tried(60, of="strangers")
    @given(body=notices(told.paid), sender=st.ip_addresses(), signed=headers, secret=st.text(max_size=20))
    def tell(body: bytes, sender: object, signed: str, secret: str) -> None:
        if not is_from_yookassa(str(sender)):
            assert told.yookassa(body, str(sender)).status_code == 403
        for header in (signed, signature(body, secret)):
            path = f"/api/webhooks/stripe/{SLUG}"
            assert told.http.post(path, content=body, headers={"Stripe-Signature": header}).status_code in {400, 404}

    tell()
    assert told.place.sql("select count(*) from webhook_events") == kept


def test_a_calendar_that_is_none_is_refused(told: Told) -> None:
    """A channel that nobody has opened, or its token, is 404, whatever the body; no calendar is looked at for it (C-7)."""

    @tried(80, of="pushes")
    @given(channel=headers | st.uuids().map(str), token=headers | st.none(), body=st.binary(max_size=200))
    def push(channel: str, token: str | None, body: bytes) -> None:
        shown = {"X-Goog-Channel-ID": channel} | ({} if token is None else {"X-Goog-Channel-Token": token})
        answer = told.http.post("/api/webhooks/google-calendar", content=body, headers=shown)
        assert answer.status_code == 404

    push()


def test_a_secret_that_is_none_cleans_nothing_up(server: Server) -> None:
    """Whatever is shown to the cron but its secret is 401, and no cleanup is begun (B-23)."""
    http = httpx.Client(base_url=server.url, timeout=60)

    @tried(60, of="crons")
    @given(shown=headers.map(lambda text: f"Bearer {text}") | headers | st.sampled_from([CRON_SECRET, "Bearer", ""]))
    def clean(shown: str) -> None:
        answer = http.get("/api/cron/cleanup-reservations", headers={"Authorization": shown})
        assert (answer.status_code, answer.json()["code"]) == (401, "authentication_required")

    clean()
    assert http.get("/api/cron/cleanup-reservations", headers=CRON).status_code == 200
    http.close()
