"""Figures at the pages of staff: in words, drawn, in tables and as a file, for whom they are for (U-3, D-6)."""

import csv
import io
from datetime import UTC, date, datetime, time, timedelta

import psycopg
import pytest
import pytest_asyncio

from admin.desk import Desk, elements
from booking.studio import Studio
from catalog.holds import hold_slot
from holdfast.admin.charts import Series, chart
from holdfast.analytics.utilisation import utilisation
from holdfast.availability.hours import WeeklyRule
from holdfast.availability.rules import replace_rules
from holdfast.availability.wording import Wording
from holdfast.catalog.resources import put_resource
from holdfast.catalog.services import put_service
from holdfast.moderation.questions import Question, submit
from journeys.browser import Page
from wording import say

PATH = "/admin/dashboards"
MONDAY = date(2026, 3, 9)


@pytest_asyncio.fixture
async def asked(owner: Desk) -> Desk:
    """An owner who was asked twice today."""
    for text in ("Почему?", "Зачем?"):
        await owner.run(lambda tx, text=text: submit(tx, Question(text, "ru")))
    return owner


async def test_figures_are_told_in_words_and_tables(asked: Desk, admin_uri: str) -> None:
    """A dashboard says in a sentence what its figures come to, and has each of them in a table besides the drawing, with
    a title and a summary for whoever does not see it (U-3, D-6).
    """
    with psycopg.connect(admin_uri) as admin:
        # Time passes without a version.
        admin.execute("alter table ugc_items disable trigger guard_ugc_item")
        overdue = "update ugc_items set due_at = created_at + interval '1 microsecond' where business_id = %s"
        admin.execute(overdue, [asked.practice.business_id])
        admin.execute("alter table ugc_items enable trigger guard_ugc_item")
    shown = await asked.page(f"{PATH}/moderation")
    assert "Answered in time: 0% of the questions that are answered or overdue." in shown.text
    assert "Together 2 0 0 0 2" in shown.text
    [(_, drawing)] = elements(shown, "svg")
    names = (drawing["aria-labelledby"] or "").split()
    assert {given.get("id") for tag, given in shown.tags if tag in {"title", "desc"}} >= set(names)
    assert len(elements(shown, "rect")) == 1


@pytest.mark.parametrize("name", ["booking-funnel", "no-show", "utilisation", "moderation", "interactive"])
async def test_an_empty_period_says_what_comes(owner: Desk, name: str) -> None:
    """Where there is nothing to count the page says so, and what brings figures (U-3)."""
    shown = await owner.page(f"{PATH}/{name}?from=2020-01-01&to=2020-01-31", "ru")
    assert say("ru", "Nothing to count in this period.") in shown.text
    assert elements(shown, "svg") == []


async def test_a_wrong_period_is_told_and_another_shown(owner: Desk) -> None:
    """A period that ends before it begins is refused in words, and the last thirty days are shown (U-3)."""
    answer = await owner.get(f"{PATH}/no-show?from=2026-02-01&to=2026-01-01")
    assert answer.status_code == 400
    today = datetime.now(UTC).date()
    assert f"to={today}" in answer.text


async def test_figures_are_given_as_a_file(asked: Desk) -> None:
    """The same figures come as a file, a row for each day, that a spreadsheet opens and a browser saves (U-3)."""
    answer = await asked.get(f"{PATH}/moderation/figures.csv")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert answer.headers["content-disposition"].startswith("attachment;")
    [head, row] = csv.reader(io.StringIO(answer.content.decode("utf-8-sig")))
    assert head == ["day", "received", "in_time", "late", "waiting", "overdue"]
    assert row == [str(datetime.now(UTC).date()), "2", "0", "0", "2", "0"]


