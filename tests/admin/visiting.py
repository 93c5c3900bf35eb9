"""A browser of staff without scripts: it opens pages, sends their forms with what is typed, and follows where they lead."""

from dataclasses import dataclass
from typing import Any

import httpx

from holdfast.identity.permissions import Role
from holdfast.identity.users import User
from identity.entrance import PASSWORD, Browser, Practice
from journeys.browser import Form, Page


@dataclass
class Visitor:
    """Somebody with a browser, who may be signed in."""

    browser: Browser

    @property
    def http(self) -> httpx.AsyncClient:
        """What it asks with."""
        return self.browser.http

    async def open(self, path: str, language: str = "en", **query: str) -> Page:
        """Open a page in a language."""
        # None leaves the query that the path has.
        return Page(await self.ask("GET", path, params=query or None, headers={"Accept-Language": language}))

    async def send(self, form: Form, language: str = "en", **typed: Any) -> Page:
        """Send a form with what was typed, and follow where it leads; a field with several values is a list."""
        data = {name: value for name, value in {**form.fields, **typed}.items() if value is not None}
        return Page(await self.ask("POST", form.action, data=data, headers={"Accept-Language": language}))

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """Return an answer, after redirects."""
        return await self.http.request(method, path, follow_redirects=True, **more)


async def visitor(practice: Practice, *roles: Role) -> Visitor:
    """Return somebody of the practice who is signed in."""
    return await visitor_of(practice, await practice.user(*roles))


async def visitor_of(practice: Practice, user: User, password: str = PASSWORD) -> Visitor:
    """Return a browser in which a user is signed in."""
    return Visitor(await practice.signed_in(user, password))


def form_to(page: Page, end: str) -> Form:
    """Return the one form of a page that is sent to an address with this end."""
    [form] = [form for form in page.forms if form.method == "post" and form.action.endswith(end)]
    return form


def wrong_fields(page: Page) -> set[str]:
    """Return the fields that a page marks as wrong; each says how, in a text that belongs to it."""
    ids = {given.get("id") for _, given in page.tags}
    found = {given["name"]: given for _, given in page.tags if given.get("aria-invalid") == "true"}
    assert {given["aria-describedby"] for given in found.values()} <= ids
    return {str(name) for name in found}
