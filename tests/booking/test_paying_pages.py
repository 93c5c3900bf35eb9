"""The pages on which a client pays: where they lead, what they say in each state, and that opening them changes nothing."""

import html
from collections.abc import AsyncIterator
from typing import Any, NoReturn
from uuid import UUID

import httpx
import psycopg
import pytest
import pytest_asyncio

from booking.opened import START, Practice, close_books, open_practice, paid
from booking.tenants import application
from booking.tills import ScriptedTill
from conftest import MASTER_KEY
from holdfast.booking import bookings
from holdfast.booking.errors import PaymentsUnavailable
from holdfast.booking.unpaid import confirm_paid
from holdfast.catalog.refund_terms import Term
from holdfast.kernel.audit import CONSOLE
from holdfast.kernel.database import Transaction
from wording import say

DETAILS = {"name": "Laburnum", "email": "payer@example.org", "consent": "yes"}
TERMS = [Term(24, 100), Term(2, 50)]


class Visitor:
    """Somebody with a browser, who books a talk that is paid beforehand."""

    def __init__(self, practice: Practice, http: httpx.AsyncClient, till: ScriptedTill, slug: str) -> None:
        """Come to the pages of a business."""
        self.practice, self.http, self.till, self.slug = practice, http, till, slug

    async def hold(self, start: int = START, language: str = "en") -> UUID:
        """Choose a time; return the reservation."""
        chosen = {"service": "talk", "start": str(start)}
        answer = await self.http.post(f"/{self.slug}/booking/slot/hold?lang={language}", data=chosen)
        assert answer.status_code == 303, answer.text
        return UUID(answer.headers["location"].partition("?")[0].rpartition("/")[2])

    async def confirm(self, booking_id: UUID, language: str = "en") -> httpx.Response:
        """Give the details."""
        path = f"/{self.slug}/booking/slot/held/{booking_id}?lang={language}"
        return await self.http.post(path, data=DETAILS)

    async def committed(self) -> UUID:
        """Hold and confirm; return the booking, which waits for its payment."""
        booking_id = await self.hold()
        assert (await self.confirm(booking_id)).status_code == 303
        return booking_id

    async def back(self, booking_id: UUID, suffix: str = "?lang=en") -> httpx.Response:
        """Come back from the provider."""
        return await self.http.get(f"/{self.slug}/booking/slot/paid/{booking_id}{suffix}")

    async def again(self, booking_id: UUID) -> httpx.Response:
        """Ask to be led on to where it is paid."""
        return await self.http.post(f"/{self.slug}/booking/slot/paid/{booking_id}?lang=en")

    async def change(self, work: Any) -> None:
        """Do something to a booking in a transaction."""
        await self.practice.desk.database.run(self.practice.business_id, work)


def said(answer: httpx.Response) -> str:
    """Return what a page says."""
    return html.unescape(answer.text).replace("\u00a0", " ")


@pytest_asyncio.fixture
async def visitor(app_uri: str, admin_uri: str, sound: None) -> AsyncIterator[Visitor]:
    """Somebody at a business whose talk is paid beforehand."""
    async with open_practice(app_uri) as practice:
        await practice.add_resource("ana")
        more = {"payment_policy": "prepay", "price_minor": 500_050, "refund_terms": TERMS}
        await practice.add_service("talk", ["ana"], **more)
        await practice.open_account()
        till = ScriptedTill(practice.desk.database)
        with psycopg.connect(admin_uri) as admin:
            found = admin.execute("select slug from businesses where id = %s", [practice.business_id])
            [slug] = found.fetchone() or ()
        async with application(app_uri, admin_uri, MASTER_KEY, till=till) as http:
            yield Visitor(practice, http, till, slug)
        await practice.desk.database.run(practice.business_id, close_books)


