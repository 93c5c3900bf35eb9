"""Runs of quizzes and rituals: a level and a duration are kept, answers and people are not."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, timedelta
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
import structlog

from booking.hostile import NOT_OBJECTS
from booking.served import Clients, Json, problem, wrong_fields
from booking.staffed import bearer, make_key
from conftest import MASTER_KEY
from holdfast import config, web
from holdfast.identity.businesses import Business, put
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database
from interactive.quizzes import ADMIN, PUBLIC, Author, answers, quiz, ritual

LEVELS = [("low", 0, 1), ("middle", 2, 3), ("high", 4, 5)]


def kept(clients: Clients, run: str) -> tuple[Any, ...]:
    """Return what is kept of a run."""
    columns = "version_number, completed, result_level, finished_at is not null, duration_seconds"
    [row] = clients.sql(f"select {columns} from interactive_runs where id = %s", run)
    return row


@pytest.mark.parametrize(
    ("chosen", "level"),
    [(("no", "no"), "low"), (("yes", "no"), "middle"), (("no", "yes"), "middle"), (("yes", "yes"), "high")],
)
def test_a_quiz_ends_in_its_level(author: Author, clients: Clients, chosen: tuple[str, ...], level: str) -> None:
    """The server adds up the points and tells the level with its words; level and duration are what is kept."""
    made = author.published(quiz(2, 3, levels=LEVELS))
    run = author.start(made)
    assert kept(clients, run) == (1, False, None, False, None)
    result = author.finish(made, run, {"answers": answers(*chosen)})
    assert result.status_code == 200
    shown = result.json()
    seconds = shown.pop("durationSeconds")
    assert shown == {"runId": run, "resultLevel": level, "title": f"Level {level}", "text": f"Text of {level}"}
    assert kept(clients, run) == (1, True, level, True, seconds)
    assert result.headers["cache-control"] == "no-store"


def test_a_finished_run_stays_as_it_is(author: Author, clients: Clients) -> None:
    """Whoever finishes a run again, with whatever answers, hears the same, and nothing is written (B-9)."""
    made = author.published(quiz(2, 3, levels=LEVELS))
    run = author.start(made)
    first = author.finish(made, run, {"answers": answers("no", "no")}).json()
    before = kept(clients, run)
    for body in ({"answers": answers("yes", "yes")}, {"answers": answers("no", "no")}, {}, {"answers": {"x": "y"}}):
        assert author.finish(made, run, body).json() == first
    assert kept(clients, run) == before


async def test_of_many_ends_at_once_one_counts(author: Author, clients: Clients) -> None:
    """Of different answers to one run at once one counts, and all hear its result."""
    made = author.published(quiz(2, 3, levels=LEVELS))
    run = author.start(made)
    path = f"{PUBLIC}/{made['slug']}/runs/{run}/finish"
    async with httpx.AsyncClient(base_url=clients.http.base_url) as http:
        bodies = [{"answers": answers(*["no", "yes"][:: (-1) ** n])} for n in range(6)] + [
            {"answers": answers(*["yes", "yes"])}
        ] * 3
        told = await asyncio.gather(*(http.post(path, json=body) for body in bodies))
    assert {answer.status_code for answer in told} == {200}
    assert len({answer.text for answer in told}) == 1
    assert kept(clients, run)[2] == told[0].json()["resultLevel"]


def test_a_run_ends_with_the_version_it_began_with(author: Author, clients: Clients) -> None:
    """A run that has begun is finished by the version with which it began, also after another one was published or the
    quiz was archived; a new run is of the new version, and of what is archived there is none.
    """
    made = author.published(quiz(2, 3, levels=LEVELS))
    run, other = author.start(made), author.start(made)
    made = author.step(author.revised(made, quiz(1, 1, levels=[("only", 0, 2)])), "publish")
    assert author.finish(made, run, {"answers": answers("yes", "yes")}).json()["resultLevel"] == "high"
    new = author.start(made)
    assert kept(clients, new)[0] == 2
    made = author.step(made, "archive")
    assert author.finish(made, new, {"answers": answers("yes", "yes")}).json()["resultLevel"] == "only"
    assert author.finish(made, other, {"answers": answers("no", "no")}).json()["resultLevel"] == "low"
    problem(clients.http.post(f"{PUBLIC}/{made['slug']}/runs", json={}), 404, "not_found")


def test_a_ritual_ends_without_a_level(author: Author, clients: Clients) -> None:
    """A ritual that was gone through has a duration and no level."""
    made = author.published(ritual())
    run = author.start(made)
    shown = author.finish(made, run, {}).json()
    assert (shown["resultLevel"], shown["title"]) == (None, None)
    assert kept(clients, run)[:4] == (1, True, None, True)


def test_durations_are_of_the_clock_of_the_database(author: Author, clients: Clients) -> None:
    """The duration of a run is the time between its two calls, in whole seconds."""
    made = author.published(ritual())
    run = author.start(made)
    clients.sql("alter table interactive_runs disable trigger guard_run_change")
    clients.sql("update interactive_runs set started_at = started_at - interval '90 seconds' where id = %s", run)
    clients.sql("alter table interactive_runs enable trigger guard_run_change")
    assert 90 <= author.finish(made, run, {}).json()["durationSeconds"] <= 120


def test_a_quiz_needs_every_answer(author: Author, clients: Clients) -> None:
    """A run with a missing, unknown or malformed answer is 400, names the question and never the answer, and goes on;
    a run of another quiz, of nobody, and what is no id is 404 (H-1).
    """
    made, other = author.published(quiz(1, 1)), author.published(quiz(1))
    run = author.start(made)
    secret = f"m{uuid4().hex}"
    for given, field in (
        ({"q1": "no"}, "answers.q2"),
        ({"q1": "no", "q2": secret}, "answers.q2"),
        ({"q1": "no", "q2": "no", secret: "no"}, "answers"),
        ({}, "answers.q1"),
    ):
        refused = author.finish(made, run, {"answers": given})
        assert wrong_fields(refused) == {field}
        assert secret not in refused.text
    for body in ({"answers": {"q1": 1}}, {"answers": []}, {"answers": None}, {"answers": {"q1": [secret]}}):
        refused = author.finish(made, run, body)
        assert refused.status_code == 400
        assert secret not in refused.text
    assert kept(clients, run) == (1, False, None, False, None)
    for where, name in ((other, run), (made, str(uuid4())), (made, "nothing"), ({"slug": "a%00b"}, run)):
        problem(author.finish(where, name, {"answers": answers("no", "no")}), 404, "not_found")
    assert author.finish(made, run, {"answers": answers("no", "no")}).status_code == 200


@pytest.mark.parametrize("body", NOT_OBJECTS.values(), ids=NOT_OBJECTS)
def test_what_is_no_object_is_refused(author: Author, clients: Clients, body: bytes) -> None:
    """Whatever is no JSON object neither begins a run nor ends one: it is 400 (H-1)."""
    made = author.published(quiz(1))
    run = author.start(made)
    for path in (f"{PUBLIC}/{made['slug']}/runs", f"{PUBLIC}/{made['slug']}/runs/{run}/finish"):
        problem(clients.http.post(path, content=body), 400, "validation_failed")
    counted = "select count(*), count(finished_at) from interactive_runs where definition_id = %s"
    assert clients.sql(counted, made["id"]) == [(1, 0)]


def test_answers_are_nowhere_in_the_database(author: Author, clients: Clients) -> None:
    """Nothing that was answered is in any table afterwards, in no column of any type."""
    marker = f"m{uuid4().hex[:16]}"
    definition = quiz(1, 1)
    made = author.published(definition)
    run = author.start(made)
    # As a wrong answer it was told to the server as well.
    author.finish(made, run, {"answers": {"q1": marker, "q2": "no"}})
    author.finish(made, run, {"answers": answers("yes", "no"), "note": marker})
    tables = clients.sql(
        "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
    )
    assert len(tables) > 30
    for (table,) in tables:
        assert clients.sql(f'select count(*) from "{table}" t where t::text like %s', f"%{marker}%") == [(0,)], table
    columns = clients.sql(
        "select attname from pg_attribute where attrelid = 'interactive_runs'::regclass and attnum > 0"
    )
    assert {name for (name,) in columns} == {
        *("business_id", "id", "definition_id", "version_number", "started_at", "finished_at"),
        *("duration_seconds", "result_level", "completed"),
    }


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("completed = true", "interactive_runs_finished_whole"),
        ("result_level = 'low'", "interactive_runs_finished_whole"),
        ("completed = true, finished_at = now(), duration_seconds = -1", "interactive_runs_duration_range"),
        (
            "completed = true, finished_at = now(), duration_seconds = 1, result_level = 'I feel low'",
            "interactive_runs_result_level_shape",
        ),
        ("started_at = now() - interval '1 day'", "interactive_runs_finished_once"),
    ],
)
def test_the_database_guards_runs(author: Author, clients: Clients, change: str, constraint: str) -> None:
    """Whoever writes, a run is finished whole, and its level is a name and no sentence."""
    run = author.start(author.published(quiz(1)))
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        clients.sql(f"update interactive_runs set {change} where id = %s", run)
    assert refused.value.diag.constraint_name == constraint
    clients.sql(
        "update interactive_runs set completed = true, finished_at = now(), duration_seconds = 1 where id = %s", run
    )
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        clients.sql("update interactive_runs set result_level = 'low' where id = %s", run)
    assert refused.value.diag.constraint_name == "interactive_runs_finished_once"


def test_definitions_are_never_changed(clients: Clients) -> None:
    """The servers' role may add versions of definitions and change none, and removes no run."""
    rights = clients.sql(
        "select table_name, privilege_type from information_schema.role_table_grants"
        " where grantee = 'holdfast_app' and table_name in ('interactive_versions', 'interactive_runs')"
    )
    versions, runs = "interactive_versions", "interactive_runs"
    assert set(rights) == {(t, r) for t in (versions, runs) for r in ("SELECT", "INSERT")} | {(runs, "UPDATE")}


