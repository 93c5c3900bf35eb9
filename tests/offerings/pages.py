"""The pages of what can be booked, as an owner's browser without scripts meets them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import urlencode

import httpx

from booking.studio import Studio
from holdfast.identity.permissions import Role
from identity.entrance import Practice

Pair = tuple[str, str]


@dataclass
class Sheet:
    """A form as a browser would send it, before anybody fills it in."""

    action: str
    pairs: list[Pair] = field(default_factory=list)
    buttons: list[Pair] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        """Return what stands in the fields of a name."""
        return [value for each, value in self.pairs if each == name]

    def filled(self, **changes: str | Iterable[str]) -> Self:
        """Return the form with other values; a name has as many fields as it is given values. `__` is a hyphen."""
        named = {name.replace("__", "-"): value for name, value in changes.items()}
        kept = [pair for pair in self.pairs if pair[0] not in named]
        for name, value in named.items():
            kept += [(name, each) for each in ([value] if isinstance(value, str) else value)]
        return type(self)(self.action, kept, self.buttons)


class Page(HTMLParser):
    """A page as it was served."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status = answer.status_code
        self.path = answer.url.raw_path.decode()
        self.source = answer.text
        self.sheets: list[Sheet] = []
        self.links: list[str] = []
        self.wrong: list[str] = []
        self._words: list[str] = []
        self._disabled = 0
        self._select: str | None = None
        self._area: str | None = None
        self._options: list[tuple[str, bool]] = []
        self.feed(answer.text)

    @property
    def text(self) -> str:
        """What is to be read, as one line."""
        return " ".join(" ".join(self._words).split())

    def sheet(self, ends: str) -> Sheet:
        """Return the first form whose action ends so."""
        return next(each for each in self.sheets if each.action.partition("?")[0].endswith(ends))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms, links, and what is wrong."""
        given = {name: value or "" for name, value in attrs}
        if given.get("class") == "wrong":
            self.wrong.append(given.get("id", "").removesuffix("-wrong"))
        if tag == "form":
            self.sheets.append(Sheet(given.get("action", "")))
        elif tag == "a":
            self.links.append(given.get("href", ""))
        elif tag == "fieldset":
            self._disabled += bool(self._disabled or "disabled" in given)
        elif self.sheets and not self._disabled:
            self._note_control(tag, given)

    def _note_control(self, tag: str, given: dict[str, str]) -> None:
        """Note what a form sends."""
        name, value = given.get("name", ""), given.get("value", "")
        if tag == "input" and name and (given.get("type") not in {"checkbox", "radio"} or "checked" in given):
            self.sheets[-1].pairs.append((name, value))
        elif tag == "textarea":
            self._area = name
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select:
            self._options.append((value, "selected" in given))
        elif tag == "button":
            self.sheets[-1].buttons.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        """Note what was chosen."""
        if tag == "fieldset" and self._disabled:
            self._disabled -= 1
        if tag == "textarea" and self._area:
            self.sheets[-1].pairs.append((self._area, ""))
            self._area = None
        if tag == "select" and self._select:
            chosen = [value for value, is_chosen in self._options if is_chosen] or [self._options[0][0]]
            self.sheets[-1].pairs.append((self._select, chosen[0]))
            self._select = None

    def handle_data(self, data: str) -> None:
        """Note what is to be read."""
        self._words.append(data)


@dataclass
class Clerk:
    """Somebody who is signed in."""

    http: httpx.AsyncClient

    async def open(self, path: str, status: int = 200) -> Page:
        """Open a page."""
        answer = await self.http.get(path)
        assert answer.status_code == status, answer.text[:2000]
        return Page(answer)

    async def send(self, sheet: Sheet, status: int = 200, do: str | None = None) -> Page:
        """Send a form, by a button if it has several, and follow where it leads."""
        pairs = [*sheet.pairs, *([("do", do)] if do else [])]
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = await self.http.post(sheet.action, content=urlencode(pairs), headers=kind)
        assert answer.status_code == status, f"{answer.status_code}: {answer.text[:3000]}"
        return Page(answer)


@dataclass
class House:
    """A business behind a server in this process, with somebody of each role."""

    practice: Practice
    studio: Studio

    async def clerk(self, role: Role = Role.OWNER, language: str = "en") -> Clerk:
        """Return somebody who has signed in."""
        browser = await self.practice.signed_in(await self.practice.user(role))
        transport = httpx.ASGITransport(self.practice.app, raise_app_exceptions=False, client=("198.18.0.1", 1))
        http = httpx.AsyncClient(
            transport=transport,
            base_url="http://practice.test",
            cookies=browser.http.cookies,
            headers={"Accept-Language": language, "Origin": "http://practice.test"},
            follow_redirects=True,
        )
        return Clerk(http)