async def test_the_form_leads_on_to_the_provider(visitor: Visitor) -> None:
    """After the details the client is led to the provider's page, which the policy of the form allows (U-1, P-1)."""
    offered = said(await visitor.http.get(f"/{visitor.slug}/booking/slot?lang=en"))
    assert "€5,000.50 · paid online when booking" in offered
    booking_id = await visitor.hold()
    form = await visitor.http.get(f"/{visitor.slug}/booking/slot/held/{booking_id}?lang=en")
    assert "The price is €5,000.50" in said(form)
    assert "24 hours or more before the start: 100% of the price goes back." in said(form)
    assert "Later than that nothing goes back." in said(form)
    assert "form-action 'self' https: http:" in form.headers["content-security-policy"]
    answer = await visitor.confirm(booking_id)
    assert (answer.status_code, answer.headers["location"]) == (303, "https://pay.example/1")
    again = await visitor.confirm(booking_id)
    assert (again.status_code, again.headers["location"]) == (303, "https://pay.example/1")
    assert len(visitor.till.payments) == 1


async def test_the_words_are_right_in_russian(visitor: Visitor) -> None:
    """Money, hours and minutes are said in Russian as Russian says them (U-4)."""
    booking_id = await visitor.hold(language="ru")
    form = said(await visitor.http.get(f"/{visitor.slug}/booking/slot/held/{booking_id}?lang=ru"))
    assert "5 000,50 €" in form
    assert "отводится 30 минут" in form
    assert "за 24 часа до начала" in form
    assert "за 2 часа до начала" in form
    assert "Перейти к оплате" in form
    await visitor.confirm(booking_id, "ru")
    # The provider leads back to one address; the language is that of the booking.
    page = await visitor.back(booking_id, "")
    assert 'lang="ru"' in page.text
    assert "Ждём вашу оплату" in said(page)


async def test_the_page_waits_and_then_confirms(visitor: Visitor) -> None:
    """Whoever comes back waits until the money is heard of, and then sees the booking with its code (U-1, U-2)."""
    booking_id = await visitor.committed()
    waiting = await visitor.back(booking_id)
    assert waiting.headers["refresh"] == "5"
    assert "Waiting for your payment" in said(waiting)
    assert "Pay €5,000.50" in said(waiting)

    async def pay(tx: Transaction) -> None:
        await paid(tx, booking_id)
        await confirm_paid(tx, booking_id)

    await visitor.change(pay)
    visitor.till.status = "succeeded"
    confirmed = await visitor.back(booking_id)
    assert "Your booking is confirmed" in said(confirmed)
    assert "Paid: €5,000.50" in said(confirmed)
    assert "refresh" not in confirmed.headers
    token = visitor.http.cookies["holdfast-booking"]
    assert token in confirmed.text
    assert f"/paid/{booking_id}?lang=ru" in confirmed.text
    # Whoever has only the address sees neither the code nor where to pay.
    visitor.http.cookies.clear()
    assert token not in (await visitor.back(booking_id)).text


async def test_whoever_has_only_the_address_pays_nothing(visitor: Visitor) -> None:
    """In another browser the page says how the booking stands, and neither shows nor begins a payment (P-1)."""
    booking_id = await visitor.committed()
    visitor.http.cookies.clear()
    opened = len(visitor.till.opened)
    page = await visitor.back(booking_id)
    assert "<form" not in page.text
    assert "go on in the browser" in said(page)
    led = await visitor.again(booking_id)
    assert led.headers["location"].startswith(f"/{visitor.slug}/booking/slot/paid/{booking_id}")
    visitor.till.secret = "pi_1_secret_2"  # noqa: S105  of the test
    assert (await visitor.back(booking_id, "/form?lang=en")).status_code == 303
    assert len(visitor.till.opened) == opened


async def test_a_provider_that_does_not_answer(visitor: Visitor) -> None:
    """The page says until when the place is kept, that nothing is charged twice, and lets the client try again (payments 19)."""
    visitor.till.address = None
    booking_id = await visitor.hold()
    answer = await visitor.confirm(booking_id)
    assert answer.headers["location"].startswith(f"/{visitor.slug}/booking/slot/paid/{booking_id}")
    page = said(await visitor.back(booking_id))
    assert "does not answer at the moment" in page
    assert "Your place is kept until" in page
    assert "never charged twice" in page
    visitor.till.address = "https://pay.example/late"
    assert (await visitor.again(booking_id)).headers["location"] == "https://pay.example/late"
    assert len(visitor.till.payments) == 1


