"""Writes the table of docs/access.md from the matrix and the routes; run it when one of them has changed.

.venv/bin/python tests/house/access.py
"""

import re
from pathlib import Path

from holdfast import config, web
from holdfast.identity.guards import Needs, SignedIn
from holdfast.identity.permissions import Permission, Role, may

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "access.md"
BEGINNING, END = "<!-- matrix -->\n", "<!-- /matrix -->\n"


def table() -> str:
    """Return the table: who may what, and which calls ask for it."""
    calls: dict[Permission | None, list[str]] = {}
    for route in web.handlers(config.Settings()):
        guards = [guard for guard in route.guards or () if isinstance(guard, Needs | SignedIn)]
        for guard in guards:
            needed = guard.permission if isinstance(guard, Needs) else None
            for path in (path for path in route.paths if not path.startswith("/admin")):
                shown = re.sub(r"\{(\w+):\w+\}", r"{\1}", path)
                methods = sorted(m for m in route.http_methods if m not in {"OPTIONS", "HEAD"})
                calls.setdefault(needed, []).extend(f"`{method} {shown}`" for method in methods)
    lines = ["| permission | " + " | ".join(Role) + " | calls |", "|---|" + "---|" * len(Role) + "---|"]
    for permission in Permission:
        rights = " | ".join("yes" if may(role, permission) else "" for role in Role)
        lines.append(f"| `{permission}` | {rights} | {'<br>'.join(sorted(calls.get(permission, [])))} |")
    everybody = " | ".join("yes" for _ in Role)
    lines.append(f"| none: being signed in | {everybody} | {'<br>'.join(sorted(calls.get(None, [])))} |")
    return "".join(re.sub(r" +\|", " |", line) + "\n" for line in lines)


def written(text: str) -> str:
    """Return the text of the document with the table as it has to be."""
    before, _, rest = text.partition(BEGINNING)
    return before + BEGINNING + table() + END + rest.partition(END)[2]


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
