"""How a text is read: its Markdown as HTML that nothing planted survives, and what differs between two texts."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup

# Links lead to pages, mailboxes and telephones, and to nothing that a browser would run.
_LINK = re.compile(r"(https?://|mailto:|tel:|/(?!/)|#)", re.IGNORECASE)
# The page has its own heading, and the text its title.
_HEADING_BELOW = 2
_CONTEXT_LINES = 2


def _picture(_renderer: Any, tokens: Sequence[Token], at: int, _options: OptionsDict, _env: EnvType) -> str:
    # Pages load nothing from elsewhere: a reader's site shows the picture, and here stand its words.
    words = tokens[at].content or str(tokens[at].attrGet("src") or "")
    return str(Markup('<span class="picture">{}</span>').format(words))


def _reader() -> MarkdownIt:
    made = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.validateLink = lambda url: bool(_LINK.match(url))  # type: ignore[method-assign]
    made.add_render_rule("image", _picture)
    return made


_READER = _reader()


def as_read(markdown: str) -> Markup:
    """Return Markdown as HTML; HTML within it is shown as text, and headings stand below the title of the text."""
    tokens = _READER.parse(markdown)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + _HEADING_BELOW)}"
        for link in token.children or ():
            if link.type == "link_open":
                link.attrSet("rel", "noopener noreferrer nofollow")
    # Whatever was written is escaped by the renderer, which knows no HTML of anybody else's.
    return Markup(_READER.renderer.render(tokens, _READER.options, {}))  # noqa: S704


def changes(before: str, after: str) -> Markup:
    """Return what differs between two texts, line by line, with some lines around it; empty if nothing does."""
    old, new = before.splitlines(), after.splitlines()
    return Markup("").join(_lines(old, new)) if old != new else Markup("")


def _lines(old: list[str], new: list[str]) -> Iterator[Markup]:
    for group in SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(_CONTEXT_LINES):
        yield Markup("<i>…</i>")
        for kind, old_from, old_to, new_from, new_to in group:
            if kind == "equal":
                yield from (Markup("<span>{}</span>").format(line) for line in old[old_from:old_to])
                continue
            yield from (Markup("<del>{}</del>").format(line) for line in old[old_from:old_to])
            yield from (Markup("<ins>{}</ins>").format(line) for line in new[new_from:new_to])


def in_short(text: str, length: int = 160) -> str:
    """Return the beginning of a text on one line."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 1]}…"
