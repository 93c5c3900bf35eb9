"""Clients are reminded of what begins soon (W-2)."""

import time

import pytest

from booking.opened import DAY_SECONDS, HOUR_SECONDS
from holdfast.booking.contacts import Guest
from notifications.posting import EN, RU, Post

HOURS_AHEAD = 30


def ahead(hours: int = HOURS_AHEAD) -> int:
    """Return the start of an hour that begins so far ahead, and less than one more."""
    return (int(time.time()) // HOUR_SECONDS + hours + 1) * HOUR_SECONDS


async def remind_before(post: Post, hours: int) -> None:
    """Set how long before clients are reminded."""
    await post.run(
        "insert into system_settings (business_id, key, value) values (%s, 'reminder_hours', to_jsonb(%s::integer))"
        " on conflict (business_id, key) do update set value = excluded.value",
        post.business_id,
        hours,
    )


@pytest.mark.parametrize("guest", [EN, RU], ids=["en", "ru"])
async def test_whoever_comes_is_reminded(post: Post, guest: Guest) -> None:
    """So long before it begins as the business has set, its client is reminded of an appointment, once (W-2)."""
    booking_id = await post.booked(guest, ahead())
    [confirmed] = await post.deliver()
    post.past(days=9)
    assert await post.deliver() == []
    await remind_before(post, HOURS_AHEAD + 2)
    [mail] = await post.deliver()
    assert mail.subject.startswith("Reminder: session" if guest is EN else "Напоминание: session")
    assert mail.recipient == guest.email
    # The same time and link as were told before.
    line = next(line for line in confirmed.text.splitlines() if " – " in line)
    link = next(line for line in confirmed.text.splitlines() if "/manage/" in line)
    assert line in mail.text
    assert link in mail.text
    assert not [part for part in mail.message.walk() if part.get_content_subtype() == "calendar"]
    assert await post.deliver() == []
    assert await post.states(booking_id) == [
        ("appointment_confirmed", "sent", None),
        ("appointment_reminder", "sent", None),
    ]


async def test_a_day_is_usual(post: Post) -> None:
    """A business that has set nothing reminds a day before, and not earlier (W-2)."""
    await post.booked(EN, ahead(26))
    near = await post.booked(RU, ahead(22))
    await post.deliver()
    post.past(days=9)
    assert [mail.recipient for mail in await post.deliver()] == [RU.email]
    assert (await post.states(near))[-1] == ("appointment_reminder", "sent", None)


async def test_whoever_has_just_booked_is_not_reminded(post: Post) -> None:
    """Who books when it is time for reminders already knows; and so does who is moved to a time that near (W-2)."""
    await post.booked(EN, ahead(5))
    [mail] = await post.deliver()
    assert mail.subject.startswith("Confirmed")
    far = await post.booked(RU, ahead() + 5 * DAY_SECONDS)
    await post.deliver()
    post.past(days=20)
    await post.practice.move(far, "session", ahead(6))
    mails = await post.deliver()
    assert [mail.subject[:8] for mail in mails if mail.recipient == RU.email] == ["Новое вр"]


async def test_a_reminder_follows_the_appointment(post: Post) -> None:
    """Moved, it is reminded of at its new time; cancelled, not at all (W-2)."""
    moved, cancelled = await post.booked(EN, ahead(20)), await post.booked(RU, ahead(21))
    await post.practice.move(moved, "session", ahead(20) + 3 * DAY_SECONDS)
    await post.practice.cancel(cancelled)
    await post.deliver()
    post.past(days=9)
    assert await post.deliver() == []
    await remind_before(post, 96)
    [mail] = await post.deliver()
    assert (mail.subject[:8], mail.recipient) == ("Reminder", EN.email)


async def test_what_changes_at_the_last_moment_is_not_reminded_of(post: Post) -> None:
    """A reminder that was written down is not sent of what has been moved or cancelled since (W-2)."""
    moved, cancelled = await post.booked(EN, ahead(20)), await post.booked(RU, ahead(21))
    await post.deliver()
    post.past(days=9)
    await post.find()
    await post.practice.move(moved, "session", ahead(20) + 3 * DAY_SECONDS)
    await post.practice.cancel(cancelled)
    mails = await post.deliver()
    assert sorted(mail.subject[:6] for mail in mails) == ["New ti", "Отмене"]
    for booking_id in (moved, cancelled):
        assert ("appointment_reminder", "suppressed", "overtaken") in await post.states(booking_id)
