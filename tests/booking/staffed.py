"""Staff of the served demo business: keys for each role, and calls made with them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx

from apps import opened
from booking.served import SLUG, Clients, Json
from conftest import MASTER_KEY, NO_PROVIDERS
from holdfast import config
from holdfast.identity import api_keys, businesses
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.privacy import Keyring


def bearer(key: str) -> dict[str, str]:
    """Return the header by which a key is shown."""
    return {"Authorization": f"Bearer {key}"}


async def make_key(database: Database, business_id: UUID, role: Role, name: str = "Front desk") -> str:
    """Return the text of a new key."""
    _, text = await database.run(business_id, lambda tx: api_keys.create(tx, role=role, name=name))
    return text


def key_for(clients: Clients, role: Role, slug: str = SLUG) -> str:
    """Return the text of a new key of a business of the served database."""

    async def work(tx: Transaction) -> str:
        business = await businesses.find(tx, slug)
        assert business is not None
        _, text = await api_keys.create(await tx.act_for(business.id), role=role, name=str(role))
        return text

    async def run() -> str:
        database = Database(clients.dsn, min_connections=1, max_connections=1, keyring=Keyring(MASTER_KEY, clients.dsn))
        await database.open()
        try:
            return await database.run(None, work)
        finally:
            await database.close()

    return asyncio.run(run())


class StaffClients:
    """Calls with one key, every answer checked as those of clients are."""

    def __init__(self, clients: Clients, role: Role) -> None:
        self.clients = clients
        self.key = key_for(clients, role)
        self.headers = bearer(self.key)

    def call(self, method: str, path: str, body: Json | None = None, **more: Any) -> httpx.Response:
        """Return the answer to a call."""
        headers = self.headers | more.pop("headers", {})
        return self.clients.http.request(method, path, json=body, headers=headers, **more)


@asynccontextmanager
async def app_on(uri: str, admin_uri: str) -> AsyncIterator[httpx.AsyncClient]:
    """Open the application in this process, on a database that may be looked into meanwhile."""
    settings = config.Settings(dsn=admin_uri, master_key=MASTER_KEY, payments=NO_PROVIDERS)
    async with opened(settings, uri) as app:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://holdfast.test") as client:
            yield client
