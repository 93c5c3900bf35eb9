"""What is paid beforehand, over HTTP: how its payment is told, what goes back of it, and what follows the booking."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NoReturn
from uuid import UUID

import httpx
import psycopg
import pytest
import pytest_asyncio

from booking.opened import DAY_SECONDS, HOUR_SECONDS, START, Practice, close_books, open_practice, paid, violations
from booking.served import problem, token_of
from booking.staffed import bearer, make_key
from booking.tenants import application
from booking.tills import ScriptedTill
from conftest import MASTER_KEY
from holdfast.booking.admission import instant
from holdfast.booking.errors import PaymentsUnavailable
from holdfast.booking.unpaid import confirm_paid
from holdfast.catalog.refund_terms import Term
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Transaction

Json = dict[str, Any]

PREPAID: Json = {"payment_policy": "prepay", "price_minor": 500_001}
# The first day of the tests is between 216 and 240 hours ahead, the one after it up to 264.
TERMS = [Term(265, 100), Term(100, 50), Term(0, 0)]
GUEST = {"guestEmail": "payer@example.org", "guestName": "Oleander"}


@dataclass
class Shop:
    """A business that is paid beforehand, behind the application, with a till of the test's own."""

    practice: Practice
    http: httpx.AsyncClient
    till: ScriptedTill
    staff: dict[str, str]

    def slot(self, service: str, start: int = START, minutes: int = 60) -> Json:
        """Return the place of a body."""
        times = {"slotStart": instant(start).isoformat(), "slotEnd": instant(start + minutes * 60).isoformat()}
        return {"serviceId": str(self.practice.services[service]), **times}

    async def commit(self, service: str = "talk", start: int = START, **more: Any) -> Json:
        """Reserve and commit; return the answer."""
        held = await self.http.post("/api/booking/reserve", json=self.slot(service, start) | more)
        assert held.status_code == 201, held.text
        answer = await self.http.post(
            "/api/booking/commit", json=GUEST | {"reservationId": held.json()["reservationId"]}
        )
        assert answer.status_code == 201, answer.text
        made: Json = answer.json()
        return made

    async def paid(self, service: str = "talk", start: int = START, **more: Any) -> Json:
        """Reserve, commit and pay; return the answer of the commit."""
        made = await self.commit(service, start, **more)
        booking_id = UUID(made["appointmentId"])

        async def work(tx: Transaction) -> None:
            await paid(tx, booking_id)
            await confirm_paid(tx, booking_id)

        await self.practice.desk.database.run(self.practice.business_id, work)
        return made

    async def read(self, made: Json) -> Json:
        """Return an appointment as its client sees it."""
        answer = await self.http.get(path(made), headers=token_of(made))
        assert answer.status_code == 200, answer.text
        shown: Json = answer.json()
        return shown

    async def cancel(self, made: Json, **more: Any) -> httpx.Response:
        """Answer a cancellation by the client."""
        body = {"cancellationToken": made["cancellationToken"], **more}
        return await self.http.post(f"{path(made)}/cancel", json=body)

    async def by_staff(self, made: Json, what: str, **more: Any) -> httpx.Response:
        """Answer what staff do with an appointment, as it is."""
        version = (await self.read(made))["version"]
        body = {"expectedVersion": version, **more}
        return await self.http.post(f"{path(made)}/{what}", json=body, headers=self.staff)

    async def moved_by_staff(self, made: Json, place: Json) -> httpx.Response:
        """Answer a move by staff of an appointment, as it is."""
        version = (await self.read(made))["version"]
        return await self.http.patch(path(made), json=place | {"expectedVersion": version}, headers=self.staff)


def path(made: Json) -> str:
    """Return the path of an appointment."""
    return f"/api/booking/appointments/{made['appointmentId']}"


@pytest_asyncio.fixture
async def shop(app_uri: str, admin_uri: str) -> AsyncIterator[Shop]:
    """A business with a talk that is paid beforehand, another of the same price, and one of another."""
    async with open_practice(app_uri) as practice:
        await practice.add_resource("ana")
        await practice.add_resource("ben")
        await practice.add_service("talk", ["ana"], refund_terms=TERMS, **PREPAID)
        await practice.add_service("walk", ["ben"], **PREPAID)
        await practice.add_service("later", ["ben"], payment_policy="on_site", price_minor=500_001)
        await practice.add_service("dear", ["ben"], payment_policy="prepay", price_minor=500_002)
        await practice.open_account()
        till = ScriptedTill(practice.desk.database)
        key = await make_key(practice.desk.database, practice.business_id, Role.ASSISTANT)
        async with application(app_uri, admin_uri, MASTER_KEY, till=till) as http:
            yield Shop(practice, http, till, bearer(key))
        await practice.desk.database.run(practice.business_id, close_books)
    assert violations(admin_uri) == []


