"""Every call of staff, with the ids of another tenant: to the caller they are as unknown as any (H-4, D-9)."""

import asyncio
import itertools
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from booking.opened import START, open_practice
from booking.staffed import app_on, bearer, make_key
from holdfast import config, web
from holdfast.booking.admission import instant
from holdfast.identity.guards import Needs
from holdfast.identity.permissions import Role
from holdfast.kernel.embedded import EmbeddedPostgres
from kernel.walled import Tenant, Walled, neighbour_database

Route = tuple[str, str]


def routes(guard: type) -> list[Route]:
    """Return method and path of every documented call behind such a guard; of None, behind none."""
    return [
        (method, re.sub(r":\w+\}", "}", path))
        for route in web.handlers(config.Settings())
        if "documented" in route.opt
        if guard in {type(each) for each in route.guards or [None]}
        for path in sorted(route.paths)
        for method in sorted(route.http_methods & {"GET", "POST", "PUT", "PATCH", "DELETE"})
    ]


def named(found: list[Route]) -> list[str]:
    """Return what tests call these routes."""
    return [" ".join(route) for route in found]


STAFF_ROUTES = routes(Needs)
UUID_LIKE = re.compile(r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}")
INSTANT_LIKE = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+Z")
# Names of one key, of which two that differ are refused.
KEY_NAMES = {"idempotencyKey", "clientRequestId", "client_request_id"}
# A time at which the own business is open.
SLOT = instant(START).isoformat(), instant(START + 3_600).isoformat()
# A business, a service of it, and the key of its owner.
Owner = tuple[UUID, UUID, str]
SECRET_LIKE = re.compile(r"[\w-]{22,}")


@dataclass
class Desk:
    """The staff of one business, whose neighbour has a row in every table."""

    http: httpx.AsyncClient
    document: dict[str, Any]
    own: UUID
    service: UUID

    def ids_in_body(self, method: str, path: str) -> list[str]:
        """Return the members of the body of a call that name things by their id."""
        return [name for name in self.body(method, path, Tenant(), self.own) or () if name.endswith("Id")]

    def body(self, method: str, path: str, names: Tenant, business: UUID) -> dict[str, Any] | None:
        """Return the body of a call, in which every id is one of the tenant's."""
        operation = self.document["paths"][path][method.lower()]
        if "requestBody" not in operation:
            return None
        made: dict[str, Any] = self.sample(
            operation["requestBody"]["content"]["application/json"]["schema"], "", names, business
        )
        # The header is enough.
        return {name: value for name, value in made.items() if name not in KEY_NAMES}

    async def call(
        self, method: str, path: str, names: Tenant, *, by: str, business: UUID, without: str, own_service: bool = False
    ) -> tuple[int, str]:
        """Return the answer to a call that names what is a tenant's, with all that differs by chance taken out."""
        operation = self.document["paths"][path][method.lower()]
        thing = str(names.thing_id) if by == "id" else names.word
        asked = {each["name"] for each in operation["parameters"] if each["in"] == "query"}
        query = {name: str(names.thing_id) for name in asked if name.endswith(("Id", "_id"))} | {
            name: value for name, value in self._words(names).items() if name in asked
        }
        body = self.body(method, path, names, business)
        for members in (query, body or {}):
            members.pop(without, None)
            if own_service and "serviceId" in members:
                members["serviceId"] = str(self.service)
                members.pop("scheduleId", None)
        answer = await self.http.request(
            method,
            re.sub(r"\{\w+\}", thing, path),
            params=query | {name: str(business) for name in ("businessId", "business") if name in asked},
            json=body,
            headers={"If-Match": '"1"', "Idempotency-Key": uuid4().hex},
        )
        text = answer.text
        for pattern in (names.word, INSTANT_LIKE, UUID_LIKE, SECRET_LIKE):
            text = re.sub(pattern, "#", text)
        return answer.status_code, text

    def sample(self, schema: dict[str, Any], name: str, names: Tenant, business: UUID) -> Any:
        """Return a value of a schema of the document, in which every id is one of the tenant's."""
        if "$ref" in schema:
            schema = self.document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        for choices in ("anyOf", "oneOf"):
            if choices in schema:
                return self.sample(
                    next(each for each in schema[choices] if each != {"type": "null"}), name, names, business
                )
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type", "string")
        if kind == "object":
            return {
                member: self.sample(of_it, member, names, business)
                for member, of_it in schema.get("properties", {}).items()
            }
        if kind == "array":
            return [self.sample(schema.get("items", {}), name.removesuffix("s"), names, business)]
        if kind in {"integer", "number"}:
            return schema.get("minimum", 1)
        return True if kind == "boolean" else self._text(schema, name, names, business)

    def _words(self, names: Tenant) -> dict[str, str]:
        """Return what else is asked for in a query."""
        times = {"slotStart": SLOT[0], "slotEnd": SLOT[1], "from": SLOT[0][:10], "to": "2045-05-03"}
        return times | {"service_slug": "talk", "tz": "UTC", "topic": names.word, "tag": names.word}

    def _text(self, schema: dict[str, Any], name: str, names: Tenant, business: UUID) -> str:
        by_name = {
            "businessId": str(business),
            "business": str(business),
            "slotStart": SLOT[0],
            "slotEnd": SLOT[1],
            "timezone": "UTC",
            "locale": "en",
            "currency": "EUR",
            "guestEmail": "guest@example.org",
            "email": f"{uuid4().hex}@example.org",
            "guestPhone": "+4915112345678",
            "start": "2045-05-02T10:00:00Z",
            "end": "2045-05-02T11:00:00Z",
        }
        by_format = {"date-time": "2045-05-02T10:00:00Z", "date": "2045-05-02", "uuid": str(names.thing_id)}
        if name.endswith("Id") and name not in by_name:
            return str(names.thing_id)
        return by_name.get(name) or by_format.get(schema.get("format", "")) or names.word


