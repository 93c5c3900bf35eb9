"""Mail as it leaves a running server: from a booking over HTTP to what arrives."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import psycopg

from booking.served import Clients, Json, clients_of, instant
from journeys.instance import Instance, copy_of, eventually, serving
from notifications.posting import event_of
from notifications.sink import Sink, open_sink

SERVICE = "individual-session"
PUBLIC_URL = "https://mailing.test"
GUEST = {"guestEmail": "zenobia@example.org", "guestName": "Guest Postmarked", "locale": "ru", "timezone": "Asia/Omsk"}


def made(clients: Clients) -> Json:
    """Hold a session and commit it for the guest."""
    return clients.commit(clients.reserve(SERVICE, clients.slots(SERVICE, clients.fresh_day())[0]), **GUEST)


async def arrival(sink: Sink) -> Any:
    """Return the next message that arrives."""
    await asyncio.wait_for(sink.arrived.wait(), 60)
    sink.arrived.clear()
    return sink.only()


def states(instance: Instance, booking: Json) -> list[str]:
    """Return the states of the messages about a booking."""
    with psycopg.connect(instance.dsn) as connection:
        rows = connection.execute("select state from messages where booking_id = %s", [booking["appointmentId"]])
        return [state for (state,) in rows]


async def test_a_booking_is_told_and_its_link_opens_it(served_before: Path, tmp_path: Path) -> None:
    """What is booked over HTTP arrives by mail, with the instant of the API and a link that opens the booking; a worker
    that is killed over a message leaves it to staff, and the next one goes on (W-2, U-2).
    """
    async with open_sink() as sink:
        settings = {"HOLDFAST_SMTP_URL": sink.url, "HOLDFAST_MAIL_FROM": "desk@mailing.test"}
        data_dir = copy_of(served_before, tmp_path / "data")
        with serving(data_dir, HOLDFAST_PUBLIC_URL=PUBLIC_URL, **settings) as instance:
            await follow(instance, sink)


async def follow(instance: Instance, sink: Sink) -> None:
    """Book and read, kill the worker, and book again."""
    clients = await asyncio.to_thread(clients_of, instance.url, instance.dsn)
    first = await asyncio.to_thread(made, clients)
    mail = await arrival(sink)
    assert mail.recipient == GUEST["guestEmail"]
    assert "Guest Postmarked" in mail.text
    assert event_of(mail)[1]["DTSTART"].dt == instant(first["start"])
    [link] = [line for line in mail.text.splitlines() if line.startswith(PUBLIC_URL)]
    page = await asyncio.to_thread(httpx.get, link.replace(PUBLIC_URL, instance.url))
    assert (page.status_code, 'lang="ru"' in page.text) == (200, True)

    sink.holds = asyncio.Event()
    second = await asyncio.to_thread(made, clients)
    await asyncio.wait_for(sink.arrived.wait(), 60)
    worker = await asyncio.to_thread(instance.part, "worker")
    worker.kill()
    sink.arrived.clear()
    assert len(sink.taken()) == 1
    sink.holds.set()
    sink.holds = None
    third = await asyncio.to_thread(made, clients)
    assert event_of(await arrival(sink))[1]["UID"] == f"{third['appointmentId']}@holdfast"
    assert states(instance, second) == ["sending"]
    with psycopg.connect(instance.dsn) as connection:
        connection.execute("update messages set sending_since = now() - interval '1 hour' where state = 'sending'")
    await asyncio.to_thread(eventually, lambda: states(instance, second) == ["unknown"], 90)
    assert sink.taken() == []
    clients.http.close()
