"""Clients are told what has happened to their appointments, in their language, with an invitation (W-2)."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from icalendar import Calendar

from booking.opened import DAY_SECONDS, HOUR_SECONDS, START, paid
from booking.serial import cancel, days, series
from holdfast.administration.templates import Channel, Locale, Name, Text, write
from holdfast.booking import waitlist
from holdfast.booking.contacts import Guest
from holdfast.booking.offers import Offers
from holdfast.booking.outcomes import refund
from holdfast.booking.series_changes import commit_series
from holdfast.booking.unpaid import confirm_paid
from holdfast.booking.waitlist import Wanted
from holdfast.catalog.refund_terms import Term
from holdfast.crm.contacts import Contact
from holdfast.kernel.audit import SYSTEM, Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import new_id
from holdfast.people import requests
from notifications.posting import EN, PUBLIC_URL, RU, SENDER, TOKENS, Post, event_of, file_of, owner_in
from notifications.sink import Mail

BOTH = pytest.mark.parametrize("guest", [EN, RU], ids=["en", "ru"])
RUSSIAN = RU.locale


def says(guest: Guest, english: str, russian: str) -> str:
    """Return what is said in the language of a guest."""
    return russian if guest.locale == RUSSIAN else english


async def slug_of(post: Post) -> str:
    """Return the slug of the practice."""
    [row] = await post.rows("select slug from businesses")
    return str(row["slug"])


async def manage_link(post: Post, booking_id: UUID) -> str:
    """Return the address at which a client changes a booking, as the page proves it."""
    booking = await post.practice.read(booking_id)
    assert booking.token_nonce is not None
    token = TOKENS.token(post.business_id, booking_id, booking.token_nonce)
    return f"{PUBLIC_URL}/{await slug_of(post)}/booking/slot/manage/{booking_id}?token={token}"


def shown_in_both(mail: Mail, *words: str) -> None:
    """Assert that text and HTML both say these words."""
    for word in words:
        assert word in mail.text
        assert word.replace("&", "&amp;") in mail.html


@BOTH
async def test_whoever_books_is_confirmed(post: Post, guest: Guest) -> None:
    """A booking is confirmed in the client's language and zone, with the link and an invitation (W-2)."""
    booking_id = await post.booked(guest)
    [mail] = await post.deliver()
    booking = await post.practice.read(booking_id)
    assert (mail.sender, mail.recipient) == (SENDER, guest.email)
    assert mail.subject.startswith(says(guest, "Confirmed: session, ", "Подтверждено: session, "))
    assert mail.message["From"].addresses[0].display_name == "A practice"
    assert mail.message["To"].addresses[0].display_name == guest.name
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Content-Language"] == says(guest, "en", "ru")
    clock = says(guest, "01:00 – 02:00", "03:00 – 04:00")
    zone = says(guest, "Europe/Berlin (UTC+01:00)", "Europe/Moscow (UTC+03:00)")
    shown_in_both(mail, says(guest, "Mailworthy", "Письмецов"), clock, zone)
    assert await manage_link(post, booking_id) in mail.text
    assert (await manage_link(post, booking_id)).replace("&", "&amp;") in mail.html
    method, event = event_of(mail)
    assert method == "REQUEST"
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (booking.starts_at, booking.ends_at)
    assert int(event["SEQUENCE"]) == booking.version
    assert str(event["ATTENDEE"]) == f"mailto:{guest.email}"
    assert str(event["ORGANIZER"]) == f"mailto:{SENDER}"
    assert await manage_link(post, booking_id) in str(event["DESCRIPTION"])
    assert [each["UID"] for each in file_of(mail).walk("VEVENT")] == [event["UID"]]
    assert await post.states(booking_id) == [("appointment_confirmed", "sent", None)]
    assert await post.deliver() == []