@pytest.fixture(scope="module")
def walled(postgres: EmbeddedPostgres) -> Iterator[Walled]:
    """A database with the neighbour in it."""
    with neighbour_database(postgres) as made:
        yield made


@pytest.fixture(scope="module")
def owner(walled: Walled) -> Owner:
    """A business that the product has made, beside the neighbour, and the key of its owner."""

    async def make() -> Owner:
        async with open_practice(walled.app_uri) as practice:
            await practice.add_resource("ana")
            await practice.add_service("talk", ["ana"])
            key = await make_key(practice.desk.database, practice.business_id, Role.OWNER)
            return practice.business_id, practice.services["talk"], key

    return asyncio.run(make())


@asynccontextmanager
async def opened(walled: Walled, owner: Owner) -> AsyncIterator[Desk]:
    """Open the application for the staff of the business."""
    business_id, service_id, key = owner
    async with app_on(walled.app_uri, walled.uri) as http:
        http.headers.update(bearer(key))
        yield Desk(http, (await http.get("/schema")).json(), business_id, service_id)


async def test_every_call_of_staff_is_documented(walled: Walled, owner: Owner) -> None:
    """Every route with a guard is one of the document, from which the calls here are made (H-4)."""
    async with opened(walled, owner) as desk:
        documented = {(method.upper(), path) for path, each in desk.document["paths"].items() for method in each}
    assert set(STAFF_ROUTES) - documented == set()
    assert len(STAFF_ROUTES) > 10


@pytest.mark.parametrize(("method", "path"), STAFF_ROUTES, ids=named(STAFF_ROUTES))
async def test_what_another_tenant_has_is_not_there(walled: Walled, owner: Owner, method: str, path: str) -> None:
    """Named by ids or words of another tenant, his business or the own, the answer is that for what nobody has, and none of
    his rows is changed; where the path names a thing, or the body his business, that is 404 or a malformed id (H-4, D-9).
    """  # fmt: skip
    theirs, nobody = walled.theirs, Tenant()
    before = walled.rows(theirs)
    async with opened(walled, owner) as desk:
        # Of ids that exclude each other, each is left out once.
        left_out = ["", *desk.ids_in_body(method, path)]
        for by, foreign, without in itertools.product(("id", "word"), (False, True), left_out):
            heard = [
                await desk.call(
                    method, path, names, by=by, business=names.business_id if foreign else desk.own, without=without
                )
                for names in (theirs, nobody)
            ]
            assert heard[0] == heard[1], (by, foreign, without)
            assert (400 if "{" in path else 200) <= heard[0][0] < 500, heard
    assert walled.rows(theirs) == before
