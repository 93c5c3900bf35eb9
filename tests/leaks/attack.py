"""An attack on every writing call of the OpenAPI document, valid and invalid, with marks wherever text can stand."""

import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from leaks.marks import Forms, Marks, defaced

WRITING = ("post", "put", "patch", "delete")
# Things have to be made before they are changed, and changed before they go; a place is held before it is committed.
_ORDER = {"post": 0, "put": 1, "patch": 2, "get": 3, "delete": 4}
# What is made by one call is found by others under another path.
_MADE_BY = {"/api/admin/moderation/items": "/api/public/questions"}
# What would ask for something else than a slot: a place in a group, a rule of a series, another name of the key. And
# who is given something: ids of users that are not told.
_LEFT_OUT = (
    *("scheduleId", "ttlMinutes", "rule", "clientRequestId", "client_request_id"),
    *("assignedTo", "assigneeId"),
)
_FIRST = ("/api/booking/reserve", "/api/booking/commit", "/api/booking/book", "/api/public/questions")
Call = tuple[str, str]


@dataclass
class Attack:
    """What was sent to whom, and what came back."""

    http: httpx.AsyncClient
    document: dict[str, Any]
    key: str
    # What answers have told: values by the name of their member, ids by the path under which they are found.
    known: dict[str, Any] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)
    shown: dict[str, str] = field(default_factory=dict)
    slots: Iterator[dict[str, Any]] = field(default_factory=lambda: iter(()))
    # Who was sent the marks of a number.
    numbers: list[Call] = field(default_factory=list)
    reached: set[Call] = field(default_factory=set)
    errors: list[tuple[Call, int, str]] = field(default_factory=list)

    def calls(self) -> list[Call]:
        """Return every call of the document, the makers first."""
        found = [(m, path) for path, operations in self.document["paths"].items() for m in operations if m in _ORDER]
        return sorted(found, key=lambda call: (_ORDER[call[0]], call[1].count("/{"), _rank(call[1]), call[1]))

    async def run(self) -> None:
        """Attack everything: twice as if it were meant well, so that what the first time has made is used, then badly."""
        await self._look_around()
        for _ in range(2):
            for call in self.calls():
                await self._mean_well(call)
        for call in self.calls():
            await self._mean_ill(call)

    async def _look_around(self) -> None:
        """Learn what can be booked and when."""
        card = (await self.http.get("/api/public/businesses/emotional-balance")).json()
        day = datetime.now(UTC).date() + timedelta(days=20)
        query = {"service_slug": "intro-call", "from": str(day), "to": str(day + timedelta(days=20))}
        days = (await self.http.get("/api/public/booking/slots", params=query)).json()["days"]
        self.slots = itertools.cycle([slot for of in days for slot in of["slots"]])
        [service] = [one["id"] for one in card["services"] if one["slug"] == "intro-call"]
        schedules = (await self.http.get("/api/public/programs/morning-group/schedules")).json()["schedules"]
        self.ids |= {"/api/public/businesses": card["slug"], "/api/public/programs": "morning-group"}
        self.ids["/api/admin/schedules"] = schedules[0]["id"]
        self.known |= {"businessId": card["id"], "serviceId": service, "partySize": 1, "ttlSeconds": 600}
        self.known |= dict.fromkeys(_LEFT_OUT)

    def _take_slot(self) -> None:
        slot = next(self.slots)
        self.known |= {"slotStart": slot["start"], "slotEnd": slot["end"], "start": slot["start"], "end": slot["end"]}
        self.known |= {"from": slot["start"], "to": slot["end"]}
        self.known |= {"resourceId": slot["resourceIds"][0], "starts": [slot["start"]]}

    async def _mean_well(self, call: Call) -> None:
        """Send what the schema asks for: all members, the needed ones, and each of the others alone beside those."""
        marks = self._marks(call)
        forms = [self._body(call, marks), self._body(call, marks, all_members=False)]
        if isinstance(forms[0], dict):
            forms += [forms[1] | {name: value} for name, value in forms[0].items() if name not in forms[1]]
        for number, _ in enumerate(forms):
            for staff in (True,) if call[1].startswith("/api/admin/") else (True, False):
                await self._prepare(call)
                marks = self._marks(call)
                whole, needed = self._body(call, marks), self._body(call, marks, all_members=False)
                alone = [name for name in whole or {} if name not in needed][number - 2 :][:1] if number > 1 else []
                body = whole if number == 0 or whole is None else needed | {name: whole[name] for name in alone}
                await self._send(call, body, staff=staff)

    async def _prepare(self, call: Call) -> None:
        """Learn of a slot that is free, of a new appointment, of the version of what is about to be changed."""
        self._take_slot()
        if "{appointment_id}" in call[1]:
            book = ("post", "/api/booking/book")
            await self._send(book, self._body(book, self._marks(book), all_members=False), staff=False)
        if call[1] == "/api/booking/series":
            # Each of the times is named.
            self.known |= dict.fromkeys(("slotStart", "slotEnd"))
        thing = re.match(r"(.*/\{\w+\})", call[1])
        if thing is not None and "get" in self.document["paths"].get(thing[1], {}):
            await self._send(("get", thing[1]), None, staff=True)

    async def _mean_ill(self, call: Call) -> None:
        """Send marks where they do not belong: in each member, in path, in queries and headers, in no JSON at all."""
        marks = self._marks(call)
        await self._prepare(call)
        body = self._body(call, marks)
        for bad in defaced(body, marks.sentence) if body is not None else []:
            await self._send(call, bad, staff=True)
        operation = self.document["paths"][call[1]][call[0]]
        queries = [p["name"] for p in operation.get("parameters", []) if p["in"] == "query"]
        for query in [{name: marks.sentence} for name in queries] or [{"q": marks.sentence}]:
            await self._send(call, body, staff=True, params=query)
        await self._send(call, body, staff=True, path=self._path(call[1], marks.email))
        await self._send(call, None, staff=True, content=f'{{"reason": "{marks.sentence}')
        shown = {"If-Match": marks.email, "Booking-Token": marks.email, "Idempotency-Key": marks.phone}
        for headers in ({name: value} for name, value in shown.items()):
            await self._send(call, body, staff=True, headers=headers)
        await self._send(call, body, staff=False, headers={"Authorization": f"Bearer {marks.email}"})

    def _marks(self, call: Call) -> Marks:
        self.numbers.append(call)
        return Marks(len(self.numbers) - 1)

    def _body(self, call: Call, marks: Marks, *, all_members: bool = True) -> Any:
        operation = self.document["paths"][call[1]][call[0]]
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" not in content:
            return None
        forms = Forms(self.document, self.known)
        return forms.body(content["application/json"]["schema"], marks, all_members=all_members)

    def _path(self, template: str, instead: str | None = None) -> str:
        def value(match: re.Match[str]) -> str:
            before = template[: match.start()].rstrip("/")
            camel = re.sub(r"_(\w)", lambda m: m[1].upper(), match[1])
            found = (
                self.ids.get(_MADE_BY.get(before, before))
                or self.known.get(camel)
                or self.shown.get(camel)
                or "00000000-0000-0000-0000-000000000000"
            )
            return quote(instead or str(found), safe="")

        return re.sub(r"\{(\w+)\}", value, template)

    async def _send(self, call: Call, body: Any, *, staff: bool, path: str | None = None, **more: Any) -> None:
        headers = ({"Authorization": f"Bearer {self.key}"} if staff else {}) | more.pop("headers", {})
        if "version" in self.known and call[0] in {"patch", "put", "post"}:
            headers.setdefault("If-Match", f'"{self.known["version"]}"')
        if "cancellationToken" in self.known:
            headers.setdefault("Booking-Token", self.known["cancellationToken"])
        if body is not None:
            more["content"] = msgspec.json.encode(body)
        answer = await self.http.request(call[0].upper(), path or self._path(call[1]), headers=headers, **more)
        if answer.is_error:
            self.errors.append((call, answer.status_code, answer.text))
        else:
            self.reached.add(call)
            with suppress(ValueError):
                self._learn(call, answer.json())

    def _learn(self, call: Call, told: Any) -> None:
        if not isinstance(told, dict):
            return
        listed = [item for value in told.values() if isinstance(value, list) for item in value[:1]]
        # The last word has what the answer is about.
        for thing in filter(_is_object, [*listed, *told.values(), told]):
            for name, value in thing.items():
                if name.endswith(("Id", "Token", "invitation", "version", "Version")) and value is not None:
                    self.known[name] = value
                if isinstance(value, str | int):
                    self.shown[name] = str(value)
            if "id" in thing and "/{" not in call[1]:
                self.ids[call[1]] = thing["id"]
        self.known["expectedVersion"] = self.known.get("version")


def _rank(path: str) -> int:
    # A question is answered by whom it was assigned to.
    return _FIRST.index(path) if path in _FIRST else len(_FIRST) - path.endswith("/assign")


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def writing(document: dict[str, Any]) -> Iterator[Call]:
    """Yield the calls that may change something."""
    for path, operations in document["paths"].items():
        yield from ((method, path) for method in operations if method in WRITING)
