"""Never twice: what happens to a message when servers, workers and connections fail (W-2)."""

import asyncio
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from booking.opened import HOUR_SECONDS, START
from holdfast.notifications.feed import LEFT_SECONDS, look_after_left
from holdfast.notifications.mailer import Mailer
from holdfast.notifications.sending import ServerAway, send_due
from holdfast.notifications.settings import SmtpServer, Tls
from holdfast.notifications.states import TRANSITIONS, MessageState
from holdfast.notifications.upkeep import mail_kept_up
from notifications.posting import EN, RU, Post, event_of, other_worker
from notifications.sink import open_sink, own_certificate

CONFIRMED = "appointment_confirmed"


async def test_two_workers_tell_everything_once(post: Post) -> None:
    """However many workers find and send at once, each client hears of each booking once (W-2)."""
    ids = [await post.booked(EN, START + n * HOUR_SECONDS) for n in range(12)]
    async with other_worker(post) as second, other_worker(post) as third:
        workers = (post, second, third)
        await asyncio.gather(*(worker.find() for worker in workers))
        for _ in range(3):
            await asyncio.gather(*(send_due(w.database, w.desk, w.mailer) for w in workers))
    assert sorted(str(event_of(mail)[1]["UID"]) for mail in post.sink.taken()) == sorted(f"{i}@holdfast" for i in ids)
    for booking_id in ids:
        assert await post.states(booking_id) == [(CONFIRMED, "sent", None)]


async def test_an_event_is_told_once_however_often_it_is_read(post: Post) -> None:
    """The feed looks back over what it has read, and writes nothing down twice (W-2)."""
    await post.booked()
    assert await post.find() == 1
    assert await post.find() == 0
    await post.run("update message_feed set read_until = now() - interval '5 minutes'")
    assert await post.find() == 0
    assert len(await post.deliver()) == 1


@pytest.mark.parametrize("way", ["drops", "hangs"])
async def test_what_may_have_been_taken_on_is_not_sent_again(post: Post, way: str) -> None:
    """A server that takes a message and then hangs up, or never answers, is not sent it again; staff are told (W-2)."""
    booking_id = await post.booked()
    if way == "drops":
        post.sink.drops = True
    else:
        post.sink.holds = asyncio.Event()
        hasty = replace(post.desk.settings, timeout_seconds=0.05)
        post.mailer = Mailer(hasty)
    assert len(await post.deliver()) == 1
    assert await post.states(booking_id) == [(CONFIRMED, "unknown", "unheard")]
    assert await post.items() == [("message_unknown", "warning", None)]
    post.sink.drops = False
    if post.sink.holds is not None:
        post.sink.holds.set()
    post.sink.holds = None
    assert await post.deliver() == []


async def test_a_worker_that_dies_over_a_message_leaves_it_unknown(post: Post) -> None:
    """What was being sent when a worker was killed is not sent by the next one, and staff hear of it (W-2)."""
    booking_id = await post.booked()
    await post.find()
    post.sink.holds = asyncio.Event()
    sending = asyncio.create_task(send_due(post.database, post.desk, post.mailer))
    await post.sink.arrived.wait()
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    post.sink.holds.set()
    post.sink.holds = None
    assert await post.states(booking_id) == [(CONFIRMED, "sending", None)]
    assert len(post.sink.taken()) == 1
    # Not while somebody may still be at it.
    assert await look_after_left(post.database) == 0
    assert await post.deliver() == []
    await post.run(f"update messages set sending_since = now() - interval '{LEFT_SECONDS + 1} seconds'")
    assert await look_after_left(post.database) == 1
    assert await look_after_left(post.database) == 0
    assert await post.states(booking_id) == [(CONFIRMED, "unknown", "unheard")]
    assert await post.items() == [("message_unknown", "warning", None)]
    assert await post.deliver() == []


async def test_nobody_is_told_two_things_at_once(post: Post) -> None:
    """While one message about a booking is on its way, the next one waits, whoever would send it (W-2)."""
    booking_id = await post.booked()
    await post.find()
    post.sink.holds = asyncio.Event()
    sending = asyncio.create_task(send_due(post.database, post.desk, post.mailer))
    await post.sink.arrived.wait()
    await post.practice.move(booking_id, "session", START + HOUR_SECONDS)
    async with other_worker(post) as second:
        await second.find()
        assert await send_due(second.database, second.desk, second.mailer) == 0
        post.sink.holds.set()
        post.sink.holds = None
        await sending
        assert await send_due(second.database, second.desk, second.mailer) == 1
    assert [mail.subject[:9] for mail in post.sink.taken()] == ["Confirmed", "New time:"]