async def test_a_commit_says_how_it_is_paid(shop: Shop) -> None:
    """A commit of what must be paid is pending_payment with address and amount; repeated, the same payment (B-11, P-1)."""
    made = await shop.commit()
    assert (made["status"], made["replayed"]) == ("pending_payment", False)
    payment = made["payment"]
    assert (payment["amountMinor"], payment["currency"]) == (500_001, "EUR")
    assert payment["confirmationUrl"] == "https://pay.example/1"
    assert shop.till.came_from == "http://holdfast.test"
    again = await shop.http.post("/api/booking/commit", json=GUEST | {"reservationId": made["appointmentId"]})
    assert (again.status_code, again.json()["payment"]["id"]) == (200, payment["id"])
    assert again.json()["cancellationToken"] == made["cancellationToken"]


@pytest.mark.parametrize(("minutes_ahead", "minutes_to_pay"), [(60, 30), (12, 12), (2, 5)])
async def test_nobody_pays_for_what_has_begun(
    shop: Shop, admin_uri: str, minutes_ahead: int, minutes_to_pay: int
) -> None:
    """The time to pay ends with the start; who books at the last moment has five minutes, which paying takes (B-11)."""
    held = await shop.http.post("/api/booking/reserve", json=shop.slot("talk"))
    booking_id = held.json()["reservationId"]
    async with await psycopg.AsyncConnection.connect(admin_uri, autocommit=True) as admin:
        values = {"id": booking_id, "start": minutes_ahead, "end": minutes_ahead + 60}
        times = "now() + make_interval(mins => %(start)s), now() + make_interval(mins => %(end)s)"
        await admin.execute(
            f"update bookings set version = version + 1, (starts_at, ends_at) = row ({times}) where id = %(id)s", values
        )
        await admin.execute(f"update claims set during = tstzrange({times}) where booking_id = %(id)s", values)
        answer = await shop.http.post("/api/booking/commit", json=GUEST | {"reservationId": booking_id})
        assert answer.status_code == 201, answer.text
        found = await admin.execute(
            "select round(extract(epoch from expires_at - clock_timestamp()) / 60)::integer from bookings where id = %s",
            [booking_id],
        )
        assert await found.fetchone() == (minutes_to_pay,)
    assert (await shop.cancel(answer.json())).status_code == 200


async def test_the_payment_is_shown_to_nobody_else(shop: Shop) -> None:
    """Whoever repeats a commit under another address is told neither token nor where to pay (B-11, P-1)."""
    made = await shop.commit()
    other = {"guestEmail": "curious@example.org", "reservationId": made["appointmentId"]}
    told = (await shop.http.post("/api/booking/commit", json=other)).json()
    assert (told["status"], told["cancellationToken"]) == ("pending_payment", None)
    assert "payment" not in told
    assert len(shop.till.opened) == 1


async def test_a_provider_that_is_away_takes_nobodys_place(shop: Shop) -> None:
    """While the provider is down the place is kept to its end and shown so; a repetition opens no second one (payments 19)."""
    shop.till.address = None
    made = await shop.commit()
    assert "confirmationUrl" not in made["payment"] or made["payment"]["confirmationUrl"] is None
    shown = (await shop.http.get(f"/api/booking/reservations/{made['appointmentId']}")).json()
    assert (shown["status"], shown["expiresAt"]) == ("pending_payment", made["payment"]["expiresAt"])
    assert 29 * 60 < shown["remainingSeconds"] <= 30 * 60
    problem(await shop.http.post("/api/booking/reserve", json=shop.slot("talk")), 409, "slot_conflict")
    shop.till.address = "https://pay.example/2"
    again = await shop.http.post("/api/booking/commit", json=GUEST | {"reservationId": made["appointmentId"]})
    assert again.json()["payment"]["id"] == made["payment"]["id"]
    assert again.json()["payment"]["confirmationUrl"] == "https://pay.example/2"


