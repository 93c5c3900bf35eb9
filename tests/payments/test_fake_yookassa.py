"""The fake YooKassa keeps to what YooKassa promises, and breaks it only when it is asked to."""

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from calendars.http_servers import Reply, Server
from payments.yookassa.fake import FakeYooKassa, fake_yookassa
from payments.yookassa.webhooks import forged

WISH = {
    "amount": {"value": "3500.00", "currency": "RUB"},
    "confirmation": {"type": "redirect", "return_url": "https://practice.test/paid"},
}


@pytest.fixture
def http(yookassa: FakeYooKassa) -> Iterator[httpx.Client]:
    """A client that is the shop."""
    with httpx.Client(base_url=yookassa.url, auth=(yookassa.shop_id, yookassa.secret)) as client:
        yield client


@pytest.mark.parametrize(
    ("changed", "parameter"),
    [
        ({"amount": {"value": 3500.00, "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": 3500, "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "3500", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "3500.0", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "0.00", "currency": "RUB"}}, "amount.value"),
        ({"amount": None}, "amount"),
        ({"confirmation": {"type": "embedded"}}, "confirmation"),
        ({"confirmation": {"type": "redirect"}}, "confirmation.return_url"),
        ({"capture": "no"}, "capture"),
        ({"description": "x" * 129}, "description"),
        ({"metadata": {"number": 7}}, "metadata"),
        ({"metadata": {str(number): "" for number in range(17)}}, "metadata"),
        ({"payment_method_data": {"type": "bank_card", "card": {"number": "5555555555554477"}}}, "payment_method_data"),
        ({"invented": True}, "invented"),
    ],
)
def test_a_wrong_request_is_refused(
    yookassa: FakeYooKassa, http: httpx.Client, changed: dict[str, Any], parameter: str
) -> None:
    """A member that is not as published is refused by its name, amounts as numbers and cards before all (P-8)."""
    answer = http.post("/payments", json=WISH | changed, headers={"Idempotence-Key": "create-1"})
    assert answer.status_code == 400
    told = answer.json()
    assert (told["type"], told["code"], told["parameter"]) == ("error", "invalid_request", parameter)
    assert yookassa.payments() == []


def test_a_request_without_a_key_is_refused(yookassa: FakeYooKassa, http: httpx.Client) -> None:
    """What changes something needs a key of 1 to 64 characters, and a body of JSON (payments 7)."""
    for headers in ({}, {"Idempotence-Key": ""}, {"Idempotence-Key": "k" * 65}):
        answer = http.post("/payments", json=WISH, headers=headers)
        assert (answer.status_code, answer.json()["parameter"]) == (400, "Idempotence-Key")
    form = http.post("/payments", data={"amount": "1"}, headers={"Idempotence-Key": "create-1"})
    assert form.status_code == 415
    assert yookassa.payments() == []
    assert http.delete("/payments/1").status_code == 405


def test_nobody_else_is_served(yookassa: FakeYooKassa) -> None:
    """Without the secret of the shop nothing is told (payments 2)."""
    for auth in (None, (yookassa.shop_id, "test_another"), ("100500", yookassa.secret)):
        answer = httpx.get(f"{yookassa.url}/me", auth=auth)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_credentials")


def test_many_with_one_key_are_one(yookassa: FakeYooKassa, http: httpx.Client) -> None:
    """A key that comes 20 times at once makes one payment (payments 7)."""

    def ask(_: int) -> str:
        payment_id: str = http.post("/payments", json=WISH, headers={"Idempotence-Key": "create-1"}).json()["id"]
        return payment_id

    with ThreadPoolExecutor(20) as pool:
        found = set(pool.map(ask, range(20)))
    assert found == {each["id"] for each in yookassa.payments()}
    assert len(found) == 1


def test_a_payment_of_one_step_is_taken_at_once(yookassa: FakeYooKassa, http: httpx.Client) -> None:
    """Without a second step the client's money is taken when he pays."""
    made = http.post("/payments", json=WISH | {"capture": True}, headers={"Idempotence-Key": "create-1"}).json()
    yookassa.pay(made["id"])
    assert yookassa.payment(made["id"])["status"] == "succeeded"
    assert [told.event for told in yookassa.webhooks.told()] == ["payment.succeeded"]


def test_notifications_come_as_often_and_in_such_order_as_a_test_wants(
    yookassa: FakeYooKassa, http: httpx.Client
) -> None:
    """They go over HTTP, from a published address, and are due until the answer is exactly 200 (payments 2)."""
    made = http.post("/payments", json=WISH, headers={"Idempotence-Key": "create-1"}).json()
    yookassa.pay(made["id"])
    yookassa.take(made["id"])
    waiting, succeeded = yookassa.webhooks.told()
    status = 202
    with Server(lambda _: Reply(status)).running() as server:
        yookassa.webhooks.url = f"{server.address}/api/webhooks/yookassa/practice"
        assert yookassa.webhooks.deliver(succeeded, succeeded, waiting) == [202, 202, 202]
        assert yookassa.webhooks.due() == [waiting, succeeded]
        status = 200
        assert yookassa.webhooks.deliver(succeeded) == [200]
        assert yookassa.webhooks.due() == [waiting]
    heard = [json.loads(each.body)["event"] for each in server.asked]
    assert heard == ["payment.succeeded", "payment.succeeded", "payment.waiting_for_capture", "payment.succeeded"]
    first = server.asked[0]
    assert (first.method, first.path) == ("POST", "/api/webhooks/yookassa/practice")
    assert first.headers["x-forwarded-for"] == "185.71.76.10"
    # Each tells how the object was, not how it is.
    assert json.loads(waiting.body)["object"]["status"] == "waiting_for_capture"


def test_a_lie_looks_like_the_truth(yookassa: FakeYooKassa, http: httpx.Client) -> None:
    """A forged notification differs from a true one in nothing but that it is not so (payments 2)."""
    made = http.post("/payments", json=WISH, headers={"Idempotence-Key": "create-1"}).json()
    lie = json.loads(forged("payment.succeeded", made, status="succeeded", paid=True))
    assert (lie["type"], lie["event"]) == ("notification", "payment.succeeded")
    assert lie["object"] == made | {"status": "succeeded", "paid": True}
    assert yookassa.payment(made["id"])["status"] == "pending"


async def test_what_is_held_goes_on_when_it_is_released(yookassa: FakeYooKassa, http: httpx.Client) -> None:
    """A call that is held before its effect has none yet; one that is held after it has it already (payments 5)."""
    for after in (False, True):
        before = len(yookassa.payments())
        gate = yookassa.faults.hold(only="payments.create", after=after)
        headers = {"Idempotence-Key": f"create-{after}"}
        asking = asyncio.create_task(asyncio.to_thread(http.post, "/payments", json=WISH, headers=headers))
        assert await asyncio.to_thread(gate.arrived.wait, 20)
        assert len(yookassa.payments()) == before + after
        gate.released.set()
        assert (await asking).status_code == 200


def test_a_fault_strikes_the_calls_that_it_is_for(yookassa: FakeYooKassa, http: httpx.Client) -> None:
    """A failure waits for the calls it was meant for, as many as were asked for."""
    made = http.post("/payments", json=WISH, headers={"Idempotence-Key": "create-1"}).json()
    yookassa.faults.fail(500, only="payments.capture", times=2, after=True)
    yookassa.pay(made["id"])
    assert http.get(f"/payments/{made['id']}").status_code == 200
    capture = [
        http.post(f"/payments/{made['id']}/capture", json={}, headers={"Idempotence-Key": "capture-1"})
        for _ in range(3)
    ]
    assert [each.status_code for each in capture] == [500, 500, 200]
    assert capture[2].json()["status"] == "succeeded"
    yookassa.faults.cut(only="me")
    with pytest.raises(httpx.RemoteProtocolError):
        http.get("/me")


def test_what_was_not_asked_for_can_happen(yookassa: FakeYooKassa, http: httpx.Client) -> None:
    """Money is taken in the shop's own pages, and a payment is other than it was asked for (payments 11)."""
    made = http.post("/payments", json=WISH, headers={"Idempotence-Key": "create-1"}).json()
    yookassa.pay(made["id"])
    yookassa.alter(made["id"], amount={"value": "1.00", "currency": "RUB"}, test=False)
    yookassa.take(made["id"])
    told = http.get(f"/payments/{made['id']}").json()
    assert (told["status"], told["amount"]["value"], told["test"]) == ("succeeded", "1.00", False)


def test_what_the_fake_does_not_understand_fails_the_test() -> None:
    """A request that is no request of YooKassa's is not passed over."""

    def ask() -> None:
        with fake_yookassa() as yookassa:
            headers = {"Idempotence-Key": "create-1", "Content-Type": "application/json"}
            auth = (yookassa.shop_id, yookassa.secret)
            httpx.post(f"{yookassa.url}/payments", content=b"{", headers=headers, auth=auth)

    with pytest.raises(AssertionError, match="JSONDecodeError"):
        ask()
