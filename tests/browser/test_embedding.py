"""The booking page within a page of somebody else, in a browser."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
from playwright.async_api import Browser

from browser.chromium import Manner, visit
from browser.furnished import Place


@contextmanager
def site(snippet: str) -> Iterator[str]:
    """Serve a page of somebody else with this in it; its origin is not that of the server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(f"<!doctype html><title>Site</title><h1>Our practice</h1>{snippet}".encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that the base class gives
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def allow(place: Place, sites: str | None) -> None:
    """Let sites show the booking page, as the owner."""
    with httpx.Client(base_url=place.url, cookies=place.logins["owner"], timeout=30) as http:
        proof = http.get("/api/admin/login").json()["csrfToken"]
        answer = http.put("/api/admin/settings/embedding_sites", json={"value": sites}, headers={"X-CSRF-Token": proof})
        assert answer.status_code == 200, answer.text


async def test_a_site_shows_the_page_as_high_as_it_is(browser: Browser, place: Place) -> None:
    """The snippet shows the booking page on the site that is allowed, without a bar to scroll by, and a time can be
    chosen within it (U-1).
    """
    snippet = f'<script src="{place.url}/static/embed.js" data-business="linden" data-lang="en" async></script>'
    with site(snippet) as url:
        allow(place, url)
        try:
            async with visit(browser, url, Manner()) as client:
                await client.open("/")
                frame = client.page.frame_locator("iframe")
                await frame.locator("h1").wait_for()
                inner = next(one for one in client.page.frames if one.parent_frame)
                # The message about the height is on its way.
                await client.page.wait_for_function(
                    "() => document.querySelector('iframe').getBoundingClientRect().height > 100"
                )
                await inner.wait_for_function("() => document.documentElement.scrollHeight <= innerHeight + 1")
                await frame.locator("a[href*='service=session']").first.click()
                await inner.wait_for_url("**service=session**")
                assert "embed=1" in inner.url
                await inner.wait_for_function("() => document.documentElement.scrollHeight <= innerHeight + 1")
        finally:
            allow(place, None)


async def test_no_other_site_shows_it(browser: Browser, place: Place) -> None:
    """On a site that nobody has allowed, the browser shows nothing of the page (U-1)."""
    snippet = f'<script src="{place.url}/static/embed.js" data-business="linden" async></script>'
    with site(snippet) as url:
        async with visit(browser, url, Manner()) as client:
            refused = asyncio.Event()
            client.page.on("console", lambda said: refused.set() if "frame-ancestors" in said.text else None)
            await client.page.goto(url)
            await asyncio.wait_for(refused.wait(), 30)
            inner = next(one for one in client.page.frames if one.parent_frame)
            assert await inner.locator("h1").count() == 0 or "linden" not in inner.url
