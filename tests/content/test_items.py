"""Content items from draft to archive, their versions, and what of them is public."""

import asyncio
import itertools
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from booking.served import Clients, Json, problem, wrong_fields
from booking.staffed import StaffClients
from content.editing import CONTENT, PUBLIC, Editing, new_slug, path_of, public_path
from holdfast.content.states import GOALS, TRANSITIONS, ContentState, Step

# The way to each state.
WAYS = {
    "draft": (),
    "review": ("submit",),
    "published": ("submit", "publish"),
    "archived": ("submit", "publish", "archive"),
}


def history(clients: Clients, item: Json) -> list[tuple[Any, ...]]:
    """Return what was recorded of an item."""
    return clients.sql(
        "select version, action, from_state, to_state, actor from audit_log where aggregate_id = %s order by version",
        item["id"],
    )


def events(clients: Clients, item: Json) -> list[tuple[Any, ...]]:
    """Return what others were told of an item."""
    return clients.sql(
        "select version, type, payload from outbox_events where aggregate_id = %s order by version", item["id"]
    )


def test_an_item_on_its_way(editor: Editing, clients: Clients) -> None:
    """An item goes from draft through review to the public and into the archive; each step is recorded, and others
    hear of what became public and of what no longer is (D-7).
    """
    item = editor.draft(summary="Кратко", topics=["sleep", "anxiety"])
    assert (item["status"], item["version"], item["contentVersion"]) == ("draft", 1, 1)
    assert (item["publishedVersion"], item["publishedAt"], item["topics"]) == (None, None, ["anxiety", "sleep"])
    for step, status in (("submit", "review"), ("return", "draft"), ("submit", "review"), ("publish", "published")):
        item = editor.step(item, step)
        assert (item["status"], editor.read(item)) == (status, item)
    shown = clients.get(public_path(item))
    assert (shown["title"], shown["summary"], shown["body"]) == ("Тревога", "Кратко", "# Текст")
    assert (shown["locale"], shown["publishedAt"]) == ("ru", item["publishedAt"])
    assert shown["topics"] == [{"slug": "anxiety", "name": "Тревога"}, {"slug": "sleep", "name": "Сон"}]
    item = editor.step(item, "archive")
    assert (item["status"], item["publishedVersion"], item["publishedAt"]) == ("archived", None, None)
    problem(clients.http.get(public_path(item)), 404, "not_found")
    assert editor.step(item, "return")["status"] == "draft"
    assert history(clients, item) == [
        (1, "create", None, "draft", "staff"),
        (2, "submit", "draft", "review", "staff"),
        (3, "return", "review", "draft", "staff"),
        (4, "submit", "draft", "review", "staff"),
        (5, "publish", "review", "published", "staff"),
        (6, "archive", "published", "archived", "staff"),
        (7, "return", "archived", "draft", "staff"),
    ]
    told = {"type": "article", "slug": item["slug"], "locale": "ru", "contentVersion": 1}
    assert events(clients, item) == [(5, "ContentPublished", told), (6, "ContentArchived", told)]


@pytest.mark.parametrize(("state", "step"), list(itertools.product(ContentState, Step)))
def test_steps_follow_the_table(editor: Editing, state: ContentState, step: Step) -> None:
    """From each state exactly the steps of TRANSITIONS lead on; any other is 409, says why, and changes nothing."""
    item = editor.step(editor.draft(), *WAYS[state])
    answer = editor.tried(item, step)
    if GOALS[step] in TRANSITIONS[state]:
        assert (answer.status_code, answer.json()["status"]) == (200, GOALS[step])
    else:
        assert problem(answer, 409, "content_step_not_allowed")["details"] == {"status": state}
        assert editor.read(item) == item


