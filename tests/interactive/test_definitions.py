"""Definitions of quizzes and rituals: what is a sound one, their versions, and their way to the public."""

import copy
import itertools
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from booking.served import Clients, Json, problem, wrong_fields
from holdfast.interactive.shapes import Level, Option, Question, Quiz, check, level_of, range_of
from holdfast.interactive.states import TRANSITIONS, InteractiveState
from holdfast.kernel.errors import ValidationFailed
from interactive.quizzes import ADMIN, PUBLIC, Author, quiz, ritual

WAYS = {"draft": (), "published": ("publish",), "archived": ("publish", "archive")}
STEPS = {"publish": InteractiveState.PUBLISHED, "archive": InteractiveState.ARCHIVED}


def test_a_quiz_on_its_way(author: Author, clients: Clients) -> None:
    """A quiz goes from draft to the public and into the archive, and back; each step is recorded, and others hear of
    what became public and of what no longer is (D-7).
    """
    made = author.draft(quiz(1, 1))
    public = f"{PUBLIC}/{made['slug']}"
    assert (made["kind"], made["status"], made["version"], made["publishedVersion"]) == ("quiz", "draft", 1, None)
    nothing = clients.http.get(f"{PUBLIC}/no-such-quiz")
    assert clients.http.get(public).text == nothing.text
    made = author.step(made, "publish")
    assert (made["status"], made["publishedVersion"]) == ("published", 1)
    assert clients.get(public)["title"] == "Тревога"
    made = author.step(made, "archive")
    assert (made["status"], made["publishedVersion"]) == ("archived", None)
    assert clients.http.get(public).text == nothing.text
    assert author.step(made, "publish")["status"] == "published"
    recorded = "select version, action, from_state, to_state from audit_log where aggregate_id = %s order by version"
    assert clients.sql(recorded, made["id"]) == [
        (1, "create", None, "draft"),
        (2, "publish", "draft", "published"),
        (3, "archive", "published", "archived"),
        (4, "publish", "archived", "published"),
    ]
    told = "select version, type, payload from outbox_events where aggregate_id = %s order by version"
    fact = {"kind": "quiz", "slug": made["slug"], "definitionVersion": 1}
    assert clients.sql(told, made["id"]) == [
        (2, "InteractivePublished", fact),
        (3, "InteractiveArchived", fact),
        (4, "InteractivePublished", fact),
    ]


@pytest.mark.parametrize(("state", "step"), list(itertools.product(InteractiveState, STEPS)))
def test_steps_follow_the_table(author: Author, state: InteractiveState, step: str) -> None:
    """From each state exactly the steps of TRANSITIONS lead on; any other is 409, says why, and changes nothing."""
    made = author.step(author.draft(ritual()), *WAYS[state])
    answer = author.call("POST", f"{ADMIN}/{made['id']}/{step}", {"expectedVersion": made["version"]})
    if STEPS[step] in TRANSITIONS[state]:
        assert (answer.status_code, answer.json()["status"]) == (200, STEPS[step])
    else:
        assert problem(answer, 409, "interactive_step_not_allowed")["details"] == {"status": state}
        assert author.call("GET", f"{ADMIN}/{made['id']}").json() == made


def test_the_public_sees_the_published_version(author: Author, clients: Clients) -> None:
    """What the public is asked is the published version, whatever was written since, without points and levels."""
    made = author.published(quiz(1, 2))
    shown = clients.get(f"{PUBLIC}/{made['slug']}")
    assert [question["options"] for question in shown["questions"]] == [
        [{"id": "no", "text": "Нет"}, {"id": "yes", "text": "Да"}]
    ] * 2
    assert "points" not in str(shown)
    assert "Level" not in str(shown)
    revised = author.revised(made, quiz(5, title="Новая"))
    assert (revised["definitionVersion"], revised["publishedVersion"]) == (2, 1)
    assert clients.get(f"{PUBLIC}/{made['slug']}") == shown
    author.step(revised, "publish")
    later = clients.get(f"{PUBLIC}/{made['slug']}")
    assert (later["title"], later["definitionVersion"], len(later["questions"])) == ("Новая", 2, 1)
    for number, title in ((1, "Тревога"), (2, "Новая")):
        version = author.call("GET", f"{ADMIN}/{made['id']}/versions/{number}").json()
        assert version["definition"]["title"] == title
    problem(author.call("GET", f"{ADMIN}/{made['id']}/versions/3"), 404, "not_found")


def test_a_ritual_has_steps(author: Author, clients: Clients) -> None:
    """A ritual is shown with its steps and their durations, and stays a ritual."""
    made = author.published(ritual())
    shown = clients.get(f"{PUBLIC}/{made['slug']}")
    assert [(step["text"], step["durationSeconds"]) for step in shown["steps"]] == [("Шаг 1", 60), ("Шаг 2", 120)]
    assert (shown["kind"], shown["intro"], shown["questions"]) == ("ritual", "Сядьте", [])
    body = {"definition": quiz(1), "expectedVersion": made["version"]}
    assert wrong_fields(author.call("POST", f"{ADMIN}/{made['id']}/versions", body)) == {"definition.kind"}


