"""Texts of mail as HTML: paragraphs, line breaks and links, and the page around them."""

import html
import re
from typing import Final

_PARAGRAPHS: Final = re.compile(r"\n[^\S\n]*\n\s*")
# An address, or a placeholder that stands for one.
_LINK: Final = re.compile(r"https?://[^\s<>\"'{}]*[^\s<>\"'{}.,;:!?)]|\{\{\s*[a-z0-9_]+_link\s*\}\}")
_PAGE: Final = """<!doctype html>
<html lang="{language}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title></head>
<body style="margin:0;padding:24px 16px">
<div style="max-width:560px;margin:0 auto;font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,sans-serif">
{body}
</div>
</body>
</html>
"""


def as_html(text: str) -> str:
    """Return a text, with its placeholders, as HTML that shows the same."""
    paragraphs = [part.strip() for part in _PARAGRAPHS.split(text.replace("\r\n", "\n")) if part.strip()]
    return "\n".join(map(_paragraph, paragraphs))


def page_of(body: str, *, language: str, title: str) -> str:
    """Return the whole page of a mail; what is one already stays as it is."""
    if "<html" in body.casefold():
        return body
    return _PAGE.format(language=html.escape(language), title=html.escape(title), body=body)


def _paragraph(text: str) -> str:
    """Return a paragraph, its tags on lines of their own: a line of it may be left out later.

    Words with a colon before an address on a line of its own are the link: nobody wants to read the address.
    """
    lines: list[str] = []
    for line in text.split("\n"):
        if _LINK.fullmatch(line.strip()) and lines and lines[-1].rstrip().endswith(":"):
            words = lines.pop().rstrip().removesuffix(":")
            lines.append(f'<a href="{html.escape(line.strip())}">{words}</a>')
        else:
            lines.append(_line(line))
    return "\n".join(["<p>", "<br>\n".join(lines), "</p>"])


def _line(line: str) -> str:
    shown, end = [], 0
    for link in _LINK.finditer(line):
        address = html.escape(link[0])
        shown += [html.escape(line[end : link.start()]), f'<a href="{address}">{address}</a>']
        end = link.end()
    return "".join([*shown, html.escape(line[end:])])