def test_what_is_public_stays_until_it_is_published_anew(editor: Editing, clients: Clients) -> None:
    """Saves of a published item, restored versions too, reach the public only when it is published again."""
    item = editor.published(title="Первый")
    before = clients.get(public_path(item))
    changed = editor.save(item, title="Второй", body="другой")
    assert (changed["status"], changed["contentVersion"], changed["publishedVersion"]) == ("published", 2, 1)
    assert clients.get(public_path(item)) == before
    assert [card["title"] for card in clients.get(PUBLIC)["items"] if card["slug"] == item["slug"]] == ["Первый"]
    again = editor.step(changed, "publish")
    assert (again["publishedVersion"], again["publishedAt"]) == (2, item["publishedAt"])
    shown = clients.get(public_path(item))
    assert (shown["title"], shown["body"]) == ("Второй", "другой")
    problem(editor.tried(again, "publish"), 409, "content_step_not_allowed")
    restored = editor.call("POST", f"{path_of(item)}/versions/1/restore", {"expectedVersion": again["version"]}).json()
    assert (restored["title"], restored["contentVersion"], restored["publishedVersion"]) == ("Первый", 3, 2)
    assert clients.get(public_path(item)) == shown


def test_an_unpublished_item_is_as_unknown_as_any(editor: Editing, clients: Clients) -> None:
    """Whatever is not published answers to the public as what never was, to the letter (H-1, H-4)."""
    nothing = clients.http.get(f"{PUBLIC}/article/{new_slug()}")
    problem(nothing, 404, "not_found")
    for state in ("draft", "review", "archived"):
        item = editor.step(editor.draft(), *WAYS[state])
        assert clients.http.get(public_path(item)).text == nothing.text
        assert item["slug"] not in {card["slug"] for card in clients.get(PUBLIC)["items"]}
    item = editor.published()
    for path in (f"{PUBLIC}/page/{item['slug']}", f"{PUBLIC}/nonsense/{item['slug']}", f"{PUBLIC}/article/a%00b"):
        assert clients.http.get(path).text == nothing.text