@BOTH
async def test_whoever_is_moved_is_told_from_when_to_when(post: Post, guest: Guest) -> None:
    """A move is told with both times, and its invitation brings the event in the calendar up to date (W-2)."""
    booking_id = await post.booked(guest)
    [before] = await post.deliver()
    await post.practice.move(booking_id, "session", START + 2 * HOUR_SECONDS)
    [mail] = await post.deliver()
    assert mail.subject.startswith(says(guest, "New time: session", "Новое время: session"))
    shown_in_both(mail, says(guest, "03:00 – 04:00", "05:00 – 06:00"), says(guest, ", 01:00.", ", 03:00."))
    first, then = event_of(before)[1], event_of(mail)[1]
    assert event_of(mail)[0] == "REQUEST"
    assert then["UID"] == first["UID"]
    assert int(then["SEQUENCE"]) > int(first["SEQUENCE"])
    assert then["DTSTART"].dt == datetime.fromtimestamp(START + 2 * HOUR_SECONDS, UTC)


@BOTH
async def test_whoever_is_cancelled_is_told(post: Post, guest: Guest) -> None:
    """A cancellation is told with where to book anew, and takes the event out of the calendar (W-2)."""
    booking_id = await post.booked(guest)
    [before] = await post.deliver()
    await post.practice.cancel(booking_id)
    [mail] = await post.deliver()
    assert mail.subject.startswith(says(guest, "Cancelled: session", "Отменено: session"))
    assert f"{PUBLIC_URL}/{await slug_of(post)}/booking/slot/" in mail.text
    method, event = event_of(mail)
    assert (method, str(event["STATUS"])) == ("CANCEL", "CANCELLED")
    assert event["UID"] == event_of(before)[1]["UID"]
    assert int(event["SEQUENCE"]) > int(event_of(before)[1]["SEQUENCE"])
    for word in ("goes back", "By the terms", "возвра", "По условиям"):
        assert word not in mail.text


async def prepaid(post: Post, guest: Guest, *, is_paid: bool = True, start: int = START) -> UUID:
    """Book what is paid beforehand, and pay it."""
    if "talk" not in post.practice.services:
        # The first day of the tests is between 216 and 240 hours ahead.
        terms = [Term(250, 100), Term(100, 50), Term(0, 0)]
        more: dict[str, Any] = {"payment_policy": "prepay", "price_minor": 500_000, "refund_terms": terms}
        await post.practice.add_service("talk", ["room"], **more)
        await post.practice.open_account()
    booking_id = (await post.practice.reserve("talk", start)).made().id
    await post.practice.desk.commit(post.business_id, booking_id, guest)

    async def work(tx: Transaction) -> None:
        await paid(tx, booking_id)
        await confirm_paid(tx, booking_id)

    if is_paid:
        await post.database.run(post.business_id, work)
    return booking_id


@BOTH
async def test_what_goes_back_is_said(post: Post, guest: Guest) -> None:
    """A cancellation of what was paid says how much goes back by the terms, or that nothing does (W-2, P-6)."""
    half, nothing = await prepaid(post, guest), await prepaid(post, guest, start=START - 8 * DAY_SECONDS)
    confirmed = await post.deliver()
    assert all(says(guest, "€5,000.00", "5\xa0000,00\xa0€") in mail.text for mail in confirmed)
    assert len(confirmed) == 2
    await post.practice.cancel(half)
    [mail] = await post.deliver()
    shown_in_both(mail, says(guest, "€2,500.00 goes back to you", "2\xa0500,00\xa0€"))
    await post.practice.cancel(nothing)
    [mail] = await post.deliver()
    shown_in_both(mail, says(guest, "nothing of what you paid goes back", "не возвращается"))


async def test_what_was_not_paid_is_confirmed_when_it_is(post: Post) -> None:
    """While a booking awaits its payment nobody is told that it is confirmed; paid, they are (W-2, P-5)."""
    booking_id = await prepaid(post, EN, is_paid=False)
    assert await post.deliver() == []

    async def work(tx: Transaction) -> None:
        await paid(tx, booking_id)
        await confirm_paid(tx, booking_id)

    await post.database.run(post.business_id, work)
    [mail] = await post.deliver()
    assert mail.subject.startswith("Confirmed")