async def test_without_a_till_nothing_is_paid(app_uri: str, admin_uri: str, shop: Shop) -> None:
    """What has to be paid is sold where money is taken only: a business without an account sells nothing such (B-13)."""
    shop.practice.desk.till = None
    async with shop.practice.desk.database.transaction(shop.practice.business_id) as tx:
        await tx.run("update payment_accounts set active = false")
    problem(await shop.http.post("/api/booking/reserve", json=shop.slot("talk")), 422, "payments_unavailable")
    with psycopg.connect(admin_uri) as admin:
        [slug] = (
            admin.execute("select slug from businesses where id = %s", [shop.practice.business_id]).fetchone() or ()
        )
    slots = await shop.http.get("/api/public/booking/slots", params={"business": slug, "service_slug": "talk"})
    problem(slots, 422, "payments_unavailable")


async def test_an_account_that_goes_in_between_loses_nobody_their_booking(shop: Shop) -> None:
    """When no payments are taken any more since the place was held, the commit tells what it has done: the booking awaits
    a payment that cannot begin yet, and whoever made it has its token and can pay once payments are taken again (P-1).
    """

    async def away(*_: object, **__: object) -> NoReturn:
        raise PaymentsUnavailable

    shop.till.open = away  # type: ignore[method-assign]
    made = await shop.commit()
    assert made["status"] == "pending_payment"
    assert "payment" not in made
    assert (await shop.read(made))["status"] == "pending_payment"
    del shop.till.open
    again = await shop.http.post("/api/booking/commit", json=GUEST | {"reservationId": made["appointmentId"]})
    assert again.json()["payment"]["confirmationUrl"] == "https://pay.example/1"


async def test_what_awaits_its_payment_has_no_outcome(shop: Shop) -> None:
    """An outcome of what is not paid yet is refused in words that do not call it cancelled (B-19)."""
    made = await shop.commit()
    refused = problem(await shop.by_staff(made, "outcome", outcome="no_show"), 409, "not_changeable")
    assert refused["details"]["status"] == "pending_payment"
    assert "cancel" not in refused["message"]


async def test_slots_of_what_is_paid_beforehand_are_offered(shop: Shop, admin_uri: str) -> None:
    """A service that is paid beforehand shows its free slots where it can be paid (A-3, A-4)."""
    with psycopg.connect(admin_uri) as admin:
        [slug] = (
            admin.execute("select slug from businesses where id = %s", [shop.practice.business_id]).fetchone() or ()
        )
    asked = {"business": slug, "service_slug": "talk", "from": str(instant(START).date())}
    answer = await shop.http.get("/api/public/booking/slots", params=asked)
    first = answer.json()["days"][0]["slots"][0]
    body = {"serviceId": str(shop.practice.services["talk"]), "slotStart": first["start"], "slotEnd": first["end"]}
    assert (await shop.http.post("/api/booking/reserve", json=body)).status_code == 201


async def test_what_is_paid_beforehand_is_not_booked_at_once(shop: Shop) -> None:
    """Booking in one call, and a series, are refused for what has to be paid first, with a way on (B-13, B-21)."""
    refused = problem(
        await shop.http.post("/api/booking/book", json=shop.slot("talk") | GUEST), 409, "payment_required"
    )
    assert "reserve and commit" in refused["message"]
    series = {"serviceId": str(shop.practice.services["talk"]), "starts": [instant(START).isoformat()]}
    problem(await shop.http.post("/api/booking/series", json=series), 409, "payment_required")
    schedule = await shop.practice.add_schedule(4, **PREPAID)
    body = GUEST | {"scheduleId": str(schedule)}
    problem(await shop.http.post("/api/booking/book", json=body), 409, "payment_required")


async def test_a_client_sees_what_is_due_and_what_would_go_back(shop: Shop) -> None:
    """An appointment tells its client what is due by when, and what a cancellation would give back (B-17, P-6)."""
    made = await shop.commit()
    waiting = await shop.read(made)
    assert (waiting["status"], waiting["dueMinor"]) == ("pending_payment", 500_001)
    assert waiting["expiresAt"] == made["payment"]["expiresAt"]
    assert waiting["refundIfCancelledNow"] == {"percent": 100, "amountMinor": 0, "currency": "EUR"}
    paid_for = await shop.read(await shop.paid("talk", START + DAY_SECONDS))
    assert (paid_for["status"], paid_for["expiresAt"]) == ("confirmed", None)
    # Half of it, to the unit and a half of one up.
    assert paid_for["refundIfCancelledNow"] == {"percent": 50, "amountMinor": 250_001, "currency": "EUR"}
    async with shop.practice.desk.database.transaction(shop.practice.business_id) as tx:
        await tx.run("update services set cancel_notice_minutes = 43200 where slug = 'talk'")
    # Who may not cancel any more gets nothing back by it.
    assert (await shop.read(made))["refundIfCancelledNow"] is not None
    too_late = await shop.paid("talk", START + 2 * DAY_SECONDS)
    assert (await shop.read(too_late))["refundIfCancelledNow"] is None
    free = await shop.read(await shop.commit("later"))
    assert (free["status"], free["dueMinor"], free["refundIfCancelledNow"]) == ("confirmed", None, None)


