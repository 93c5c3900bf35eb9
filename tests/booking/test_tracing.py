"""Traces: what a request, its batch and its statements say of themselves, and what they never say."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, format_trace_id

from holdfast import config, web
from holdfast.business_files.demo import demo_text
from holdfast.business_files.importing import load
from holdfast.business_files.toml_file import read
from holdfast.kernel.about import TRACE_ID
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.tracing import Tracing

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
MAIL, PHONE, NAME = "ford.prefect@guide.example", "+44 7700 900042", "Ford Prefect"
DAY = datetime.now(UTC).date() + timedelta(days=30)
RESERVE = "/api/booking/reserve"


@dataclass
class Traced:
    """The application with its spans, and the database below it."""

    http: httpx.AsyncClient
    spans: InMemorySpanExporter
    dsn: str

    def named(self, name: str) -> list[ReadableSpan]:
        """Return the finished spans of a name."""
        return [span for span in self.spans.get_finished_spans() if span.name == name]

    async def wish(self, number: int = 0) -> dict[str, Any]:
        """Return the body that reserves a free slot."""
        card = (await self.http.get("/api/public/businesses/emotional-balance")).json()
        [service] = [s["id"] for s in card["services"] if s["slug"] == "intro-call"]
        query = {"service_slug": "intro-call", "from": str(DAY), "to": str(DAY + timedelta(days=1))}
        days = (await self.http.get("/api/public/booking/slots", params=query)).json()["days"]
        slot = days[0]["slots"][number]
        return {"serviceId": service, "slotStart": slot["start"], "slotEnd": slot["end"]}


Open = Callable[[], AbstractAsyncContextManager[Traced]]


@pytest.fixture
def opened(postgres: EmbeddedPostgres, own_database: str) -> Open:
    """Open the demo business, with every span kept."""
    app_dsn, dsn = postgres.uri(user="holdfast_app", database=own_database), postgres.uri(database=own_database)

    @asynccontextmanager
    async def open_app() -> AsyncIterator[Traced]:
        database = Database(app_dsn, min_connections=1, max_connections=2)
        await database.open()
        await load(database, read(demo_text()))
        await database.close()
        settings = config.Settings(dsn=dsn, master_key=bytes(32))
        spans = InMemorySpanExporter()
        tracing = Tracing(SimpleSpanProcessor(spans))
        app = web.build(settings, app_dsn, tracing)
        whole = web.watched(web.ExpressLane(app, web.booking_web.express), settings, tracing)
        transport = httpx.ASGITransport(whole, raise_app_exceptions=False)  # type: ignore[arg-type]
        async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
            yield Traced(client, spans, dsn)

    return open_app


async def test_a_trace_is_continued(opened: Open) -> None:
    """A request's span continues the trace of its caller and says route, status and ids; statements are its children."""
    async with opened() as traced:
        wish = await traced.wish()
        held = await traced.http.post(RESERVE, json=wish, headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        booking = held.json()["reservationId"]
        [span] = traced.named(f"POST {RESERVE}")
        assert format_trace_id(span.context.trace_id) == TRACE
        assert span.parent is not None
        assert f"{span.parent.span_id:016x}" == PARENT
        assert span.attributes is not None
        said = {"http.route": RESERVE, "http.response.status_code": 201, "holdfast.booking_id": booking}
        said["holdfast.request_id"] = held.headers["x-request-id"]
        assert said.items() <= dict(span.attributes).items()

        headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
        await traced.http.get(f"/api/booking/reservations/{booking}", headers=headers)
        [span] = traced.named("GET /api/booking/reservations/{reservation_id}")
        children = [s for s in traced.named("SELECT") if s.parent and s.parent.span_id == span.context.span_id]
        assert any("%(ids)s" in str((child.attributes or {})["db.query.text"]) for child in children)


async def test_a_batch_refers_to_its_requests(opened: Open) -> None:
    """A batch is a trace of its own, with a link to each request that travels in it and its statement below it."""
    async with opened() as traced:
        wishes = [await traced.wish(number) for number in range(6)]
        await asyncio.gather(*(traced.http.post(RESERVE, json=wish) for wish in wishes))
        requests = {span.context.span_id for span in traced.named(f"POST {RESERVE}")}
        batches = traced.named("admission batch")
        assert len(requests) == 6
        assert sorted(link.context.span_id for batch in batches for link in batch.links) == sorted(requests)
        for batch in batches:
            assert batch.parent is None
            assert (batch.attributes or {})["holdfast.batch_size"] == len(batch.links)
            below = [s for s in traced.named("SELECT") if s.parent and s.parent.span_id == batch.context.span_id]
            assert ["admit(" in str((s.attributes or {})["db.query.text"]) for s in below] == [True]


async def test_a_trace_tells_nothing_of_anybody(opened: Open) -> None:
    """No attribute, name, event or state of any span has contact, words or token, after errors of the database too."""
    async with opened() as traced:
        wish = await traced.wish()
        guest = {"guestEmail": MAIL, "guestPhone": PHONE, "guestName": NAME}
        spoken = {"traceparent": MAIL, "tracestate": f"name={NAME}", "baggage": f"mail={MAIL}", "X-Request-Id": MAIL}
        made = (await traced.http.post("/api/booking/book", json=wish | guest, headers=spoken)).json()
        token, path = made["cancellationToken"], f"/api/booking/appointments/{made['appointmentId']}"
        proof = {"Booking-Token": token, **spoken}
        await traced.http.get(path, headers=proof, params={"mail": MAIL})
        await traced.http.patch(path, headers=proof, json={"guestName": f"{NAME} II"})
        await traced.http.get(f"/{NAME}", headers=proof)
        # Not the bare name: that is raised below on purpose, and what was sealed must not stand in a log of PostgreSQL.
        await traced.http.post(f"{path}/cancel", json={"cancellationToken": token, "reason": f"{NAME} is ill"})
        betray = f"""
            create function betray() returns trigger language plpgsql as $$
            begin raise exception '{MAIL} {NAME}' using detail = '{PHONE}'; end $$;
            create trigger betray before insert on bookings for each row execute function betray()"""
        with psycopg.connect(traced.dsn) as admin:
            admin.execute(betray.encode())
        broken = await traced.http.post("/api/booking/book", json=wish | guest)
        assert broken.status_code == 500
        failed = [span for span in traced.spans.get_finished_spans() if span.status.status_code is StatusCode.ERROR]
        assert {"P0001"} <= {(span.attributes or {}).get("db.response.status_code") for span in failed}
        said = "".join(span.to_json() for span in traced.spans.get_finished_spans()).lower()
        words = [MAIL, *MAIL.split("@"), PHONE, NAME, *NAME.split(), token]
        assert [word for word in words if word.lower() in said] == []


async def test_lines_of_the_log_name_their_trace(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is logged in a request that is traced has the id of the trace."""
    async with opened() as traced:
        seen: list[Any] = []
        monkeypatch.setattr("holdfast.kernel.http.log.error", lambda _event, **_more: seen.append(web.logs.notes()))
        monkeypatch.setattr("holdfast.booking.tenancy.Tenancy.of", lambda *_: 1 / 0)
        await traced.http.get(f"/api/booking/reservations/{TRACE}", headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
        assert [line[TRACE_ID.partition(".")[2]] for line in seen] == [TRACE]


def test_without_tracing_nothing_of_it_is_there() -> None:
    """A server without tracing imports nothing that makes spans, and has no layer for it."""
    program = """
import json, sys
from holdfast import config, web, worker
settings = config.read({"HOLDFAST_DSN": "postgresql://x", "HOLDFAST_MASTER_KEY": "11" * 32})
app = web.watched(web.build(settings, "postgresql://x", web.tracing_of(settings)), settings)
mine = ("opentelemetry.sdk", "opentelemetry.trace", "opentelemetry.exporter", "holdfast.kernel.tracing")
layers = []
while type(app).__name__ != "Litestar":
    layers.append(type(app).__name__)
    app = vars(app).get("_app") or app.app
print(json.dumps([layers, [name for name in mine if name in sys.modules]]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == [["Observed", "HearingOut", "AnsweringHead"], []]


@pytest.mark.parametrize(
    ("environment", "traced"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "HOLDFAST_OTEL": "0"}, False),
        ({"HOLDFAST_OTEL": "1"}, True),
    ],
)
def test_tracing_is_asked_for(environment: dict[str, str], traced: bool) -> None:
    """Traces are sent when a collector is named or they are asked for, and not when that is declined (K-3)."""
    assert config.read(environment).tracing is traced


def test_tracing_needs_its_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the packages a named collector changes nothing, and asking for traces is refused in words (K-3)."""
    monkeypatch.setattr("holdfast.config.find_spec", lambda _name: None)
    assert config.read({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}).tracing is False
    with pytest.raises(config.ConfigurationError, match=r"install holdfast\[otel\]"):
        config.read({"HOLDFAST_OTEL": "1"})