def moved(clients: Clients, runs: list[str], days: int) -> None:
    """Let runs have begun, and ended, so many days earlier."""
    clients.sql("alter table interactive_runs disable trigger guard_run_change")
    clients.sql(
        "update interactive_runs set started_at = started_at - make_interval(days => %s),"
        " finished_at = finished_at - make_interval(days => %s) where id = any (%s::uuid[])",
        days,
        days,
        runs,
    )
    clients.sql("alter table interactive_runs enable trigger guard_run_change")


def test_staff_see_aggregates(author: Author, clients: Clients) -> None:
    """Staff see starts, completions and levels by day; abandoned runs count as starts, and of fewer than five who have
    finished neither level nor duration is told.
    """
    made = author.published(quiz(2, 3, levels=LEVELS))
    path = f"{ADMIN}/{made['id']}/statistics"
    crowd = [author.went_through(made, "yes", "yes")["runId"] for _ in range(3)]
    crowd += [author.went_through(made, "no", "no")["runId"] for _ in range(2)] + [author.start(made)]
    few = [author.went_through(made, "no", "yes")["runId"] for _ in range(4)] + [author.start(made) for _ in range(3)]
    moved(clients, crowd, 40)
    moved(clients, few, 41)
    clients.sql("alter table interactive_runs disable trigger guard_run_change")
    clients.sql("update interactive_runs set duration_seconds = 20 where id = any (%s::uuid[]) and completed", crowd)
    clients.sql("alter table interactive_runs enable trigger guard_run_change")
    [(began,)] = clients.sql("select started_at from interactive_runs where id = %s", crowd[0])
    day: date = began.astimezone(UTC).date()
    asked = {"from": str(day - timedelta(days=1)), "to": str(day + timedelta(days=1))}
    shown = author.call("GET", path, params=asked).json()
    assert shown == {
        "starts": 13,
        "completions": 9,
        "days": [
            {"date": asked["from"], "starts": 7, "completions": 4, "levels": None, "averageSeconds": None},
            {"date": str(day), "starts": 6, "completions": 5, "levels": {"high": 3, "low": 2}, "averageSeconds": 20},
        ],
    }
    assert author.call("GET", path, params=asked | {"to": str(day)}).json()["starts"] == 7
    assert author.call("GET", path).json() == {"starts": 0, "completions": 0, "days": []}
    author.start(made)
    [today] = author.call("GET", path).json()["days"]
    assert (today["starts"], today["completions"]) == (1, 0)
    assert wrong_fields(author.call("GET", path, params={"from": "yesterday"})) == {"from"}
    for asked in ({"from": str(day), "to": str(day)}, {"from": "2020-01-01", "to": "2022-01-01"}):
        assert wrong_fields(author.call("GET", path, params=asked)) == {"to"}
    problem(author.call("GET", f"{ADMIN}/{uuid4()}/statistics"), 404, "not_found")