async def test_what_is_not_paid_yet_is_only_given_up(shop: Shop) -> None:
    """An appointment that awaits its payment is not moved; cancelled, its place is free and whatever comes goes back (B-17)."""
    made = await shop.commit()
    moved = await shop.http.patch(path(made), json=shop.slot("talk", START + HOUR_SECONDS), headers=token_of(made))
    assert problem(moved, 409, "not_changeable")["details"] == {"status": "pending_payment"}
    cancelled = (await shop.cancel(made)).json()
    assert (cancelled["status"], cancelled["refundPercent"], cancelled["refundMinor"]) == ("cancelled", 100, 0)
    problem(await shop.cancel(made), 400, "RESERVATION_ALREADY_CANCELLED")
    assert (await shop.commit())["status"] == "pending_payment"


async def test_a_client_gets_back_what_the_terms_say(shop: Shop, admin_uri: str) -> None:
    """A client's cancellation gives back by the terms that they agreed to, whatever the offering says by now (B-17, P-6)."""
    made = await shop.paid()
    async with shop.practice.desk.database.transaction(shop.practice.business_id) as tx:
        await tx.run("update services set refund_terms = '[]'")
    assert problem(await shop.cancel(made, refundPercent=100), 403, "forbidden")
    told = (await shop.cancel(made, idempotencyKey="once")).json()
    assert (told["status"], told["refundPercent"], told["refundMinor"], told["currency"]) == (
        "cancelled", 50, 250_001, "EUR",
    )  # fmt: skip
    again = (await shop.cancel(made, idempotencyKey="once")).json()
    assert again == told | {"replayed": True}
    with psycopg.connect(admin_uri) as admin:
        # As a release that knew nothing of money has kept it.
        admin.execute(
            "update idempotency_keys set answer = answer - 'refundMinor' - 'refundPercent' - 'currency'"
            " where business_id = %s and key = 'once'",
            [shop.practice.business_id],
        )
    assert (await shop.cancel(made, idempotencyKey="once")).json()["replayed"]
    assert (await shop.read(made))["refundPercent"] == 50


@pytest.mark.parametrize(("named", "percent", "minor"), [(None, 100, 500_001), (0, 0, 0), (20, 20, 100_000)])
async def test_staff_give_back_as_much_as_they_say(shop: Shop, named: int | None, percent: int, minor: int) -> None:
    """A cancellation by staff gives everything back, or the share that they name (B-17, P-6)."""
    made = await shop.paid()
    more = {} if named is None else {"refundPercent": named}
    told = (await shop.by_staff(made, "cancel", **more)).json()
    assert (told["refundPercent"], told["refundMinor"]) == (percent, minor)


async def test_a_share_of_nothing(shop: Shop) -> None:
    """Of what was not paid beforehand no share can be named, nor one beyond all of it (B-17, P-6)."""
    made = await shop.commit("later")
    problem(await shop.by_staff(made, "cancel", refundPercent=50), 400, "validation_failed")
    problem(await shop.by_staff(made, "cancel", refundPercent=101), 400, "validation_failed")
    told = (await shop.by_staff(made, "cancel")).json()
    assert (told["refundPercent"], told["refundMinor"]) == (None, None)


async def give_back(shop: Shop, made: Json, minor: int, cause: str, state: str) -> None:
    """Write down a refund of the payment of an appointment, as if the till had made it."""
    async with shop.practice.desk.database.transaction(shop.practice.business_id) as tx:
        await tx.run(
            "insert into refunds (business_id, id, payment_id, amount_minor, currency, state, cause, provider_key,"
            " next_attempt_at, number) select business_id, uuidv7(), id, %s, currency, %s, %s, uuidv7()::text,"
            " case when %s <> 'refused' then now() end, 1 + (select count(*) from refunds r where r.payment_id = p.id)"
            " from payments p where booking_id = %s",
            [minor, state, cause, state, made["appointmentId"]],
        )