async def test_each_dashboard_is_for_whom_it_counts(editor: Desk, assistant: Desk) -> None:
    """An editor sees questions and quizzes and nothing of appointments, by tab, page or file; an assistant all (D-7)."""
    first = await editor.page(PATH)
    assert {link.partition("?")[0] for link in first.links if link.startswith(f"{PATH}/")} >= {
        f"{PATH}/moderation",
        f"{PATH}/interactive",
    }
    for name in ("booking-funnel", "no-show", "utilisation"):
        assert f"{PATH}/{name}" not in first.source
        assert (await editor.get(f"{PATH}/{name}")).status_code == 403
        assert (await editor.get(f"{PATH}/{name}/figures.csv")).status_code == 403
        assert (await assistant.get(f"{PATH}/{name}")).status_code == 200
    assert (await editor.get(f"{PATH}/nothing")).status_code == 404


async def test_open_and_taken_time_is_counted_by_hand(studio: Studio) -> None:
    """Of eight open hours with an hour and a half taken, in two places that overlap by half an hour, one and a half are
    taken; overlapping opening hours count once, and days without either are left out (U-3).
    """
    resource = await studio.run(
        lambda tx: put_resource(tx, slug="anna", name="Anna", kind="practitioner", capacity=2, timezone="Europe/Berlin")
    )
    rules = [WeeklyRule(0, time(9), time(15)), WeeklyRule(0, time(12), time(17))]
    await studio.run(lambda tx: replace_rules(tx, resource, rules))
    service = await studio.run(
        lambda tx: put_service(
            tx, slug="talk", name="Talk", duration_minutes=60, price_minor=0, requirements=[[resource]]
        )
    )
    start = datetime(2026, 3, 9, 9, tzinfo=UTC)
    later = start + timedelta(minutes=30)
    await studio.run(lambda tx: hold_slot(tx, service, {resource: 1}, start, start + timedelta(hours=1)))
    await studio.run(lambda tx: hold_slot(tx, service, {resource: 2}, later, later + timedelta(hours=1)))
    used = await studio.run(lambda tx: utilisation(tx, "Europe/Berlin", MONDAY, MONDAY + timedelta(days=7)))
    assert [(use.day, use.resource, use.open_minutes, use.taken_minutes) for use in used] == [(MONDAY, "Anna", 480, 90)]


def test_bars_are_as_high_as_their_figures() -> None:
    """The parts of a bar stand upon each other, each as high as its share of the scale, which ends evenly (U-3)."""
    days = [MONDAY, MONDAY + timedelta(days=1)]
    drawn = chart(Wording("en", "UTC"), "Title", days, [Series("Came", [3, 0]), Series("Not", [2, 0])])
    assert drawn.scale == ("6", "3", "0")
    [bar, nothing] = drawn.bars
    assert [(piece.tone, piece.y, piece.height) for piece in bar.pieces] == [("1", 50, 50), ("2", 16.67, 33.33)]
    assert nothing.pieces == ()
    assert bar.words == "9 Mar 2026: Came: 3, Not: 2"
    assert drawn.summary == "Came: 3, Not: 2"


def test_a_long_span_is_drawn_by_the_week() -> None:
    """More days than can be told apart are summed up from Monday on (U-3)."""
    days = [MONDAY + timedelta(days=number) for number in range(70)]
    drawn = chart(Wording("en", "UTC"), "Title", days, [Series("Came", [1] * 70)])
    assert len(drawn.bars) == 10
    assert drawn.bars[0].words == "9 Mar 2026: Came: 7"


@pytest.mark.parametrize(
    ("most", "top"),
    [(0, "2"), (1, "2"), (2, "2"), (3, "4"), (10, "10"), (11, "20"), (61, "80"), (99, "100"), (101, "200")],
)
def test_a_scale_ends_evenly(most: int, top: str) -> None:
    """The end of a scale is at or above its greatest figure, and half of it is a whole number (U-3)."""
    drawn = chart(Wording("en", "UTC"), "Title", [MONDAY], [Series("Came", [most])])
    assert drawn.scale[0] == top


async def test_a_quiz_of_nobody_is_no_figure(owner: Desk) -> None:
    """Figures in a language are told in it (U-4)."""
    shown = Page(await owner.get(PATH, "ru"))
    assert say("ru", "The way to a booking") in shown.text