async def test_what_is_overtaken_is_not_told(post: Post) -> None:
    """Of several things that happened to a booking before anybody was told, the last one is told, once (W-2)."""
    booking_id = await post.booked()
    await post.practice.move(booking_id, "session", START + HOUR_SECONDS)
    [mail] = await post.deliver()
    assert mail.subject.startswith("New time")
    assert (await post.states(booking_id))[0] == (CONFIRMED, "suppressed", "overtaken")
    await post.practice.move(booking_id, "session", START + 2 * HOUR_SECONDS)
    await post.practice.cancel(booking_id)
    [mail] = await post.deliver()
    assert mail.subject.startswith("Cancelled")


async def test_a_refusal_for_now_is_tried_again(post: Post) -> None:
    """A 4xx puts a message off, longer each time; staff hear of it after some, and no more when it went out (W-2)."""
    booking_id = await post.booked()
    post.sink.refuse_data = lambda _: "451 greylisted"
    assert await post.deliver() == []
    [told] = await post.told(booking_id)
    assert (told.state, told.reason, told.attempts) == (MessageState.QUEUED, "refused_for_now", 1)
    assert told.next_attempt_at is not None
    # It has its time, before which nobody tries.
    assert await post.deliver() == []
    for attempt in range(2, 6):
        assert await post.items() == []
        await post.hasten()
        assert await post.deliver() == []
        assert (await post.told(booking_id))[0].attempts == attempt
    assert await post.items() == [("message_delayed", "warning", "refused_for_now")]
    post.sink.refuse_data = lambda _: None
    await post.hasten()
    assert len(await post.deliver()) == 1
    assert await post.states(booking_id) == [(CONFIRMED, "sent", None)]
    assert await post.items() == []


async def test_what_waits_for_too_long_is_given_up(post: Post) -> None:
    """A day after its cause a message that nobody has taken on is no message any more: staff have to tell it (W-2)."""
    booking_id = await post.booked()
    post.sink.refuse_recipient = lambda _: "450 later"
    assert await post.deliver() == []
    await post.run("update messages set give_up_at = now(), next_attempt_at = now()")
    assert await post.deliver() == []
    assert await post.states(booking_id) == [(CONFIRMED, "failed", "gave_up")]
    assert await post.items() == [("message_not_delivered", "warning", "gave_up")]


@pytest.mark.parametrize("where", ["refuse_recipient", "refuse_data"])
async def test_a_refusal_for_good_goes_to_the_inbox(post: Post, where: str) -> None:
    """A 5xx is not tried again, and is before staff at once; others on the same connection are told (W-2)."""
    refused = await post.booked(EN)
    other = await post.booked(RU, START + HOUR_SECONDS)
    setattr(post.sink, where, lambda address: "550 5.1.1 nobody here" if address == EN.email else None)
    assert [mail.recipient for mail in await post.deliver()] == [RU.email]
    assert await post.states(refused) == [(CONFIRMED, "failed", "refused")]
    assert await post.states(other) == [(CONFIRMED, "sent", None)]
    assert await post.items() == [("message_not_delivered", "warning", "refused")]
    assert post.sink.connections == 1
    # Whoever does not hear that it is off, comes.
    await post.practice.cancel(refused)
    assert await post.deliver() == []
    assert await post.items() == [("message_not_delivered", "urgent", "refused")]


async def test_a_server_that_is_away_keeps_messages_waiting(post: Post) -> None:
    """Nothing is lost while there is no server; one message at a time finds out whether it is back (W-2)."""
    ids = [await post.booked(EN, START + n * HOUR_SECONDS) for n in range(3)]
    await post.find()
    there = post.mailer
    nowhere = SmtpServer.of_url("smtp://127.0.0.1:9")
    async with Mailer(replace(post.desk.settings, server=nowhere)) as away:
        with pytest.raises(ServerAway) as told:
            await send_due(post.database, post.desk, away)
    assert told.value.reason == "not_reached"
    attempts = [(await post.told(booking_id))[0].attempts for booking_id in ids]
    assert sorted(attempts) == [0, 0, 1]
    await post.hasten()
    post.mailer = there
    assert len(await post.deliver()) == 3


