"""Paying in advance, as a business, its client and a provider have it: processes, HTTP, files and commands."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from holdfast.business_files.demo import demo_text
from journeys.instance import Instance, copy_of, eventually, holdfast, serving
from leaks.capture import RUN
from payments.yookassa.fake import FakeYooKassa, fake_yookassa

ACCOUNTS = "/api/admin/integrations/payments"
SLUG = "individual-session"
GUEST = {"guestEmail": "payer-of-the-journey@example.org", "guestName": "Larkspur"}
TERMS = 'payment = "prepay"\nrefunds = [{ hours_before = 720, percent = 100 }, { hours_before = 1, percent = 50 }]'
Json = dict[str, Any]


@dataclass
class Place:
    """A server whose owner wants to be paid in advance, and a YooKassa."""

    instance: Instance
    yookassa: FakeYooKassa
    key: str

    def call(self, method: str, path: str, body: Json | None = None, **headers: str) -> Json:
        """Return the answer to a call that succeeds."""
        answer = httpx.request(method, self.instance.url + path, json=body, headers=headers, timeout=30)
        assert answer.is_success, answer.text
        shown: Json = answer.json()
        return shown

    def owner(self, method: str, path: str, body: Json | None = None) -> Json:
        """Return the answer to a call of the owner."""
        return self.call(method, path, body, Authorization=f"Bearer {self.key}")

    def book(self) -> Json:
        """Reserve the first free time of the day after tomorrow, and commit it."""
        card = self.call("GET", "/api/public/businesses/emotional-balance")
        service = next(each for each in card["services"] if each["slug"] == SLUG)
        day = datetime.now(UTC).date() + timedelta(days=2)
        query = f"service_slug={SLUG}&from={day}&to={day + timedelta(days=1)}"
        [shown] = self.call("GET", f"/api/public/booking/slots?{query}")["days"]
        start, end = shown["slots"][0]["start"], shown["slots"][0]["end"]
        wish = {"serviceId": service["id"], "slotStart": start, "slotEnd": end}
        held = self.call("POST", "/api/booking/reserve", wish)
        return self.call("POST", "/api/booking/commit", GUEST | {"reservationId": held["reservationId"]})

    def state(self, made: Json) -> str:
        """Return the state of an appointment, asked of nobody but the database."""
        path = f"/api/booking/appointments/{made['appointmentId']}"
        return str(self.call("GET", path, **{"Booking-Token": made["cancellationToken"]})["status"])


@pytest.fixture(scope="module")
def place(served_before: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A server with its worker, to which the file of a business is imported that wants to be paid in advance."""
    data_dir = copy_of(served_before, tmp_path_factory.mktemp("paying") / "data")
    with fake_yookassa() as yookassa:
        RUN.guard_secret(yookassa.secret, "secret of a shop")
        settings = {
            "HOLDFAST_YOOKASSA_API_URL": yookassa.url,
            # As behind a proxy, which tells whom it has heard: one of YooKassa's published addresses.
            "HOLDFAST_TRUSTED_PROXIES": "127.0.0.1",
            "HOLDFAST_PUBLIC_URL": "https://booking.example",
            "HOLDFAST_STAGE": "stage",
        }
        with serving(data_dir, **settings) as instance:
            made = holdfast("key", "create", "--role", "owner", "--name", "Owner", "--data", data_dir)
            file = data_dir.parent / "business.toml"
            file.write_text(demo_text().replace('payment = "on_site"', TERMS, 1), encoding="utf-8")
            imported = holdfast("import", file, "--data", data_dir)
            assert imported.returncode == 0, imported.stderr
            yield Place(instance, yookassa, made.stdout.strip())


def doctor(place: Place) -> list[tuple[str, str]]:
    """Return what the doctor says of payments."""
    settings = {
        "HOLDFAST_YOOKASSA_API_URL": place.yookassa.url,
        "HOLDFAST_PUBLIC_URL": "https://booking.example",
        "HOLDFAST_STAGE": "stage",
    }
    told = holdfast("doctor", "--data", place.instance.data_dir, "--json", **settings)
    return [(each["level"], each["message"]) for each in json.loads(told.stdout) if each["check"] == "payments"]


def test_a_business_is_paid_in_advance_and_gives_back_by_its_terms(place: Place) -> None:
    """A file that says what is paid in advance, an account connected by its owner, a client who pays, a provider who tells of
    it: the worker confirms, a cancellation gives back what the file says, `verify` finds all money where it belongs, and
    the doctor is content (P-1, P-2, P-6, P-9, K-1, payments 18).
    """
    [(level, said)] = doctor(place)
    assert (level, "has no account for it" in said) == ("warning", True)
    shop = {"shopId": place.yookassa.shop_id, "secretKey": place.yookassa.secret}
    connected = place.owner("PUT", f"{ACCOUNTS}/yookassa", shop)
    assert (connected["state"], connected["isTest"]) == ("active", True)

    made = place.book()
    assert (made["status"], made["payment"]["amountMinor"]) == ("pending_payment", 350_000)
    [remote] = place.yookassa.payments()
    assert made["payment"]["confirmationUrl"] == remote["confirmation"]["confirmation_url"]
    assert remote["confirmation"]["return_url"].startswith("https://booking.example/emotional-balance/")
    assert not [text for text in GUEST.values() if text in json.dumps(remote)]

    # YooKassa tells of it where the owner was told to let it tell.
    place.yookassa.webhooks.url = connected["webhookUrl"].replace("https://booking.example", place.instance.url)
    place.yookassa.pay(remote["id"])
    assert place.yookassa.webhooks.deliver(*place.yookassa.webhooks.due()) == [200]
    eventually(lambda: place.state(made) == "confirmed", 60)
    cancelled = place.call(
        "POST",
        f"/api/booking/appointments/{made['appointmentId']}/cancel",
        {"cancellationToken": made["cancellationToken"]},
    )
    assert cancelled["refundMinor"] == 175_000
    eventually(lambda: place.yookassa.payments()[0].get("refunded_amount", {}).get("value") == "1750.00", 60)
    eventually(lambda: place.owner("GET", ACCOUNTS)["accounts"][0]["openPayments"] == 0)
    [account] = place.owner("GET", ACCOUNTS)["accounts"]
    assert (account["account"], account["state"], account["lastWebhookAt"] is None) == (
        place.yookassa.shop_id,
        "active",
        False,
    )

    verified = holdfast("verify", "--data", place.instance.data_dir)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert [level for level, _ in doctor(place)] == ["ok"]
    assert place.yookassa.secret not in place.instance.log


def test_what_was_imported_is_exported(place: Place) -> None:
    """The file that the business is exported to says what is paid in advance, and what goes back, as it was imported
    (K-2, P-6).
    """
    exported = holdfast("export", "--data", place.instance.data_dir)
    assert TERMS.splitlines()[0] in exported.stdout
    assert TERMS.splitlines()[1] in exported.stdout
