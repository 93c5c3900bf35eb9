"""A server of three processes as its operators see it: one set of figures, one line a request, nobody's data."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http import client as http_client
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.kernel import http, recorder
from holdfast.webhooks import measures
from house.sources import ROOT
from journeys.instance import Instance, copy_of, eventually, holdfast, serving

MAIL, PHONE, NAME = "trillian.astra@magrathea.example", "+44 7700 900461", "Trillian Astra"
WORDS = "no poetry please"
SECRET = "Marvin-42-Marvin-42"  # noqa: S105 - to be looked for
DAY = datetime.now(UTC).date() + timedelta(days=12)


@pytest.fixture(scope="module")
def instance(served_before: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    """Three processes that say all that they ever say."""
    data_dir = copy_of(served_before, tmp_path_factory.mktemp("observing") / "data")
    loud = {"HOLDFAST_ACCESS_LOG": "1", "HOLDFAST_LOG_LEVEL": "debug", "CRON_SECRET": SECRET}
    with serving(data_dir, "--workers", "3", **loud) as started:
        eventually(lambda: len(started.web_workers()) == 3)
        yield started


def figures(instance: Instance) -> dict[tuple[str, ...], float]:
    """Return every figure by its name and the values of its labels."""
    families = text_string_to_metric_families(instance.get("/metrics").text)
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def requests(instance: Instance, method: str, route: str, status: str) -> float:
    """Return how many requests of a kind were counted."""
    return figures(instance).get(("holdfast_http_request_seconds_count", method, route, status), 0)


def lines(instance: Instance, event: str) -> list[dict[str, Any]]:
    """Return the lines of one event."""
    parsed = [json.loads(line) for line in instance.log.splitlines() if line.startswith("{")]
    return [line for line in parsed if line["event"] == event]


def wish(http: httpx.Client, service: str = "intro-call") -> dict[str, Any]:
    """Return the body that reserves a free slot."""
    card = http.get("/api/public/businesses/emotional-balance").json()
    [id_] = [s["id"] for s in card["services"] if s["slug"] == service]
    query = {"service_slug": service, "from": str(DAY), "to": str(DAY + timedelta(days=1))}
    slot = http.get("/api/public/booking/slots", params=query).json()["days"][0]["slots"][0]
    return {"serviceId": id_, "slotStart": slot["start"], "slotEnd": slot["end"]}


def test_three_processes_have_one_set_of_figures(instance: Instance) -> None:
    """Whichever process is asked, figures are of all: requests exactly, each process's pool by itself (B-24)."""
    answered: Counter[str] = Counter()
    for number in range(120):
        # A connection each, so that all processes get some of them.
        answered[str(instance.get(f"/api/booking/reservations/{number}").status_code)] += 1
    assert answered == {"404": 120}
    route = "/api/booking/reservations/{reservation_id}"
    eventually(lambda: requests(instance, "GET", route, "404") == 120)
    seen = [requests(instance, "GET", route, "404") for _ in range(12)]
    assert set(seen) == {120}
    found = figures(instance)
    processes = {key[1] for key in found if key[0] == "holdfast_pool_connections" and key[2] == "most"}
    assert processes == {"web-0", "web-1", "web-2", "worker-0"}
    assert found["holdfast_refusals_total", "RESERVATION_NOT_FOUND_OR_EXPIRED"] >= 120
    assert all(found["holdfast_admission_queue_limit", f"web-{n}", "reserve"] == 10_000 for n in range(3))


def test_a_process_that_ends_takes_no_count_with_it(instance: Instance) -> None:
    """When a process is killed, what it had counted stays in the figures, and its successor counts on from there."""
    for _ in range(30):
        instance.get("/health")
    eventually(lambda: requests(instance, "GET", "/health", "200") >= 30)
    eventually(lambda: figures(instance)["holdfast_http_request_seconds_count", "GET", "/metrics", "200"] > 0)
    before = requests(instance, "GET", "/health", "200")
    victim = instance.web_workers()[0]
    victim.kill()
    eventually(lambda: not victim.lives and len(instance.web_workers()) == 3)
    eventually(lambda: sum(key[0] == "holdfast_process_resident_bytes" for key in figures(instance)) == 4)
    assert requests(instance, "GET", "/health", "200") >= before


