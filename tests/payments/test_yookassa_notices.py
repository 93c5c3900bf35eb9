"""What YooKassa tells of its own accord, and where from."""

import json
from ipaddress import ip_network
from typing import Any

import pytest

from holdfast.kernel.addresses import client_of
from holdfast.payments.errors import UnreadableNotice
from holdfast.payments.port import Notice
from holdfast.payments.yookassa_notices import NETWORKS, is_from_yookassa, read_notice
from payments.yookassa.adapter import ROUBLES, opened, refund_of, wish_of
from payments.yookassa.fake import FakeYooKassa

ID = "2d9b1c5e-000f-5000-8000-1b2f3c4d5e6f"


async def test_each_notification_names_its_object(yookassa: FakeYooKassa) -> None:
    """Of each event it is known what it is about, and the same fact has the same id each time (P-7, payments 3)."""
    async with opened(yookassa) as adapter:
        paid = await adapter.create(wish_of())
        yookassa.pay(paid.id)
        await adapter.capture(paid.id, "capture-1", ROUBLES)
        refund = await adapter.refund(refund_of(paid.id, 1))
        ended = await adapter.create(wish_of())
        yookassa.cancel(ended.id)
    read = [read_notice(told.body) for told in yookassa.webhooks.told()]
    assert read == [
        Notice(f"payment.waiting_for_capture:{paid.id}", "payment.waiting_for_capture", paid.id),
        Notice(f"payment.succeeded:{paid.id}", "payment.succeeded", paid.id),
        Notice(f"refund.succeeded:{refund.id}", "refund.succeeded", refund.id, True, paid.id),
        Notice(f"payment.canceled:{ended.id}", "payment.canceled", ended.id),
    ]


def test_an_event_of_something_else_is_readable() -> None:
    """An event that is of no use to us is not refused: it would be told again for a day (P-7)."""
    told = _told(event="payout.succeeded", object={"id": "po-285ec15d-0003-5000-a000-08d1bec7dade", "payment_id": ID})
    assert read_notice(told) == Notice(
        "payout.succeeded:po-285ec15d-0003-5000-a000-08d1bec7dade",
        "payout.succeeded",
        "po-285ec15d-0003-5000-a000-08d1bec7dade",
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        json.dumps({"event": "payment.succeeded", "object": {"id": ID}}).encode(),
        json.dumps({"type": "notification", "object": {"id": ID}}).encode(),
        json.dumps({"type": "notification", "event": "payment.succeeded"}).encode(),
    ],
)
def test_what_is_no_notification_is_refused(body: bytes) -> None:
    """A body in other words than YooKassa's is refused, whatever it is (payments 2)."""
    with pytest.raises(UnreadableNotice):
        read_notice(body)


@pytest.mark.parametrize(
    "changed",
    [
        {"type": "event"},
        {"event": "payment"},
        {"event": "payment.succeeded\n"},
        {"event": "\npayment.succeeded"},
        {"event": "payment." + "x" * 41},
        {"event": 1},
        {"object": ID},
        {"object": {}},
        {"object": {"id": ""}},
        {"object": {"id": "../me"}},
        {"object": {"id": "x" * 65}},
        {"object": {"id": 7}},
        {"object": {"id": ID, "payment_id": "../me"}},
    ],
)
def test_an_id_that_is_none_is_refused(changed: dict[str, Any]) -> None:
    """A notification cannot make us ask another address, nor write down more than an id and a type (payments 2)."""
    with pytest.raises(UnreadableNotice):
        read_notice(_told(**changed))
    read_notice(_told())


@pytest.mark.parametrize(
    ("address", "theirs"),
    [
        ("185.71.76.0", True),
        ("185.71.76.31", True),
        ("185.71.76.32", False),
        ("185.71.77.1", True),
        ("77.75.153.127", True),
        ("77.75.153.128", False),
        ("77.75.154.127", False),
        ("77.75.154.128", True),
        ("77.75.156.11", True),
        ("77.75.156.12", False),
        ("77.75.156.35", True),
        ("2a02:5180::1", True),
        ("2a02:5180:0:1509:185:71:76:10", True),
        ("2a02:5181::1", False),
        ("::ffff:185.71.76.10", True),
        ("127.0.0.1", False),
        ("unknown", False),
        ("", False),
        ("0.0.0.0/0", False),
        ("2a02:5180:1:2::/64", True),
        ("2a00::/11", False),
        ("2a02:5180::/x", False),
        (None, False),
    ],
)
def test_where_yookassa_tells_from(address: str | None, theirs: bool) -> None:
    """Addresses in the published ranges are YooKassa's, and no others (payments 2)."""
    assert is_from_yookassa(address) is theirs


def test_an_address_is_recognized_as_it_is_found_behind_a_proxy() -> None:
    """What is found out about a client, with or without a proxy, is what the ranges are compared with (payments 2)."""
    proxies = (ip_network("10.0.0.0/8"),)
    for told in ("185.71.76.10", "2a02:5180:0:1509::10"):
        assert is_from_yookassa(client_of("10.0.0.1", [told], proxies))
        # Who is no proxy of ours may say what he likes.
        assert not is_from_yookassa(client_of("198.51.100.7", [told], proxies))


def test_other_ranges_may_be_set() -> None:
    """With ranges of one's own the published ones do not count (payments 2)."""
    own = (ip_network("198.51.100.0/24"),)
    assert is_from_yookassa("198.51.100.7", own)
    assert not is_from_yookassa("185.71.76.10", own)
    assert not is_from_yookassa("185.71.76.10", ())
    assert len(NETWORKS) == 7


def _told(**changed: Any) -> bytes:
    told = {"type": "notification", "event": "payment.succeeded", "object": {"id": ID, "status": "succeeded"}}
    return json.dumps(told | changed).encode()
