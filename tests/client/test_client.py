"""The client package against a real server, and against one whose answers are lost (H-6)."""

import asyncio
import inspect
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import islice
from typing import Any

import pytest

from client.losing import LOSE, Between, standing_between
from conftest import Server
from holdfast.client import (
    AsyncClient,
    Client,
    NotThere,
    OutcomeUnknown,
    Patience,
    Refused,
    Slot,
    SlotTaken,
    Unavailable,
    Unreadable,
)

SLUG = "emotional-balance"
SERVICE = "individual-session"
GUEST = {"email": "guest@example.org", "name": "Guest of the client", "phone": "+7 900 000-00-77"}
BRIEF = Patience(seconds=0.5, first_pause_seconds=0.01, longest_pause_seconds=0.05)

Clients = Callable[..., Client]


@pytest.fixture
def clients(server: Server) -> Iterator[Clients]:
    """Make clients of the demo business, to be closed when the test is over."""
    made: list[Client] = []

    def make(url: str = server.url, **more: Any) -> Client:
        made.append(Client(url, business=SLUG, **more))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture
def between(server: Server) -> Iterator[Between]:
    """Something between the clients and the server that loses answers."""
    with standing_between(server.url) as it:
        yield it


def free(client: Client) -> Slot:
    """Return a time that is free, late in the horizon, where no other test books."""
    return list(client.slots(SERVICE, until=None))[-1]


def wish(client: Client, slot: Slot) -> dict[str, Any]:
    """Return the wish for a time."""
    return {"service": client.business().service(SERVICE).id, "start": slot.start, "end": slot.end}


def test_a_client_goes_all_the_way(clients: Clients) -> None:
    """A place is found, held, held for longer, booked, seen, moved and cancelled, in types (H-6, B-1)."""
    client = clients()
    *_, other, slot = client.slots(SERVICE)
    held = client.reserve(**wish(client, slot), minutes=5)
    longer = client.extend(held.reservation_id, minutes=30)
    assert held.expires_at is not None
    assert longer.expires_at is not None
    assert longer.expires_at > held.expires_at
    booked = client.commit(held.reservation_id, **GUEST)
    token = booked.cancellation_token
    assert (booked.status, booked.start, booked.appointment_id) == ("confirmed", slot.start, held.reservation_id)
    seen = client.appointment(booked.appointment_id, token=token)
    assert (seen.guest_email, seen.currency) == (GUEST["email"], "RUB")
    moved = client.move(seen.appointment_id, version=seen.version, start=other.start, end=other.end, token=token)
    assert (moved.start, moved.version) == (other.start, seen.version + 1)
    assert client.cancel(moved.appointment_id, token=token).status == "cancelled"
    with pytest.raises(Refused) as refused:
        client.cancel(moved.appointment_id, token=token)
    assert refused.value.code == "RESERVATION_ALREADY_CANCELLED"


def test_groups_are_listed_and_booked(clients: Clients) -> None:
    """The dates of a program are gone through page by page, and places of one are booked at once (H-6)."""
    client = clients()
    program = client.business().programs[0]
    [date] = islice((each for each in client.schedules(program.slug) if each.places_left >= 2), 1)
    booked = client.book(schedule=date.id, party_size=2, **GUEST)
    assert (booked.schedule_id, booked.party_size, booked.start) == (date.id, 2, date.start)
    assert client.cancel(booked.appointment_id, token=booked.cancellation_token).status == "cancelled"


def test_a_lost_race_has_alternatives(clients: Clients) -> None:
    """Who comes second hears so as an exception of its own, with the nearest free times (H-6, B-12)."""
    client = clients()
    slot = free(client)
    [resource, *_] = slot.resource_ids
    held = [client.reserve(**wish(client, slot), resource=resource)]
    with pytest.raises(SlotTaken) as taken:
        client.reserve(**wish(client, slot), resource=resource)
    assert all(each.end - each.start == slot.end - slot.start for each in taken.value.alternatives)
    assert taken.value.alternatives
    for each in held:
        client.release(each.reservation_id)
    with pytest.raises(NotThere):
        client.extend(held[0].reservation_id)


def test_lost_answers_are_asked_for_again(clients: Clients, between: Between) -> None:
    """However often the answers are lost, each call takes effect once, by one key, and has its answer (H-6, B-9)."""
    client = clients(between.url)
    *_, other, slot = client.slots(SERVICE)
    place = wish(client, slot)
    between.plan = {"POST": [LOSE, LOSE], "PATCH": [LOSE], "DELETE": [LOSE]}
    held = client.reserve(**place)
    assert held.replayed
    posted = [key for method, key in between.seen if method == "POST"]
    assert (len(posted), len(set(posted))) == (3, 1)
    between.plan["POST"] = [LOSE]
    booked = client.commit(held.reservation_id, **GUEST)
    assert booked.replayed
    token = booked.cancellation_token
    assert token is not None
    moved = client.move(booked.appointment_id, version=booked.version, start=other.start, end=other.end, token=token)
    assert (moved.start, moved.version) == (other.start, booked.version + 1)
    between.plan["POST"] = [LOSE]
    gone = client.cancel(booked.appointment_id, token=token)
    assert (gone.status, gone.version) == ("cancelled", moved.version + 1)
    again = client.reserve(**place)
    client.release(again.reservation_id)
    assert [method for method, _ in between.seen].count("DELETE") == 2


