"""The application in this process as browsers meet it: each with an address and cookies of its own."""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import msgspec
from litestar import Litestar

from apps import kept_open
from booking.documented import check_answer
from conftest import MASTER_KEY
from holdfast import config
from holdfast.identity import users
from holdfast.identity.businesses import put
from holdfast.identity.passwords import Passwords
from holdfast.identity.permissions import Role
from holdfast.identity.users import User
from holdfast.kernel.audit import CONSOLE
from holdfast.kernel.database import Database

PASSWORD = "correct horse battery"  # noqa: S105 - of users that tests make
ORIGIN = "http://practice.test"
Json = dict[str, Any]


@dataclass
class Practice:
    """A business with users, and the server that they sign in to."""

    app: Litestar
    database: Database
    business_id: UUID
    slug: str

    async def user(self, *roles: Role, password: str | None = PASSWORD, **more: Any) -> User:
        """Return a new user."""
        kept = None if password is None else await Passwords().hashed(password)
        email = more.pop("email", f"{uuid4().hex}@practice.test")
        return await self.database.run(
            self.business_id,
            lambda tx: users.create(tx, email=email, name="Guest", roles=roles, kept=kept, actor=CONSOLE, **more),
        )

    def browser(self, address: str | None = None, **headers: str) -> "Browser":
        """Return a browser that nobody has signed in with."""
        address = address or f"198.18.{random.randrange(256)}.{random.randrange(256)}"
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 1))
        http = httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers)
        document = msgspec.json.decode(self.app.state.openapi)

        async def check(answer: httpx.Response) -> None:
            await answer.aread()
            check_answer(document, answer)

        http.event_hooks = {"response": [check]}
        return Browser(self, http)

    async def signed_in(self, user: User, password: str = PASSWORD) -> "Browser":
        """Return a browser of a user."""
        browser = self.browser()
        answer = await browser.sign_in(user.email, password)
        assert answer.status_code == 200, answer.text
        browser.csrf = answer.json()["csrfToken"]
        return browser


@dataclass
class Browser:
    """Calls with the cookies that were given; changes carry the proof that a page sends with them."""

    practice: Practice
    http: httpx.AsyncClient
    csrf: str | None = None

    async def sign_in(self, email: str, password: str = PASSWORD, **more: Any) -> httpx.Response:
        """Answer an attempt to sign in."""
        body = {"business": self.practice.slug, "email": email, "password": password}
        return await self.http.post("/api/public/login", json=body, **more)

    async def call(self, method: str, path: str, body: Json | None = None, **more: Any) -> httpx.Response:
        """Answer a call."""
        headers = ({"X-CSRF-Token": self.csrf} if self.csrf else {}) | more.pop("headers", {})
        return await self.http.request(method, path, json=body, headers=headers, **more)

    async def is_in(self) -> bool:
        """Tell whether the browser is signed in."""
        answer = await self.http.get("/api/admin/login")
        assert answer.status_code in {200, 401}, answer.text
        return answer.status_code == 200

    @property
    def cookie(self) -> str:
        """The value of the cookie that proves who is signed in."""
        return self.http.cookies["holdfast"]


@asynccontextmanager
async def open_entrance(app_uri: str, database: Database, **settings: Any) -> AsyncIterator[Practice]:
    """Open a server in this process for a business that nobody else uses."""
    slug = f"b-{uuid4().hex[:8]}"
    async with database.transaction() as tx:
        business = await put(tx, slug=slug, name="Practice", timezone="UTC", currency="EUR")
    async with kept_open(config.Settings(dsn=app_uri, master_key=MASTER_KEY, **settings), app_uri) as app:
        yield Practice(app, database, business.id, slug)


def refused(answer: httpx.Response, status: int, code: str) -> Json:
    """Return the body of an answer that is this error."""
    body: Json = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    return body