def test_public_reads_are_tagged(editor: Editing, clients: Clients) -> None:
    """A public read may be kept for a minute, and is 304 to who has it already, until it changes."""
    item = editor.published()
    first = clients.http.get(public_path(item))
    assert first.headers["cache-control"] == "public, max-age=60"
    tag = {"If-None-Match": first.headers["etag"]}
    again = clients.http.get(public_path(item), headers=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    editor.step(editor.save(item, title="Иначе"), "publish")
    assert clients.http.get(public_path(item), headers=tag).status_code == 200


def test_nobody_overwrites_what_he_has_not_seen(editor: Editing) -> None:
    """A change names the version that was seen: a stale one is 409 with the current one, none is 428 (B-15)."""
    item = editor.draft()
    path = path_of(item)
    assert editor.call("GET", path).headers["etag"] == '"1"'
    saved = editor.call("PATCH", path, {"title": "A"}, headers={"If-Match": '"1"'})
    assert (saved.status_code, saved.headers["etag"], saved.json()["version"]) == (200, '"2"', 2)
    for method, where, body in (
        ("PATCH", path, {"title": "B"}),
        ("POST", f"{path}/submit", {}),
        ("POST", f"{path}/versions/1/restore", {}),
    ):
        stale = editor.call(method, where, body | {"expectedVersion": 1})
        assert problem(stale, 409, "CONFLICT")["details"] == {"currentVersion": 2}
        problem(editor.call(method, where, body), 428, "version_required")
    assert wrong_fields(editor.call("PATCH", path, {}, headers={"If-Match": "one"})) == {"If-Match"}
    assert editor.read(item) == saved.json()


async def test_of_two_saves_at_once_one_is_kept(editor: Editing, clients: Clients) -> None:
    """Of saves that saw the same version exactly one is made, and all others hear 409 (B-15)."""
    item = editor.draft()
    async with httpx.AsyncClient(base_url=clients.http.base_url, headers=editor.staff.headers) as http:
        bodies = [{"title": f"Title {n}", "expectedVersion": 1} for n in range(8)]
        answers = await asyncio.gather(*(http.patch(path_of(item), json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    [kept] = [answer.json() for answer in answers if answer.status_code == 200]
    assert (editor.read(item)["title"], kept["contentVersion"]) == (kept["title"], 2)


def test_every_save_is_a_version(editor: Editing) -> None:
    """Versions are listed page by page, read each as it was, and restored by repeating them (H-2)."""
    item = editor.draft(title="1", body="one", summary="s")
    for number in ("2", "3", "4"):
        item = editor.save(item, title=number)
    page = editor.call("GET", f"{path_of(item)}/versions", params={"limit": 3}).json()
    rest = editor.call("GET", f"{path_of(item)}/versions", params={"cursor": page["nextCursor"]}).json()
    assert [v["number"] for v in page["versions"] + rest["versions"]] == [4, 3, 2, 1]
    assert rest["nextCursor"] is None
    old = editor.call("GET", f"{path_of(item)}/versions/1").json()
    assert (old["title"], old["body"], old["summary"], old["restoredFrom"]) == ("1", "one", "s", None)
    restored = editor.call("POST", f"{path_of(item)}/versions/1/restore", {"expectedVersion": item["version"]})
    shown = restored.json()
    assert (shown["contentVersion"], shown["title"], shown["body"], shown["summary"]) == (5, "1", "one", "s")
    assert editor.call("GET", f"{path_of(item)}/versions/5").json()["restoredFrom"] == 1
    newest = editor.call("POST", f"{path_of(item)}/versions/5/restore", {"expectedVersion": shown["version"]})
    assert wrong_fields(newest) == {"number"}
    for number in ("6", "0", "x", "9" * 30):
        problem(editor.call("GET", f"{path_of(item)}/versions/{number}"), 404, "not_found")


def test_a_slug_is_used_once_for_a_type(editor: Editing) -> None:
    """A second item of a type at a slug is 409 and names the field, made or moved; one of another type is none (D-4)."""
    item = editor.draft()
    body = {"type": "article", "slug": item["slug"], "locale": "en", "title": "Another"}
    assert problem(editor.call("POST", CONTENT, body), 409, "content_slug_taken")["details"] == {"field": "slug"}
    assert editor.call("POST", CONTENT, body | {"type": "page"}).status_code == 201
    other = editor.draft()
    moved = editor.call("PATCH", path_of(other), {"slug": item["slug"], "expectedVersion": 1})
    assert problem(moved, 409, "content_slug_taken")["details"] == {"field": "slug"}
    assert editor.read(other) == other


def test_what_is_public_keeps_its_address(editor: Editing) -> None:
    """Slug and locale of a published item stay; before and after it has others (D-4)."""
    item = editor.save(editor.draft(), slug=(slug := new_slug()), locale="en")
    assert (item["slug"], item["locale"]) == (slug, "en")
    item = editor.step(item, "submit", "publish")
    for change in ({"slug": new_slug()}, {"locale": "ru"}):
        body = change | {"expectedVersion": item["version"]}
        problem(editor.call("PATCH", path_of(item), body), 409, "content_address_fixed")
    item = editor.step(item, "archive")
    archived = editor.call("PATCH", path_of(item), {"title": "A", "expectedVersion": item["version"]})
    problem(archived, 409, "content_step_not_allowed")
    assert editor.save(editor.step(item, "return"), locale="ru")["locale"] == "ru"


def test_topics_and_tags_sort_at_once(editor: Editing, clients: Clients) -> None:
    """Topics and tags are replaced as a whole, those that there are not are named, and they count at once."""
    tag = editor.made("/api/admin/tags", {"slug": new_slug("tag"), "name": "Метка"})
    item = editor.published(topics=["sleep"], tags=[tag["slug"]], locale="en")
    assert clients.get(public_path(item))["tags"] == [{"slug": tag["slug"], "name": "Метка"}]
    assert clients.get(public_path(item))["topics"] == [{"slug": "sleep", "name": "Sleep"}]
    item = editor.save(item, topics=["burnout", "anxiety"], tags=[])
    assert (item["topics"], item["tags"]) == (["anxiety", "burnout"], [])
    shown = clients.get(public_path(item))
    assert ([topic["slug"] for topic in shown["topics"]], shown["tags"]) == (["anxiety", "burnout"], [])
    assert editor.save(item, title="Other")["topics"] == ["anxiety", "burnout"]
    for change, field in (({"topics": ["sleep", "no-such"]}, "topics[1]"), ({"tags": ["no-such"]}, "tags[0]")):
        body = change | {"expectedVersion": item["version"] + 1}
        assert wrong_fields(editor.call("PATCH", path_of(item), body)) == {field}


def test_lists_of_staff_are_filtered(editor: Editing, reader: StaffClients) -> None:
    """Staff find items by type, state, topic, tag and a part of the newest title in any case, page by page (H-2)."""
    word = uuid4().hex
    tag = editor.made("/api/admin/tags", {"slug": new_slug("tag"), "name": "t"})["slug"]
    story = editor.draft(type="story", title=f"Сон {word}", topics=["sleep"])
    article = editor.published(title=f"старое {word}", tags=[tag])
    article = editor.save(article, title=f"НОВОЕ {word}")

    def found(**query: Any) -> list[str]:
        ids: list[str] = []
        page: Json = {"nextCursor": ""}
        while page["nextCursor"] is not None:
            asked = {"title": word, "limit": 1, "cursor": page["nextCursor"], **query}
            answer = reader.call("GET", CONTENT, params=asked)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            ids += [item["id"] for item in page["items"]]
        return ids

    assert found() == [article["id"], story["id"]]
    assert found(type="story") == found(status="draft") == found(topic="sleep") == [story["id"]]
    assert found(status="published") == found(tag=tag) == found(title=f"новое {word}") == [article["id"]]
    assert found(topic="burnout") == found(tag="x y") == found(title=f"старое {word}") == []
    for query, field in (
        ({"type": "poem"}, "type"),
        ({"status": "live"}, "status"),
        ({"title": "a\x00b"}, "title"),
        ({"cursor": "x"}, "cursor"),
        ({"limit": "0"}, "limit"),
    ):
        assert wrong_fields(reader.call("GET", CONTENT, params=query)) == {field}


def test_lists_of_the_public_are_filtered(editor: Editing, clients: Clients) -> None:
    """The public finds what is published by type, language, topic and tag, the newest first, page by page (H-2)."""
    tag = editor.made("/api/admin/tags", {"slug": new_slug("tag"), "name": "t"})["slug"]
    old = editor.published(tags=[tag], topics=["grief"])
    new = editor.published(tags=[tag], type="exercise", locale="en")
    editor.draft(tags=[tag])

    def found(**query: Any) -> list[str]:
        slugs: list[str] = []
        page: Json = {"nextCursor": ""}
        while page["nextCursor"] is not None:
            page = clients.get(PUBLIC, **{"tag": tag, "limit": 1, "cursor": page["nextCursor"], **query})
            slugs += [item["slug"] for item in page["items"]]
        return slugs

    assert found() == [new["slug"], old["slug"]]
    assert found(type="exercise") == found(locale="en") == [new["slug"]]
    assert found(type="article") == found(topic="grief") == [old["slug"]]
    assert found(business="emotional-balance") == [new["slug"], old["slug"]]
    assert wrong_fields(clients.http.get(PUBLIC, params={"type": "poem"})) == {"type"}
    problem(clients.http.get(PUBLIC, params={"business": "nobody"}), 404, "unknown_business")


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("title", ""),
        ("title", "a\nb"),
        ("title", "x" * 201),
        ("slug", "Слово"),
        ("slug", "a_b"),
        ("slug", "a" * 121),
        ("locale", "Russian"),
        ("type", "poem"),
        ("summary", "x" * 1001),
        ("body", "x" * 30_001),
        ("body", "a\x00b"),
        ("topics", "sleep"),
        ("media", ["x"]),
    ],
)
def test_texts_have_bounds(editor: Editing, member: str, value: object) -> None:
    """What is no title, slug, language, type or text of an item is 400 and names the member (H-1)."""
    body = {"type": "page", "slug": new_slug(), "locale": "ru", "title": "A", member: value}
    [field] = wrong_fields(editor.call("POST", CONTENT, body))
    assert field.partition("[")[0] == member


def test_the_longest_text_fits(editor: Editing, clients: Clients) -> None:
    """A text of 30,000 Russian letters is stored and read as it is."""
    item = editor.published(body="ж" * 30_000)
    assert clients.get(public_path(item))["body"] == "ж" * 30_000


def test_who_reads_does_not_write(editor: Editing, reader: StaffClients) -> None:
    """An assistant reads content of any state, and may neither write nor publish it (D-7)."""
    item = editor.draft()
    assert reader.call("GET", path_of(item)).json() == item
    body = {"expectedVersion": 1}
    problem(reader.call("PATCH", path_of(item), body), 403, "forbidden")
    for step in Step:
        problem(reader.call("POST", f"{path_of(item)}/{step}", body), 403, "forbidden")


def test_unknown_items_are_404(editor: Editing) -> None:
    """What is no id, and an id of nothing, is 404 to every call (H-1, H-4)."""
    for name in (str(uuid4()), "nothing"):
        path = f"{CONTENT}/{name}"
        problem(editor.call("GET", path), 404, "not_found")
        problem(editor.call("PATCH", path, {"expectedVersion": 1}), 404, "not_found")
        problem(editor.call("POST", f"{path}/submit", {"expectedVersion": 1}), 404, "not_found")
        problem(editor.call("GET", f"{path}/versions"), 404, "not_found")
    business = {"businessId": str(uuid4()), "expectedVersion": 1}
    problem(editor.call("PATCH", path_of(editor.draft()), business), 404, "unknown_business")


def test_versions_are_never_changed(editor: Editing, clients: Clients) -> None:
    """The servers' role may add versions and what they show, and neither change nor remove any."""
    rights = clients.sql(
        "select table_name, privilege_type from information_schema.role_table_grants"
        " where grantee = 'holdfast_app' and table_name in ('content_versions', 'content_media')"
    )
    assert set(rights) == set(itertools.product(("content_versions", "content_media"), ("SELECT", "INSERT")))


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        (
            "state = 'published', version = version + 1, published_version = 1, published_at = now()",
            "content_items_transition",
        ),
        ("locale = 'en'", "content_items_version_step"),
        ("locale = 'en', version = version + 2", "content_items_version_step"),
        ("published_version = 1, version = version + 1", "content_items_published_whole"),
        ("state = 'gone', version = version + 1", "content_items_transition"),
    ],
)
def test_the_database_guards_the_states(editor: Editing, clients: Clients, change: str, constraint: str) -> None:
    """Whoever writes, an item takes no step beside the table and no change without a version (B-15)."""
    item = editor.draft()
    with pytest.raises(psycopg.errors.CheckViolation) as refused:
        clients.sql(f"update content_items set {change} where id = %s", item["id"])
    assert refused.value.diag.constraint_name == constraint


def test_transitions_are_the_same_in_python_and_in_the_database(clients: Clients) -> None:
    """content_may_become says of every pair of states what TRANSITIONS says."""
    pairs = list(itertools.product(ContentState, repeat=2))
    said = [clients.sql("select content_may_become(%s, %s)", *map(str, pair))[0][0] for pair in pairs]
    assert dict(zip(pairs, said, strict=True)) == {pair: pair[1] in TRANSITIONS[pair[0]] for pair in pairs}
