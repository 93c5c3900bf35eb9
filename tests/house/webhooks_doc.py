"""Writes the kinds of events into docs/webhooks.md: `.venv/bin/python tests/house/webhooks_doc.py`."""

from pathlib import Path

from holdfast.webhooks.events import EVENTS

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "webhooks.md"
_BEGIN, _END = "<!-- begin: events -->\n", "<!-- end: events -->"
_HEAD = "| type | what has happened |\n|---|---|\n"


def written(text: str) -> str:
    """Return the document with the kinds of events that there are."""
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    lines = "".join(f"| `{name}` | {meaning} |\n" for name, meaning in EVENTS.items())
    return before + _BEGIN + _HEAD + lines + _END + after


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
