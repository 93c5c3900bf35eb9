"""Clients that reserve and commit, and a book of every answer that they got.

For a server whose past is taken back: what was acknowledged after the moment that is restored can be struck from the
book. Everything else is loaded by `proof.load`, whose history cannot be changed.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from holdfast.verify import verify
from journeys.instance import eventually

CLIENTS = 8
MADE = {200, 201}
Body = dict[str, Any]


@dataclass
class Order:
    """One client's wish, and what it was told."""

    body: Body
    reservation: Body | None = None
    refused: bool = False
    wants_commit: bool = False
    appointment: Body | None = None

    @property
    def id(self) -> str:
        """The reservation that it got."""
        assert self.reservation is not None, "it has one"
        return str(self.reservation["reservationId"])

    @property
    def commit(self) -> Body:
        """The request that makes it an appointment."""
        return {"reservationId": self.id, "guestEmail": "guest@example.org", "guestName": "A guest"}


@dataclass
class Book:
    """Every order with its answers, and how many answers of each kind there were; 0 stands for a broken connection."""

    wishes: Sequence[Body]
    orders: list[Order] = field(default_factory=list)
    answers: Counter[int] = field(default_factory=Counter)
    slowest_seconds: float = 0.0

    @property
    def acknowledged(self) -> int:
        """How many reservations and appointments were acknowledged."""
        return sum((order.reservation is not None) + (order.appointment is not None) for order in self.orders)

    @property
    def open(self) -> list[Order]:
        """The orders of which nobody knows yet what became of them."""
        return [order for order in self.orders if order.reservation is None and not order.refused]


def wishes_of(url: str, business: str = "emotional-balance") -> list[Body]:
    """Return wishes for slots of which some exclude each other, and for places in groups."""
    card = httpx.get(f"{url}/api/public/businesses/{business}", timeout=30).json()
    first = (datetime.now(UTC) + timedelta(days=3)).date()
    days = {"from": first.isoformat(), "to": (first + timedelta(days=5)).isoformat(), "business": business}
    wishes: list[Body] = []
    for service in card["services"]:
        asked = {"service_slug": service["slug"], **days}
        shown = httpx.get(f"{url}/api/public/booking/slots", params=asked, timeout=30).json()
        wishes += [
            {"serviceId": service["id"], "slotStart": slot["start"], "slotEnd": slot["end"]}
            for day in shown["days"]
            for slot in day["slots"]
        ]
    for program in card["programs"]:
        asked = {"business": business, "limit": "60"}
        shown = httpx.get(f"{url}/api/public/programs/{program['slug']}/schedules", params=asked, timeout=30).json()
        wishes += [{"scheduleId": schedule["id"], "partySize": 2} for schedule in shown["schedules"]] * 5
    return wishes


async def drive(url: str, book: Book, stop: asyncio.Event) -> None:
    """Let clients order until they are stopped; each answer goes into the book the moment it comes."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        await asyncio.gather(*(_client(http, book, stop, random.Random(n)) for n in range(CLIENTS)))


async def _client(http: httpx.AsyncClient, book: Book, stop: asyncio.Event, chance: random.Random) -> None:
    while not stop.is_set():
        order = Order(chance.choice(book.wishes) | {"idempotencyKey": str(uuid4())})
        book.orders.append(order)
        if await _place(http, book, order) and chance.random() < 0.7:
            order.wants_commit = True
            await _commit(http, book, order)


async def _place(http: httpx.AsyncClient, book: Book, order: Order) -> bool:
    answer = await _ask(http, book, "/api/booking/reserve", order.body)
    if answer is not None and answer.status_code in MADE:
        order.reservation = answer.json()
        return True
    # A refusal is an answer as well: nothing was booked, and another client has the place.
    order.refused = answer is not None and answer.json()["code"] in ("slot_conflict", "CAPACITY_EXCEEDED")
    return False


async def _commit(http: httpx.AsyncClient, book: Book, order: Order) -> None:
    answer = await _ask(http, book, "/api/booking/commit", order.commit)
    if answer is not None and answer.status_code in MADE:
        order.appointment = answer.json()


async def _ask(http: httpx.AsyncClient, book: Book, path: str, body: Body) -> httpx.Response | None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        answer = await http.post(path, json=body)
    except httpx.TransportError:
        book.answers[0] += 1
        await asyncio.sleep(0.05)
        return None
    finally:
        book.slowest_seconds = max(book.slowest_seconds, loop.time() - began)
    book.answers[answer.status_code] += 1
    if answer.status_code == 503:
        assert answer.headers["Content-Type"] == "application/problem+json", answer.text
        assert answer.json()["code"] in ("overloaded", "outcome_unknown"), answer.text
        assert answer.headers["Retry-After"] == "1", answer.headers
        await asyncio.sleep(0.05)
    return answer


async def settle(url: str, book: Book) -> None:
    """Repeat every order and every commit as clients do who heard nothing; check that each has one effect."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        queue = list(book.orders)

        async def work() -> None:
            while queue:
                await _settle(http, queue.pop())

        await asyncio.gather(*(work() for _ in range(CLIENTS)))


async def _settle(http: httpx.AsyncClient, order: Order) -> None:
    if order.refused:
        return
    if order.reservation is None:
        answer = await http.post("/api/booking/reserve", json=order.body)
        assert answer.status_code in {*MADE, 400, 409}, answer.text
        if answer.status_code not in MADE:
            assert answer.json()["code"] in ("slot_conflict", "CAPACITY_EXCEEDED"), answer.text
            order.refused = True
            return
        order.reservation = answer.json()
    again = await http.post("/api/booking/reserve", json=order.body)
    assert (again.status_code, again.json()["replayed"]) == (200, True), again.text
    same = ("reservationId", "start", "end", "resourceIds", "partySize")
    assert [again.json()[name] for name in same] == [order.reservation[name] for name in same]
    if order.wants_commit:
        if order.appointment is None:
            answer = await http.post("/api/booking/commit", json=order.commit)
            assert answer.status_code in MADE, answer.text
            order.appointment = answer.json()
        repeated = await http.post("/api/booking/commit", json=order.commit)
        assert repeated.status_code == 200, repeated.text
        assert repeated.json() == order.appointment | {"replayed": True}


def check(dsn: str, book: Book) -> None:
    """Check that the database has what was acknowledged, and nothing else, and that all invariants hold."""
    with psycopg.connect(dsn) as connection:
        rows = connection.execute("select id, state, starts_at, ends_at, party_size from bookings").fetchall()
        keys = connection.execute("select count(*) from idempotency_keys where operation = 'reserve'").fetchone()
    kept = {id_: row for id_, *row in rows}
    made = {UUID(order.id): order for order in book.orders if order.reservation is not None}
    assert set(kept) == set(made)
    for id_, order in made.items():
        told = order.appointment or order.reservation
        assert told is not None, "what was made was told"
        times = [datetime.fromisoformat(told[name]) for name in ("start", "end")]
        assert kept[id_] == ["confirmed" if order.wants_commit else "held", *times, told["partySize"]]
    assert keys == (len(made),)
    assert verify(dsn, lambda _: None) == []


@asynccontextmanager
async def load_on(url: str, book: Book) -> AsyncIterator[asyncio.Task[None]]:
    """Let clients order while the block runs."""
    stop = asyncio.Event()
    clients = asyncio.create_task(drive(url, book, stop))
    try:
        yield clients
    finally:
        stop.set()
        await clients


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for a condition while the clients go on."""
    await asyncio.to_thread(eventually, condition, seconds)
