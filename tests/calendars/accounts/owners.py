"""Owners who connect calendars over HTTP, with a Google that keeps Google's contract."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import httpx

from booking.tenants import Json, Tenant
from calendars.google.fake import FakeGoogle
from holdfast.calendars.connections import Calendar, Connection, calendars_of, connections_of
from holdfast.catalog.resources import put_resource
from holdfast.identity.permissions import Role

PUBLIC_URL = "https://booking.holdfast.test"
INTEGRATIONS = "/api/admin/integrations"
GOOGLE = f"{INTEGRATIONS}/google-calendar"
CALLBACK = f"{GOOGLE}/callback"
SETTING = "/api/admin/settings/gcal_integration_enabled"
# Where something could be told of a connection.
_TELLING = (
    *("calendar_connections", "calendars", "calendar_authorizations", "calendar_channels", "calendar_busy_intervals"),
    *("audit_log", "outbox_events", "attention_items", "analytics_events", "system_settings"),
)


@dataclass
class Owner:
    """An owner of a business with one resource, and their Google."""

    tenant: Tenant
    google: FakeGoogle
    resource_id: UUID

    async def call(self, method: str, path: str, body: Json | None = None, **more: Any) -> httpx.Response:
        """Return the answer to a call of the owner."""
        return await self.tenant.call(method, path, body, **{"role": Role.OWNER, **more})

    async def done(self, method: str, path: str, body: Json | None = None, **more: Any) -> Json:
        """Return the body of the answer to a call of the owner that succeeds."""
        return await self.tenant.done(method, path, body, **{"role": Role.OWNER, **more})

    async def leave(self, resource_id: UUID | None = None) -> str:
        """Begin to connect an account; return where the browser goes."""
        body = {"resourceId": str(resource_id or self.resource_id)}
        return str((await self.done("POST", f"{GOOGLE}/connect", body))["authorizationUrl"])

    def consent(self, url: str, **decision: Any) -> dict[str, str]:
        """Decide on Google's page; return with what the browser comes back."""
        request = self.google.oauth.ask(dict(parse_qsl(urlsplit(url).query)))
        back = urlsplit(self.google.oauth.decide(request, **decision))
        assert f"{back.scheme}://{back.netloc}{back.path}" == PUBLIC_URL + CALLBACK
        return dict(parse_qsl(back.query))

    async def come_back(self, query: dict[str, str], **more: Any) -> httpx.Response:
        """Return the answer to the way back from Google."""
        return await self.call("GET", CALLBACK, params=query, **more)

    async def connect(self, resource_id: UUID | None = None) -> UUID:
        """Connect the account that sits at the browser; return the connection."""
        answer = await self.come_back(self.consent(await self.leave(resource_id)))
        assert answer.status_code == 200, answer.text
        return UUID(answer.json()["connectionId"])

    async def add_resource(self) -> UUID:
        """Add somebody else whose time calendars can tell."""
        return await add_resource(self.tenant)

    async def connections(self) -> list[Connection]:
        """Return the connections of the business as they are stored."""
        async with self.tenant.database.transaction(self.tenant.business_id) as tx:
            return await connections_of(tx)

    async def calendars(self) -> dict[str, Calendar]:
        """Return the calendars of the business, by what their provider calls them."""
        async with self.tenant.database.transaction(self.tenant.business_id) as tx:
            return {calendar.remote_id: calendar for calendar in await calendars_of(tx)}

    async def shown(self) -> Json:
        """Return what the owner sees of the connections."""
        return await self.done("GET", INTEGRATIONS)

    async def only(self) -> Json:
        """Return what the owner sees of the one connection that there is."""
        [connection] = (await self.shown())["connections"]
        found: Json = connection
        return found

    def audited(self, kind: str) -> list[tuple[str, str | None, str | None, str]]:
        """Return what the audit log tells of things of a kind: action, before, after, actor."""
        return [
            (action, before, after, str(actor))
            for action, before, after, actor in self.tenant.sql(
                "select action, from_state, to_state, actor_id from audit_log"
                " where business_id = %s and aggregate_type = %s order by occurred_at, aggregate_id, version",
                self.tenant.business_id,
                kind,
            )
        ]

    def in_the_open(self, *texts: str) -> list[str]:
        """Return which of these texts stand in a row of the business as they are, or in the bytes of a column."""
        rows = " ".join(
            row
            for table in _TELLING
            for (row,) in self.tenant.sql(
                f"select lower(t::text) from {table} t where business_id = %s", self.tenant.business_id
            )
        )
        return [text for text in texts if text.lower() in rows or text.encode().hex() in rows]

    def count(self, table: str) -> int:
        """Return how many rows of a table the business has."""
        [(count,)] = self.tenant.sql(f"select count(*) from {table} where business_id = %s", self.tenant.business_id)
        return int(count)


async def add_resource(tenant: Tenant) -> UUID:
    """Add a practitioner."""

    async def work(tx: Any) -> UUID:
        return await put_resource(
            tx, slug=f"r-{uuid4().hex[:8]}", name="Somebody", kind="practitioner", always_open=True
        )

    return await tenant.database.run(tenant.business_id, work)


async def open_owner(tenant: Tenant, google: FakeGoogle) -> Owner:
    """Return an owner whose business has calendars of Google switched on."""
    google.oauth.redirect_uris.add(PUBLIC_URL + CALLBACK)
    owner = Owner(tenant, google, await add_resource(tenant))
    await owner.done("PUT", SETTING, {"value": "prod"})
    return owner