async def test_a_sender_that_is_not_wanted_is_no_matter_of_a_message(post: Post) -> None:
    """A server that refuses our own address has to be mended: the messages wait for that (W-2)."""
    booking_id = await post.booked()
    post.sink.refuse_sender = lambda _: "553 5.7.1 not yours"
    with pytest.raises(ServerAway):
        await post.deliver()
    assert await post.states(booking_id) == [(CONFIRMED, "queued", "sender_refused")]
    post.sink.refuse_sender = lambda _: None
    await post.hasten()
    assert len(await post.deliver()) == 1


async def test_without_a_server_nothing_waits(post: Post) -> None:
    """Where no mail is sent, it is written down that nobody was told; later nobody is told of it either (W-2)."""
    before = await post.booked()
    await post.find()
    after = await post.booked(RU, START + HOUR_SECONDS)
    mailer, post.mailer = post.mailer, None
    assert await post.deliver() == []
    assert await post.states(before) == await post.states(after) == [(CONFIRMED, "suppressed", "no_mail")]
    post.mailer = mailer
    assert await post.deliver() == []
    assert await post.items() == []


async def test_what_is_a_day_old_is_not_told(post: Post) -> None:
    """Of what happened while nobody was there to tell it, nothing older than a day is told (W-2)."""
    old, new = await post.booked(), await post.booked(RU, START + HOUR_SECONDS)
    with post.as_admin() as connection:
        connection.execute("update message_feed set begun_at = now() - interval '3 days', read_until = begun_at")
        connection.execute("update message_feed set read_until = begun_at")
        connection.execute(
            "update outbox_events set occurred_at = now() - interval '25 hours' where aggregate_id = %s", [old]
        )
    assert [mail.recipient for mail in await post.deliver()] == [RU.email]
    assert await post.states(old) == [(CONFIRMED, "suppressed", "too_old")]
    assert await post.states(new) == [(CONFIRMED, "sent", None)]


async def test_each_business_has_its_turn(post: Post) -> None:
    """Who has much to tell does not keep others waiting: of one business only some are due at a time (W-2)."""
    for n in range(11):
        await post.booked(EN, START + n * HOUR_SECONDS)
    await post.find()
    assert await send_due(post.database, post.desk, post.mailer) == 10
    assert await send_due(post.database, post.desk, post.mailer) == 1


async def test_the_worker_tells_by_itself(post: Post) -> None:
    """Beside its jobs the worker finds what has happened and sends it, and ends what it is saying before it stops (W-2)."""
    post.sink.holds = asyncio.Event()
    async with mail_kept_up(post.database, post.desk):
        booking_id = await post.booked()
        await asyncio.wait_for(post.sink.arrived.wait(), 30)
        asyncio.get_running_loop().call_later(0.05, post.sink.holds.set)
    assert len(post.sink.taken()) == 1
    assert await post.states(booking_id) == [(CONFIRMED, "sent", None)]


async def test_an_odd_address_stops_nobody(post: Post) -> None:
    """An address that passed for one when it was typed is refused at most, and the next message goes out (W-2)."""
    odd = ('a"b<c>@example.org', "a..b@example.org", "x" * 200 + "@example.org", "ü@example.org", "a,b@example.org")
    for number, address in enumerate(odd):
        await post.booked(replace(EN, email=address), START + number * HOUR_SECONDS)
    last = await post.booked(RU, START + 10 * HOUR_SECONDS)
    mails = await post.deliver()
    assert RU.email in [mail.recipient for mail in mails]
    assert await post.states(last) == [(CONFIRMED, "sent", None)]
    for mail in mails:
        assert len(mail.message["To"].addresses) == 1
    assert {state for row in await post.rows("select state from messages") for state in row.values()} <= {
        "sent",
        "failed",
    }