def test_an_unknown_outcome_is_gone_on_with(clients: Clients, between: Between) -> None:
    """When patience ends in doubt the key is told, by which anybody learns what became of it (H-6, B-9)."""
    client = clients(between.url, patience=BRIEF)
    place = wish(client, free(client))
    between.plan = {"POST": [LOSE] * 10_000}
    with pytest.raises(OutcomeUnknown) as unknown:
        client.reserve(**place)
    later = clients().reserve(**place, key=unknown.value.key)
    assert later.replayed
    clients().release(later.reservation_id)


def test_reading_in_vain_leaves_no_doubt(clients: Clients, between: Between) -> None:
    """Who only reads, and whoever never reached the server, hears that nothing was changed (H-6)."""
    between.plan = {"GET": [LOSE] * 10_000}
    with pytest.raises(Unavailable):
        clients(between.url, patience=BRIEF).business()
    # Nothing listens at the port that a server has just closed.
    with standing_between(between.target) as closed:
        pass
    with pytest.raises(Unavailable):
        clients(closed.url, patience=BRIEF).call("POST", "/api/booking/reserve", body={})


def test_what_is_no_server_is_told(server: Server) -> None:
    """Who answers with something else is told apart from a refusal (H-6)."""
    with Client(f"{server.url}/admin/login?", patience=BRIEF) as stranger, pytest.raises(Unreadable):
        stranger.call("GET", "")


@pytest.mark.parametrize("address", ["127.0.0.1:8000", "localhost:8000", "", "ftp://x", "http://", "http://[::1"])
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_an_address_that_is_none_is_told_at_once(kind: type, address: str) -> None:
    """Nobody waits for an address that cannot be one, or is left in doubt about what came of it (H-6)."""
    with pytest.raises(ValueError, match="address of the server"):
        kind(address)


@contextmanager
def answering(*parts: bytes, every_seconds: float = 0.0) -> Iterator[str]:
    """Answer every call with these parts, the last of them again and again while pauses are asked for."""
    pause = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            pass

        def do_GET(self) -> None:
            with suppress(OSError):
                self.wfile.write(b"".join(parts))
                # Until whoever listens has gone: then writing fails.
                while every_seconds and not pause.wait(every_seconds):
                    self.wfile.write(parts[-1])

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listening.server_address[1]}"
        finally:
            listening.shutdown()
            thread.join()


ENDLESS = {"parts": (b"HTTP/1.1 200 OK\r\n\r\n", b" "), "every_seconds": 0.05}
PACKED_WRONGLY = {"parts": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n", b"abcd")}


@pytest.mark.parametrize("answer", [ENDLESS, PACKED_WRONGLY])
async def test_an_answer_without_end_or_sense_is_none(answer: dict[str, Any]) -> None:
    """An answer that comes in drops, or cannot be unpacked, is waited for no longer than one that does not come (H-6)."""
    with answering(*answer["parts"], every_seconds=answer.get("every_seconds", 0.0)) as url:
        async with asyncio.timeout(20), AsyncClient(url, patience=BRIEF, timeout_seconds=0.2) as client:
            with pytest.raises(Unavailable):
                await client.call("GET", "/")
        with Client(url, patience=BRIEF, timeout_seconds=0.2) as other, pytest.raises(Unavailable):
            await asyncio.to_thread(other.call, "GET", "/")


def test_whatever_has_no_method_can_be_called(clients: Clients) -> None:
    """The rest of the API is there too, with the same patience and the same refusals (H-6)."""
    client = clients()
    assert client.call("GET", "/health") == {"status": "ok"}
    with pytest.raises(Refused) as refused:
        next(client.appointments())
    assert (refused.value.status, refused.value.code) == (401, "authentication_required")


async def test_the_other_client_goes_all_the_way(server: Server, between: Between) -> None:
    """With asyncio everything is as with threads, lost answers too, and many calls at a time are well (H-6)."""
    async with AsyncClient(between.url, business=SLUG) as client:
        card = await client.business()
        service = card.service(SERVICE)
        # So far apart that none overlaps another.
        slots = list(await client.slots(SERVICE))[:-30:-7]
        between.plan = {"POST": [LOSE, LOSE, LOSE]}
        held = await asyncio.gather(
            *(client.reserve(service=service.id, start=each.start, end=each.end) for each in slots)
        )
        assert len({each.reservation_id for each in held}) == len(slots)
        booked = await client.commit(held[0].reservation_id, **GUEST)
        seen = await client.appointment(booked.appointment_id, token=booked.cancellation_token)
        assert seen.status == "confirmed"
        await client.cancel(seen.appointment_id, token=booked.cancellation_token)
        await asyncio.gather(*(client.release(each.reservation_id) for each in held[1:]))
        dates = [each async for each in client.schedules(card.programs[0].slug)]
        assert dates == sorted(dates, key=lambda each: each.start)
        with pytest.raises(Refused):
            await anext(client.appointments())


def test_both_clients_have_the_same_methods() -> None:
    """What one client can do the other can, with the same words, parameters and results (H-6)."""

    def methods(kind: type) -> dict[str, tuple[str, str | None]]:
        public = {name: it for name, it in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
        return {
            name: (str(inspect.signature(it)).replace("AsyncIterator", "Iterator"), it.__doc__)
            for name, it in public.items()
        }

    assert methods(Client) == methods(AsyncClient)
    assert len(methods(Client)) >= 13


def test_the_client_stands_alone() -> None:
    """Whoever imports the client loads nothing else of Holdfast, no driver and no framework (H-6)."""
    asked = "import sys, holdfast.client; print(*(n for n in sys.modules if n.startswith('holdfast.')), *sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {n for n in loaded if n.startswith("holdfast.") and not n.startswith("holdfast.client")} == set()
    assert loaded & {"psycopg", "litestar", "jinja2", "procrastinate"} == set()
