"""Topics, tags, media, collections and the glossary: what stands around content."""

from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from booking.served import Clients, Json, problem, wrong_fields
from booking.staffed import StaffClients
from content.editing import Editing, new_slug, path_of
from holdfast.content.glossary import fold
from holdfast.identity.businesses import put
from holdfast.kernel.database import Database

TOPICS = {
    *("anxiety", "burnout", "relationships", "self-esteem", "sleep", "stress"),
    *("depression", "grief", "family", "parenting", "emotions", "boundaries"),
}
KINDS = ("topics", "tags", "media", "collections", "glossary")


def everything(editor: Editing, path: str, name: str, **query: Any) -> list[Json]:
    """Return a list of staff, page by page."""
    found: list[Json] = []
    page: Json = {"nextCursor": ""}
    while page["nextCursor"] is not None:
        answer = editor.call("GET", path, params={"limit": 3, "cursor": page["nextCursor"], **query})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page[name]) <= 3
        found += page[name]
    return found


def picture(**more: Any) -> Json:
    """Return the body that notes a file."""
    sha256 = (uuid4().hex + uuid4().hex)[:64]
    file = {
        "sha256": sha256,
        "mediaType": "image/png",
        "bytes": 1234,
        "altText": "Лес",
        "location": "/files/forest.png",
    }
    return file | more


async def topics_of(database: Database, business_id: UUID) -> dict[str, tuple[str, str]]:
    """Return the names of the topics of a business by slug."""
    async with database.transaction(business_id) as tx:
        rows = await tx.rows("select slug, name_ru, name_en from topics")
    return {row["slug"]: (row["name_ru"], row["name_en"]) for row in rows}


async def test_a_business_begins_with_topics(database: Database, admin_uri: str) -> None:
    """A new business has the seeded topics with both names; seeding again changes nothing that it has made of them,
    and what it has removed is given back by nobody but another seeding (D-2).
    """
    async with database.transaction() as tx:
        slug = f"b-{uuid4().hex[:8]}"
        business = await put(tx, slug=slug, name="B", timezone="UTC", currency="EUR")
    seeded = await topics_of(database, business.id)
    assert set(seeded) == TOPICS
    assert (seeded["sleep"], seeded["self-esteem"]) == (("Сон", "Sleep"), ("Самооценка", "Self-esteem"))
    async with database.transaction(business.id) as tx:
        await tx.run("update topics set name_en = 'Insomnia' where slug = 'sleep'")
        await tx.run("delete from topics where slug = 'grief'")
        await put(tx, slug=slug, name="Renamed", timezone="UTC", currency="EUR")
    assert set(await topics_of(database, business.id)) == TOPICS - {"grief"}
    with psycopg.connect(admin_uri) as admin:
        for _ in range(2):
            admin.execute("select seed_topics(%s)", [business.id])
    assert await topics_of(database, business.id) == seeded | {"sleep": ("Сон", "Insomnia")}


def test_topics_of_staff(editor: Editing) -> None:
    """Staff list, make, rename and remove topics; each change is recorded, and a slug is used once (D-4, D-7, H-2)."""
    assert {topic["slug"] for topic in everything(editor, "/api/admin/topics", "topics")} >= TOPICS
    made = editor.made("/api/admin/topics", {"slug": new_slug(), "nameRu": "Тело", "nameEn": "Body"})
    path = f"/api/admin/topics/{made['id']}"
    assert editor.call("PATCH", path, {"nameEn": "The body"}).json() == made | {"nameEn": "The body"}
    assert made["id"] in {topic["id"] for topic in everything(editor, "/api/admin/topics", "topics")}
    taken = {"slug": "sleep", "nameRu": "Сон", "nameEn": "Sleep"}
    refused = problem(editor.call("POST", "/api/admin/topics", taken), 409, "topic_slug_taken")
    assert refused["details"] == {"field": "slug"}
    problem(editor.call("PATCH", path, {"slug": "sleep"}), 409, "topic_slug_taken")
    assert editor.call("DELETE", path).status_code == 204
    problem(editor.call("DELETE", path), 404, "not_found")
    recorded = editor.clients.sql("select action from audit_log where aggregate_id = %s order by version", made["id"])
    assert recorded == [("create",), ("change",), ("remove",)]


def test_labels_in_use_stay(editor: Editing) -> None:
    """A topic or tag that an item has is not removed, until no item has it."""
    topic = editor.made("/api/admin/topics", {"slug": new_slug(), "nameRu": "Тело", "nameEn": "Body"})
    tag = editor.made("/api/admin/tags", {"slug": new_slug(), "name": "Тело"})
    item = editor.draft(topics=[topic["slug"]], tags=[tag["slug"]])
    for path, code in ((f"topics/{topic['id']}", "topic_in_use"), (f"tags/{tag['id']}", "tag_in_use")):
        problem(editor.call("DELETE", f"/api/admin/{path}"), 409, code)
    assert editor.read(item) == item
    editor.save(item, topics=[], tags=[])
    for path in (f"topics/{topic['id']}", f"tags/{tag['id']}"):
        assert editor.call("DELETE", f"/api/admin/{path}").status_code == 204


