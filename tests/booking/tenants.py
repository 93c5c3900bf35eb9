"""A business of its own behind the whole application: its public and its staff, every answer checked."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import psycopg

from apps import kept_open
from booking.documented import check_answer
from booking.staffed import bearer, make_key
from conftest import NO_PROVIDERS
from holdfast import config
from holdfast.booking.prepayment import Till
from holdfast.identity import businesses
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database

Json = dict[str, Any]


@dataclass
class Tenant:
    """One business, called over HTTP by the public and by its staff."""

    http: httpx.AsyncClient
    database: Database
    admin_uri: str
    business_id: UUID
    slug: str
    keys: dict[Role, str]

    async def call(
        self, method: str, path: str, body: Json | None = None, *, role: Role | None = None, **more: Any
    ) -> httpx.Response:
        """Return the answer to a call of the public, or of staff in this role."""
        headers = more.pop("headers", {}) | (bearer(self.keys[role]) if role else {})
        return await self.http.request(method, path, json=body, headers=headers, **more)

    async def done(
        self, method: str, path: str, body: Json | None = None, *, role: Role | None = None, **more: Any
    ) -> Json:
        """Return the body of the answer to a call that succeeds."""
        answer = await self.call(method, path, body, role=role, **more)
        assert answer.is_success, answer.text[:500]
        shown: Json = answer.json() if answer.content else {}
        return shown

    def key_id(self, role: Role) -> str:
        """Return the id of the key of a role, which is what a key is as an actor."""
        return str(UUID(self.keys[role][3:35]))

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as administrator, past the product."""
        with psycopg.connect(self.admin_uri) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def written(self, *texts: str) -> list[tuple[str, str]]:
        """Return where in the whole database one of these texts stands, as it is or in the bytes of a column."""
        tables = self.sql(
            "select c.relname from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"
        )
        needles = [needle for text in texts for needle in (text, text.encode().hex(), json.dumps(text)[1:-1])]
        return [
            (table, needle)
            for (table,) in tables
            for needle in needles
            if self.sql(f'select 1 from "{table}" t where position(lower(%s) in lower(t::text)) > 0 limit 1', needle)
        ]


@asynccontextmanager
async def application(
    app_uri: str, admin_uri: str, master_key: bytes, *, till: Till | None = None, **more: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Open the application in this process, with more settings; its every answer is checked against OpenAPI.

    With a till of the test's own, that is where bookings are paid.
    """
    settings = {"dsn": admin_uri, "master_key": master_key, "payments": NO_PROVIDERS, **more}
    async with kept_open(config.Settings(**settings), app_uri) as app:
        app.state.reservations.till = till or app.state.reservations.till
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
            document = (await client.get("/schema/openapi.json")).json()

            async def check(answer: httpx.Response) -> None:
                await answer.aread()
                check_answer(document, answer)

            client.event_hooks = {"response": [check]}
            yield client


async def open_tenant(http: httpx.AsyncClient, database: Database, admin_uri: str) -> Tenant:
    """Make a business with a key for each role of its staff."""
    slug = f"t-{uuid4().hex[:12]}"

    async def work(tx: Any) -> UUID:
        business = await businesses.put(tx, slug=slug, name="Test", timezone="UTC", currency="EUR", locale="ru")
        return business.id

    business_id = await database.run(None, work)
    keys = {role: await make_key(database, business_id, role) for role in (Role.OWNER, Role.ASSISTANT, Role.EDITOR)}
    return Tenant(http, database, admin_uri, business_id, slug, keys)
