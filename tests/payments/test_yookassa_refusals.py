"""What our adapter makes of a YooKassa that says no, breaks off, contradicts itself, or is somebody else."""

import asyncio
import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from calendars.http_servers import Reply, Server
from holdfast.payments.port import Busy, NoSuchObject, ProviderError, Refused, Unauthorized, Unknown
from holdfast.payments.states import PaymentState
from holdfast.payments.yookassa import YooKassa
from payments.faults import Cut
from payments.yookassa.adapter import ROUBLES, opened, refund_of, wish_of
from payments.yookassa.errors import YooKassaError
from payments.yookassa.fake import FakeYooKassa

ID = "2d9b1c5e-000f-5000-8000-1b2f3c4d5e6f"
SINCE = datetime(2027, 3, 1, tzinfo=UTC)
PAYMENT = {
    "id": ID,
    "status": "succeeded",
    "paid": True,
    "amount": {"value": "3500.00", "currency": "RUB"},
    "created_at": "2027-03-01T10:00:00.000Z",
    "test": False,
}


@pytest.mark.parametrize(
    "error", [YooKassaError(500), YooKassaError(503), YooKassaError(202, retry_after_seconds=3), Cut()]
)
@pytest.mark.parametrize("after", [False, True])
async def test_what_is_not_answered_may_have_been_done(yookassa: FakeYooKassa, error: Exception, after: bool) -> None:
    """After a failure, a cut or an unfinished answer the outcome is unknown, and the same key brings one (payments 8)."""

    async def asked_twice(asking: Callable[[], Any]) -> Any:
        yookassa.faults.fail(error, after=after)
        with pytest.raises(Unknown) as unknown:
            await asking()
        assert not isinstance(unknown.value, Busy)
        return await asking()

    async with opened(yookassa) as adapter:
        wish = wish_of()
        made = await asked_twice(lambda: adapter.create(wish))
        yookassa.pay(made.id)
        await asked_twice(lambda: adapter.capture(made.id, "capture-1", ROUBLES))
        refund = refund_of(made.id)
        await asked_twice(lambda: adapter.refund(refund))
        assert [each["status"] for each in yookassa.payments()] == ["succeeded"]
        assert len(yookassa.refunds()) == 1


async def test_an_unfinished_answer_says_when_to_ask_again(yookassa: FakeYooKassa) -> None:
    """The patience that a 202 asks for, in milliseconds, is told in seconds (payments 8)."""
    async with opened(yookassa) as adapter:
        yookassa.faults.fail(YooKassaError(202, retry_after_seconds=3))
        with pytest.raises(Unknown) as unknown:
            await adapter.create(wish_of())
        assert unknown.value.retry_after == 3


