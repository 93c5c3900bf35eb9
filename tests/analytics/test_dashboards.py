"""Dashboards on known data: every figure is one that can be counted by hand."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio

from booking.opened import Practice, open_practice
from booking.served import Json, problem, wrong_fields
from booking.staffed import app_on, bearer, make_key
from holdfast.identity.permissions import Role
from holdfast.kernel.embedded import EmbeddedPostgres

PATH = "/api/admin/dashboards"
# An evening in New York, a night in Tokyo.
MOMENT = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)


class Figures:
    """A business in a zone of its own, its past, and what staff see of it."""

    def __init__(self, practice: Practice, admin: psycopg.Connection, app_uri: str, admin_uri: str) -> None:
        self.practice = practice
        self.business_id = practice.business_id
        self.admin = admin
        self._uris = app_uri, admin_uri

    def events(self, name: str, times: int, at: datetime = MOMENT, service: str = "talk") -> None:
        """Let something have happened."""
        self.admin.execute(
            "insert into analytics_events values (%s, uuidv7(), %s, jsonb_build_object('service_slug', %s::text), %s, %s)",
            [self.business_id, name, service, times, at],
        )

    def appointment(
        self, state: str, at: datetime, *, service: UUID | None = None, schedule: UUID | None = None
    ) -> None:
        """Let an appointment have been."""
        self.admin.execute(
            "insert into bookings (business_id, id, service_id, schedule_id, starts_at, ends_at, party_size, state,"
            " held_at, confirmed_at, price_minor, currency)"
            " values (%s, uuidv7(), %s, %s, %s, %s, 1, %s, %s, %s, 0, 'EUR')",
            [self.business_id, service, schedule, at, at + timedelta(hours=1), state, at, at],
        )

    def interactive(self, kind: str, slug: str) -> UUID:
        """Let there be a quiz or a ritual."""
        made = uuid4()
        self.admin.execute(
            "insert into interactive_definitions (business_id, id, kind, slug, locale) values (%s, %s, %s, %s, 'en')",
            [self.business_id, made, kind, slug],
        )
        self.admin.execute(
            "insert into interactive_versions (business_id, definition_id, number, definition)"
            " values (%s, %s, 1, jsonb_build_object('kind', %s::text))",
            [self.business_id, made, kind],
        )
        return made

    def run_of(self, definition: UUID, at: datetime, seconds: int | None) -> None:
        """Let somebody have begun, and perhaps completed, a quiz or a ritual."""
        done = None if seconds is None else at + timedelta(seconds=seconds)
        self.admin.execute(
            "insert into interactive_runs (business_id, definition_id, version_number, started_at, finished_at,"
            " duration_seconds, completed) values (%s, %s, 1, %s, %s, %s, %s)",
            [self.business_id, definition, at, done, seconds, done is not None],
        )

    def question(self, at: datetime, due: datetime, resolved: datetime | None) -> None:
        """Let somebody have asked, and perhaps have been refused."""
        status, envelope = "new" if resolved is None else "rejected", b"hfe1" + bytes(32)
        # Past the triggers, which let no question begin as answered.
        self.admin.execute("set session_replication_role = replica")
        self.admin.execute(
            "insert into ugc_items (business_id, id, locale, status, text, created_at, due_at, resolved_at)"
            " values (%s, uuidv7(), 'ru', %s, %s, %s, %s, %s)",
            [self.business_id, status, envelope, at, due, resolved],
        )
        self.admin.execute("reset session_replication_role")

    def live_in(self, zone: str) -> None:
        """Let the business be in a zone."""
        self.admin.execute("update businesses set timezone = %s where id = %s", [zone, self.business_id])

    async def ask(self, name: str, role: Role = Role.OWNER, **asked: str) -> Json:
        """Return a dashboard as staff see it."""
        key = await make_key(self.practice.desk.database, self.business_id, role)
        async with app_on(*self._uris) as http:
            answer = await http.get(f"{PATH}/{name}", params=asked, headers=bearer(key))
        shown: Json = answer.json()
        return shown if answer.status_code == 200 else {"refused": answer}


@pytest_asyncio.fixture
async def figures(own_database: str, postgres: EmbeddedPostgres) -> AsyncIterator[Figures]:
    """A business alone in its database, whose past can be made up."""
    app_uri = postgres.uri(user="holdfast_app", database=own_database)
    admin_uri = postgres.uri(database=own_database)
    async with open_practice(app_uri) as practice:
        await practice.add_resource("ana")
        await practice.add_service("talk", ["ana"])
        await practice.add_service("walk", ["ana"])
        with psycopg.connect(admin_uri, autocommit=True) as admin:
            yield Figures(practice, admin, app_uri, admin_uri)


async def test_the_funnel_counts_each_step(figures: Figures) -> None:
    """The funnel shows by day and service how many looked, chose, submitted and confirmed, and who lost a race (D-6)."""
    for name, times in (
        ("booking_slots_viewed", 40),
        ("booking_slots_viewed", 60),
        ("booking_slot_selected", 30),
        ("booking_details_submitted", 20),
        ("booking_confirmed", 10),
        ("booking_conflict", 3),
    ):
        figures.events(name, times)
    figures.events("booking_slots_viewed", 100, service="walk")
    figures.events("booking_confirmed", 10, MOMENT + timedelta(days=1))
    shown = await figures.ask("booking-funnel", **{"from": "2026-03-10", "to": "2026-03-12"})
    nothing = {"viewed": 0, "selected": 0, "submitted": 0, "confirmed": 0, "conflicts": 0}
    steps = {"viewed": 100, "selected": 30, "submitted": 20, "confirmed": 10, "conflicts": 3}
    assert shown["rows"] == [
        {"day": "2026-03-10", "serviceSlug": "talk", **steps},
        {"day": "2026-03-10", "serviceSlug": "walk", **nothing, "viewed": 100},
        {"day": "2026-03-11", "serviceSlug": "talk", **nothing, "confirmed": 10},
    ]
    assert shown["totals"] == {"viewed": 200, "selected": 30, "submitted": 20, "confirmed": 20, "conflicts": 3}
    assert shown["share"] == 0.1


@pytest.mark.parametrize(
    ("zone", "day"), [("UTC", "2026-03-10"), ("Asia/Tokyo", "2026-03-11"), ("America/New_York", "2026-03-10")]
)
async def test_a_day_is_one_of_the_business(figures: Figures, zone: str, day: str) -> None:
    """What happens near midnight counts for the local day of the business, and the last day is not in the range."""
    figures.live_in(zone)
    figures.events("booking_confirmed", 1)
    shown = await figures.ask("booking-funnel", **{"from": "2026-03-01", "to": "2026-03-31"})
    assert ([row["day"] for row in shown["rows"]], shown["timezone"]) == ([day], zone)
    assert (await figures.ask("booking-funnel", **{"from": "2026-03-01", "to": day}))["rows"] == []


async def test_who_did_not_come_is_counted_among_those_with_an_outcome(figures: Figures) -> None:
    """The rate of those who did not come is of the appointments with an outcome, of services and of groups (B-19)."""
    talk = figures.practice.services["talk"]
    for state, count in (("completed", 3), ("no_show", 1), ("cancelled", 5), ("confirmed", 7), ("refunded", 2)):
        for n in range(count):
            figures.appointment(state, MOMENT + timedelta(days=n % 2), service=talk)
    schedule = await figures.practice.add_schedule(5, starts=int(MOMENT.timestamp()))
    figures.appointment("no_show", MOMENT, schedule=schedule)
    shown = await figures.ask("no-show", **{"from": "2026-03-10", "to": "2026-03-12"})
    [program] = figures.practice.programs
    assert sorted(shown["rows"], key=lambda row: (row["day"], row["offeringSlug"] == "talk")) == [
        {"day": "2026-03-10", "offeringSlug": program, "completed": 0, "noShow": 1},
        {"day": "2026-03-10", "offeringSlug": "talk", "completed": 2, "noShow": 1},
        {"day": "2026-03-11", "offeringSlug": "talk", "completed": 1, "noShow": 0},
    ]
    assert (shown["totals"], shown["share"]) == ({"completed": 3, "noShow": 2}, 0.4)


async def test_runs_are_counted_by_the_day_on_which_they_began(figures: Figures) -> None:
    """Of each quiz and ritual the begun and the completed runs are counted, and the time that five or more took; of fewer
    it is not told how long they took, and no sum tells it either (D-6).
    """
    quiz, ritual = figures.interactive("quiz", "mood"), figures.interactive("ritual", "calm")
    for seconds in (60, 30, 30, 30, 30, None, None):
        figures.run_of(quiz, MOMENT, seconds)
    for seconds in (600, 600, 600, 600, None):
        figures.run_of(ritual, MOMENT + timedelta(days=1), seconds)
    shown = await figures.ask("interactive", Role.EDITOR, **{"from": "2026-03-10", "to": "2026-03-12"})
    assert shown["rows"] == [
        {"day": "2026-03-10", "kind": "quiz", "slug": "mood", "started": 7, "completed": 5, "seconds": 180},
        {"day": "2026-03-11", "kind": "ritual", "slug": "calm", "started": 5, "completed": 4, "seconds": None},
    ]
    assert (shown["totals"], shown["share"]) == ({"started": 12, "completed": 9, "seconds": 180}, 0.75)
    shown = await figures.ask("interactive", Role.EDITOR, **{"from": "2026-03-11", "to": "2026-03-12"})
    assert (shown["totals"], shown["share"]) == ({"started": 5, "completed": 4, "seconds": None}, 0.8)


async def test_runs_that_were_left_open_for_years_break_no_sum(figures: Figures) -> None:
    """A day whose runs took longer together than a number of 32 bits can tell is shown like any other."""
    quiz = figures.interactive("quiz", "mood")
    for _ in range(5):
        figures.run_of(quiz, MOMENT, 2**31 - 1)
    shown = await figures.ask("interactive", Role.EDITOR, **{"from": "2026-03-10", "to": "2026-03-11"})
    assert shown["totals"]["seconds"] == 5 * (2**31 - 1)


async def test_questions_are_counted_by_whether_they_were_in_time(figures: Figures) -> None:
    """Of the questions of a day those answered in time are counted among those whose time has come."""
    now = datetime.now(UTC)
    due, later = timedelta(hours=1), timedelta(hours=2)
    for resolved in (MOMENT, MOMENT + due, MOMENT + later, None):
        figures.question(MOMENT, MOMENT + due, resolved)
    figures.question(MOMENT + timedelta(days=1), now + timedelta(days=1), None)
    figures.question(MOMENT + timedelta(days=1), now + timedelta(days=1), now)
    shown = await figures.ask("moderation", Role.EDITOR, **{"from": "2026-03-10", "to": "2026-03-12"})
    assert shown["rows"] == [
        {"day": "2026-03-10", "received": 4, "inTime": 2, "late": 1, "waiting": 0, "overdue": 1},
        {"day": "2026-03-11", "received": 2, "inTime": 1, "late": 0, "waiting": 1, "overdue": 0},
    ]
    assert (shown["totals"]["received"], shown["share"]) == (6, 0.6)


async def test_nothing_has_no_share(figures: Figures) -> None:
    """Where nothing has happened the sums are zero and there is no share; the range is the last 30 days by itself."""
    shown = await figures.ask("no-show")
    assert (shown["rows"], shown["totals"], shown["share"]) == ([], {"completed": 0, "noShow": 0}, None)
    assert date.fromisoformat(shown["last"]) - date.fromisoformat(shown["first"]) == timedelta(days=30)


async def test_others_are_not_counted(figures: Figures, own_database: str, postgres: EmbeddedPostgres) -> None:
    """A dashboard counts its own tenant only, and so does its view for whoever asks it without a condition (D-9)."""
    figures.events("booking_confirmed", 1)
    app_uri = postgres.uri(user="holdfast_app", database=own_database)
    async with open_practice(app_uri) as other:
        await other.add_resource("ana")
        await other.add_service("talk", ["ana"])
        theirs = Figures(other, figures.admin, app_uri, postgres.uri(database=own_database))
        assert (await theirs.ask("booking-funnel", **{"from": "2026-03-01", "to": "2026-03-31"}))["rows"] == []
        async with other.desk.database.transaction(other.business_id) as tx:
            for view in await tx.rows("select relname from pg_class where relname like 'dashboard\\_%'"):
                assert await tx.rows(f"select * from {view['relname']}") == []


@pytest.mark.parametrize(
    "asked",
    [
        {"from": "2026-03-10", "to": "2026-03-10"},
        {"from": "2026-03-10", "to": "2026-03-01"},
        {"from": "2024-03-10", "to": "2026-03-01"},
    ],
)
async def test_a_range_is_a_range(figures: Figures, asked: dict[str, str]) -> None:
    """A range that is empty, turned round or longer than a year is refused by name (H-1)."""
    assert wrong_fields((await figures.ask("no-show", **asked))["refused"]) == {"to"}
    assert wrong_fields((await figures.ask("no-show", **{"from": "yesterday"}))["refused"]) == {"from"}


async def test_each_role_sees_what_its_work_is_about(figures: Figures) -> None:
    """A dashboard asks for the right to what it counts: an editor sees nothing of appointments (D-7)."""
    assert "rows" in await figures.ask("no-show", Role.ASSISTANT)
    problem((await figures.ask("no-show", Role.EDITOR))["refused"], 403, "forbidden")
    problem((await figures.ask(f"x-{uuid4().hex}"))["refused"], 404, "unknown_dashboard")