def test_the_figures_of_a_booking(instance: Instance) -> None:
    """Batches, waits, holds and what became of them, and the worker's sweeps are among the figures (B-24)."""
    before = figures(instance)
    with httpx.Client(base_url=instance.url, timeout=30) as http:
        held = http.post("/api/booking/reserve", json=wish(http)).json()
        again = http.post("/api/booking/reserve", json=wish(http) | {"ttlSeconds": 1}).json()
        http.post("/api/booking/commit", json={"reservationId": held["reservationId"], "guestEmail": MAIL})
    with psycopg.connect(instance.dsn) as admin:
        admin.execute(
            "update bookings set held_at = held_at - interval '1 day', expires_at = clock_timestamp(),"
            " version = version + 1 where id = %s and state = 'held'",
            [again["reservationId"]],
        )

    items = ("holdfast_job_items_total", "cleanup-reservations")
    ended = ("holdfast_reservations_last_day", "expired")

    def swept() -> dict[tuple[str, ...], float] | None:
        shown = figures(instance)
        return shown if shown[items] > before[items] and shown[ended] > before[ended] else None

    now = eventually(swept, 60)
    assert now["holdfast_database_up",] == 1
    assert now["holdfast_reservations_last_day", "confirmed"] > before["holdfast_reservations_last_day", "confirmed"]
    assert 0 <= now["holdfast_job_age_seconds", "cleanup-reservations"] < 60
    assert now["holdfast_reservations_sweep_lag_seconds",] == 0
    for queue, passed in (("reserve", 2), ("commit", 1)):
        for name in ("holdfast_admission_batch_seconds_count", "holdfast_admission_wait_seconds_count"):
            assert now[name, queue] >= before.get((name, queue), 0) + passed


OPS = ROOT / "examples" / "ops"
EXPRESSIONS = [
    *(t["expr"] for p in json.loads((OPS / "grafana-dashboard.json").read_text())["panels"] for t in p["targets"]),
    *re.findall(r"^ +expr: (.*)$", (OPS / "prometheus-alerts.yml").read_text(), re.MULTILINE),
]


# As if a figure of which there is nothing to show yet had each label that somebody asks for.
EVERY_LABEL = {
    label
    for text in EXPRESSIONS
    for label in re.findall(r"(\w+)=|by \(([^)]*)\)", text)
    for label in ", ".join(label).split(", ")
}


@pytest.fixture(scope="module")
def shown(instance: Instance) -> dict[str, set[str]]:
    """The labels of each figure that a server shows after a booking and a race that was lost."""
    with httpx.Client(base_url=instance.url, timeout=30) as http:
        body = wish(http, "couple-session")
        held = http.post("/api/booking/reserve", json=body).json()
        assert http.post("/api/booking/reserve", json=body).status_code == 409
        http.post("/api/booking/commit", json={"reservationId": held["reservationId"], "guestEmail": MAIL})

    def look() -> dict[str, set[str]] | None:
        # The label that Prometheus adds by itself is the job.
        found: dict[str, set[str]] = {}
        for family in text_string_to_metric_families(instance.get("/metrics").text):
            if not family.samples:
                # Declared, of accounts that this business has not: by provider, and whatever else is asked.
                found[f"{family.name}_total" if family.type == "counter" else family.name] = EVERY_LABEL
            for sample in family.samples:
                found.setdefault(sample.name, {"job"}).update(sample.labels)
        return found if "holdfast_booking_conflicts_total" in found else None

    return eventually(look)  # type: ignore[no-any-return]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_what_is_watched_exists(shown: dict[str, set[str]], expression: str) -> None:
    """Every name that the dashboard or an alert asks for is shown by a server, with the labels that it is asked by."""
    asked = re.findall(r"(holdfast_\w+)(?:\{([^}]*)\})?", expression)
    assert asked
    for name, selector in asked:
        assert name in shown
        assert set(re.findall(r"(\w+)=", selector)) <= shown[name]
    grouped = {label for group in re.findall(r" by \(([^)]*)\)", expression) for label in group.split(", ")}
    assert all(grouped <= shown[name] for name, _ in asked)


