"""The load generator writes down whatever it hears, and asks again until it is told."""

import json
from collections import Counter
from itertools import count, pairwise
from pathlib import Path

import httpx
import psycopg
import pytest
from proof.check import examine
from proof.clients import Client, Surroundings
from proof.findings import Kind
from proof.history import Asked, Call, History, read
from proof.load import Load, load
from proof.recorded import record
from proof.shop import charges_of, on_their_way, payer
from proof.stage import Group, Offer, Stage
from proof.visits import visit

from journeys.loaded import Loaded
from payments.yookassa.errors import YooKassaError

DAY = 86_400
# Where no server is.
NOBODY = "http://127.0.0.1:9"
STAGE = Stage(
    business="b",
    slug="proof",
    capacities={"r": 1},
    offers=[Offer("s", "lone", [["r"]], 30, 0, 0, 0, [DAY * n for n in range(1, 200)])],
    groups=[Group("g", DAY, DAY + 3_600, 8)],
)
OPERATIONS = {"reserve", "book", "commit", "extend", "release", "reschedule", "cancel"}
REFUSALS = {
    *("slot_conflict", "CAPACITY_EXCEEDED", "idempotency_key_reused", "not_changeable", "CONFLICT"),
    *("RESERVATION_NOT_FOUND_OR_EXPIRED", "RESERVATION_ALREADY_CANCELLED"),
}


class Server:
    """A server that answers as it is told to, whatever it is asked; it keeps what it was sent."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = iter(answers)
        self.sent: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or break off."""
        self.sent.append(request)
        answer = next(self.answers, httpx.Response(409, json={"code": "slot_conflict"}))
        if isinstance(answer, Exception):
            raise answer
        return answer


async def visited(
    server: Server, path: Path, *, seed: int = 1, visits: int = 1, patience_seconds: float = 60
) -> Surroundings:
    """Let one client of a seed visit a server; return what it shared and wrote down."""
    with History(path, seed, STAGE) as history:
        async with httpx.AsyncClient(transport=httpx.MockTransport(server)) as http:
            around = Surroundings(["http://one"], history, http, patience_seconds=patience_seconds)
            client = Client("client-0", around)
            for _ in range(visits):
                await visit(client, STAGE)
    return around


async def test_a_load_is_told_everything_and_written_down(loaded: Loaded, tmp_path: Path) -> None:
    """Clients on a server do all that people do, are told of everything, by documented answers only, and every word is on
    disk; what is repeated afterwards is a repetition; and the checker finds that every word was kept, until somebody
    tampers with the database (B-2, B-3, B-9, B-11, B-25, P-1, P-9).
    """
    shop, server = loaded.shop, loaded.instance
    pay = payer(shop, YooKassaError)
    with History(tmp_path / "history", 1, loaded.stage) as history:
        async with load([server.url], history, clients=8, pay=pay, staff_key=loaded.staff_key) as running:
            await running.until(lambda: {o for o, how in history.tally() if how == "done"} == OPERATIONS, 120)
            await running.until(lambda: running.acknowledged >= 500 and len(charges_of(shop)) >= 10, 120)
            assert await running.acknowledges() > 0
        before = len(history.calls)
        await running.settle(repeated=50)
    assert (running.open, running.unanswered) == (0, 0)
    heading, calls = read(tmp_path / "history")
    assert (heading, calls) == (history.heading, history.calls)
    assert {call.code for call in calls if call.outcome == "refused"} <= REFUSALS
    again = [call.told for call in calls[before:]]
    assert len(again) >= 50
    assert all(told is not None and told.replayed for told in again)

    shop.webhooks.deliver(*shop.webhooks.due())
    business = loaded.stage.business
    await running.until(lambda: on_their_way(record(server.dsn, business), charges_of(shop)) == 0, 120)
    assert sum(charge.captured_minor for charge in charges_of(shop)) > 0
    assert examine(history, server.dsn, charges_of(shop), loaded.master_key) == []
    with psycopg.connect(server.dsn, options="-c session_replication_role=replica") as connection:
        connection.execute("update bookings set party_size = party_size + 1 where schedule_id is not null")
    kinds = {finding.kind for finding in examine(history, server.dsn, charges_of(shop), loaded.master_key)}
    assert {Kind.INVARIANT, Kind.ALTERED} <= kinds


