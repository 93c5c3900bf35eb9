"""Somebody of the staff at a desk: signed in by a browser without scripts, reading pages and sending forms."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import TypeVar
from uuid import UUID

import httpx

from holdfast.identity.permissions import Role
from holdfast.identity.staff import Staff
from holdfast.identity.users import User
from holdfast.kernel.database import Transaction
from identity.entrance import Browser, Practice
from journeys.browser import Page

T = TypeVar("T")
# What would be an element and a script if anybody took a text for HTML.
PLANTED = "<img src=x onerror=planted()><script>planted()</script>\"' {{ 7 * 7 }}"


class Typed(HTMLParser):
    """What stands in the fields of a page, by their names: the last of each."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.fields: dict[str, str] = {}
        self.wrong: set[str] = set()
        self._area: str | None = None
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a field."""
        given = dict(attrs)
        name = given.get("name")
        if name and given.get("aria-invalid") == "true":
            self.wrong.add(name)
        if tag == "input" and name and ("checked" in given or given.get("type") not in {"checkbox", "radio"}):
            self.fields[name] = given.get("value") or ""
        elif tag == "textarea" and name:
            self._area, self.fields[name] = name, ""

    def handle_endtag(self, tag: str) -> None:
        """Note the end of a field."""
        if tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        """Note what is typed in a field of several lines; the first line break is not part of it."""
        if self._area:
            self.fields[self._area] += data.removeprefix("\n") if not self.fields[self._area] else data


@dataclass
class Desk:
    """A user with a browser."""

    practice: Practice
    user: User
    browser: Browser

    @property
    def staff(self) -> Staff:
        """Who they are to the use cases."""
        roles = frozenset(self.user.roles)
        return Staff(self.practice.business_id, roles, user_id=self.user.id)

    async def get(self, path: str, language: str = "en", **headers: str) -> httpx.Response:
        """Answer a page."""
        return await self.browser.http.get(path, headers={"Accept-Language": language, **headers})

    async def page(self, path: str, language: str = "en") -> Page:
        """Return a page that is shown, if need be after being led on."""
        answer = await self.get(path, language)
        if answer.status_code == 303:
            answer = await self.get(answer.headers["location"], language)
        assert answer.status_code == 200, (answer.status_code, path, answer.headers.get("location"))
        return Page(answer)

    async def send(
        self, path: str, language: str = "en", htmx: bool = False, **typed: str | list[str]
    ) -> httpx.Response:
        """Answer a form, sent with what is typed and the proof of the page."""
        assert self.browser.csrf is not None
        headers = {"Accept-Language": language} | ({"HX-Request": "true"} if htmx else {})
        return await self.browser.http.post(path, data={**typed, "csrf_token": self.browser.csrf}, headers=headers)

    async def done(self, path: str, **typed: str | list[str]) -> Page:
        """Return the page to which a form that is taken leads on."""
        answer = await self.send(path, **typed)
        assert answer.status_code == 303, (answer.status_code, Page(answer).text[:600])
        return await self.page(answer.headers["location"])

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Return what a use case returns, for this practice."""
        return await self.practice.database.run(self.practice.business_id, work)


async def desk(practice: Practice, *roles: Role) -> Desk:
    """Return somebody of the staff at a desk."""
    user = await practice.user(*roles)
    return Desk(practice, user, await practice.signed_in(user))


def elements(page: Page, *tags: str) -> list[tuple[str, dict[str, str | None]]]:
    """Return the elements of these kinds that a page has."""
    return [(tag, given) for tag, given in page.tags if tag in tags]


def runs_planted(page: Page) -> bool:
    """Return whether something that was planted has become an element, or an attribute that runs."""
    sources = [given.get("src") or "" for _, given in elements(page, "script", "img", "iframe")]
    handled = [name for _, given in page.tags for name in given if name.startswith("on")]
    links = [link for link in page.links if link.strip().lower().startswith(("javascript", "data", "vbscript"))]
    return bool(handled or links or [source for source in sources if not source.startswith("/static/")])


async def audited(practice: Practice, aggregate: UUID) -> list[str]:
    """Return what the log says was done with something, in order."""
    statement = (
        "select action from audit_log where business_id = %(business_id)s and aggregate_id = %(id)s order by version"
    )
    values = {"business_id": practice.business_id, "id": aggregate}
    rows = await practice.database.run(practice.business_id, lambda tx: tx.rows(statement, values))
    return [row["action"] for row in rows]