async def test_a_refund_by_staff_says_that_it_does_not_take_place(post: Post) -> None:
    """Refunded, an appointment is cancelled for its client, once: not again when it was cancelled before (W-2)."""
    first, second = await prepaid(post, EN), await prepaid(post, EN, start=START + DAY_SECONDS)
    await post.deliver()

    async def give_back(booking_id: UUID) -> None:
        version = (await post.practice.read(booking_id)).version
        await post.database.run(
            post.business_id, lambda tx: refund(tx, booking_id, expected_version=version, reason=None, actor=SYSTEM)
        )

    await give_back(first)
    [mail] = await post.deliver()
    assert mail.subject.startswith("Cancelled")
    assert "€5,000.00 goes back to you" in mail.text
    await post.practice.cancel(second)
    [mail] = await post.deliver()
    await give_back(second)
    assert await post.deliver() == []
    assert (await post.states(second))[-1] == ("appointment_cancelled", "suppressed", "told_before")


async def offered(post: Post, guest: Guest) -> UUID:
    """Let somebody wait for the session and be offered it; return the request."""
    wanted = Wanted(
        1,
        post.practice.services["session"],
        None,
        datetime.fromtimestamp(START, UTC),
        datetime.fromtimestamp(START + HOUR_SECONDS, UTC),
    )
    taken = await post.booked(EN)
    request = await post.database.run(post.business_id, lambda tx: waitlist.wait(tx, wanted, guest))
    await post.practice.cancel(taken)
    await post.deliver()
    assert await Offers(post.database).offer_of(post.business_id) == 1
    return request.id


@BOTH
async def test_whoever_waits_is_offered_what_is_free(post: Post, guest: Guest) -> None:
    """An offer is told with what it is of, until when it is held, and the page that takes it (W-1, W-2)."""
    request_id = await offered(post, guest)
    [mail] = await post.deliver()
    assert mail.recipient == guest.email
    assert mail.subject.startswith(says(guest, "A place has become free: session", "Освободилось место: session"))
    token = TOKENS.of_request(post.business_id, request_id)
    assert f"{PUBLIC_URL}/{await slug_of(post)}/booking/slot/offer/{request_id}?token={token}" in mail.text
    assert says(guest, "held for you until", "Мы держим его для вас до") in mail.text
    assert await post.deliver() == []


async def test_an_offer_that_is_over_is_not_told(post: Post) -> None:
    """Who has withdrawn, or whose offer has run out, hears of it no more (W-1, W-2)."""
    request_id = await offered(post, RU)
    await post.database.run(post.business_id, lambda tx: waitlist.withdraw(tx, request_id))
    assert await post.deliver() == []
    [row] = await post.rows("select state, reason from messages where request_id = %s", request_id)
    assert (row["state"], row["reason"]) == ("suppressed", "overtaken")