async def test_payments_that_are_not_taken_any_more(visitor: Visitor) -> None:
    """Whose business takes no payments any more since the place was held, sees that the place is kept and how to go on,
    not that nothing was booked; opening and trying again changes nothing (P-1, payments 19).
    """

    async def away(*_: object, **__: object) -> NoReturn:
        raise PaymentsUnavailable

    visitor.till.open = away  # type: ignore[method-assign]
    booking_id = await visitor.hold()
    for answer in (await visitor.confirm(booking_id), await visitor.again(booking_id)):
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(f"/{visitor.slug}/booking/slot/paid/{booking_id}")
    page = said(await visitor.back(booking_id))
    assert "Nothing was charged" in page
    assert "Your place is kept until" in page
    del visitor.till.open
    assert (await visitor.again(booking_id)).headers["location"] == "https://pay.example/1"


async def test_a_payment_that_failed_may_be_tried_again(visitor: Visitor) -> None:
    """A payment that did not work says so, and offers another attempt while the place is kept (payments 19)."""
    booking_id = await visitor.committed()
    visitor.till.status = "cancelled"
    page = await visitor.back(booking_id)
    assert "The payment did not work" in said(page)
    assert "Try again" in said(page)
    assert "refresh" not in page.headers
    assert (await visitor.again(booking_id)).headers["location"] == "https://pay.example/1"


@pytest.mark.parametrize("refunding", [0, 500_050])
async def test_what_was_not_paid_in_time(visitor: Visitor, refunding: int) -> None:
    """Whoever comes too late is told that the booking has ended, and that their money is on its way back (payments 9, 14)."""
    booking_id = await visitor.committed()
    await visitor.practice.run_out(booking_id)
    await visitor.practice.desk.admission.sweep(visitor.practice.business_id)
    visitor.till.refunding_minor = refunding
    page = await visitor.back(booking_id)
    assert page.status_code == 410
    assert "was not paid in time" in said(page)
    assert ("€5,000.50 is on its way back to you" in said(page)) == bool(refunding)
    assert (await visitor.again(booking_id)).headers["location"].startswith(f"/{visitor.slug}/booking/slot/paid/")


async def test_money_that_is_being_taken_is_not_asked_for_again(visitor: Visitor) -> None:
    """Whoever has paid, and whose money is not taken yet, reads that it has arrived, and sees no button that pays (P-1)."""
    booking_id = await visitor.committed()
    visitor.till.status = "authorized"
    page = await visitor.back(booking_id)
    assert "Your payment has arrived" in said(page)
    assert "We have not heard" not in said(page)
    assert "<form" not in page.text
    assert page.headers["refresh"] == "5"


async def test_a_window_that_nobody_has_closed_yet(visitor: Visitor) -> None:
    """From the moment at which the time to pay is over the page says so, and what becomes of money that is on its way: it
    blames no provider, and asks for nothing (B-4, P-3).
    """
    booking_id = await visitor.committed()
    await visitor.practice.run_out(booking_id)
    page = await visitor.back(booking_id)
    assert (page.status_code, page.headers["refresh"]) == (200, "5")
    assert "was not paid in time" in said(page)
    assert "either you still get this place, and this page says so, or all of your money goes back" in said(page)
    assert "does not answer" not in said(page)
    assert "<form" not in page.text
    await visitor.practice.desk.admission.sweep(visitor.practice.business_id)


