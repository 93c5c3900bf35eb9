"""Messages of a person: told when they ask, and forgotten with them (D-8, W-2)."""

from datetime import timedelta

from booking.opened import HOUR_SECONDS, START
from holdfast.crm.contacts import Contact
from holdfast.kernel.audit import Actor
from holdfast.kernel.ids import new_id
from holdfast.notifications.feed import forget
from holdfast.people import requests
from notifications.posting import EN, RU, Post

OWNER = Actor.staff(new_id())


async def test_a_person_is_told_what_was_written_to_them(post: Post) -> None:
    """Who asks what is kept of them reads each message to them, and none to others (D-8)."""
    await post.booked(EN)
    await post.booked(RU, START + HOUR_SECONDS)
    await post.deliver()
    answer = await post.database.run(post.business_id, lambda tx: requests.tell(tx, Contact(email=EN.email), OWNER))
    [message] = answer.parts["messages"]
    assert (message["kind"], message["status"], message["recipient"]) == ("appointment_confirmed", "sent", EN.email)
    assert message["subject"].startswith("Confirmed")
    assert "Mailworthy" in message["text"]


async def test_who_is_forgotten_is_written_to_no_more(post: Post) -> None:
    """Address and words of what was sent are gone, and what was still to be told is not (D-8)."""
    booking_id, other = await post.booked(EN), await post.booked(RU, START + HOUR_SECONDS)
    await post.deliver()
    await post.practice.cancel(booking_id)
    await post.find()
    answer = await post.database.run(post.business_id, lambda tx: requests.forget(tx, Contact(email=EN.email), OWNER))
    assert answer.parts["messages"] == 1
    assert await post.deliver() == []
    assert await post.states(booking_id) == [
        ("appointment_confirmed", "sent", None),
        ("appointment_cancelled", "suppressed", "forgotten"),
    ]
    kept = await post.rows(
        "select booking_id from messages where num_nonnulls(recipient, recipient_index, content) > 0"
    )
    assert [row["booking_id"] for row in kept] == [other]
    again = await post.database.run(post.business_id, lambda tx: requests.forget(tx, Contact(email=EN.email), OWNER))
    assert again.parts["messages"] == 0


async def test_words_are_forgotten_in_time(post: Post) -> None:
    """After so many days as the business has set, address and words are forgotten; that it was told stays (W-2, D-8)."""
    booking_id = await post.booked()
    await post.deliver()
    assert await forget(post.database) == 0
    with post.as_admin() as connection:
        connection.execute("update messages set ended_at = now() - %s", [timedelta(days=29)])
    assert await forget(post.database) == 0
    await post.run(
        "insert into system_settings (business_id, key, value) values (%s, 'message_days', '28')", post.business_id
    )
    assert await forget(post.database) == 1
    assert await forget(post.database) == 0
    assert await post.rows("select id from messages where recipient is not null or content is not null") == []
    assert await post.states(booking_id) == [("appointment_confirmed", "sent", None)]


async def test_other_tenants_see_no_message(post: Post) -> None:
    """The wall between tenants stands before messages as before everything else (D-9)."""
    await post.booked()
    await post.deliver()
    async with post.database.transaction(new_id()) as tx:
        assert await tx.rows("select id from messages") == []
    async with post.database.transaction() as tx:
        assert await tx.rows("select id from messages") == []