def test_an_alert_hears_the_first_of_its_kind() -> None:
    """Each count whose increase an alert asks for is shown as 0 before anything is counted, with the label that it asks for."""
    rules = (OPS / "prometheus-alerts.yml").read_text()
    asked = re.findall(r'increase\((holdfast_\w+)_total(?:\{\w+="(\w+)"\})?\[', rules)
    known = {counter.name: counter.known for counter in (http.REFUSALS, recorder.LOST, measures.ATTEMPTS)}
    assert {name for name, _ in asked} == set(known)
    assert [(name, label) for name, label in asked if not known[name] or (label and (label,) not in known[name])] == []


def test_every_alert_has_its_part_of_the_runbook() -> None:
    """Each alert names a heading of the runbook that is there, and the runbook has none of an alert that is gone."""
    rules = (OPS / "prometheus-alerts.yml").read_text()
    alerts = re.findall(r"- alert: (\w+)", rules)
    named = re.findall(r"runbook: docs/runbook\.md#(\w+)", rules)
    assert named == [alert.lower() for alert in alerts]
    runbook = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^## (\w+)$", runbook, re.MULTILINE)) == sorted(alerts)
    parts = re.split(r"^## \w+$", runbook, flags=re.MULTILINE)[1:]
    for part in parts:
        assert re.findall(r"^\*\*(\w+):\*\*", part, re.MULTILINE) == ["Means", "Meanwhile", "Look", "Do"]


def test_the_dashboard_can_be_imported() -> None:
    """The dashboard asks which source its data has, and all its panels take that one."""
    dashboard = json.loads((OPS / "grafana-dashboard.json").read_text())
    assert [v["type"] for v in dashboard["templating"]["list"] if v["name"] == "datasource"] == ["datasource"]
    assert {p["datasource"]["uid"] for p in dashboard["panels"]} == {"${datasource}"}
    assert len({p["id"] for p in dashboard["panels"]}) == len(dashboard["panels"])


def test_a_line_for_each_request(instance: Instance) -> None:
    """A request's line has its id, route, status, business and booking, and neither its path nor its query."""
    with httpx.Client(base_url=instance.url, timeout=30) as http:
        held = http.post("/api/booking/reserve", json=wish(http), headers={"X-Request-Id": "gateway-1234"})
        read = http.get(f"/api/booking/reservations/{held.json()['reservationId']}", params={"q": MAIL})
        card = http.get("/api/public/businesses/emotional-balance").json()
    assert held.headers["x-request-id"] == "gateway-1234"
    written = eventually(lambda: [n for n in lines(instance, "request") if n.get("request_id") == "gateway-1234"])
    known = {"method": "POST", "route": "/api/booking/reserve", "status": 201, "level": "info", "process": "web"}
    known |= {"business_id": card["id"], "booking_id": held.json()["reservationId"]}
    assert known.items() <= written[0].items()
    assert written[0]["duration_ms"] > 0
    own = read.headers["x-request-id"]
    [line] = eventually(lambda: [n for n in lines(instance, "request") if n.get("request_id") == own])
    assert (line["route"], line["status"]) == ("/api/booking/reservations/{reservation_id}", 200)
    assert re.fullmatch(r"h[0-9a-f]{24}", own)


def test_an_error_of_ours_can_be_found(instance: Instance) -> None:
    """A 500 names its request, under which the log has where it came from (H-1)."""
    with (
        httpx.Client(base_url=instance.url, timeout=30) as http,
        psycopg.connect(instance.dsn, autocommit=True) as admin,
    ):
        body = wish(http) | {"guestEmail": MAIL, "guestPhone": PHONE, "guestName": NAME}
        admin.execute("alter table bookings add constraint nobody check (contact is null) not valid")
        try:
            answer = http.post("/api/booking/book", json=body)
        finally:
            admin.execute("alter table bookings drop constraint nobody")
    assert answer.status_code == 500
    own = answer.headers["x-request-id"]
    assert answer.json()["instance"] == f"urn:holdfast:request:{own}"
    [line] = [n for n in lines(instance, "unhandled_error") if n["request_id"] == own]
    assert line["exception"][0]["type"] == "CheckViolation"


