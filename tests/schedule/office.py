"""A business with a calendar, behind a server in this process, and the browsers of its staff, which run no scripts."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from typing import Any
from uuid import UUID

import httpx

from booking.opened import Practice
from holdfast.booking.contacts import Guest
from holdfast.identity.businesses import put
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Database
from identity.entrance import Browser, open_entrance
from identity.entrance import Practice as Entered

ZONE = "Europe/Berlin"
PATH = "/admin/schedule"
Fields = dict[str, str]


class Sheet(HTMLParser):
    """A page or a part of one: its text, its forms with their fields, and whatever has a class."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status = answer.status_code
        self.source = answer.text
        self.forms: dict[str, Fields] = {}
        self.things: list[tuple[str, dict[str, str]]] = []
        self._words: list[str] = []
        self._form: Fields | None = None
        self._select: str | None = None
        self.feed(answer.text)

    @property
    def text(self) -> str:
        """What is to be read, as one line."""
        return " ".join(" ".join(self._words).split())

    def form(self, ends: str) -> tuple[str, Fields]:
        """Return the form whose address ends so, as it stands."""
        return next((action, dict(fields)) for action, fields in self.forms.items() if action.endswith(ends))

    def having(self, name: str) -> list[dict[str, str]]:
        """Return the attributes of whatever has a class."""
        return [given for classes, given in self.things if name in classes.split()]

    def item(self, booking_id: UUID) -> dict[str, str]:
        """Return the attributes of a booking in the grid."""
        return next(given for given in self.having("it") if given["href"].endswith(str(booking_id)))

    def words_of(self, booking_id: UUID) -> str:
        """Return what the calendar says of a booking."""
        found = re.search(rf'<a [^>]*href="[^"]*{booking_id}"[^>]*>(.*?)</a>', self.source, re.DOTALL)
        assert found is not None, "it is not shown"
        return " ".join(re.sub(r"<[^>]+>", " ", found[1]).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms, fields and classes."""
        given = {name: value or "" for name, value in attrs}
        if "class" in given:
            self.things.append((given["class"], given))
        if tag == "form":
            self._form = self.forms.setdefault(given.get("action", ""), {})
        elif self._form is not None and tag in {"input", "select", "textarea"} and "name" in given:
            if tag == "select":
                self._select = given["name"]
            elif given.get("type") not in {"checkbox", "radio"} or "checked" in given:
                self._form[given["name"]] = given.get("value", "")
        elif self._form is not None and tag == "option" and self._select is not None:
            self._note_option(self._form, self._select, given)

    @staticmethod
    def _note_option(form: Fields, name: str, given: dict[str, str]) -> None:
        """Note what a browser would choose by itself."""
        if name not in form or "selected" in given:
            form[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a form."""
        if tag == "form":
            self._form = None
        if tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        """Note what is to be read."""
        self._words.append(data)


@dataclass
class Clerk:
    """Somebody of the staff with a browser."""

    browser: Browser
    user_id: UUID

    async def open(self, path: str, status: int = 200, *, part: bool = False) -> Sheet:
        """Open a page, or as a script does what it consists of."""
        answer = await self.browser.http.get(path, headers={"HX-Request": "true"} if part else {})
        assert answer.status_code == status, f"{answer.status_code} {answer.text[:1500]}"
        return Sheet(answer)

    async def send(self, form: tuple[str, Fields], status: int = 303, *, part: bool = False, **typed: str) -> Sheet:
        """Send a form with what was typed over what stood in it."""
        action, fields = form
        headers = {"HX-Request": "true"} if part else {}
        csrf = {"csrf_token": self.browser.csrf or ""}
        answer = await self.browser.http.post(action, data={**csrf, **fields, **typed}, headers=headers)
        assert answer.status_code == status, f"{answer.status_code} {answer.text[:1500]}"
        return Sheet(answer)

    async def sheet(self, booking_id: UUID) -> Sheet:
        """Open the essentials of a booking."""
        return await self.open(f"{PATH}/bookings/{booking_id}")


@dataclass
class Office:
    """The business: what is booked at it, and who works there."""

    entered: Entered
    practice: Practice
    admin_uri: str
    clerks: list[Clerk] = field(default_factory=list)

    @property
    def business_id(self) -> UUID:
        """Which business it is."""
        return self.entered.business_id

    async def clerk(self, role: Role = Role.OWNER, **more: Any) -> Clerk:
        """Return somebody who is signed in."""
        user = await self.entered.user(role, **more)
        browser = await self.entered.signed_in(user)
        browser.http.event_hooks = {}
        return Clerk(browser, user.id)

    async def book(self, service: str, start: int, *, resource: str = "ana", name: str = "Guest Seven") -> UUID:
        """Return an appointment of a client."""
        guest = Guest("guest@example.org", name=name)
        return (await self.practice.reserve(service, start, resource=resource, guest=guest)).made().id

    async def rows(self, statement: str, *values: object) -> list[dict[str, Any]]:
        """Return the rows of a statement within the business."""
        async with self.entered.database.transaction(self.business_id) as tx:
            return await tx.rows(statement, list(values))  # type: ignore[arg-type]

    async def start_of(self, booking_id: UUID) -> int:
        """Return when an appointment starts, in epoch seconds."""
        return int((await self.practice.read(booking_id)).starts_at.timestamp())


@asynccontextmanager
async def open_office(app_uri: str, admin_uri: str, database: Database) -> AsyncIterator[Office]:
    """Open a business with Ana, Ben and a room, open around the clock."""
    async with open_entrance(app_uri, database) as entered:
        async with database.transaction() as tx:
            await put(tx, slug=entered.slug, name="Practice", timezone=ZONE, currency="EUR")
        practice = Practice(entered.app.state.reservations, entered.business_id)
        for slug in ("ana", "ben", "room"):
            await practice.add_resource(slug)
        await practice.add_service("talk", ["ana", "ben"], buffer_after_minutes=10)
        yield Office(entered, practice, admin_uri)


def day_of(at: int) -> date:
    """Return the day of an instant in UTC, which tests keep away from midnight."""
    return datetime.fromtimestamp(at, UTC).date()
