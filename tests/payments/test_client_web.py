"""The payment of an appointment over HTTP, from the commit to the money that goes back, as its client meets it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx
import pytest_asyncio

from booking.opened import START
from booking.served import problem, token_of
from booking.tenants import application
from conftest import MASTER_KEY
from holdfast.booking.admission import instant
from holdfast.payments.settings import PaymentSettings
from payments.paying import PRICE_MINOR, Paying, paying_at_yookassa
from payments.yookassa.fake import FakeYooKassa

Json = dict[str, Any]

GUEST = {"guestEmail": "payer@example.org", "guestName": "Hibiscus"}


@dataclass
class Client:
    """A client of a practice that takes payments."""

    till: Paying
    http: httpx.AsyncClient

    async def commit(self) -> Json:
        """Reserve and commit the talk; return the answer."""
        times = {"slotStart": instant(START).isoformat(), "slotEnd": instant(START + 3_600).isoformat()}
        place = {"serviceId": str(self.till.practice.services["talk"]), **times}
        held = await self.http.post("/api/booking/reserve", json=place)
        body = GUEST | {"reservationId": held.json()["reservationId"]}
        answer = await self.http.post("/api/booking/commit", json=body)
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    async def look(self, made: Json) -> Json:
        """Return how booking and payment stand."""
        answer = await self.http.get(path(made), headers=token_of(made))
        assert answer.status_code == 200, answer.text
        shown: Json = answer.json()
        return shown

    async def later(self, made: Json) -> Json:
        """Return how booking and payment stand some seconds later."""
        self.till.age("payments", UUID(made["payment"]["id"]), changed_at="3 seconds")
        return await self.look(made)

    def pay(self) -> None:
        """Pay what is open at the provider."""
        self.till.fake.pay(self.till.fake.payments()[-1]["id"])


def path(made: Json) -> str:
    """Return the path of the payment of an appointment."""
    return f"/api/booking/appointments/{made['appointmentId']}/payment"


@pytest_asyncio.fixture
async def client(app_uri: str, admin_uri: str, yookassa: FakeYooKassa) -> AsyncIterator[Client]:
    """A client of a practice that takes payments at YooKassa, behind the application."""
    settings = PaymentSettings(yookassa_api_url=yookassa.url)
    async with (
        paying_at_yookassa(app_uri, admin_uri, yookassa) as till,
        application(app_uri, admin_uri, MASTER_KEY, payments=settings) as http,
    ):
        yield Client(till, http)


async def test_a_client_pays_and_sees_it_confirmed(client: Client) -> None:
    """From the commit to the confirmation the client asks one address, and each answer says how booking and payment stand (B-11, P-1)."""
    made = await client.commit()
    assert made["status"] == "pending_payment"
    assert made["payment"]["confirmationUrl"].startswith("https://yoomoney.test/")
    assert client.till.fake.payments()[0]["amount"] == {"value": "5000.00", "currency": "RUB"}
    shown = await client.look(made)
    assert (shown["status"], shown["payment"]["status"]) == ("pending_payment", "pending")
    client.pay()
    shown = await client.later(made)
    assert (shown["status"], shown["payment"]["status"]) == ("confirmed", "succeeded")
    assert shown["payment"]["confirmationUrl"] is None


async def test_coming_back_says_nothing_about_the_money(client: Client) -> None:
    """Whoever comes back without having paid is told that it is not paid yet, however often (payments 16)."""
    made = await client.commit()
    for _ in range(3):
        assert (await client.later(made))["status"] == "pending_payment"
    assert client.till.events(UUID(made["appointmentId"])) == ["AppointmentAwaitingPayment"]


async def test_the_provider_is_asked_once_in_two_seconds(client: Client) -> None:
    """A page that asks all the time does not ask the provider all the time (P-4)."""
    made = await client.commit()
    await client.later(made)
    before = len(client.till.fake.calls)
    for _ in range(10):
        await client.look(made)
    assert len(client.till.fake.calls) == before


async def test_another_attempt_follows_one_that_has_failed(client: Client) -> None:
    """Reading begins nothing; a post begins another attempt when the last one is over, and only then (P-1)."""
    made = await client.commit()
    client.till.fake.cancel(client.till.fake.payments()[0]["id"])
    assert (await client.later(made))["payment"]["status"] == "cancelled"
    assert len(client.till.fake.payments()) == 1
    for _ in range(2):
        answer = await client.http.post(path(made), headers=token_of(made))
        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["status"], shown["payment"]["status"]) == ("pending_payment", "pending")
        assert shown["payment"]["confirmationUrl"].endswith(client.till.fake.payments()[-1]["id"])
    assert len(client.till.fake.payments()) == 2


async def test_a_client_whose_place_is_gone_is_told_what_goes_back(client: Client) -> None:
    """Paid when the place was gone: the client sees that the booking has expired and that all goes back (P-3, payments 9)."""
    made = await client.commit()
    booking_id = UUID(made["appointmentId"])
    await client.till.run_out(booking_id)
    assert (await client.look(made))["status"] == "expired"
    await client.till.practice.commit((await client.till.practice.reserve("talk")).made().id)
    remote_id = client.till.fake.payments()[0]["id"]
    client.till.fake.pay(remote_id)
    client.till.fake.take(remote_id)
    shown = await client.later(made)
    assert (shown["status"], shown["payment"]["refundingMinor"]) == ("expired", PRICE_MINOR)
    await client.till.work()
    shown = await client.look(made)
    assert (shown["payment"]["refundedMinor"], shown["payment"]["refundingMinor"]) == (PRICE_MINOR, 0)
    problem(await client.http.post(path(made), headers=token_of(made)), 409, "not_changeable")


async def test_a_payment_is_shown_to_its_client_only(client: Client) -> None:
    """Without the booking's token nobody reads or begins a payment, and of no booking there is none (B-11)."""
    made = await client.commit()
    for call in (client.http.get, client.http.post):
        problem(await call(path(made)), 401, "authentication_required")
        problem(await call(path(made), headers={"Booking-Token": "another"}), 401, "authentication_required")
        nowhere = path(made | {"appointmentId": UUID(int=7)})
        problem(await call(nowhere, headers=token_of(made)), 404, "appointment_not_found")


async def test_what_need_not_be_paid_has_no_payment(client: Client) -> None:
    """An appointment that is free has no payment to read, and none to begin (B-11)."""
    held = (await client.till.practice.reserve("walk")).made().id
    answer = await client.http.post("/api/booking/commit", json=GUEST | {"reservationId": str(held)})
    made = answer.json()
    assert await client.look(made) == {"status": "confirmed", "payment": None}
    problem(await client.http.post(path(made), headers=token_of(made)), 409, "not_changeable")