@pytest.mark.parametrize("path", ["/api/nowhere", "/api/admin/staff", "/api/booking/reserve", "/api/booking/commit"])
def test_a_connection_outlives_what_is_refused(instance: Instance, path: str) -> None:
    """Who sends headers first, and is refused whatever follows, has the same connection for the next request (H-1)."""
    server = http_client.HTTPConnection("127.0.0.1", urlsplit(instance.url).port, timeout=60)
    server.connect()
    for _ in range(3):
        server.putrequest("POST", path)
        server.putheader("Content-Length", "40000")
        server.endheaders()
        for _part in range(4):
            server.send(b"x" * 10_000)
        answer = server.getresponse()
        assert (answer.status // 100, answer.getheader("connection")) == (4, None)
        answer.read()
        server.request("GET", "/health")
        assert server.getresponse().read() != b""
    server.close()


def test_nothing_of_anybody_is_logged(instance: Instance) -> None:
    """Whatever is called with whatever in it, no mail, phone, name, words, token or key reaches a log or a figure."""
    key = json.loads(
        holdfast("key", "create", "--data", instance.data_dir, "--role", "owner", "--name", "desk", "--json").stdout
    )["key"]
    with httpx.Client(base_url=instance.url, timeout=30) as http:
        held = http.post("/api/booking/reserve", json=wish(http) | {"guestEmail": MAIL, "guestPhone": PHONE}).json()
        guest = {"reservationId": held["reservationId"], "guestEmail": MAIL, "guestPhone": PHONE, "guestName": NAME}
        made = http.post("/api/booking/commit", json=guest).json()
        token = made["cancellationToken"]
        spoken = {
            **guest,
            **wish(http),
            "reason": WORDS,
            "note": WORDS,
            "cancellationToken": token,
            "idempotencyKey": f"{NAME}-{SECRET}",
        }
        headers = {
            "Authorization": f"Bearer {key}",
            "Booking-Token": token,
            "X-Request-Id": MAIL,
            "User-Agent": NAME,
            "Cookie": f"name={SECRET}",
            "traceparent": SECRET,
        }
        document = http.get("/schema").json()
        for path, operations in document["paths"].items():
            for method in operations:
                for filled in (made["appointmentId"], f"{MAIL}", "emotional-balance"):
                    url = re.sub(r"\{\w+\}", filled, path)
                    for sent in (headers, headers | {"Authorization": f"Bearer {SECRET}"}, {"X-Request-Id": token}):
                        query = {"name": NAME, "token": token, "guestEmail": MAIL, "businessId": PHONE}
                        http.request(method, url, params=query, headers=sent, json=spoken)
                        http.request(method, url, headers=sent, content=json.dumps(spoken)[:-1])
        form = {"name": NAME, "email": MAIL, "phone": PHONE}
        for page in ("hold", f"held/{held['reservationId']}", f"{NAME}", "done"):
            http.post(f"/emotional-balance/booking/slot/{page}", data=form)
            http.get(f"/emotional-balance/booking/slot/{page}", params=form)
        http.request(NAME.partition(" ")[0], "/health", params=form)
        with psycopg.connect(instance.dsn, autocommit=True) as admin:
            admin.execute("alter table bookings add constraint nobody check (contact is null) not valid")
            try:
                http.post("/api/booking/book", json=spoken | {"idempotencyKey": None}, headers=headers)
            finally:
                admin.execute("alter table bookings drop constraint nobody")
        last = http.get("/health").headers["x-request-id"]
    eventually(lambda: any(n.get("request_id") == last for n in lines(instance, "request")))
    said = (instance.log + instance.get("/metrics").text).lower()
    words = [MAIL, *MAIL.split("@"), PHONE, PHONE.replace(" ", ""), NAME, *NAME.split(), WORDS, SECRET, token, key]
    assert [word for word in words if word.lower() in said] == []
    assert len(lines(instance, "request")) > 300