@BOTH
async def test_a_series_is_told_once(post: Post, guest: Guest) -> None:
    """Booked at once, all times stand in one mail with one file; so does what is cancelled of it at once (W-2)."""
    made = await series(post.practice, "session", days(4))
    committed = await post.database.run(post.business_id, lambda tx: commit_series(tx, made.series_id, guest))
    ids = [answer.id for answer in committed.appointments]
    [mail] = await post.deliver()
    assert mail.subject.startswith(says(guest, "Confirmed: session", "Подтверждено: session"))
    for booking_id in ids:
        assert await manage_link(post, booking_id) in mail.text
    clock = says(guest, "01:00 – 02:00", "03:00 – 04:00")
    assert mail.text.count(clock) == mail.html.count(clock) == 4
    calendar = file_of(mail)
    assert str(calendar["METHOD"]) == "PUBLISH"
    starts = [event["DTSTART"].dt for event in calendar.walk("VEVENT")]
    assert starts == [datetime.fromtimestamp(start, UTC) for start in days(4)]
    told = [state for booking_id in ids for state in await post.states(booking_id)]
    assert (
        sorted(told) == [("series_confirmed", "sent", None)] + [("series_confirmed", "suppressed", "told_together")] * 3
    )
    await cancel(post.practice, made, since=ids[2])
    [mail] = await post.deliver()
    assert mail.subject.startswith(says(guest, "Cancelled: session", "Отменено: session"))
    assert mail.text.count(clock) == 2
    gone = file_of(mail).walk("VEVENT")
    assert [str(event["STATUS"]) for event in gone] == ["CANCELLED"] * 2
    assert [event["UID"] for event in gone] == [event["UID"] for event in calendar.walk("VEVENT")[2:]]
    await post.practice.cancel(ids[0])
    [mail] = await post.deliver()
    assert event_of(mail)[0] == "CANCEL"


async def test_a_place_in_a_group_is_told(post: Post) -> None:
    """Of a group its name, its times and the number of places are told (W-2)."""
    schedule_id = await post.practice.add_schedule(10)
    held = (await post.practice.join(schedule_id, party=3)).made().id
    await post.practice.desk.commit(post.business_id, held, EN)
    [mail] = await post.deliver()
    [name] = post.practice.programs
    assert f"Confirmed: {name}" in mail.subject
    shown_in_both(mail, "Places: 3")
    assert str(event_of(mail)[1]["SUMMARY"]).startswith(name)


async def test_with_whom_it_is_is_told(post: Post) -> None:
    """The practitioner who takes it is named, also of what was cancelled; a room is not (W-2)."""
    await post.run("update resources set kind = 'practitioner', name = 'Wilhelmina' where slug = 'room'")
    booking_id = await post.booked()
    [mail] = await post.deliver()
    shown_in_both(mail, "With: Wilhelmina")
    assert "Wilhelmina" in str(event_of(mail)[1]["DESCRIPTION"])
    await post.practice.cancel(booking_id)
    [mail] = await post.deliver()
    assert "Wilhelmina" in str(event_of(mail)[1]["DESCRIPTION"])


async def test_a_business_says_it_in_its_own_words(post: Post) -> None:
    """A template of the business is what is sent; where it has written one of text and HTML, the other is usual (W-2)."""

    async def put(tx: Transaction) -> None:
        mail = Name("appointment_confirmed", Locale.EN, Channel.EMAIL)
        await write(
            tx,
            mail,
            Text("Own {{ service_name }}", "Dear {{ guest_name }}: {{ start }}"),
            expected_version=0,
            staff=owner_in(tx),
        )
        moved = Name("appointment_changed", Locale.EN, Channel.EMAIL_HTML)
        await write(tx, moved, Text("Moved!", "<h1>{{ guest_name }}</h1>"), expected_version=0, staff=owner_in(tx))

    await post.database.run(post.business_id, put)
    hostile = Guest(EN.email, None, "<b>Bea</b>\u2028{{ start }}", EN.timezone, EN.locale)
    booking_id = await post.booked(hostile)
    [mail] = await post.deliver()
    assert mail.subject == "Own session"
    assert mail.text.startswith("Dear <b>Bea</b>\u2028{{ start }}: ")
    assert "Dear &lt;b&gt;Bea&lt;/b&gt;\u2028{{ start }}: " in mail.html
    await post.practice.move(booking_id, "session", START + HOUR_SECONDS)
    [mail] = await post.deliver()
    assert mail.subject == "Moved!"
    assert "<h1>&lt;b&gt;Bea&lt;/b&gt;\u2028{{ start }}</h1>" in mail.html
    assert "your appointment has been moved" in mail.text


