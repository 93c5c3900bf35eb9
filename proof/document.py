"""The sections of docs/proof.md that commands write; the words around them are written by people."""

import re
from pathlib import Path

DOCUMENT = Path(__file__).parents[1] / "docs" / "proof.md"
SECTIONS = ("chaos", "failover", "mutations", "scale", "bench")


def write(section: str, markdown: str, document: Path = DOCUMENT) -> None:
    """Replace a section of the document.

    Raises ValueError when the document does not have it exactly once.
    """
    begin, end = f"<!-- begin: {section} -->", f"<!-- end: {section} -->"
    text = document.read_text(encoding="utf-8")
    written, times = re.subn(
        f"{re.escape(begin)}\n.*?{re.escape(end)}",
        lambda _: f"{begin}\n{markdown.strip()}\n{end}",
        text,
        flags=re.DOTALL,
    )
    if times != 1:
        raise ValueError(f"{document.name} has {times} sections {section}")
    document.write_text(written, encoding="utf-8")


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table; cells are plain text."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)