def test_nobody_overwrites_what_he_has_not_seen(author: Author) -> None:
    """A change names the version that was seen: a stale one is 409 with the current one, none is 428 (B-15)."""
    made = author.revised(author.draft(quiz(1)), quiz(2))
    path = f"{ADMIN}/{made['id']}"
    for where, body in (("versions", {"definition": quiz(3)}), ("publish", {}), ("archive", {})):
        stale = author.call("POST", f"{path}/{where}", body | {"expectedVersion": 1})
        assert problem(stale, 409, "CONFLICT")["details"] == {"currentVersion": 2}
        problem(author.call("POST", f"{path}/{where}", body), 428, "version_required")
        problem(author.call("POST", f"{ADMIN}/{uuid4()}/{where}", body), 404, "not_found")


def test_a_slug_is_used_once(author: Author) -> None:
    """A second quiz or ritual at a slug is 409 and names the field (D-4)."""
    made = author.draft(quiz(1))
    body = {"slug": made["slug"], "locale": "en", "definition": ritual()}
    assert problem(author.call("POST", ADMIN, body), 409, "interactive_slug_taken")["details"] == {"field": "slug"}


def test_lists_are_filtered(author: Author) -> None:
    """Staff find quizzes and rituals by kind and state, the newest first, page by page (H-2)."""
    made = [author.draft(quiz(1)), author.published(ritual()), author.published(quiz(2))]

    def found(**query: Any) -> list[str]:
        ids: list[str] = []
        page: Json = {"nextCursor": ""}
        while page["nextCursor"] is not None:
            answer = author.call("GET", ADMIN, params={"limit": 2, "cursor": page["nextCursor"], **query})
            page = answer.json()
            ids += [each["id"] for each in page["interactives"]]
        return [each for each in ids if each in {one["id"] for one in made}]

    ids = [one["id"] for one in made]
    assert found() == ids[::-1]
    assert found(kind="quiz") == [ids[2], ids[0]]
    assert found(status="published") == [ids[2], ids[1]]
    assert found(kind="ritual", status="draft") == []
    for query, field in (({"status": "live"}, "status"), ({"cursor": "x"}, "cursor"), ({"kind": "poll"}, "kind")):
        assert wrong_fields(author.call("GET", ADMIN, params=query)) == {field}


def changed(definition: Json, change: Callable[[Any], object]) -> Json:
    """Return a definition with one thing that is not right."""
    other = copy.deepcopy(definition)
    change(other)
    return other


