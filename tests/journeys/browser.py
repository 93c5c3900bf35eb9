"""What a client's browser makes of a page: forms to send, links to follow, words to read."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import httpx


@dataclass
class Form:
    """A form with the values that it is sent with, and the names and values of its buttons."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: list[tuple[str, str]] = field(default_factory=list)


class Page(HTMLParser):
    """A page as it was served."""

    def __init__(self, answer: httpx.Response) -> None:
        super().__init__()
        self.status = answer.status_code
        self.address = str(answer.url)
        self.source = answer.text
        self.forms: list[Form] = []
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag; a parser has found its end, so what is in an attribute cannot be a tag."""
        given = dict(attrs)
        self.tags.append((tag, given))
        name, value = given.get("name") or "", given.get("value") or ""
        if tag == "form":
            self.forms.append(Form(given.get("action") or "", given.get("method") or "get"))
        elif tag == "a":
            self.links.append(given.get("href") or "")
        elif tag == "input" and self.forms:
            # A box that is not ticked is not sent.
            if given.get("type") != "checkbox" or "checked" in given:
                self.forms[-1].fields[name] = value
        elif tag == "button" and self.forms:
            self.forms[-1].buttons.append((name, value))

    def handle_data(self, data: str) -> None:
        """Note what is to be read."""
        self.words += data.split()

    @property
    def text(self) -> str:
        """What is to be read, as one line."""
        return " ".join(self.words)

    @property
    def form(self) -> Form:
        """The form that is sent by POST."""
        [form] = [form for form in self.forms if form.method == "post"]
        return form

    def options(self, name: str) -> list[str]:
        """Return the values that a select of this name offers."""
        start = next(n for n, (tag, given) in enumerate(self.tags) if tag == "select" and given.get("name") == name)
        values = []
        for tag, given in self.tags[start + 1 :]:
            if tag != "option":
                break
            values.append(given.get("value") or "")
        return values

    def one(self, tag: str) -> dict[str, str | None]:
        """Return the attributes of the first such tag."""
        return next(given for name, given in self.tags if name == tag)


class Browser:
    """A client without JavaScript that follows redirects."""

    def __init__(self, url: str, **choices: str) -> None:
        self.url = url
        self.choices = choices
        self._http = httpx.Client(base_url=url, timeout=30, follow_redirects=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def open(self, path: str, headers: dict[str, str] | None = None, **query: str) -> Page:
        """Open an address, with what was chosen."""
        parts = urlsplit(path)
        asked = {**self.choices, **dict(parse_qsl(parts.query)), **query}
        return Page(self._http.get(parts.path, params=asked, headers=headers))

    def send(self, form: Form, **typed: str) -> Page:
        """Send a form with what was typed."""
        return Page(self._http.post(form.action, data={**form.fields, **typed}))
