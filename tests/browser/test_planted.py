"""What somebody plants into a text stays a text, on every page that shows it."""

import re
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field

import httpx
import pytest_asyncio
from playwright.async_api import Browser

from browser.chromium import Manner, Visit, visit
from browser.furnished import Place
from browser.pages_list import PAGES, Address
from browser.planted import Planted

# What no page shows to whoever only opens it: what was confided is asked for by a form, events of others have no title here,
# and the reason of a change is asked for in the log.
UNSEEN = {
    "Просит тихий кабинет",
    "Плохо сплю",
    "С чем вы приходите?",
    "Я больше не хочу жить",
    "Приём у врача",
    "Звонок",
}
PAYLOAD = "'\"><img data-planted=0 src=x onerror=planted()>{{7*7}}"
# What is sent with the forms of a page: where to, what stands in them, and which fields take any text at all.
_FORMS = """() => [...document.querySelectorAll("form")].filter((form) => form.method === "post").map((form) => ({
  action: form.getAttribute("action") || location.pathname + location.search,
  fields: [...new FormData(form, form.querySelector("button:not([type=button]), input[type=submit]"))],
  texts: [...form.elements].filter((field) => field.matches(
    "textarea, input:not([type]), input[type=text], input[type=search], input[type=url], input[type=tel]"
  )).map((field) => field.name),
  typed: [...form.elements].filter((field) => field.matches(
    "input:not([type=hidden]):not([type=checkbox]):not([type=radio]):not([type=submit]), textarea, select"
  )).map((field) => field.name),
}))"""
_NUMBER = re.compile(r"data-planted=(\d+)")
# What a page may not be made of, whatever somebody has writ
_GROWN = """() => [
  ...document.querySelectorAll("[data-planted], [onerror], img[src='x'], a[href^='javascript:' i], iframe[srcdoc]"),
].map((element) => element.outerHTML.slice(0, 200))"""


async def _grown(opened: Visit) -> list[str]:
    """Return what has grown on a page out of what was planted."""
    found = [f"{opened.page.url}: {element}" for element in await opened.page.evaluate(_GROWN)]
    if (await opened.witnessed())["planted"]:
        found.append(f"{opened.page.url}: a script that was planted has run")
    found += await opened.amiss()
    opened.complaints.clear()
    return found


@dataclass
class Seen:
    """What was on all pages: what has grown there, the numbers of the texts that they show, and whose forms they have."""

    grown: list[str] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)
    forms: dict[str, list[tuple[str, dict[str, str]]]] = field(default_factory=lambda: defaultdict(list))


async def _open_all(browser: Browser, hostile: Place, addresses: Collection[Address]) -> Seen:
    """Open these pages; return what was there."""
    seen = Seen()
    for role in sorted({address.role or "" for address in addresses}):
        async with visit(browser, hostile.url, Manner(), hostile.logins.get(role)) as opened:
            for address in addresses:
                if (address.role or "") == role:
                    await opened.open(address.filled(hostile.names))
                    seen.grown += await _grown(opened)
                    seen.forms[role] += await _forms(opened)
                    # A property of a field is in no source.
                    typed = await opened.page.evaluate(
                        "[...document.querySelectorAll('input, textarea')].map((f) => f.value)"
                    )
                    text = await opened.page.content() + "".join(typed)
                    seen.shown |= {int(number) for number in _NUMBER.findall(text)}
    return seen


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seen(browser: Browser, hostile: Place) -> Seen:
    """What was on all pages before anybody sent a form."""
    return await _open_all(browser, hostile, PAGES)


async def test_nothing_grows_of_what_is_planted(seen: Seen, planted: Planted) -> None:
    """Markup and scripts in names, notes, questions, answers, contents and templates run on no page and make no element
    (U-1, U-3, U-5).
    """
    assert seen.grown == []
    assert seen.shown, "no page shows what was planted"
    unseen = {text for number, text in planted.texts.items() if number not in seen.shown}
    assert unseen <= UNSEEN


async def _forms(opened: Visit) -> list[tuple[str, dict[str, str]]]:
    """Return what somebody would send who types the payload into the fields that take texts, and then into all of them."""
    sent = []
    for form in await opened.page.evaluate(_FORMS):
        before: dict[str, str] = dict(form["fields"])
        address = httpx.URL(opened.page.url).join(form["action"])
        # Whoever signs out sees nothing more.
        if not address.path.endswith("/logout"):
            sent += [(str(address), before | dict.fromkeys(form[kind], PAYLOAD)) for kind in ("texts", "typed")]
    return sent


async def _answer(http: httpx.AsyncClient, action: str, fields: dict[str, str]) -> httpx.Response:
    """Return what a form leads to at this server; a provider of payments is not asked."""
    answer = await http.post(action, data=fields)
    while answer.next_request is not None and answer.next_request.url.netloc == httpx.URL(action).netloc:
        answer = await http.send(answer.next_request)
    assert answer.status_code < 500, f"{action} with {sorted(fields)}: {answer.text}"
    return answer


async def test_what_is_typed_into_a_form_stays_a_text(browser: Browser, hostile: Place, seen: Seen) -> None:
    """Every form of every page may be sent with markup in all of its fields: neither the answer, which shows a mistake
    again with what was typed, nor any page afterwards takes it for HTML (U-1, U-3, U-5).
    """
    grown: list[str] = []
    known: set[tuple[object, ...]] = set()
    for role in ("owner", ""):
        cookies = hostile.logins.get(role, {})
        async with (
            visit(browser, hostile.url, Manner()) as shown,
            httpx.AsyncClient(cookies=cookies, timeout=60) as http,
        ):
            for action, fields in seen.forms[role]:
                kind = (re.sub(r"[0-9a-f-]{36}", "", action), *sorted(fields.items()))
                if kind in known:
                    continue
                known.add(kind)
                answer = await _answer(http, action, fields)
                if not answer.headers.get("Content-Type", "").startswith("text/html"):
                    # To another server, or a file, which no browser takes for a page.
                    assert answer.is_redirect or answer.headers["X-Content-Type-Options"] == "nosniff"
                    continue
                await shown.page.set_content(answer.text)
                grown += [f"{action}: {one}" for one in await shown.page.evaluate(_GROWN)]
    assert len(known) > 5
    assert grown == []
    # Each once, by whoever comes to it.
    once = {address.path: address for address in PAGES}.values()
    assert (await _open_all(browser, hostile, once)).grown == []