@asynccontextmanager
async def served_with(uri: str, admin_uri: str, **limits: int) -> AsyncIterator[httpx.AsyncClient]:
    """Open the application in this process behind everything that stands before it."""
    settings = config.Settings(dsn=admin_uri, master_key=MASTER_KEY, **limits)
    app = web.build(settings, uri)
    transport = httpx.ASGITransport(web.layered(app, settings))
    async with app.lifespan(), httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
        yield client


async def two_quizzes(http: httpx.AsyncClient, database: Database) -> list[tuple[Business, Json, dict[str, str]]]:
    """Publish a quiz at the same slug for each of two businesses."""
    made = []
    for points in (1, 2):
        async with database.transaction() as tx:
            business = await put(tx, slug=f"b-{uuid4().hex}", name="B", timezone="UTC", currency="EUR")
        headers = bearer(await make_key(database, business.id, Role.OWNER))
        body = {"slug": "mood", "locale": "en", "definition": quiz(points, levels=[(f"of-{points}", 0, points)])}
        draft = (await http.post(ADMIN, json=body, headers=headers)).json()
        answer = await http.post(f"{ADMIN}/{draft['id']}/publish", json={"expectedVersion": 1}, headers=headers)
        assert answer.status_code == 200, answer.text
        made.append((business, draft, headers))
    return made