async def test_a_provider_that_hangs_is_left(yookassa: FakeYooKassa, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that does not come in time is unknown, and what was done in the meantime is found again (payments 8)."""
    monkeypatch.setattr("holdfast.payments.yookassa_api._EXCHANGE_SECONDS", 0.5)
    async with opened(yookassa) as adapter:
        wish = wish_of()
        gate = yookassa.faults.hold(only="payments.create", after=True)
        with pytest.raises(Unknown, match=r"^TimeoutError$"):
            await adapter.create(wish)
        gate.released.set()
        assert (await adapter.create(wish)).id == yookassa.payments()[0]["id"]


async def test_a_call_that_is_given_up_is_done_all_the_same(yookassa: FakeYooKassa) -> None:
    """Whoever does not wait for the answer finds one payment under the key later (payments 8)."""
    async with opened(yookassa) as adapter:
        wish = wish_of()
        gate = yookassa.faults.hold(only="payments.create")
        asking = asyncio.create_task(adapter.create(wish))
        assert await asyncio.to_thread(gate.arrived.wait, 20)
        asking.cancel()
        with suppress(asyncio.CancelledError):
            await asking
        gate.released.set()
        payment = await adapter.create(wish)
        assert [each["id"] for each in yookassa.payments()] == [payment.id]


async def test_nobody_is_there() -> None:
    """A provider that cannot be reached is unknown, which is a reason to ask again (payments 19)."""
    with Server(lambda _: Reply()).running() as server:
        address = server.address
    with pytest.raises(Unknown):
        await _asked(address, lambda adapter: adapter.read(ID))


async def test_a_wrong_secret_is_for_the_owner_to_mend(yookassa: FakeYooKassa) -> None:
    """A secret that is not accepted is told as such, and is in the text of no error (payments 20)."""
    async with opened(yookassa, "test_another_secret_of_the_shop") as adapter:
        for call in (adapter.facts(), adapter.create(wish_of()), adapter.read(ID)):
            with pytest.raises(Unauthorized) as refused:
                await call
            assert "secret" not in f"{refused.value!r} {adapter!r}"
    yookassa.faults.fail(YooKassaError(403, "Not allowed"))
    async with opened(yookassa) as adapter:
        with pytest.raises(Unauthorized):
            await adapter.facts()


async def test_a_refusal_names_the_member_and_quotes_nothing(yookassa: FakeYooKassa) -> None:
    """The word for a refusal says what is wrong, without anything of what was sent or answered (payments 20)."""
    async with opened(yookassa) as adapter:
        told = YooKassaError(400, "Receipt of guest@example.org is missing", "receipt.customer.email")
        yookassa.faults.fail(told)
        with pytest.raises(Refused) as refused:
            await adapter.create(wish_of())
        assert refused.value.reason == "invalid_request_receipt_customer_email"
        assert "guest" not in repr(refused.value)
        assert refused.value.__cause__ is None


@pytest.mark.parametrize("parameter", [None, "", "a" * 100, "сумма", "_a_", "amount[0].value", "amount\nvalue"])
async def test_a_reason_is_a_word(yookassa: FakeYooKassa, parameter: str | None) -> None:
    """Whatever they call it, the reason of a refusal is a word that the book of payments takes (P-8)."""
    async with opened(yookassa) as adapter:
        yookassa.faults.fail(YooKassaError(400, "Wrong", parameter))
        with pytest.raises(Refused) as refused:
            await adapter.create(wish_of())
        assert re.fullmatch("[a-z][a-z0-9_]{0,63}", refused.value.reason)
        assert refused.value.reason.startswith("invalid_request")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(404, {"content-type": "text/html"}, b"<html>not found</html>"),
        Reply(404, {}, json.dumps({"error": "no such route"}).encode()),
        Reply(400, {}, b""),
        Reply(409, {}, json.dumps({"type": "error", "code": "conflict"}).encode()),
        Reply(302, {"location": "/elsewhere"}, b""),
        Reply(204),
        Reply(201, {}, json.dumps(PAYMENT).encode()),
        Reply(200, {}, b"<html>welcome</html>"),
        Reply(200, {}, b"{"),
        Reply(200, {}, b"\xff\xfe"),
        Reply(200, {}, json.dumps([PAYMENT]).encode()),
    ],
)
async def test_what_somebody_else_answers_is_not_believed(reply: Reply) -> None:
    """A page of something in between is no answer: least of all that there is no such payment (payments 8)."""
    with Server(lambda _: reply).running() as server:
        for asking in (lambda adapter: adapter.read(ID), lambda adapter: adapter.create(wish_of())):
            with pytest.raises(Unknown):
                await _asked(server.address, asking)
        # It is not followed to where it sends us.
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"status": "refunded"},
        {"status": None},
        {"id": "../me"},
        {"paid": False},
        {"paid": "true"},
        {"amount": {"value": 3500.00, "currency": "RUB"}},
        {"amount": {"value": 3500, "currency": "RUB"}},
        {"amount": {"value": "3500.001", "currency": "RUB"}},
        {"amount": {"value": "3,500.00", "currency": "RUB"}},
        {"amount": {"value": "-1.00", "currency": "RUB"}},
        {"amount": {"value": "1e3", "currency": "RUB"}},
        {"amount": {"value": "3500.00", "currency": "rub"}},
        {"amount": {"currency": "RUB"}},
        {"refunded_amount": {"value": "1.00", "currency": "USD"}},
        {"created_at": "2027-03-01T10:00:00"},
        {"test": 1},
    ],
)
async def test_a_payment_that_cannot_be_understood_is_unknown(changed: dict[str, Any]) -> None:
    """What is not in the published shape, or contradicts itself, pays nothing (payments 11)."""
    with Server(lambda _: _json(PAYMENT | changed)).running() as server:
        with pytest.raises(Unknown):
            await _asked(server.address, lambda adapter: adapter.read(ID))
        # As it was published it would have been read.
        server.answering = lambda _: _json(PAYMENT)
        assert (await _asked(server.address, lambda adapter: adapter.read(ID))).state is PaymentState.SUCCEEDED


async def test_no_more_is_read_than_is_needed() -> None:
    """An answer of more than 1 MB is not read to its end (payments 8)."""
    pieces = 0

    def endless() -> Any:
        nonlocal pieces
        while pieces < 1_000:
            pieces += 1
            yield b" " * 65_536

    serving = Server(lambda _: Reply(200, {}, endless())).running()
    with serving as server, pytest.raises(Unknown, match="more than 1 MB"):
        await _asked(server.address, lambda adapter: adapter.read(ID))
    assert pieces < 1_000


async def test_a_list_that_does_not_end_is_unknown() -> None:
    """Half of a list is no answer: whoever finds nothing in it would pay again (payments 7)."""
    with Server(lambda _: _json({"type": "list", "items": [], "next_cursor": "again"})).running() as server:
        for asking in (lambda adapter: adapter.find(wish_of(), SINCE), lambda adapter: adapter.refunds_of(ID)):
            with pytest.raises(Unknown, match="does not end"):
                await _asked(server.address, asking)
        # The second page begins where the first one began.
        assert len(server.asked) == 4


async def test_a_list_is_read_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list that goes on and on is given up, not taken for one without our payment (payments 7)."""
    monkeypatch.setattr("holdfast.payments.yookassa._MOST_PAGES", 3)

    cursors = map(str, range(100))
    with Server(lambda _: _json({"type": "list", "items": [], "next_cursor": next(cursors)})).running() as server:
        with pytest.raises(Unknown, match="does not end"):
            await _asked(server.address, lambda adapter: adapter.find(wish_of(), SINCE))
        assert len(server.asked) == 3


async def test_what_others_have_made_does_not_stop_a_list() -> None:
    """An object of somebody else that cannot be read is passed over; one with our names is not (payments 6)."""
    wish = wish_of()
    ours = PAYMENT | {
        "metadata": {name: str(getattr(wish.names, name)) for name in ("business_id", "booking_id", "payment_id")}
    }
    strange = PAYMENT | {"status": "frozen", "metadata": {"order": 7}}
    with Server(lambda _: _json({"type": "list", "items": [strange, PAYMENT, ours]})).running() as server:
        found = await _asked(server.address, lambda adapter: adapter.find(wish, SINCE))
        assert found.names == wish.names
        server.answering = lambda _: _json({"type": "list", "items": [ours | {"status": "frozen"}]})
        with pytest.raises(Unknown):
            await _asked(server.address, lambda adapter: adapter.find(wish, SINCE))


async def test_names_of_somebody_else_are_none() -> None:
    """Metadata that is not ours names nothing, whatever it is (payments 11)."""
    for metadata in (None, {}, {"payment_id": "1"}, {"payment_id": 1}, [], "text", {"cms_name": "a shop"}):
        with Server(lambda _, metadata=metadata: _json(PAYMENT | {"metadata": metadata})).running() as server:
            payment = await _asked(server.address, lambda adapter: adapter.read(ID))
            assert payment.names is None


async def test_a_client_is_sent_to_pages_only() -> None:
    """An address that is no page of the web is not shown to a client (P-3)."""
    for url, shown in (("https://yoomoney.test/pay", True), ("javascript:alert(1)", False), ("//pay.test", False)):
        told = PAYMENT | {"status": "pending", "confirmation": {"type": "redirect", "confirmation_url": url}}
        with Server(lambda _, told=told: _json(told)).running() as server:
            payment = await _asked(server.address, lambda adapter: adapter.read(ID))
            assert payment.confirmation_url == (url if shown else None)


async def test_nothing_of_a_card_comes_to_us(yookassa: FakeYooKassa) -> None:
    """What the provider tells of a card, and where the client pays, is in no object, its text or a log (payments 20)."""
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of())
        assert made.confirmation_url is not None
        assert made.confirmation_url not in repr(made)
        yookassa.pay(made.id)
        told = yookassa.payment(made.id)["payment_method"]["card"]
        read = await adapter.read(made.id)
        listed = [each async for each in adapter.payments_since(SINCE.replace(year=2020))]
        values = {str(value) for value in told.values()}
        for payment in (read, *listed):
            for name in payment.__dataclass_fields__:
                assert str(getattr(payment, name)) not in values
            assert not [value for value in values - {"RU", "07"} if value in repr(payment)]
    sent = b"".join(call.body for call in yookassa.calls)
    assert b"card" not in sent
    assert b"payment_method" not in sent