def test_tags_of_staff(editor: Editing) -> None:
    """Staff list, make, rename and remove tags; a slug is used once (D-4)."""
    made = editor.made("/api/admin/tags", {"slug": new_slug(), "name": "Метка"})
    path = f"/api/admin/tags/{made['id']}"
    assert editor.call("PATCH", path, {"name": "Ярлык"}).json() == made | {"name": "Ярлык"}
    refused = problem(
        editor.call("POST", "/api/admin/tags", {"slug": made["slug"], "name": "x"}), 409, "tag_slug_taken"
    )
    assert refused["details"] == {"field": "slug"}
    assert made["id"] in {tag["id"] for tag in everything(editor, "/api/admin/tags", "tags")}
    assert editor.call("DELETE", path).status_code == 204


def test_media_of_a_version(editor: Editing, clients: Clients) -> None:
    """A version shows files in its order, also to the public and when restored; the bytes of a file are noted once, and
    what a version shows is not forgotten (D-4).
    """
    first, second = (editor.made("/api/admin/media", picture()) for _ in range(2))
    assert (first["bytes"], first["altText"], first["location"]) == (1234, "Лес", "/files/forest.png")
    item = editor.published(media=[second["id"], first["id"]])
    assert item["media"] == [second["id"], first["id"]]
    shown = clients.get(f"/api/public/content/article/{item['slug']}")["media"]
    assert [file["sha256"] for file in shown] == [second["sha256"], first["sha256"]]
    item = editor.save(item, media=[])
    assert len(clients.get(f"/api/public/content/article/{item['slug']}")["media"]) == 2
    restored = editor.call("POST", f"{path_of(item)}/versions/1/restore", {"expectedVersion": item["version"]}).json()
    assert restored["media"] == [second["id"], first["id"]]
    known = problem(editor.call("POST", "/api/admin/media", picture(sha256=first["sha256"])), 409, "media_known")
    assert known["details"] == {"field": "sha256"}
    path = f"/api/admin/media/{first['id']}"
    problem(editor.call("DELETE", path), 409, "media_in_use")
    moved = {"location": "https://files.example.org/forest.png", "altText": ""}
    assert editor.call("PATCH", path, moved).json() == first | moved
    spare = editor.made("/api/admin/media", picture())
    assert editor.call("DELETE", f"/api/admin/media/{spare['id']}").status_code == 204
    for media in ([spare["id"]], [first["id"], first["id"]]):
        body = {"media": media, "expectedVersion": restored["version"]}
        assert wrong_fields(editor.call("PATCH", path_of(item), body)) == {"media"}


@pytest.mark.parametrize(
    ("member", "value"),
    [
        *(
            ("location", text)
            for text in ("javascript:alert(1)", "http://a.example/b.png", "//a.example/b", "a.png", "/", "")
        ),
        *(("location", text) for text in ("https://a.example", "data:text/html,x", "/a b", "https:///a")),
        *(("sha256", text) for text in ("0" * 63, "g" * 64, "A" * 64)),
        *(("mediaType", text) for text in ("png", "image/", "Image/PNG")),
        *(("bytes", number) for number in (0, -1, 2**41, "1")),
    ],
)
def test_files_are_described_soundly(editor: Editing, member: str, value: object) -> None:
    """A file lies at an https address or a path of the site, and has a hash, a type and a size; else it is 400 (H-1)."""
    assert wrong_fields(editor.call("POST", "/api/admin/media", picture(**{member: value}))) == {member}


