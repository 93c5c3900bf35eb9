"""What axe-core finds on a page."""

from typing import Any

from browser.chromium import Visit
from house.sources import ROOT

SCRIPT = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
GRAVE = ("serious", "critical")
# The levels A and AA of WCAG 2.2, and what is good practice everywhere.
_OPTIONS = {
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


async def findings(seen: Visit, *, grave_only: bool = True) -> list[str]:
    """Return what is wrong with the page that is open: rule, what it asks, and where."""
    # In a world of its own: the policy of a page forbids scripts of others, and has to.
    await seen.page.evaluate(SCRIPT.read_text(encoding="utf-8"))
    found: dict[str, Any] = await seen.page.evaluate("(options) => axe.run(document, options)", _OPTIONS)
    return [
        f"{violation['id']} ({violation['impact']}): {violation['help']}: {node['target']} {node['html'][:160]}"
        for violation in found["violations"]
        if not grave_only or violation["impact"] in GRAVE
        for node in violation["nodes"]
    ]