async def test_no_log_tells_of_an_exchange(yookassa: FakeYooKassa, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the secret, nor what is sent or answered, is in a log at any level (payments 20)."""
    caplog.set_level("DEBUG")
    async with opened(yookassa) as adapter:
        made = await adapter.create(wish_of(description="Quillwort practice"))
        yookassa.faults.fail(500)
        with pytest.raises(ProviderError):
            await adapter.read(made.id)
        yookassa.faults.fail(YooKassaError(404, "Not found"))
        with pytest.raises(NoSuchObject):
            await adapter.read(made.id)
    basic = next(call.headers["authorization"] for call in yookassa.calls).partition(" ")[2]
    for private in (yookassa.secret, basic, "Quillwort", made.confirmation_url or "-", "3500.00"):
        assert private not in caplog.text


async def test_it_proves_itself_to_the_provider_and_says_what_it_reads(yookassa: FakeYooKassa) -> None:
    """Each call carries the shop and its secret, and asks for an answer that is not packed (payments 2)."""
    async with opened(yookassa) as adapter:
        await adapter.create(wish_of())
        await adapter.facts()
    for call in yookassa.calls:
        assert call.headers["authorization"].startswith("Basic ")
        assert call.headers["accept-encoding"] == "identity"


async def _asked(address: str, asking: Callable[[YooKassa], Any]) -> Any:
    """Return what an adapter for the server at an address answers."""
    adapter = YooKassa(address, "100500", "test_secret")
    try:
        return await asking(adapter)
    finally:
        await adapter.close()


def _json(body: Any) -> Reply:
    return Reply(200, {"content-type": "application/json"}, json.dumps(body).encode())