QUIZ = quiz(2, 3, levels=[("low", 0, 1), ("middle", 2, 3), ("high", 4, 5)])
WRONG: dict[str, tuple[Callable[[Any], object], set[str]]] = {
    "a hole": (lambda q: q["levels"][1].update(to=2), {"levels[2].from"}),
    "an overlap": (lambda q: q["levels"][1].update({"from": 1}), {"levels[1].from"}),
    "one level within another": (lambda q: q["levels"][0].update(to=5), {"levels[1].from", "levels[2].from"}),
    "the least sum is left out": (lambda q: q["levels"][0].update({"from": 1}), {"levels[0].from"}),
    "the greatest sum is left out": (lambda q: q["levels"][2].update(to=4), {"levels[2].to"}),
    "a level ends before it begins": (lambda q: q["levels"][1].update({"from": 3, "to": 2}), {"levels[1].to"}),
    "two levels of one name": (lambda q: q["levels"][2].update(id="low"), {"levels[2].id"}),
    "two questions of one name": (lambda q: q["questions"][1].update(id="q1"), {"questions[1].id"}),
    "two options of one name": (
        lambda q: q["questions"][1]["options"][1].update(id="no"),
        {"questions[1].options[1].id"},
    ),
    "points nobody can have": (lambda q: q["questions"][0]["options"][0].update(points=-7), {"levels[0].from"}),
    "several": (
        lambda q: (q["levels"][2].update(to=4), q["questions"][1].update(id="q1")),
        {"levels[2].to", "questions[1].id"},
    ),
}
MALFORMED: dict[str, tuple[Callable[[Any], object], str]] = {
    "no questions": (lambda q: q.update(questions=[]), "questions"),
    "one option": (lambda q: q["questions"][0]["options"].pop(), "questions[0].options"),
    "points that are no number": (
        lambda q: q["questions"][0]["options"][0].update(points="1"),
        "questions[0].options[0].points",
    ),
    "points as a fraction": (
        lambda q: q["questions"][0]["options"][0].update(points=0.5),
        "questions[0].options[0].points",
    ),
    "a member that nobody knows": (lambda q: q["questions"][0].update(hint="x"), "questions[0]"),
    "an id that is no word": (lambda q: q["levels"][0].update(id="Низкий"), "levels[0].id"),
    "no title": (lambda q: q.pop("title"), ""),
    "no level": (lambda q: q.update(levels=[]), "levels"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_with_its_place(author: Author, name: str) -> None:
    """A quiz whose levels leave out or share a sum, or that names two things alike, is 400 with each place, when it is
    looked at, made and revised (H-1).
    """
    change, places = WRONG[name]
    wrong = changed(QUIZ, change)
    fields = {f"definition.{place}" for place in places}
    made = author.draft(QUIZ)
    body = {"slug": f"q-{uuid4().hex[:8]}", "locale": "ru", "definition": wrong, "expectedVersion": 1}
    for path in (f"{ADMIN}/check", ADMIN, f"{ADMIN}/{made['id']}/versions"):
        assert wrong_fields(author.call("POST", path, body)) == fields
    assert author.call("GET", f"{ADMIN}/{made['id']}").json() == made


@pytest.mark.parametrize("name", MALFORMED)
def test_what_is_malformed_is_told_with_its_place(author: Author, name: str) -> None:
    """A definition that has not the form of one is 400 with the place; unknown members are a slip, too (H-1)."""
    change, place = MALFORMED[name]
    fields = wrong_fields(author.call("POST", f"{ADMIN}/check", {"definition": changed(QUIZ, change)}))
    assert fields == {f"definition.{place}".rstrip(".")}


def test_a_definition_is_looked_at(author: Author, clients: Clients) -> None:
    """A sound definition is told what answers can add up to, and is not stored."""
    before = clients.sql("select count(*) from interactive_versions")
    shown = author.call("POST", f"{ADMIN}/check", {"definition": QUIZ}).json()
    assert shown == {"kind": "quiz", "leastPoints": 0, "mostPoints": 5}
    shown = author.call("POST", f"{ADMIN}/check", {"definition": ritual()}).json()
    assert shown == {"kind": "ritual", "leastPoints": None, "mostPoints": None}
    twice = ritual(steps=[{"id": "s", "text": "t", "durationSeconds": 1}] * 2)
    assert wrong_fields(author.call("POST", f"{ADMIN}/check", {"definition": twice})) == {"definition.steps[1].id"}
    assert clients.sql("select count(*) from interactive_versions") == before


@given(
    points=st.lists(st.lists(st.integers(-9, 9), min_size=2, max_size=4), min_size=1, max_size=4),
    levels=st.lists(st.tuples(st.integers(-40, 40), st.integers(0, 40)), min_size=1, max_size=4),
)
def test_every_answer_to_a_sound_quiz_has_one_level(points: list[list[int]], levels: list[tuple[int, int]]) -> None:
    """A quiz is accepted exactly when each sum from the least to the greatest belongs to one level and no two levels
    meet, and then whatever is answered has its level.
    """
    made = Quiz(
        title="t",
        questions=[
            Question(id=f"q{n}", text="", options=[Option(id=f"o{m}", text="o", points=p) for m, p in enumerate(each)])
            for n, each in enumerate(points)
        ],
        levels=[Level(id=f"l{n}", least=at, most=at + long, title="l") for n, (at, long) in enumerate(levels)],
    )
    least, most = range_of(made)
    spans = [range(level.least, level.most + 1) for level in made.levels]
    sums = range(min(least, *(s.start for s in spans)), max(most + 1, *(s.stop for s in spans)))
    owners = {total: sum(total in span for span in spans) for total in sums}
    sound = all(owners[total] == 1 for total in sums if least <= total <= most) and max(owners.values()) == 1
    # A hole beyond the sums that answers can have is a slip, too.
    sound = sound and all(owners.values())
    try:
        check(made)
    except ValidationFailed:
        assert not sound
        return
    assert sound
    for chosen in itertools.product(*(question.options for question in made.questions)):
        level = level_of(made, {f"q{n}": option.id for n, option in enumerate(chosen)})
        assert level.least <= sum(option.points for option in chosen) <= level.most


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("state = 'archived', version = version + 1", "interactive_definitions_transition"),
        ("locale = 'en'", "interactive_definitions_version_step"),
        ("published_version = 1, version = version + 1", "interactive_definitions_published_whole"),
    ],
)
def test_the_database_guards_the_states(author: Author, clients: Clients, change: str, constraint: str) -> None:
    """Whoever writes, a quiz takes no step beside the table and no change without a version (B-15)."""
    made = author.draft(quiz(1))
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        clients.sql(f"update interactive_definitions set {change} where id = %s", made["id"])
    assert refused.value.diag.constraint_name == constraint


def test_transitions_are_the_same_in_python_and_in_the_database(clients: Clients) -> None:
    """interactive_may_become says of every pair of states what TRANSITIONS says."""
    pairs = list(itertools.product(InteractiveState, repeat=2))
    said = [clients.sql("select interactive_may_become(%s, %s)", *map(str, pair))[0][0] for pair in pairs]
    assert dict(zip(pairs, said, strict=True)) == {pair: pair[1] in TRANSITIONS[pair[0]] for pair in pairs}
