"""A mail in HTML as a page may show it: its paragraphs, lists and links, and nothing that runs, loads or hides."""

import re
from html.parser import HTMLParser

from markupsafe import Markup, escape

# Headings of a mail stand below those of the page.
_SHOWN = {
    **{name: name for name in ("p", "br", "hr", "ul", "ol", "li", "strong", "em", "b", "i", "u", "blockquote", "pre")},
    **{name: name for name in ("table", "thead", "tbody", "tr", "th", "td")},
    **dict.fromkeys(("h1", "h2", "h3", "h4", "h5", "h6"), "strong"),
    "a": "a",
}
_EMPTY = {"br", "hr"}
# What a mail program does not show as text.
_HIDDEN = {"head", "title", "style", "script", "template", "noscript"}
_LINK = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []
        self._open: list[str] = []
        self._hidden: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _HIDDEN:
            self._hidden.append(tag)
        if self._hidden or tag not in _SHOWN:
            return
        name = _SHOWN[tag]
        address = dict(attrs).get("href") or ""
        link = f' href="{escape(address)}" rel="noopener noreferrer"' if tag == "a" and _LINK.match(address) else ""
        self.shown.append(f"<{name}{link}>")
        if tag not in _EMPTY:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._hidden:
            if tag == self._hidden[-1]:
                self._hidden.pop()
            return
        if tag in self._open:
            # Whatever was left open within it ends with it.
            while (last := self._open.pop()) != tag:
                self.shown.append(f"</{_SHOWN[last]}>")
            self.shown.append(f"</{_SHOWN[tag]}>")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.shown.append(str(escape(data)))

    def end(self) -> Markup:
        self.close()
        self.shown += [f"</{_SHOWN[tag]}>" for tag in reversed(self._open)]
        # Tags are of the list above, and texts and addresses are escaped.
        return Markup("".join(self.shown))  # noqa: S704


def as_shown(html: str) -> Markup:
    """Return HTML that somebody has written as elements of a page, without whatever else it has."""
    reader = _Reader()
    reader.feed(html)
    return reader.end()