async def test_who_reads_no_language_of_ours_reads_that_of_the_business(post: Post) -> None:
    """Without a language, or with one that there are no texts in, the business's language and zone are taken (W-2)."""
    await post.run("update businesses set locale = 'ru', timezone = 'Asia/Kathmandu'")
    for number, locale in enumerate((None, "de-AT")):
        guest = Guest("unread@example.org", None, None, None, locale)
        await post.booked(guest, START + number * HOUR_SECONDS)
    first, second = await post.deliver()
    for mail in (first, second):
        assert "Ваша запись подтверждена" in mail.text
        assert "Asia/Kathmandu (UTC+05:45)" in mail.text
        assert "Здравствуйте" not in mail.text
        assert mail.message["To"].addresses[0].display_name == ""


@pytest.mark.parametrize(
    ("day", "hour", "shown"),
    [
        # Clocks in Berlin go forward at 01:00 UTC of this day, and back at 01:00 UTC of the other.
        ((2027, 3, 28), 0, "01:00 – 03:00 (UTC+02:00)\nTime zone: Europe/Berlin (UTC+01:00)"),
        ((2027, 3, 28), 1, "03:00 – 04:00\nTime zone: Europe/Berlin (UTC+02:00)"),
        ((2027, 10, 31), 0, "02:00 – 02:00 (UTC+01:00)\nTime zone: Europe/Berlin (UTC+02:00)"),
        ((2027, 10, 31), 1, "02:00 – 03:00\nTime zone: Europe/Berlin (UTC+01:00)"),
    ],
)
async def test_days_on_which_clocks_change_are_told_right(
    post: Post, day: tuple[int, int, int], hour: int, shown: str
) -> None:
    """Mail, invitation and the booking itself name one instant on days of changed clocks, each in its own way (A-5, W-2)."""
    start = datetime(*day, hour, tzinfo=UTC)
    booking_id = await post.booked(EN, int(start.timestamp()))
    [mail] = await post.deliver()
    assert shown in mail.text
    _, event = event_of(mail)
    assert event["DTSTART"].dt == start == (await post.practice.read(booking_id)).starts_at
    assert event["DTEND"].dt == start + timedelta(hours=1)


async def test_who_cannot_be_reached_by_mail_is_passed_over(post: Post) -> None:
    """Of an appointment without an address, and of one that is over, nothing is sent and nobody is called (W-2)."""
    booking_id = await post.booked()
    async with post.database.transaction(post.business_id) as tx:
        keys = await tx.keys()
    sealed = keys.seal("bookings.contact", booking_id, '{"phone": "+49 30 901820"}')
    with post.as_admin() as connection:
        connection.execute("alter table bookings disable trigger user")
        connection.execute("update bookings set contact = %s, email_index = null where id = %s", [sealed, booking_id])
        connection.execute("alter table bookings enable trigger user")
    assert await post.deliver() == []
    assert await post.states(booking_id) == [("appointment_confirmed", "suppressed", "no_address")]
    assert await post.items() == []


async def test_a_calendar_shows_the_invitation_as_it_is(post: Post) -> None:
    """The part that programs show and the file are one and the same, in UTF-8, whoever reads it (W-2)."""
    await post.booked(RU)
    [mail] = await post.deliver()
    shown = Calendar.from_ical(mail.part("calendar").get_content())
    assert shown.to_ical() == file_of(mail).to_ical()
    assert shown.walk("VEVENT")[0]["ATTENDEE"].params["CN"] == RU.name


async def test_a_message_outlives_the_request_that_it_was_about(post: Post) -> None:
    """Who waited and is forgotten leaves the message that offered a place, which names the request no more (W-2, D-8)."""
    await offered(post, RU)
    await post.deliver()
    asked = Contact(email=RU.email)
    await post.database.run(post.business_id, lambda tx: requests.forget(tx, asked, Actor.staff(new_id())))
    told = await post.rows("select state, request_id from messages where kind = 'waitlist_offer'")
    assert [(row["state"], row["request_id"]) for row in told] == [("sent", None)]