async def test_a_refund_tells_what_goes_back(shop: Shop) -> None:
    """A refunded appointment tells what is still to go back: all that was paid, less what went back in goodwill (B-18)."""
    made = await shop.paid()
    await give_back(shop, made, 100_000, "goodwill", "created")
    told = (await shop.by_staff(made, "refund")).json()
    assert (told["status"], told["refundedMinor"]) == ("refunded", 400_001)
    problem(await shop.by_staff(made, "refund"), 400, "ALREADY_REFUNDED")
    free = await shop.commit("later")
    assert (await shop.by_staff(free, "refund")).json()["refundedMinor"] == 0


async def test_what_is_owed_of_a_cancelled_one_is_refunded(shop: Shop) -> None:
    """A cancelled appointment is refunded while its money is owed: not sent yet, or refused by the provider (B-18)."""
    made = await shop.paid()
    await shop.cancel(made)
    told = (await shop.by_staff(made, "refund")).json()
    assert (told["status"], told["refundedMinor"]) == ("refunded", 250_001)

    sent = await shop.paid()
    await shop.cancel(sent)
    await give_back(shop, sent, 250_001, "policy", "created")
    problem(await shop.by_staff(sent, "refund"), 409, "REFUND_NOT_ALLOWED")

    refused = await shop.paid("walk")
    await shop.by_staff(refused, "cancel")
    await give_back(shop, refused, 500_001, "policy", "refused")
    assert (await shop.by_staff(refused, "refund")).json()["status"] == "refunded"

    unpaid = await shop.commit("dear")
    await shop.cancel(unpaid)
    problem(await shop.by_staff(unpaid, "refund"), 409, "REFUND_NOT_ALLOWED")


async def test_a_payment_follows_its_booking(shop: Shop, admin_uri: str) -> None:
    """An appointment that was paid moves to another time or service of equal price, and stays paid (B-16, payments 17)."""
    made = await shop.paid()
    for place in (shop.slot("talk", START + HOUR_SECONDS), shop.slot("walk"), shop.slot("later", START + DAY_SECONDS)):
        moved = await shop.http.patch(path(made), json=place, headers=token_of(made))
        assert (moved.status_code, moved.json()["status"]) == (200, "confirmed"), moved.text
    with psycopg.connect(admin_uri) as admin:
        found = admin.execute(
            "select count(*), max(amount_minor) from payments where booking_id = %s and pays", [made["appointmentId"]]
        )
        assert found.fetchone() == (1, 500_001)
    assert (await shop.read(made))["dueMinor"] == 500_001
    assert len(shop.till.opened) == 1


async def test_a_move_gives_nobody_more_back(shop: Shop) -> None:
    """Whoever would get nothing back and moves far ahead gets nothing for it, however often they move; staff give back
    what they like all the same (B-16, P-6).
    """
    await shop.practice.add_service("strict", ["ben"], refund_terms=[Term(250, 100)], **PREPAID)
    made, other = await shop.paid("strict"), await shop.paid("strict", START + HOUR_SECONDS)
    assert (await shop.read(made))["refundIfCancelledNow"]["percent"] == 0
    for each, days in ((made, 9), (made, 12), (other, 11)):
        place = shop.slot("strict", START + days * DAY_SECONDS)
        moved = await shop.http.patch(path(each), json=place, headers=token_of(each))
        assert moved.status_code == 200, moved.text
        shown = (await shop.read(each))["refundIfCancelledNow"]
        assert shown == {"percent": 0, "amountMinor": 0, "currency": "EUR"}
    # A move by staff does not remove what stands against it.
    assert (await shop.moved_by_staff(made, shop.slot("strict", START + 14 * DAY_SECONDS))).status_code == 200
    told = (await shop.cancel(made)).json()
    assert (told["refundPercent"], told["refundMinor"]) == (0, 0)
    told = (await shop.by_staff(other, "cancel")).json()
    assert (told["refundPercent"], told["refundMinor"]) == (100, 500_001)


