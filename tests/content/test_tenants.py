"""Content of two businesses on one server, and how it is found among much."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from booking.staffed import app_on, bearer, make_key
from holdfast.identity.businesses import put
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database
from holdfast.kernel.embedded import EmbeddedPostgres
from holdfast.kernel.sql import load

SLUG = "about-us"
CONTENT = "/api/admin/content"


class Tenant:
    """A business with an editor, over HTTP in this process."""

    def __init__(self, http: httpx.AsyncClient, slug: str, key: str) -> None:
        self.http, self.slug, self.headers = http, slug, bearer(key)

    async def call(self, method: str, path: str, body: Any = None) -> httpx.Response:
        """Return the answer to a call of the editor."""
        return await self.http.request(method, path, json=body, headers=self.headers)

    async def made(self, path: str, body: dict[str, Any]) -> str:
        """Make something and return its id."""
        answer = await self.call("POST", path, body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def publish(self, title: str) -> str:
        """Publish a page at the one slug of this module and return its id."""
        body = {"type": "page", "slug": SLUG, "locale": "en", "title": title}
        item_id = await self.made(CONTENT, body)
        for version, step in enumerate(("submit", "publish"), 1):
            answer = await self.call("POST", f"{CONTENT}/{item_id}/{step}", {"expectedVersion": version})
            assert answer.status_code == 200, answer.text
        return item_id


@asynccontextmanager
async def two_tenants(database: Database, app_uri: str, admin_uri: str) -> AsyncIterator[tuple[Tenant, Tenant]]:
    """Open two businesses with an editor each."""
    made: list[Tenant] = []
    async with app_on(app_uri, admin_uri) as http:
        for _ in range(2):
            async with database.transaction() as tx:
                slug = f"b-{uuid4().hex}"
                business = await put(tx, slug=slug, name="B", timezone="UTC", currency="EUR")
            made.append(Tenant(http, slug, await make_key(database, business.id, Role.EDITOR)))
        yield made[0], made[1]


async def test_the_public_reads_the_business_that_it_names(database: Database, app_uri: str, admin_uri: str) -> None:
    """Two businesses may use the same slugs, and the public sees of each its own (D-9)."""
    async with two_tenants(database, app_uri, admin_uri) as tenants:
        for tenant, title in zip(tenants, ("Ours", "Theirs"), strict=True):
            await tenant.publish(title)
        for tenant, title in zip(tenants, ("Ours", "Theirs"), strict=True):
            named = {"business": tenant.slug}
            shown = await tenant.http.get(f"/api/public/content/page/{SLUG}", params=named)
            assert shown.json()["title"] == title
            listed = await tenant.http.get("/api/public/content", params=named)
            assert [item["title"] for item in listed.json()["items"]] == [title]


async def test_another_tenants_content_is_not_there(database: Database, app_uri: str, admin_uri: str) -> None:
    """To staff, whatever another business publishes is 404 by its id, may not be referred to, and stays (H-4, D-9)."""
    async with two_tenants(database, app_uri, admin_uri) as tenants:
        ours, theirs = tenants
        item = await theirs.publish("Theirs")
        sha256 = "ab" * 32
        file = {"sha256": sha256, "mediaType": "image/png", "bytes": 1, "altText": "", "location": "/a.png"}
        media = await theirs.made("/api/admin/media", file)
        tag = await theirs.made("/api/admin/tags", {"slug": "theirs", "name": "t"})
        topic = (await theirs.call("GET", "/api/admin/topics")).json()["topics"][0]["id"]
        term = await theirs.made("/api/admin/glossary", {"term": "Word", "definition": "d", "locale": "en"})
        collection = await theirs.made("/api/admin/collections", {"slug": "c", "title": "C", "published": True})
        version = {"expectedVersion": 3}
        calls: list[tuple[str, str, Any]] = [
            ("GET", f"{CONTENT}/{item}", None),
            ("PATCH", f"{CONTENT}/{item}", version),
            ("POST", f"{CONTENT}/{item}/archive", version),
            ("GET", f"{CONTENT}/{item}/versions", None),
            ("GET", f"{CONTENT}/{item}/versions/1", None),
            ("POST", f"{CONTENT}/{item}/versions/1/restore", version),
        ]
        library = {"topics": topic, "tags": tag, "media": media, "collections": collection, "glossary": term}
        calls += [(m, f"/api/admin/{kind}/{named}", {}) for kind, named in library.items() for m in ("PATCH", "DELETE")]
        for method, path, body in calls:
            refused = await ours.call(method, path, body)
            unknown = await ours.call(method, path.replace(path.split("/")[4], str(uuid4())), body)
            assert (refused.status_code, refused.json()["code"]) == (404, "not_found"), path
            assert refused.text == unknown.text, path
        page = {"type": "page", "slug": "mine", "locale": "en", "title": "M"}
        for more in ({"media": [media]}, {"tags": ["theirs"]}):
            assert (await ours.call("POST", CONTENT, page | more)).status_code == 400
        body = {"slug": "mine", "title": "M", "items": [item]}
        assert (await ours.call("POST", "/api/admin/collections", body)).status_code == 400
        for kind in ("content", "tags", "media", "collections", "glossary"):
            [rows] = [
                rows
                for name, rows in (await ours.call("GET", f"/api/admin/{kind}")).json().items()
                if name != "nextCursor"
            ]
            assert rows == []
        assert await ours.made("/api/admin/media", file), "the same bytes are another asset of another business"
        assert (await theirs.call("GET", f"{CONTENT}/{item}")).json()["version"] == 3


def test_content_is_found_by_its_index(postgres: EmbeddedPostgres, own_database: str) -> None:
    """Among many items the one of a type and a slug that is published is read from one index, the newest from another,
    and no list reads a whole table (D-3).
    """
    business = UUID(int=1)
    with psycopg.connect(postgres.uri(database=own_database), autocommit=True) as admin:
        admin.execute(
            "insert into businesses (id, slug, name, timezone, currency) values (%s, 'big', 'B', 'UTC', 'EUR')",
            [business],
        )
        admin.execute(
            """insert into content_items (business_id, type, slug, locale, state)
               select %s, (array['article', 'story'])[1 + n %% 2], 'text-' || n, 'ru', 'draft'
                 from generate_series(1, 20000) n""",
            [business],
        )
        admin.execute(
            """insert into content_versions (business_id, item_id, number, title, summary, body)
               select business_id, id, 1, slug, '', '' from content_items"""
        )
        admin.execute(
            """insert into content_item_topics (business_id, item_id, topic_id)
               select i.business_id, i.id, t.id from content_items i
               join lateral (select id from topics t where t.business_id = i.business_id limit 1) t on true"""
        )
        admin.execute("set session_replication_role = replica")
        admin.execute("update content_items set state = 'published', published_version = 1, published_at = created_at")
        admin.execute("vacuum analyze")
    with psycopg.connect(postgres.uri(user="holdfast_app", database=own_database)) as app:
        app.execute("select set_config('holdfast.business', %s, true)", [str(business)])

        def plan(file: str, name: str, **values: Any) -> str:
            rows = app.execute(
                "explain (costs off) " + load("holdfast.content", file)[name],
                {"business_id": business, "limit": 20} | dict.fromkeys(("after", "after_id"), None) | values,
            )
            return "\n".join(row[0] for row in rows)

        one = plan("public.sql", "public_item", type="article", slug="text-400")
        assert "using content_items_slug" in one
        assert "type = 'article'" in one
        assert "slug = 'text-400'" in one
        assert "Filter: (state = 'published'" in one
        everything = {"type": None, "locale": None, "topic": None, "tag": None}
        newest = plan("public.sql", "public_items", **everything)
        assert "using content_items_public" in newest
        # Tables without a row have nothing to look up.
        filled = {"content_items", "content_versions", "content_item_topics"}
        assert filled & set(re.findall(r"Seq Scan on (\w+)", one + newest)) == set()
        listed = plan("queries.sql", "list_items", **everything, state=None, title=None)
        assert "using content_items_made" in listed