async def test_runs_of_tenants_do_not_mix(database: Database, app_uri: str, admin_uri: str) -> None:
    """A run is of the business that the call names; for another one it is not there, nor is the quiz for its staff
    (H-4, D-9).
    """
    async with served_with(app_uri, admin_uri, public_writes_per_minute=0, business_writes_per_minute=0) as http:
        (ours, _, headers), (theirs, draft, _) = await two_quizzes(http, database)
        run = (await http.post(f"{PUBLIC}/mood/runs", json={"business": ours.slug})).json()["runId"]
        path = f"{PUBLIC}/mood/runs/{run}/finish"
        body = {"answers": answers("yes")}
        refused = await http.post(path, json=body | {"business": theirs.slug})
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        assert (await http.post(path, json=body | {"business": str(ours.id)})).json()["resultLevel"] == "of-1"
        for method, end in (("GET", ""), ("GET", "/statistics"), ("GET", "/versions/1"), ("POST", "/archive")):
            calls = [f"{ADMIN}/{named}{end}" for named in (draft["id"], uuid4())]
            told = [await http.request(method, path, json={"expectedVersion": 2}, headers=headers) for path in calls]
            assert [(answer.status_code, answer.text) for answer in told] == [(404, told[0].text)] * 2
        nobody = await http.post(f"{PUBLIC}/mood/runs", json={"business": "nobody"})
        assert (nobody.status_code, nobody.json()["code"]) == (404, "unknown_business")


async def test_runs_count_as_public_writes(database: Database, app_uri: str, admin_uri: str) -> None:
    """Beginning and finishing runs counts for the client and for the business that the call names, and reading does
    not (H-3).
    """
    async with served_with(app_uri, admin_uri, public_writes_per_minute=0, business_writes_per_minute=4) as http:
        (ours, *_), (theirs, *_) = await two_quizzes(http, database)

        run = (await http.post(f"{PUBLIC}/mood/runs", json={"business": ours.slug})).json()["runId"]
        body = {"business": ours.slug, "answers": answers("no")}
        assert (await http.post(f"{PUBLIC}/mood/runs/{run}/finish", json=body)).status_code == 200
        told = Counter([await start_of(http, ours.slug), *[await start_of(http, str(ours.id)) for _ in range(5)]])
        assert told == {201: 2, 429: 4}
        assert await start_of(http, theirs.slug) == 201
        assert await start_of(http, "nobody") == 404
        assert (await http.get(f"{PUBLIC}/mood", params={"business": ours.slug})).status_code == 200
    async with served_with(app_uri, admin_uri, public_writes_per_minute=2, business_writes_per_minute=0) as http:
        told = Counter([await start_of(http, ours.slug) for _ in range(5)])
    assert told == {201: 2, 429: 3}


async def start_of(http: httpx.AsyncClient, business: str) -> int:
    """Return the status of the answer to a start."""
    return (await http.post(f"{PUBLIC}/mood/runs", json={"business": business})).status_code


async def test_answers_are_not_logged(database: Database, app_uri: str, admin_uri: str) -> None:
    """No line of the log has a word of an answer, whether it was taken, refused or malformed (D-5)."""
    secret = f"m{uuid4().hex}"
    async with served_with(app_uri, admin_uri, public_writes_per_minute=0, business_writes_per_minute=0) as http:
        (ours, *_), _ = await two_quizzes(http, database)
        with structlog.testing.capture_logs() as lines:
            run = (await http.post(f"{PUBLIC}/mood/runs", json={"business": ours.slug})).json()["runId"]
            path = f"{PUBLIC}/mood/runs/{run}/finish"
            for given in ({"q1": secret}, {secret: "no"}, [secret], {"q1": {secret: secret}}):
                answer = await http.post(path, json={"business": ours.slug, "answers": given})
                assert answer.status_code == 400
                assert secret not in answer.text
    assert secret not in str(lines)