async def test_the_least_of_several_moments_counts(shop: Shop) -> None:
    """What a cancellation gives back is the least of what it would have given back at each move and what it gives now
    (B-16, P-6).
    """
    made = await shop.paid()
    for days, percent in ((9, 50), (0, 50), (2, 50)):
        await shop.http.patch(path(made), json=shop.slot("talk", START + days * DAY_SECONDS), headers=token_of(made))
        assert (await shop.read(made))["refundIfCancelledNow"]["percent"] == percent
    full = await shop.paid("talk", START + 3 * DAY_SECONDS)
    for days, percent in ((4, 100), (0, 50), (5, 50)):
        await shop.http.patch(path(full), json=shop.slot("talk", START + days * DAY_SECONDS), headers=token_of(full))
        assert (await shop.read(full))["refundIfCancelledNow"]["percent"] == percent
    assert (await shop.cancel(full)).json()["refundPercent"] == 50


async def test_a_move_by_staff_leaves_the_terms_alone(shop: Shop) -> None:
    """What staff have moved far ahead, and what has no terms, its client cancels for all of the money (B-16, P-6)."""
    made, free = await shop.paid(), await shop.paid("walk")
    assert (await shop.moved_by_staff(made, shop.slot("talk", START + 9 * DAY_SECONDS))).status_code == 200
    place = shop.slot("walk", START + 9 * DAY_SECONDS)
    assert (await shop.http.patch(path(free), json=place, headers=token_of(free))).status_code == 200
    for each in (made, free):
        told = (await shop.cancel(each)).json()
        assert (told["refundPercent"], told["refundMinor"]) == (100, 500_001)


async def test_a_price_difference_is_never_charged_silently(shop: Shop) -> None:
    """An appointment moves neither to another price nor, unpaid, to what is paid beforehand; nothing changes (payments 17)."""
    made, unpaid = await shop.paid(), await shop.commit("later", START + DAY_SECONDS)
    before = [await shop.read(made), await shop.read(unpaid)]
    dear = await shop.http.patch(path(made), json=shop.slot("dear"), headers=token_of(made))
    problem(dear, 409, "price_differs")
    moved = await shop.http.patch(path(unpaid), json=shop.slot("walk"), headers=token_of(unpaid))
    problem(moved, 409, "payment_required")
    assert [await shop.read(made), await shop.read(unpaid)] == before
    # Staff are paid in another way.
    let = await shop.http.patch(
        path(unpaid), json=shop.slot("walk") | {"expectedVersion": before[1]["version"]}, headers=shop.staff
    )
    assert let.status_code == 200


async def test_groups_follow_the_same_rules(shop: Shop) -> None:
    """A place in a group that was not paid does not move to one that is paid beforehand; a paid one does (payments 17)."""
    dates = [await shop.practice.add_schedule(4, starts=START + n * DAY_SECONDS, **PREPAID) for n in range(2)]
    free = await shop.practice.add_schedule(4, payment_policy="on_site", price_minor=500_001)

    async def join(schedule: UUID, pays: bool) -> Json:
        held = await shop.http.post("/api/booking/reserve", json={"scheduleId": str(schedule), "partySize": 2})
        commit = GUEST | {"reservationId": held.json()["reservationId"]}
        made: Json = (await shop.http.post("/api/booking/commit", json=commit)).json()
        if pays:
            booking_id = UUID(made["appointmentId"])

            async def work(tx: Transaction) -> None:
                await paid(tx, booking_id)
                await confirm_paid(tx, booking_id)

            await shop.practice.desk.database.run(shop.practice.business_id, work)
        return made

    made = await join(dates[0], pays=True)
    assert made["payment"]["amountMinor"] == 1_000_002
    to = {"scheduleId": str(dates[1])}
    assert (await shop.http.patch(path(made), json=to, headers=token_of(made))).status_code == 200
    unpaid = await join(free, pays=False)
    problem(await shop.http.patch(path(unpaid), json=to, headers=token_of(unpaid)), 409, "payment_required")


async def test_an_abandoned_payment_is_told(shop: Shop) -> None:
    """Whoever did not pay in time sees that the booking has expired, with their token, and cannot revive it (B-4)."""
    made = await shop.commit()
    await shop.practice.run_out(UUID(made["appointmentId"]))
    await shop.practice.desk.admission.sweep(shop.practice.business_id)
    assert (await shop.read(made))["status"] == "expired"
    again = await shop.http.post("/api/booking/commit", json=GUEST | {"reservationId": made["appointmentId"]})
    problem(again, 410, "RESERVATION_NOT_FOUND_OR_EXPIRED")
    problem(await shop.cancel(made), 409, "not_changeable")