async def test_who_hears_nothing_asks_again_for_the_same(tmp_path: Path) -> None:
    """A request without an answer, cut off or answered by 503 is repeated word for word with its key, each attempt a call."""
    cut_off = httpx.Response(201, content=b'{"reservationId": "x')
    late = httpx.Response(503, json={"code": "outcome_unknown"})
    server = Server(httpx.ConnectError("away"), cut_off, late, httpx.Response(409, json={"code": "slot_conflict"}))
    around = await visited(server, tmp_path / "history")
    calls = around.history.calls
    assert [(call.status, call.code, call.outcome) for call in calls] == [
        (0, None, "unknown"),
        (0, None, "unknown"),
        (503, "outcome_unknown", "unknown"),
        (409, "slot_conflict", "refused"),
    ]
    assert len({request.content for request in server.sent}) == 1
    assert len({(call.effect, call.asked) for call in calls}) == 1
    assert str(calls[0].key).startswith(around.history.heading.run)
    assert json.loads(server.sent[0].content)["idempotencyKey"] == calls[0].key
    assert all(one.ended <= other.started for one, other in pairwise(calls))


async def test_who_is_never_told_gives_up_and_remembers(tmp_path: Path) -> None:
    """A client whose patience ends goes on with something else, and its request stays open."""
    around = await visited(Server(httpx.ReadError("cut")), tmp_path / "history", patience_seconds=0)
    [call] = around.history.calls
    [(client, request)] = around.open
    assert (client.name, request.key, call.outcome) == ("client-0", call.key, "unknown")


async def test_whoever_answers_nobody_is_not_waited_for_by_each(tmp_path: Path) -> None:
    """At the end of a run one request after another waits no longer than the first ones did in vain."""
    around = await visited(Server(*[httpx.ReadError("cut")] * 12), tmp_path / "history", visits=12, patience_seconds=0)
    left = {request.key for _, request in around.open}
    around.patience_seconds = 0.3
    with History(tmp_path / "afterwards", 1, STAGE) as history:
        around.history = history
        await Load(around, clients=3).settle([NOBODY])
    attempts = Counter(call.key for call in history.calls)
    assert attempts.keys() == left == {request.key for _, request in around.open}
    assert len(left) > 6
    assert sum(times > 1 for times in attempts.values()) in range(1, 4)


async def test_what_is_wished_for_follows_from_the_seed(tmp_path: Path) -> None:
    """The same seed makes the same wishes in the same order, and another one others."""

    async def wishes(seed: int) -> list[tuple[str, Asked]]:
        around = await visited(Server(), tmp_path / "history", seed=seed, visits=20)
        return [(call.operation, call.asked) for call in around.history.calls]

    assert await wishes(1) == await wishes(1)
    assert await wishes(1) != await wishes(2)


async def test_a_history_that_broke_off_is_read_up_to_there(tmp_path: Path) -> None:
    """A last line that is not whole is no call; everything before it is."""
    around = await visited(Server(), tmp_path / "history", visits=5)
    whole = (tmp_path / "history").read_bytes()
    (tmp_path / "history").write_bytes(whole[:-20])
    assert read(tmp_path / "history") == (around.history.heading, around.history.calls[:-1])


def test_recovery_is_the_first_effect_of_a_later_request(tmp_path: Path) -> None:
    """What was under way before a moment shows nothing about the time after it."""
    asked = [(0.0, 5.0, 201), (2.0, 4.0, 503), (3.0, 6.0, 201), (3.5, 5.5, 201)]
    with History(tmp_path / "history", 1, STAGE) as history:
        for number, (started, ended, status) in sorted(zip(count(), asked, strict=False), key=lambda one: one[1][1]):
            history.write(Call(number, "c", "reserve", str(number), started, ended, started, Asked(), status))
    assert history.recovered(1.0) == 5.5
    assert history.recovered(3.2) == 5.5
    assert history.recovered(4.0) is None
    assert history.tally(4.5) == {("reserve", "done"): 3}


async def test_waiting_in_vain_ends(loaded: Loaded, tmp_path: Path) -> None:
    """A condition that is not met in time ends the wait with an error, and the clients with it."""
    with History(tmp_path / "history", 1, loaded.stage) as history, pytest.raises(TimeoutError):
        async with load([loaded.instance.url], history, clients=1) as running:
            await running.until(lambda: False, 0)