@pytest.mark.parametrize(
    ("percent", "words", "looks_again"),
    [
        (100, "€5,000.50 is on its way back to you.", True),
        (30, "€1,500.15 is on its way back to you.", True),
        (0, "Nothing of what you have paid goes back.", False),
    ],
)
async def test_what_goes_back_is_said_at_once(visitor: Visitor, percent: int, words: str, looks_again: bool) -> None:
    """From the cancellation on the page says how much goes back, also before anybody has asked the provider for it (P-6)."""
    booking_id = await visitor.committed()

    async def pay_and_cancel(tx: Transaction) -> None:
        await paid(tx, booking_id)
        await confirm_paid(tx, booking_id)
        seen = (await bookings.read_appointment(tx, booking_id)).version
        await bookings.cancel(tx, booking_id, expected_version=seen, reason=None, actor=CONSOLE, refund_percent=percent)

    await visitor.change(pay_and_cancel)
    visitor.till.status = "succeeded"
    page = await visitor.back(booking_id)
    assert "This booking is cancelled" in said(page)
    assert words in said(page)
    assert ("refresh" in page.headers) == looks_again
    # What the provider has refused is told apart, and not twice.
    visitor.till.owed_minor = 1
    refused = said(await visitor.back(booking_id))
    assert words not in refused
    assert "€0.01 is to go back to you" in refused


@pytest.mark.parametrize(
    ("language", "hours", "before", "after"),
    [
        ("en", 24, "If you cancel now, €5,000.50 goes back to you.", "€5,000.50 is on its way back to you."),
        (
            "en",
            900,
            say("en", "If you cancel now, nothing of what you have paid goes back."),
            say("en", "Nothing of what you have paid goes back."),
        ),
        ("ru", 24, "Если отменить запись сейчас, вам вернётся 5 000,50 €.", "Вам возвращается 5 000,50 €."),
        (
            "ru",
            900,
            say("ru", "If you cancel now, nothing of what you have paid goes back."),
            say("ru", "Nothing of what you have paid goes back."),
        ),
    ],
)
async def test_what_a_cancellation_gives_back_is_said_before_it(
    visitor: Visitor, language: str, hours: int, before: str, after: str
) -> None:
    """Whoever has paid reads before they cancel what goes back by that, and afterwards that it does, also when it is nothing;
    the address of the form leads there too (P-6, U-4).
    """
    more = {"payment_policy": "prepay", "price_minor": 500_050, "refund_terms": [Term(hours, 100)]}
    await visitor.practice.add_service("talk", ["ana"], **more)
    booking_id = await visitor.committed()
    await visitor.change(lambda tx: paid(tx, booking_id))
    await visitor.change(lambda tx: confirm_paid(tx, booking_id))
    visitor.till.status = "succeeded"
    assert before in said(await visitor.back(booking_id, f"?lang={language}"))
    await visitor.change(lambda tx: bookings.cancel(tx, booking_id, expected_version=None, reason=None))
    led = await visitor.http.get(f"/{visitor.slug}/booking/slot/held/{booking_id}?lang={language}")
    assert (led.status_code, led.headers["location"].partition("?")[0].rpartition("/")[2]) == (303, str(booking_id))
    page = said(await visitor.http.get(led.headers["location"]))
    assert say(language, "This booking is cancelled") in page
    assert after in page
    assert before not in page


async def test_what_was_cancelled_meanwhile(visitor: Visitor) -> None:
    """Whoever comes back to a booking that was cancelled sees that, and what goes back (B-17)."""
    booking_id = await visitor.committed()
    visitor.till.refunding_minor = 500_050

    async def cancel(tx: Transaction) -> None:
        await bookings.cancel(tx, booking_id, expected_version=None, reason=None)

    await visitor.change(cancel)
    page = said(await visitor.back(booking_id))
    assert "This booking is cancelled" in page
    assert "is on its way back" in page
    assert "was not paid in time" not in page


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_what_did_not_go_back_is_not_passed_over(visitor: Visitor, language: str) -> None:
    """Whoever has cancelled, and whose refund the provider has refused, reads that it is still to come (P-6, U-4)."""
    booking_id = await visitor.committed()
    visitor.till.owed_minor = 500_050

    async def cancel(tx: Transaction) -> None:
        await bookings.cancel(tx, booking_id, expected_version=None, reason=None)

    await visitor.change(cancel)
    amount = {"en": "€5,000.50", "ru": "5 000,50 €"}[language]
    page = said(await visitor.back(booking_id, f"?lang={language}"))
    assert (
        say(
            language,
            "%(amount)s is to go back to you. The payment provider has not let it through yet; we look after it.",
        )
        % {"amount": amount}
        in page
    )
    assert (
        say(language, "Nothing was charged. What your bank may have set aside for it becomes yours again.") not in page
    )