async def test_what_cannot_be_written_stops_nobody(post: Post) -> None:
    """A message that fails for a reason of ours lets the others pass, and is given up in its time (W-2)."""
    broken, other = await post.booked(EN), await post.booked(RU, START + HOUR_SECONDS)
    with post.as_admin() as connection:
        connection.execute("alter table bookings disable trigger user")
        connection.execute(
            "update bookings b set contact = o.contact from bookings o where b.id = %s and o.id = %s", [broken, other]
        )
        connection.execute("alter table bookings enable trigger user")
    assert [mail.recipient for mail in await post.deliver()] == [RU.email]
    [told] = await post.told(broken)
    assert (told.state, told.attempts) == (MessageState.QUEUED, 0)
    await post.run("update messages set give_up_at = now(), next_attempt_at = now() where state = 'queued'")
    assert await post.deliver() == []
    assert await post.states(broken) == [(CONFIRMED, "failed", "gave_up")]
    assert await post.items() == [("message_not_delivered", "warning", "gave_up")]


async def test_states_change_as_the_table_says(post: Post) -> None:
    """The database lets a message go from state to state as the code says, and never back into the queue (W-2)."""
    booking_id = await post.booked()
    await post.deliver()
    shape = {
        "queued": "next_attempt_at = now(), sending_since = null, ended_at = null, sent_at = null",
        "sending": "next_attempt_at = null, sending_since = now(), ended_at = null, sent_at = null",
    }
    ended = "next_attempt_at = null, sending_since = null, ended_at = now(), sent_at = now()"
    allowed = set()
    with post.as_admin() as connection:
        connection.execute("begin")
        for before in MessageState:
            for after in MessageState:
                if before is after:
                    continue
                connection.execute("savepoint here")
                connection.execute("alter table messages disable trigger guard_change")
                put = f"update messages set state = '{{}}', {{}} where booking_id = '{booking_id}'"
                connection.execute(put.format(before, shape.get(before, ended)).encode())
                connection.execute("alter table messages enable trigger guard_change")
                try:
                    connection.execute(put.format(after, shape.get(after, ended)).encode())
                    allowed.add((before, after))
                except psycopg.errors.CheckViolation:
                    pass
                connection.execute("rollback to here")
        connection.rollback()
    assert allowed == {(before, after) for before, afters in TRANSITIONS.items() for after in afters}


async def test_a_password_is_told_to_a_trusted_server_only(post: Post, tmp_path: Path) -> None:
    """By STARTTLS or TLS from the first byte, to a server that is who it says; else nothing is said (W-2)."""
    login = ("desk", "a password of the tests")
    with own_certificate(tmp_path) as (shows, trusts):
        for number, starttls in enumerate((True, False)):
            booking_id = await post.booked(EN, START + number * HOUR_SECONDS)
            await post.find()
            async with open_sink(tls=shows, starttls=starttls, login=login) as locked:
                scheme = "smtp" if starttls else "smtps"
                address = f"{scheme}://desk:a%20password%20of%20the%20tests@127.0.0.1:{locked.port}"
                server = SmtpServer.of_url(address)
                assert server.tls is (Tls.OFFERED if starttls else Tls.IMPLICIT)
                stranger = replace(server, user="stranger")
                cases = [(server, None, "not_trusted"), (stranger, trusts, "not_authenticated")]
                for wrong, trusted, reason in cases:
                    async with Mailer(replace(post.desk.settings, server=wrong), trusted) as mailer:
                        with pytest.raises(ServerAway) as refused:
                            await send_due(post.database, post.desk, mailer)
                    assert refused.value.reason == reason
                    await post.hasten()
                async with Mailer(replace(post.desk.settings, server=server), trusts) as mailer:
                    assert await send_due(post.database, post.desk, mailer) == 1
                assert len(locked.taken()) == 1
            assert await post.states(booking_id) == [(CONFIRMED, "sent", None)]


async def test_nothing_is_said_in_plain_where_that_is_asked(post: Post) -> None:
    """Where STARTTLS is required, a server that does not offer it is told of no message (W-2)."""
    await post.booked()
    await post.find()
    required = SmtpServer.of_url(f"{post.sink.url}?starttls=required")
    async with Mailer(replace(post.desk.settings, server=required)) as mailer:
        with pytest.raises(ServerAway):
            await send_due(post.database, post.desk, mailer)
    assert post.sink.taken() == []
