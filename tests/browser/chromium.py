"""The Chromium of this machine, driven by Playwright: who looks, how, and what was amiss while they looked."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, async_playwright, expect

# The first one takes half the time of the others: it has no windows to draw.
PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# It fetches nothing by itself, and runs in a container and as root, where a sandbox of its own cannot be had.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# The machine may have much else to do.
expect.set_options(timeout=20_000)
PHONE, DESK = (390, 844), (1280, 800)

# What the browser itself knows and does not put on its console, noted before any script of a page runs.
_WITNESS = """
window.witnessed = {violations: [], planted: 0, shift: 0};
window.planted = () => { window.witnessed.planted += 1; };
document.addEventListener("securitypolicyviolation", (event) => {
  window.witnessed.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
});
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.witnessed.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""


def program() -> str | None:
    """Return the browser of this machine, None where there is none."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Run the browser until the block ends."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program(), args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass(frozen=True)
class Manner:
    """How somebody looks at pages."""

    language: str = "en"
    scheme: str = "light"
    size: tuple[int, int] = DESK
    javascript: bool = True
    zone: str = "Europe/Moscow"

    @property
    def options(self) -> dict[str, Any]:
        """The same as a context of the browser takes it."""
        width, height = self.size
        return {
            "locale": self.language,
            "color_scheme": self.scheme,
            "viewport": {"width": width, "height": height},
            "java_script_enabled": self.javascript,
            "timezone_id": self.zone,
            "has_touch": width < 600,
        }


@dataclass
class Visit:
    """Somebody with a browser window; what was amiss since it was opened."""

    context: BrowserContext
    page: Page
    url: str
    manner: Manner
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> int:
        """Open an address of the server, or any other one; return the status of the answer."""
        answer = await self.page.goto(path if "://" in path else self.url + path)
        assert answer is not None, f"{path} leads to a file or to nowhere"
        return answer.status

    async def witnessed(self) -> dict[str, Any]:
        """Return what the page that is open has witnessed: violations, planted scripts that ran, shifts of its layout."""
        seen: dict[str, Any] = await self.page.evaluate("window.witnessed")
        return seen

    async def amiss(self) -> list[str]:
        """Return all that was amiss: errors of scripts, errors on the console, what the policy of a page has forbidden."""
        violations = (await self.witnessed())["violations"] if self.manner.javascript else []
        return self.complaints + [f"forbidden by the policy of {self.page.url}: {one}" for one in violations]

    def listen(self) -> None:
        """Note what is amiss from now on."""
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{self.page.url}: {error}"))
        self.page.on("request", self._follow)

    def _hear(self, message: ConsoleMessage) -> None:
        # A refusal that is an answer with its own page is no slip of a page.
        if message.type == "error" and not message.text.startswith("Failed to load resource: the server responded"):
            self.complaints.append(f"{self.page.url}: {message.text}")

    def _follow(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if not request.is_navigation_request() and parts.netloc != urlsplit(self.url).netloc and parts.scheme != "data":
            self.complaints.append(f"{self.page.url} asks for {request.url}")


@asynccontextmanager
async def visit(
    browser: Browser, url: str, manner: Manner | None = None, cookies: dict[str, str] | None = None
) -> AsyncIterator[Visit]:
    """Open a window of somebody who has been to no page yet, until the block ends; signed in by the cookies of a login."""
    manner = manner or Manner()
    context = await browser.new_context(**manner.options)
    try:
        # What does not come soon does not come at all; every wait has its condition.
        context.set_default_timeout(20_000)
        await context.add_init_script(_WITNESS)
        await context.add_cookies(
            [{"name": name, "value": value, "url": url} for name, value in (cookies or {}).items()]
        )
        opened = Visit(context, await context.new_page(), url, manner)
        opened.listen()
        yield opened
    finally:
        await context.close()
