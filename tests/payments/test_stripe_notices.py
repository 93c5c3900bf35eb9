"""Notices of Stripe: which are believed, and what they are about."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from unittest.mock import patch
from uuid import uuid4

import pytest
import stripe
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.payments.errors import InvalidSignature
from holdfast.payments.port import Notice
from holdfast.payments.stripe_notices import read_notice
from payments.stripe.account import Account
from payments.stripe.fake import FakeStripe
from payments.stripe.opened import PRICE, opened, refund_wish, wish
from payments.stripe.webhooks import signature_of

NOW = 1_800_000_000
SECRET, OTHER = "whsec_aster", "whsec_briar"


def _told() -> bytes:
    account = Account(lambda: NOW)
    account.create({"amount": "100", "currency": "eur"})
    return account.told[0].body


BODY = _told()


def _is_believed(body: bytes, header: str | None, secrets: list[str], now: int = NOW) -> bool:
    try:
        read_notice(body, header, secrets, now)
    except InvalidSignature:
        return False
    return True


def _stripe_believes(body: bytes, header: str | None, secret: str) -> bool:
    """Return what Stripe's own package thinks, at our time."""
    with patch.object(stripe._webhook, "time", SimpleNamespace(time=lambda: NOW)):
        try:
            return stripe.WebhookSignature.verify_header(body, header, secret, 300)
        except (stripe.SignatureVerificationError, TypeError):
            # It stumbles over letters that are not of ASCII.
            return False


def test_what_stripe_has_signed_is_believed() -> None:
    """A body with a signature of Stripe's own package is believed, and names its object (P-2, payments 1)."""
    event = json.loads(BODY)
    assert read_notice(BODY, signature_of(BODY, [SECRET], NOW), [SECRET], NOW) == Notice(
        event["id"], "payment_intent.created", event["data"]["object"]["id"]
    )


@pytest.mark.parametrize(
    "change",
    [
        lambda body: body + b" ",
        lambda body: body.replace(b": ", b":", 1),
        lambda body: body.replace(b'"amount": 100', b'"amount": 101'),
        lambda body: json.dumps(json.loads(body)).encode(),
        lambda body: body[:0],
    ],
)
def test_the_body_counts_byte_for_byte(change: Callable[[bytes], bytes]) -> None:
    """A body that differs in one byte, even where it means the same, is not the one that was signed (payments 1)."""
    header = signature_of(BODY, [SECRET], NOW)
    assert _is_believed(BODY, header, [SECRET])
    assert change(BODY) != BODY
    assert not _is_believed(change(BODY), header, [SECRET])


def test_only_the_scheme_v1_counts() -> None:
    """The right signature under another scheme than v1 proves nothing (payments 1)."""
    header = signature_of(BODY, [SECRET], NOW)
    for scheme in ("v0", "v2", "V1", " v1", "v1 ", "v", ""):
        assert not _is_believed(BODY, header.replace("v1", scheme), [SECRET]), scheme
    assert _is_believed(BODY, f"{header},v0=6ffbb59b2300aae63f272406069a9788598b792a944a07aba816edb039989a39", [SECRET])


def test_a_secret_is_changed_without_a_gap() -> None:
    """While a secret is changed either side may know both, one or the other: one that matches is enough (payments 1)."""
    for signing in ([SECRET], [OTHER], [SECRET, OTHER], [OTHER, "whsec_cedar", SECRET]):
        header = signature_of(BODY, signing, NOW)
        assert _is_believed(BODY, header, [SECRET, OTHER]), signing
        assert _is_believed(BODY, header, [OTHER, SECRET]), signing
        assert _is_believed(BODY, header, [SECRET]) is (SECRET in signing)


def test_no_secret_lets_nobody_in() -> None:
    """Where a business has no secret, or an empty one, nothing is believed (payments 1)."""
    for secrets in ([], [""], [" \n"], ["", " "]):
        header = signature_of(BODY, [*secrets, ""], NOW)
        assert not _is_believed(BODY, header, secrets), secrets


@pytest.mark.parametrize(("seconds", "believed"), [(0, True), (299, True), (300, True), (301, False), (86_400, False)])
def test_a_notice_has_to_be_fresh(seconds: int, believed: bool) -> None:
    """What was signed more than 300 seconds ago is refused, and what is from that far in the future, too (payments 1)."""
    for signed_at in (NOW - seconds, NOW + seconds):
        assert _is_believed(BODY, signature_of(BODY, [SECRET], signed_at), [SECRET]) is believed


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        ",",
        "=",
        "t",
        "t=,v1=",
        f"t={NOW}",
        f"t={NOW},v1",
        "t=now,v1={signature}",
        "v1={signature}",
        f"t={NOW}.0,v1={{signature}}",
        f"t=+{NOW},v1={{signature}}",
        f"t= {NOW},v1={{signature}}",
        "t=١٨٠٠٠٠٠٠٠٠,v1={signature}",
        f"t={NOW},v1={{signature}},v1",
        f"t,t={NOW},v1={{signature}}",
        f"t={NOW},v1=ключ",
        f"t={NOW},v1=\udcff",
        f"t={NOW},v1={{signature}}" + ",v1=0" * 1_200,
    ],
)
def test_a_header_that_is_none_is_refused(header: str | None) -> None:
    """A header that Stripe would not write is refused without more ado, however long it is (payments 1)."""
    right = signature_of(BODY, [SECRET], NOW).partition("v1=")[2]
    assert not _is_believed(BODY, header and header.replace("{signature}", right), [SECRET])


def test_a_body_that_is_too_long_is_not_looked_at() -> None:
    """More than half a megabyte is refused even with its signature (payments 1)."""
    body = b" " * 524_288
    assert _is_believed(body, signature_of(body, [SECRET], NOW), [SECRET])
    assert not _is_believed(body + b" ", signature_of(body + b" ", [SECRET], NOW), [SECRET])