@pytest.mark.parametrize("language", ["en", "ru"])
async def test_money_that_was_only_set_aside_too_late(visitor: Visitor, language: str) -> None:
    """Whose money was set aside after the place was gone reads that it is not taken (payments 9, U-4)."""
    booking_id = await visitor.committed()
    await visitor.practice.run_out(booking_id)
    await visitor.practice.desk.admission.sweep(visitor.practice.business_id)
    visitor.till.status = "cancelled"
    assert say(language, "Nothing was charged. What your bank may have set aside for it becomes yours again.") in said(
        await visitor.back(booking_id, f"?lang={language}")
    )


async def test_a_form_of_the_provider_on_our_page(visitor: Visitor) -> None:
    """Where the provider has no page, ours loads its form, and only this page may: card data never comes to us (payments 20)."""
    visitor.till.address, visitor.till.secret = None, "pi_1_secret_2"
    booking_id = await visitor.hold()
    answer = await visitor.confirm(booking_id)
    assert answer.headers["location"] == f"/{visitor.slug}/booking/slot/paid/{booking_id}/form?lang=en"
    page = await visitor.http.get(answer.headers["location"])
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self' https://js.stripe.com" in policy
    assert "unsafe" not in policy
    assert 'data-secret="pi_1_secret_2"' in page.text
    assert "<noscript>" in page.text
    script = await visitor.http.get("/static/paying.js")
    assert script.status_code == 200
    # No field of a form of ours takes anything.
    assert "<input" not in page.text
    other = await visitor.back(booking_id)
    assert "stripe" not in other.headers["content-security-policy"]


async def test_opening_a_page_changes_no_booking(visitor: Visitor, admin_uri: str) -> None:
    """However often the pages are opened, by whomever, the booking and its history stay as they are (U-2)."""
    booking_id = await visitor.committed()
    with psycopg.connect(admin_uri) as admin:
        row = "select b::text, (select count(*) from audit_log where aggregate_id = b.id) from bookings b where id = %s"
        before = admin.execute(row, [booking_id]).fetchone()
        for suffix in ("?lang=en", "/form?lang=en", "?redirect_status=succeeded"):
            await visitor.back(booking_id, suffix)
        await visitor.http.get(f"/{visitor.slug}/booking/slot/held/{booking_id}")
        assert admin.execute(row, [booking_id]).fetchone() == before


async def test_addresses_that_lead_nowhere(visitor: Visitor) -> None:
    """A booking that is not there, or of another business, is no page; one that is only held leads to its form (H-1)."""
    unknown = await visitor.http.get(f"/{visitor.slug}/booking/slot/paid/nothing")
    assert unknown.status_code == 404
    other = await visitor.http.get(f"/{visitor.slug}/booking/slot/paid/{visitor.practice.business_id}")
    assert other.status_code == 404
    booking_id = await visitor.hold()
    led = await visitor.back(booking_id)
    assert (led.status_code, f"/held/{booking_id}" in led.headers["location"]) == (303, True)


async def test_a_group_comes_back_to_its_program(visitor: Visitor) -> None:
    """A place in a group, reserved by another way than these pages, has its page too, with what it is for (B-20)."""
    schedule = await visitor.practice.add_schedule(5, payment_policy="prepay", price_minor=1_000)
    held = await visitor.http.post("/api/booking/reserve", json={"scheduleId": str(schedule), "partySize": 3})
    body = {"reservationId": held.json()["reservationId"], "guestEmail": "payer@example.org"}
    made = (await visitor.http.post("/api/booking/commit", json=body)).json()
    page = said(await visitor.back(UUID(made["appointmentId"])))
    assert "group-" in page
    assert "€30.00" in page