def test_a_collection_shows_what_is_published(editor: Editing, clients: Clients) -> None:
    """A collection has an order; the public sees it once it is published, and of it what is published (D-4)."""
    public, draft, other = editor.published(title="A"), editor.draft(title="B"), editor.published(title="C")
    body = {"slug": new_slug(), "title": "Начать", "items": [other["id"], draft["id"], public["id"]]}
    made = editor.made("/api/admin/collections", body)
    path, public_path = f"/api/admin/collections/{made['id']}", f"/api/public/collections/{made['slug']}"
    assert (made["items"], made["published"]) == (body["items"], False)
    problem(clients.http.get(public_path), 404, "not_found")
    shown = editor.call("PATCH", path, {"published": True}).json()
    assert shown == made | {"published": True}
    assert [item["title"] for item in clients.get(public_path)["items"]] == ["C", "A"]
    editor.step(draft, "submit", "publish")
    assert [item["title"] for item in clients.get(public_path)["items"]] == ["C", "B", "A"]
    editor.call("PATCH", path, {"items": [public["id"]]})
    assert [item["slug"] for item in clients.get(public_path)["items"]] == [public["slug"]]
    answer = clients.http.get(public_path)
    assert clients.http.get(public_path, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    for items, field in (([str(uuid4())], "items[0]"), ([public["id"], public["id"]], "items[1]")):
        assert wrong_fields(editor.call("PATCH", path, {"items": items})) == {field}
    refused = editor.call("POST", "/api/admin/collections", {"slug": made["slug"], "title": "x"})
    assert problem(refused, 409, "collection_slug_taken")["details"] == {"field": "slug"}
    assert made["id"] in {each["id"] for each in everything(editor, "/api/admin/collections", "collections")}
    assert editor.call("DELETE", path).status_code == 204
    assert editor.read(public)["status"] == "published"


def test_a_term_is_found_by_any_of_its_names(editor: Editing, clients: Clients) -> None:
    """A term is found by its name and its synonyms in any case and spacing, and by no name that it has no more."""
    word = uuid4().hex[:8]
    body = {
        "term": f"Выгорание {word}",
        "definition": "Усталость",
        "locale": "ru",
        "synonyms": [f"Burnout {word}", f"БАУ {word}"],
    }
    made = editor.made("/api/admin/glossary", body)
    assert sorted(made["synonyms"]) == sorted(body["synonyms"])
    for name in (body["term"], f"выгорание  {word.upper()}", f"BURNOUT {word}", f"бау {word}"):
        assert clients.get(f"/api/public/glossary/{name}")["id"] == made["id"]
    path = f"/api/admin/glossary/{made['id']}"
    changed = editor.call("PATCH", path, {"term": f"Сгорание {word}", "synonyms": [f"Burnout {word}"]}).json()
    assert (changed["term"], changed["synonyms"]) == (f"Сгорание {word}", [f"Burnout {word}"])
    for name in (body["term"], f"бау {word}", "a%00b"):
        problem(clients.http.get(f"/api/public/glossary/{name}"), 404, "not_found")
    assert editor.call("PATCH", path, {"definition": "Другое"}).json() == changed | {"definition": "Другое"}
    assert made["id"] in {term["id"] for term in everything(editor, "/api/admin/glossary", "terms")}
    listed = clients.get("/api/public/glossary", locale="ru", limit=500)["terms"]
    assert [term["synonyms"] for term in listed if term["id"] == made["id"]] == [[f"Burnout {word}"]]
    assert made["id"] not in {
        term["id"] for term in clients.get("/api/public/glossary", locale="en", limit=500)["terms"]
    }
    assert editor.call("DELETE", path).status_code == 204
    problem(clients.http.get(f"/api/public/glossary/Burnout {word}"), 404, "not_found")


def test_a_name_belongs_to_one_term(editor: Editing) -> None:
    """A name that another term has, as its own or as a synonym and in any case, is 409 and names the field (D-4)."""
    word = uuid4().hex[:8]
    text = {"definition": "d", "locale": "ru"}
    first = editor.made("/api/admin/glossary", text | {"term": f"Тревога {word}", "synonyms": [f"Angst {word}"]})
    other = editor.made("/api/admin/glossary", text | {"term": f"Страх {word}"})
    path = f"/api/admin/glossary/{other['id']}"
    for name in (f"ТРЕВОГА {word}", f"angst   {word}"):
        new = text | {"term": f"New {word}"}
        for field, answer in (
            ("term", editor.call("POST", "/api/admin/glossary", text | {"term": name})),
            ("synonyms[0]", editor.call("POST", "/api/admin/glossary", new | {"synonyms": [name]})),
            ("synonyms[1]", editor.call("POST", "/api/admin/glossary", new | {"synonyms": [f"free {word}", name]})),
            ("term", editor.call("PATCH", path, {"term": name})),
            ("synonyms[0]", editor.call("PATCH", path, {"synonyms": [name]})),
        ):
            assert problem(answer, 409, "glossary_name_taken")["details"] == {"field": field}
    own = {"synonyms": [f"страх {word}"]}
    assert wrong_fields(editor.call("PATCH", path, own)) == {"synonyms[0]"}
    assert wrong_fields(editor.call("PATCH", path, {"term": " "})) == {"term"}
    assert editor.call("PATCH", path, {}).json() == other
    assert editor.call("PATCH", f"/api/admin/glossary/{first['id']}", {"term": f"тревога {word}"}).status_code == 200


@pytest.mark.parametrize(
    ("name", "other"),
    [("ТРЕВОГА", "тревога"), ("a  b", " A b "), ("й", "й"), ("straße", "STRASSE"), ("ﬁ", "FI")],
)
def test_names_are_folded(name: str, other: str) -> None:
    """Names that differ only in case, spacing or encoding are one."""
    assert fold(name) == fold(other)


@pytest.mark.parametrize("kind", KINDS)
def test_the_library_is_the_editors(editor: Editing, reader: StaffClients, kind: str) -> None:
    """Who only reads changes nothing, and what is not there is 404 (D-7, H-1)."""
    assert reader.call("GET", f"/api/admin/{kind}").status_code == 200
    problem(reader.call("POST", f"/api/admin/{kind}", {}), 403, "forbidden")
    for name in (str(uuid4()), "nothing"):
        path = f"/api/admin/{kind}/{name}"
        problem(reader.call("DELETE", path), 403, "forbidden")
        problem(editor.call("DELETE", path), 404, "not_found")
        problem(editor.call("PATCH", path, {}), 404, "not_found")
    assert wrong_fields(editor.call("GET", f"/api/admin/{kind}", params={"cursor": "x"})) == {"cursor"}