_PIECES = st.sampled_from(["t", "v1", "v0", "=", ",", "==", " ", "0", "1", str(NOW), "v1=", "t=", "a" * 64, "é"])


@st.composite
def _headers(draw: st.DrawFn) -> str:
    """Return a header of Stripe's, of some time and some secrets, with some pieces put in, taken out or changed."""
    signing = draw(st.lists(st.sampled_from([SECRET, OTHER]), min_size=1, max_size=3))
    signed_at = NOW + draw(st.sampled_from([-100_000, -301, -300, -299, 0, 299, 300, 301, 100_000]))
    items = signature_of(BODY, signing, signed_at).split(",")
    items = draw(st.permutations(items)) if draw(st.booleans()) else items
    header = ",".join(items)
    for _ in range(draw(st.integers(0, 3))):
        first = draw(st.integers(0, len(header)))
        last = first + draw(st.integers(0, 3))
        header = header[:first] + "".join(draw(st.lists(_PIECES, max_size=3))) + header[last:]
    return header


def _plain_time(header: str) -> int | None:
    """Return when a header says that it was signed, if it says so in digits only."""
    times = [item.split("=") for item in header.split(",") if item.startswith("t=")]
    return int(times[0][1]) if times and times[0][1].isascii() and times[0][1].isdigit() else None


@given(_headers())
@example(f"t={NOW},v1=,t={NOW}")
def test_we_believe_what_stripes_own_package_believes(header: str) -> None:
    """Of any header we think as Stripe's own package does, but for times to come, odd digits and odd letters (payments 1)."""
    believed = _is_believed(BODY, header, [SECRET])
    signed_at = _plain_time(header)
    if signed_at is None or signed_at > NOW + 300 or not header.isascii():
        # The package takes anything from the future, whatever Python takes for a number, and letters that no header has.
        assert not believed
    else:
        assert believed is _stripe_believes(BODY, header, SECRET)


@given(st.binary(max_size=200), st.integers(-310, 310))
def test_any_signed_body_is_read_without_an_accident(body: bytes, seconds: int) -> None:
    """Whatever was signed is told or passed over, and what was signed too long ago is refused (payments 1)."""
    mac = stripe.WebhookSignature._compute_signature
    text = body.decode("latin-1")
    utf8 = text.encode()
    header = f"t={NOW + seconds},v1={mac(f'{NOW + seconds}.{text}', SECRET)}"
    assert _is_believed(utf8, header, [SECRET]) is (abs(seconds) <= 300)


async def test_notices_name_what_has_changed(at_stripe: FakeStripe) -> None:
    """In the life of a payment each event names the payment or the refund it is about, and each has its own id (P-2)."""
    at_stripe.hold_refunds()
    async with opened(at_stripe) as adapter:
        made, gone = await adapter.create(wish()), await adapter.create(wish())
        at_stripe.decline(made.id)
        at_stripe.pay(made.id)
        at_stripe.cancel(gone.id)
        await adapter.capture(made.id, uuid4().hex, PRICE)
        refund = await adapter.refund(refund_wish(made, 100))
    at_stripe.settle_refund(refund.id, "failed")
    notices = [_notice(told.body) for told in at_stripe.webhooks.told()]
    heard = [notice for notice in notices if notice is not None]
    assert {(notice.type, notice.object_id, notice.remote_payment_id) for notice in heard} == {
        ("payment_intent.created", made.id, None),
        ("payment_intent.created", gone.id, None),
        ("payment_intent.payment_failed", made.id, None),
        ("payment_intent.amount_capturable_updated", made.id, None),
        ("payment_intent.canceled", gone.id, None),
        ("payment_intent.succeeded", made.id, None),
        ("charge.refunded", made.id, None),
        ("refund.created", refund.id, made.id),
        ("refund.failed", refund.id, made.id),
        ("refund.updated", refund.id, made.id),
        ("charge.refund.updated", refund.id, made.id),
    }
    assert {notice.is_refund for notice in heard if notice.object_id == refund.id} == {True}
    assert {notice.is_refund for notice in heard if notice.object_id != refund.id} == {False}
    assert len({notice.event_id for notice in heard}) == len(heard)
    # That a charge was captured is told of its payment, too.
    assert len(notices) - len(heard) == 1


@pytest.mark.parametrize(
    "event",
    [
        {"type": "customer.created", "data": {"object": {"id": "cus_1"}}},
        {"type": "charge.refunded", "data": {"object": {"id": "ch_1", "payment_intent": None}}},
        {"type": "charge.captured", "data": {"object": {"id": "ch_1", "payment_intent": "pi_1"}}},
        {"type": "refund.updated", "data": {"object": {"id": "re_1"}}},
        {"type": "refund.updated", "data": {"object": {"id": "re_1", "payment_intent": "../account"}}},
        {"type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1/capture"}}},
        {"type": "payment_intent.succeeded", "data": {"object": {"id": 1}}},
        {"type": "payment_intent.succeeded", "data": {"object": {}}},
        {"type": "payment_intent.succeeded", "related_object": {"id": "pi_1"}},
        {"type": 1, "data": {"object": {"id": "pi_1"}}},
    ],
)
def test_what_does_not_concern_payments_is_passed_over(event: dict[str, object]) -> None:
    """Signed events of other things, and ones that cannot be read, are none of ours and no error (P-2)."""
    assert _notice(json.dumps({"id": "evt_1", "object": "event", **event}).encode()) is None


def _notice(body: bytes) -> Notice | None:
    return read_notice(body, signature_of(body, [SECRET], NOW), [SECRET], NOW)
