"""What happens is told to other programs: signed, under one id, until it has arrived (H-5)."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from standardwebhooks import WebhookVerificationError

from booking.opened import START
from calendars.crashing import Crash, Crashing
from calendars.http_servers import Asked, Reply
from conftest import MASTER_KEY
from holdfast.booking.contacts import Guest
from holdfast.kernel.database import Transaction
from holdfast.webhooks import deliveries, endpoints, log
from holdfast.webhooks.feed import feed, forget
from holdfast.webhooks.sending import DAYS, send_one, wait_after
from holdfast.webhooks.states import DeliveryState, EndpointState
from holdfast.webhooks.upkeep import due_now, webhooks_kept_up
from webhooks.telling import HERE, OWNER, Receiver, Telling, verified

GUEST = Guest("philomena.hookworth@example.org", "+4915112345678", "Philomena Hookworth", "Europe/Berlin", "en")


async def test_an_appointment_is_told_by_ids_and_states(telling: Telling, receiver: Receiver) -> None:
    """A booking is told as AppointmentConfirmed, provably by this server, with nothing of whoever booked (H-5, D-6)."""
    _, secret = await telling.add(receiver.url)
    held = (await telling.practice.reserve("session", START)).made().id
    await telling.practice.desk.commit(telling.business_id, held, GUEST)
    assert await telling.tell() == 1
    [asked] = receiver.told
    told = verified(asked, secret)
    assert (asked.method, asked.headers["content-type"]) == ("POST", "application/json")
    assert (told["type"], told["data"]["bookingId"], told["data"]["status"]) == (
        "AppointmentConfirmed",
        str(held),
        "confirmed",
    )
    assert told["data"]["start"] == datetime.fromtimestamp(START, UTC).isoformat().replace("+00:00", "Z")
    assert (told["businessId"], told["number"], told["data"]["version"]) == (str(telling.business_id), 1, 2)
    assert [word for word in ("philomena", "hookworth", "4915") if word in asked.body.decode().lower()] == []


async def test_a_message_that_was_altered_proves_nothing(telling: Telling, receiver: Receiver) -> None:
    """Another body, another id, another time or another secret does not verify (H-5)."""
    _, secret = await telling.add(receiver.url)
    _, another = await telling.add(receiver.url, ["AppointmentCancelled"])
    await telling.happen()
    await telling.tell()
    [asked] = receiver.told
    headers = dict(asked.headers)
    soon = str(int(headers["webhook-timestamp"]) + 1)
    altered = [
        Asked("POST", "/", headers, asked.body + b" "),
        Asked("POST", "/", headers | {"webhook-id": f"msg_{uuid4()}"}, asked.body),
        Asked("POST", "/", headers | {"webhook-timestamp": soon}, asked.body),
    ]
    for wrong in altered:
        with pytest.raises(WebhookVerificationError):
            verified(wrong, secret)
    with pytest.raises(WebhookVerificationError):
        verified(asked, another)
    verified(asked, secret)


async def test_an_endpoint_hears_of_what_it_wants_only(telling: Telling, receiver: Receiver) -> None:
    """An endpoint with kinds of events is told of these, one without of all, and of nothing before it was there (H-5)."""
    await telling.happen("TimeBlocked")
    await feed(telling.database)
    choosy, _ = await telling.add(receiver.url, ["TimeUnblocked", "TimeUnblocked"])
    curious, _ = await telling.add(receiver.url)
    for event in ("TimeBlocked", "TimeUnblocked"):
        await telling.happen(event)
    await telling.tell()
    assert choosy.types == ("TimeUnblocked",)
    assert [each.type for each in await telling.deliveries(choosy.id)] == ["TimeUnblocked"]
    assert {each.type for each in await telling.deliveries(curious.id)} == {"TimeBlocked", "TimeUnblocked"}
    assert len(receiver.told) == 3


async def test_what_has_failed_is_sent_again_as_it_was(telling: Telling, receiver: Receiver) -> None:
    """A message is repeated until it has arrived, with the same id and body, signed anew; then never again (H-5)."""
    endpoint, secret = await telling.add(receiver.url)
    await telling.happen()
    answers = iter([Reply(500), Reply(404), Reply(301, {"location": receiver.url}), Reply(200, {}, b"thanks")])
    receiver.answering = lambda _: next(answers)
    await telling.tell()
    reasons = []
    for _ in range(3):
        [delivery] = await telling.deliveries(endpoint.id)
        reasons.append((delivery.last_status, delivery.reason))
        assert delivery.next_attempt_at is not None
        assert delivery.next_attempt_at > datetime.now(UTC)
        await telling.hasten()
        assert await telling.send() == 1
    assert reasons == [(500, "refused"), (404, "refused"), (301, "redirected")]
    [delivery] = await telling.deliveries(endpoint.id)
    assert (delivery.state, delivery.attempts, delivery.last_status) == (DeliveryState.DELIVERED, 4, 200)
    assert len({asked.body for asked in receiver.told}) == 1
    assert set(receiver.ids()) == {delivery.message_id}
    for asked in receiver.told:
        verified(asked, secret)
    await telling.hasten()
    assert await telling.tell() == 0


def test_the_waits_grow_to_three_days() -> None:
    """The waits begin with seconds, grow to hours, differ by chance, obey the server, and are some twenty in 3 days (H-5)."""
    assert 3.7 <= wait_after(1) <= 6.3
    assert all(wait_after(n) <= 7.5 * 3_600 for n in range(1, 60))
    assert wait_after(1, 900.0) == 900.0
    assert len({wait_after(3) for _ in range(20)}) > 1
    passed, attempts = 0.0, 1
    while passed < DAYS * 86_400:
        passed += wait_after(attempts)
        attempts += 1
    assert 15 <= attempts <= 25


async def test_a_server_that_asks_for_patience_gets_it(telling: Telling, receiver: Receiver) -> None:
    """Retry-After of a refusal is obeyed (H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    await telling.happen()
    receiver.answering = lambda _: Reply(503, {"retry-after": "7200"})
    await telling.tell()
    [delivery] = await telling.deliveries(endpoint.id)
    assert delivery.next_attempt_at is not None
    assert delivery.next_attempt_at > datetime.now(UTC) + timedelta(minutes=110)


async def test_what_nothing_reaches_for_days_is_given_up(telling: Telling, receiver: Receiver) -> None:
    """After three days of failures the endpoint is disabled, with all that is on its way, and staff are told; once it is
    enabled they are not any more, and what it has missed is sent on request (H-5).
    """
    endpoint, _ = await telling.add(receiver.url)
    await telling.happen()
    await telling.happen()
    receiver.answering = lambda _: Reply(500)
    await telling.tell()
    assert (await telling.endpoint(endpoint.id)).failing_since is not None
    await telling.age(days=DAYS - 1)
    await telling.send()
    assert (await telling.endpoint(endpoint.id)).state is EndpointState.ACTIVE
    await telling.age(days=1)
    await telling.send()
    given_up = await telling.endpoint(endpoint.id)
    assert (given_up.state, given_up.reason) == (EndpointState.DISABLED, "failing")
    assert {each.state for each in await telling.deliveries(endpoint.id)} == {DeliveryState.FAILED}
    assert await telling.items() == [("webhook_disabled", "failing")]
    await telling.happen()
    assert await telling.tell() == 0

    receiver.answering = lambda _: Reply(200)
    await telling.database.run(telling.business_id, lambda tx: endpoints.enable(tx, endpoint.id, OWNER))
    assert await telling.items() == []
    assert await telling.tell() == 0
    told = len(receiver.told)
    since = datetime.now(UTC) - timedelta(hours=1)

    async def again(tx: Transaction) -> int:
        return await deliveries.replay_since(tx, endpoint.id, since, None, OWNER, again=False)

    assert await telling.database.run(telling.business_id, again) == 3
    assert await telling.tell() == 3
    assert len(set(receiver.ids()[told:])) == 3
    assert await telling.database.run(telling.business_id, again) == 0


async def test_one_message_that_is_refused_disables_nothing(telling: Telling, receiver: Receiver) -> None:
    """An endpoint that takes other messages meanwhile is not given up for one that it refuses (H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    refused = await telling.happen()
    receiver.answering = lambda asked: Reply(422 if str(refused) in asked.body.decode() else 200)
    await telling.tell()
    await telling.happen()
    await telling.tell()
    await telling.age(days=DAYS)
    await telling.send()
    assert {each.state for each in await telling.deliveries(endpoint.id)} == {
        DeliveryState.FAILED,
        DeliveryState.DELIVERED,
    }
    assert (await telling.endpoint(endpoint.id)).state is EndpointState.ACTIVE
    assert await telling.items() == []


async def test_an_endpoint_that_says_it_is_gone_is_believed(telling: Telling, receiver: Receiver) -> None:
    """410 disables an endpoint at once, and staff are told (H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    await telling.happen()
    receiver.answering = lambda _: Reply(410)
    assert await telling.tell() == 1
    assert (await telling.endpoint(endpoint.id)).reason == "gone"
    assert await telling.items() == [("webhook_disabled", "gone")]


async def test_two_secrets_sign_while_they_are_changed_over(telling: Telling, receiver: Receiver) -> None:
    """After a rotation a receiver with either secret believes; when the overlap is over only the new one counts (H-5)."""
    endpoint, former = await telling.add(receiver.url)
    _, secret = await telling.database.run(
        telling.business_id, lambda tx: endpoints.rotate(tx, endpoint.id, OWNER, hours=1)
    )
    await telling.happen()
    await telling.tell()
    for each in (former, secret):
        verified(receiver.told[0], each)
    await telling.run("update webhook_endpoints set former_until = clock_timestamp()")
    await telling.happen()
    await telling.tell()
    verified(receiver.told[1], secret)
    with pytest.raises(WebhookVerificationError):
        verified(receiver.told[1], former)
    await forget(telling.database)
    with telling.as_admin() as connection:
        assert connection.execute("select former_secret from webhook_endpoints").fetchall() == [(None,)]


async def test_who_rotates_twice_takes_nothing_away(telling: Telling, receiver: Receiver) -> None:
    """A rotation that is repeated, by a page loaded again or a lost answer, leaves each secret its time; one without
    overlap leaves the new one only (H-5).
    """
    endpoint, first = await telling.add(receiver.url)

    async def rotate(hours: int) -> str:
        _, secret = await telling.database.run(
            telling.business_id, lambda tx: endpoints.rotate(tx, endpoint.id, OWNER, hours=hours)
        )
        return secret

    async def believed(*known: str) -> list[str]:
        await telling.happen()
        await telling.tell()
        signed = receiver.told[-1].headers["webhook-signature"].split()
        assert len(signed) <= 6
        found = []
        for each in known:
            with suppress(WebhookVerificationError):
                verified(receiver.told[-1], each)
                found.append(each)
        return found

    second, third = await rotate(2), await rotate(1)
    assert await believed(first, second, third) == [first, second, third]
    many = [await rotate(1) for _ in range(6)]
    assert await believed(first, many[0], *many[1:]) == many
    last = await rotate(0)
    assert await believed(first, second, third, *many, last) == [last]
    assert (await telling.endpoint(endpoint.id)).former_until is None


@pytest.mark.parametrize("step", range(1, 9))
async def test_whoever_dies_over_it_leaves_it_to_the_next_one(telling: Telling, receiver: Receiver, step: int) -> None:
    """At whatever step a worker dies, the message arrives at least once, each time under the same id (H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    await telling.happen()
    await feed(telling.database)
    [due] = await due_now(telling.database)
    dying = Crashing(telling.database, step)
    try:
        await send_one(dying, HERE, due.business_id, due.id)  # type: ignore[arg-type]
    except Crash:
        assert not dying.survived
    await telling.hasten()
    await telling.send()
    [delivery] = await telling.deliveries(endpoint.id)
    assert delivery.state is DeliveryState.DELIVERED
    assert set(receiver.ids()) == {delivery.message_id}
    assert len(receiver.told) <= 2


async def test_a_worker_that_is_killed_while_it_tells_loses_nothing(
    telling: Telling, receiver: Receiver, tmp_path: Path
) -> None:
    """After kill -9 between the request and its answer, the next worker tells the same again under the same id (H-5)."""
    endpoint, secret = await telling.add(receiver.url)
    await telling.happen()
    script = tmp_path / "worker.py"
    script.write_text(WORKER)
    words = [sys.executable, str(script), telling.dsn, MASTER_KEY.hex()]
    process = await asyncio.create_subprocess_exec(*words, env={**os.environ, "PYTHONPATH": ":".join(sys.path)})
    receiver.answering = lambda _: os.kill(process.pid, signal.SIGKILL) or Reply(200)  # type: ignore[func-returns-value]
    assert await asyncio.wait_for(process.wait(), 60) == -signal.SIGKILL
    receiver.answering = lambda _: Reply(200)
    [delivery] = await telling.deliveries(endpoint.id)
    assert (delivery.state, delivery.attempts) == (DeliveryState.PENDING, 1)
    # Until the lease of the dead one ends, nobody else tells it.
    assert await telling.send() == 0
    await telling.hasten()
    assert await telling.send() == 1
    [delivery] = await telling.deliveries(endpoint.id)
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 2)
    assert receiver.ids() == [delivery.message_id] * 2
    assert verified(receiver.told[0], secret) == verified(receiver.told[1], secret)


WORKER = """
import asyncio, sys
from holdfast.kernel.database import Database
from holdfast.kernel.privacy import Keyring
from holdfast.webhooks.settings import WebhookSettings
from holdfast.webhooks.upkeep import webhooks_kept_up

async def work() -> None:
    database = Database(sys.argv[1], keyring=Keyring(bytes.fromhex(sys.argv[2]), sys.argv[1]))
    await database.open()
    async with webhooks_kept_up(database, WebhookSettings(private_networks=True)):
        await asyncio.Event().wait()

asyncio.run(work())
"""


async def test_a_late_answer_of_an_earlier_attempt_changes_nothing(telling: Telling, receiver: Receiver) -> None:
    """Whoever comes back after the end of his lease with a failure does not undo what the next one has done (H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    await telling.happen()
    await feed(telling.database)
    [due] = await due_now(telling.database)
    loop = asyncio.get_running_loop()

    async def meanwhile() -> None:
        receiver.answering = lambda _: Reply(200)
        await telling.hasten()
        await send_one(telling.database, HERE, due.business_id, due.id)

    def answer(_: Asked) -> Reply:
        asyncio.run_coroutine_threadsafe(meanwhile(), loop).result(30)
        return Reply(500)

    receiver.answering = answer
    await send_one(telling.database, HERE, due.business_id, due.id)
    [delivery] = await telling.deliveries(endpoint.id)
    assert (delivery.state, delivery.attempts, delivery.last_status) == (DeliveryState.DELIVERED, 2, 200)


async def test_a_slow_program_holds_up_no_other(telling: Telling, receiver: Receiver) -> None:
    """While one endpoint lets every connection hang, another one is told at once (H-5)."""
    slow, _ = await telling.add(f"{receiver.server.address}/slow")
    quick, _ = await telling.add(receiver.url)
    arrived, release = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def answer(asked: Asked) -> Reply:
        if asked.path == "/slow":
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result(30)
        elif len([each for each in receiver.told if each.path != "/slow"]) == 20:
            loop.call_soon_threadsafe(arrived.set)
        return Reply(200)

    receiver.answering = answer
    for _ in range(20):
        await telling.happen()
    async with webhooks_kept_up(telling.database, HERE):
        await asyncio.wait_for(arrived.wait(), 30)
        assert {each.state for each in await telling.deliveries(slow.id)} == {DeliveryState.PENDING}
        release.set()
    assert {each.state for each in await telling.deliveries(quick.id)} == {DeliveryState.DELIVERED}


async def test_what_works_goes_before_what_fails(telling: Telling, receiver: Receiver) -> None:
    """What waits for endpoints that fail is old, and is due behind what is on its way to those that work (H-5)."""
    failing, _ = await telling.add(f"{receiver.server.address}/failing")
    works, _ = await telling.add(receiver.url)
    receiver.answering = lambda asked: Reply(500 if asked.path == "/failing" else 200)
    await telling.happen()
    await telling.tell()
    await telling.hasten()
    await telling.happen()
    await feed(telling.database)
    assert [due.endpoint_id for due in await due_now(telling.database)] == [works.id, failing.id]


async def test_one_message_is_replayed_under_its_id(telling: Telling, receiver: Receiver) -> None:
    """What has arrived is sent once more on request, with the same id and body; so is a trial (H-5)."""
    endpoint, secret = await telling.add(receiver.url)
    await telling.happen()
    await telling.database.run(telling.business_id, lambda tx: deliveries.send_trial(tx, endpoint.id, OWNER))
    await telling.tell()
    for each in await telling.deliveries(endpoint.id):
        named = each.id
        await telling.database.run(
            telling.business_id, lambda tx, named=named: deliveries.replay(tx, endpoint.id, named, OWNER)
        )
    assert await telling.send() == 2
    ids = receiver.ids()
    assert sorted(ids) == sorted([*ids[:2], *ids[:2]])
    assert {asked.body for asked in receiver.told[:2]} == {asked.body for asked in receiver.told[2:]}
    assert "WebhookTest" in {verified(asked, secret)["type"] for asked in receiver.told}


async def test_a_time_is_replayed_to_whoever_wants_it(telling: Telling, receiver: Receiver) -> None:
    """All of a time is sent again on request, also what was there before the endpoint, and nothing outside it (H-5)."""
    early = await telling.happen()
    await feed(telling.database)
    await asyncio.to_thread(_shift, telling, early, timedelta(hours=5))
    late = await telling.happen()
    endpoint, _ = await telling.add(receiver.url)
    await telling.tell()
    now = datetime.now(UTC)

    async def replay(since: timedelta, until: timedelta, *, again: bool) -> int:
        return await telling.database.run(
            telling.business_id,
            lambda tx: deliveries.replay_since(tx, endpoint.id, now - since, now - until, OWNER, again=again),
        )

    hours = timedelta(hours=6), timedelta(hours=4)
    assert await replay(*hours, again=False) == 1
    await telling.send()
    assert [body["data"]["subjectId"] for body in receiver.bodies()] == [str(late), str(early)]
    assert await replay(*hours, again=False) == 0
    assert await replay(timedelta(hours=6), -timedelta(hours=1), again=True) == 2
    await telling.send()
    assert len(set(receiver.ids())) == 2
    assert len(receiver.ids()) == 4


async def test_what_ended_a_month_ago_is_forgotten(telling: Telling, receiver: Receiver) -> None:
    """What has become of a message is kept for a month; what is on its way stays, and the event stays in the log (H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    await telling.happen()
    await telling.tell()
    assert await forget(telling.database) == 0
    await telling.run("update webhook_deliveries set ended_at = ended_at - interval '31 days'")
    receiver.answering = lambda _: Reply(500)
    await telling.happen()
    await telling.tell()
    assert await forget(telling.database) == 1
    assert [each.state for each in await telling.deliveries(endpoint.id)] == [DeliveryState.PENDING]
    async with telling.database.transaction(telling.business_id) as tx:
        assert len((await log.read(tx, cursor=None, since=None, types=None, limit=10)).events) == 2


async def test_every_change_of_an_endpoint_is_in_the_audit_log(telling: Telling, receiver: Receiver) -> None:
    """Who has made, changed, rotated, tried out, disabled, enabled or removed an endpoint is written down (D-7, H-5)."""
    endpoint, _ = await telling.add(receiver.url)
    wish = endpoints.Wish("Other name", receiver.url)

    async def work(tx: Transaction) -> None:
        await endpoints.change(tx, endpoint.id, wish, OWNER)
        await endpoints.rotate(tx, endpoint.id, OWNER, hours=1)
        await deliveries.send_trial(tx, endpoint.id, OWNER)
        await endpoints.disable(tx, endpoint.id, OWNER)
        await endpoints.enable(tx, endpoint.id, OWNER)
        await endpoints.remove(tx, endpoint.id, OWNER)

    await telling.database.run(telling.business_id, work)
    with telling.as_admin() as connection:
        rows = connection.execute(
            "select action from audit_log where aggregate_id = %s and actor_id = %s order by version",
            [endpoint.id, OWNER.id],
        ).fetchall()
    actions = ["create", "change", "rotate", "try_out", "deactivate", "reactivate", "remove"]
    assert [action for (action,) in rows] == actions


def _shift(telling: Telling, subject: object, by: timedelta) -> None:
    with telling.as_admin() as connection:
        connection.execute(
            "update outbox_events set occurred_at = occurred_at - %s where aggregate_id = %s", [by, subject]
        )
