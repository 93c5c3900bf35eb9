"""The booking page works without JavaScript, in both languages and every zone, and says what is true."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest

from booking.served import NOWHERE
from holdfast.kernel.languages import LANGUAGES
from journeys.browser import Browser, Page
from journeys.instance import Instance, holdfast
from wording import say

START = "/emotional-balance/booking/slot"
GUEST = {"name": "Гость", "email": "guest@example.org", "phone": "+7 900 000-00-00", "consent": "yes"}
HOSTILE = "<img src=x onerror=alert(1)>\"'&amp;"
HOSTILE_FILE = f"""
[business]
slug = "hostile"
name = '''{HOSTILE}'''
timezone = "Europe/Moscow"
currency = "RUB"
locale = "en"
[hours]
every_day = ["00:00-24:00"]
[[resources]]
slug = "one"
name = '''{HOSTILE} one'''
kind = "practitioner"
[[resources]]
slug = "two"
name = '''{HOSTILE} two'''
kind = "practitioner"
[[services]]
slug = "service"
name = '''{HOSTILE} service'''
duration_minutes = 60
requires = [["one", "two"]]
"""


@pytest.fixture
def browser(running: Instance) -> Iterator[Browser]:
    """A client who reads English and lives in the zone of the business."""
    with Browser(running.url, lang="en") as opened:
        yield opened


def times(browser: Browser, day: int, service: str = "individual-session", start: str = START, **query: str) -> Page:
    """Open the times of a service from a day on; each test has days of its own."""
    first = (datetime.now(UTC) + timedelta(days=day)).date().isoformat()
    return browser.open(start, service=service, day=first, **query)


def pick(page: Page, number: int = 0) -> str:
    """Return one of the times that a page offers."""
    return [value for name, value in page.form.buttons if name == "start"][number]


def leaders(page: Page) -> list[str]:
    """Return whom a page of times lets choose."""
    return list(dict.fromkeys(found for link in page.links for found in re.findall(r"resource=([0-9a-f-]{36})", link)))


def token_of(page: Page) -> str:
    """Return the code that a confirmation shows."""
    [token] = [word for word in page.words if re.fullmatch(r"[A-Za-z0-9_-]{43}", word)]
    return token


def number_of(page: Page) -> str:
    """Return the number of a held or confirmed booking."""
    return re.findall(r"/held/([0-9a-f-]{36})", page.address + page.source)[0]


def run_out(instance: Instance, reservation: str) -> None:
    """Let a hold run out now, as if its time had passed."""
    with psycopg.connect(instance.dsn) as admin:
        admin.execute(
            "update bookings set held_at = held_at - interval '1 day', expires_at = clock_timestamp(),"
            " version = version + 1 where id = %s and state = 'held'",
            [reservation],
        )


@pytest.mark.parametrize("path", ["/booking/slot", "/booking/slot/", START, f"{START}/"])
def test_the_page_is_at_its_addresses(browser: Browser, path: str) -> None:
    """The page is there with and without the business in its address, with and without a slash at the end (U-1)."""
    page = browser.open(path)
    assert page.status == 200
    assert "What would you like to book?" in page.text
    assert [link for link in page.links if "service=individual-session" in link]


@pytest.mark.parametrize(("language", "zone"), [("ru", "Asia/Vladivostok"), ("en", "America/New_York")])
def test_from_services_to_a_confirmed_booking(running: Instance, language: str, zone: str) -> None:
    """Without JavaScript a client chooses service and time, holds it, types the details and is booked (U-1, U-4)."""
    with Browser(running.url, lang=language, tz=zone) as browser:
        services = browser.open("/booking/slot/")
        assert services.one("html")["lang"] == language
        link = next(link for link in services.links if "service=couple-session" in link)
        shown = browser.open(link)
        assert "Консультация для пары" in shown.text
        start = pick(shown)
        held = browser.send(shown.form, start=start)
        assert held.status == 200
        assert say(language, "This time is held for you") in held.text
        local = datetime.fromtimestamp(int(start), ZoneInfo(zone))
        assert f"{local:%H:%M} ({zone})" in held.text
        confirmed = browser.send(held.form, **GUEST)
    assert confirmed.status == 200
    assert say(language, "Your booking is confirmed") in confirmed.text
    booked = httpx.get(
        f"{running.url}/api/booking/appointments/{number_of(confirmed)}",
        headers={"Booking-Token": token_of(confirmed)},
        timeout=30,
    ).json()
    assert datetime.fromisoformat(booked["start"]).timestamp() == int(start)
    kept = [booked[name] for name in ("status", "guestEmail", "guestName", "timezone", "locale")]
    assert kept == ["confirmed", GUEST["email"], GUEST["name"], zone, language]


def test_times_are_shown_in_the_zone_of_the_client(running: Instance) -> None:
    """The same times stand under other hours and days in another zone, each true there (A-5, U-1)."""
    seen = {}
    for zone in ("Europe/Moscow", "Asia/Tokyo", "America/Los_Angeles"):
        with Browser(running.url, lang="en", tz=zone) as browser:
            pages = [times(browser, day) for day in range(30, 35)]
        labels = [
            found for page in pages for found in re.findall(r'value="(\d+)" aria-label="Book ([^"]+)"', page.source)
        ]
        assert len(labels) > 50
        for start, label in labels:
            local = datetime.fromtimestamp(int(start), ZoneInfo(zone))
            assert label.startswith(f"{local:%A}, {local.day} {local:%B}")
            assert label.endswith(f"{local:%H:%M}")
        seen[zone] = dict(labels)
    shared = set.intersection(*(set(starts) for starts in seen.values()))
    assert len(shared) > 40
    assert all(len({seen[zone][start] for zone in seen}) == 3 for start in shared)


def test_the_language_follows_the_browser(running: Instance) -> None:
    """Without a choice the browser's language counts, then that of the business; the other one is a link away (U-4)."""
    with Browser(running.url) as browser:
        for wished, language in {"en-GB,en;q=0.9": "en", "ru": "ru", "de,fr": "ru"}.items():
            page = browser.open("/booking/slot", headers={"Accept-Language": wished})
            assert page.one("html")["lang"] == language
            other = "en" if language == "ru" else "ru"
            [link] = [link for link in page.links if f"lang={other}" in link]
            assert browser.open(link).one("html")["lang"] == other


def test_a_lost_race_shows_what_is_free(running: Instance, browser: Browser) -> None:
    """Who comes second sees at once what else is free, and with whom, and holds it with one click (B-22, U-1)."""
    page = times(browser, 3)
    [first, _] = leaders(page)[:2]
    start = pick(page, 2)
    with Browser(running.url, lang="ru") as faster:
        winner = faster.send(times(faster, 3).form, start=start, resource=first)
        assert winner.status == 200
    lost = browser.send(page.form, start=start, resource=first)
    assert lost.status == 409
    assert "This time has just been taken. Nothing was booked." in lost.text
    alternatives = [value for name, value in lost.form.buttons if name == "start"]
    assert 1 <= len(alternatives) <= 5
    assert alternatives[0].startswith(f"{start}@")
    assert first not in alternatives[0]
    held = browser.send(lost.form, start=alternatives[0])
    assert held.status == 200
    assert "This time is held for you" in held.text
    assert "Специалист 2" in held.text or "Специалист 3" in held.text


def test_what_was_typed_survives_a_lost_race(running: Instance, browser: Browser) -> None:
    """Whose hold has run out, and whose time was taken meanwhile, holds an alternative and need not type again (U-1)."""
    page = times(browser, 4, "couple-session")
    start = pick(page)
    held = browser.send(page.form, start=start)
    run_out(running, number_of(held))
    expired = browser.send(held.form, **GUEST)
    assert expired.status == 410
    with Browser(running.url) as faster:
        assert faster.send(times(faster, 4, "couple-session").form, start=start).status == 200
    lost = browser.send(expired.form, start=pick(expired))
    assert lost.status == 409
    again = browser.send(lost.form, start=pick(lost))
    assert again.status == 200
    assert {name: again.form.fields[name] for name in GUEST} == GUEST
    assert browser.send(again.form).status == 200


def test_a_hold_that_has_run_out_is_told(running: Instance, browser: Browser) -> None:
    """An expired hold is shown as such, confirms nothing, and can be held again with what was typed (B-4, U-1)."""
    page = times(browser, 5)
    held = browser.send(page.form, start=pick(page))
    run_out(running, number_of(held))
    opened = browser.open(held.address.removeprefix(running.url))
    refused = browser.send(held.form, **GUEST)
    assert [opened.status, refused.status] == [410, 410]
    assert "This time is no longer held for you" in opened.text
    assert "nothing was booked" in refused.text
    again = browser.send(refused.form, start=pick(refused))
    assert again.status == 200
    assert number_of(again) != number_of(held)
    assert {name: again.form.fields[name] for name in GUEST} == GUEST
    assert "Your booking is confirmed" in browser.send(again.form).text


@pytest.mark.parametrize(
    ("wrong", "told"), [({"email": "no address"}, "E-mail"), ({"phone": "call me"}, "Phone"), ({"email": ""}, "E-mail")]
)
def test_a_mistake_keeps_what_was_typed(browser: Browser, wrong: dict[str, str], told: str) -> None:
    """A field that is not right is named and marked, and everything that was typed is still there (U-1)."""
    page = times(browser, 6)
    held = browser.send(page.form, start=pick(page))
    typed = GUEST | wrong
    invalid = browser.send(held.form, **typed)
    assert invalid.status == 400
    assert f"Please check: {told}" in invalid.text
    assert {name: invalid.form.fields[name] for name in GUEST} == typed
    assert [given["name"] for _, given in invalid.tags if "aria-invalid" in given] == list(wrong)
    assert [given["name"] for _, given in invalid.tags if "autofocus" in given] == list(wrong)
    assert "Your booking is confirmed" in browser.send(invalid.form, **GUEST).text


def test_sending_twice_has_one_effect(browser: Browser) -> None:
    """A form that is sent twice holds one place and shows one appointment with one code (B-9, B-11, U-1)."""
    page = times(browser, 7)
    first = browser.send(page.form, start=pick(page))
    second = browser.send(page.form, start=pick(page))
    assert number_of(first) == number_of(second)
    confirmed = browser.send(first.form, **GUEST)
    repeated = browser.send(second.form, **GUEST)
    assert "Your booking is confirmed" in repeated.text
    assert (number_of(confirmed), token_of(confirmed)) == (number_of(repeated), token_of(repeated))


def test_going_back_and_choosing_another_time_works(browser: Browser) -> None:
    """The form of a page that was left and opened again by the back button holds another time as well (B-9, U-1)."""
    page = times(browser, 8)
    first = browser.send(page.form, start=pick(page))
    other = browser.send(page.form, start=pick(page, 1))
    assert [first.status, other.status] == [200, 200]
    assert number_of(first) != number_of(other)


def test_the_code_is_shown_once(running: Instance, browser: Browser) -> None:
    """Whoever only has the address of a confirmed booking sees no code and nothing about the guest (B-11)."""
    page = times(browser, 9)
    held = browser.send(page.form, start=pick(page))
    confirmed = browser.send(held.form, **GUEST)
    opened = browser.open(held.address.removeprefix(running.url))
    assert "Your booking is confirmed" in opened.text
    assert token_of(confirmed) not in opened.source
    assert [text for text in GUEST.values() if text in opened.source + confirmed.source] == []
    body = {"cancellationToken": token_of(confirmed)}
    cancel = f"{running.url}/api/booking/appointments/{number_of(confirmed)}/cancel"
    assert httpx.post(cancel, json=body, timeout=30).status_code == 200
    for gone in (browser.open(held.address.removeprefix(running.url)), browser.send(held.form, **GUEST)):
        assert gone.status == 410
        assert "confirmed" not in gone.text


def test_opening_an_address_changes_nothing(running: Instance, browser: Browser) -> None:
    """No GET of the page makes or changes a booking; that of the form's address leads to the times (U-1)."""
    page = times(browser, 10)
    held = browser.send(page.form, start=pick(page))
    state = "select md5(string_agg(b::text, ',' order by id)) from bookings b"
    with psycopg.connect(running.dsn, autocommit=True) as admin:
        before = admin.execute(state).fetchone()
        led = browser.open(page.form.action, start=pick(page, 3), service="individual-session")
        browser.open(held.address.removeprefix(running.url))
        assert admin.execute(state).fetchone() == before
    assert "What would you like to book?" in led.text


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/nobody/booking/slot", {}, 404),
        (START, {"service": "nothing"}, 404),
        (START, {"service": "individual-session", "resource": str(uuid4())}, 404),
        (START, {"service": "individual-session", "day": "tomorrow"}, 400),
        (f"{START}/held/{NOWHERE}", {}, 404),
        (f"{START}/held/{HOSTILE.replace('/', '')}", {}, 404),
    ],
)
def test_problems_are_pages(running: Instance, path: str, query: dict[str, str], status: int) -> None:
    """What cannot be shown is said on a page in the language of the client, with a way on (H-1, U-4)."""
    for language in LANGUAGES:
        with Browser(running.url, lang=language) as browser:
            page = browser.open(path, **query)
        assert page.status == status
        assert say(language, "That did not work") in page.text
        assert page.one("html")["lang"] == language
        assert page.links or "nobody" in path


@pytest.mark.parametrize("start", ["", "now", "1", "9" * 30, "-5", f"1@{NOWHERE}"])
def test_times_that_were_never_offered_are_refused(browser: Browser, start: str) -> None:
    """A form that asks for a time that is not offered gets a page that says so, and holds nothing (A-4, U-1)."""
    page = times(browser, 11)
    refused = browser.send(page.form, start=start)
    assert refused.status in (400, 404, 422)
    assert "That did not work" in refused.text
    assert START in refused.links[0]


def test_every_text_is_escaped(running: Instance, tmp_path: Path) -> None:
    """Names of a business and whatever a client sends appear as text on every page, never as HTML (U-1)."""
    file = tmp_path / "hostile.toml"
    file.write_text(HOSTILE_FILE, encoding="utf-8")
    assert holdfast("import", file, "--data", running.data_dir).returncode == 0
    pages: list[Page] = []
    with Browser(running.url, lang="en", tz=HOSTILE, day=HOSTILE) as browser:
        pages += [browser.open("/hostile/booking/slot"), browser.open("/hostile/booking/slot", service="service")]
    with Browser(running.url, lang="en") as browser:
        shown = times(browser, 12, "service", "/hostile/booking/slot")
        one = leaders(shown)[0]
        held = browser.send(shown.form, start=pick(shown), resource=one)
        pages += [shown, held, browser.send(shown.form, start=pick(shown), resource=one, key="another", name=HOSTILE)]
        typed = {"name": HOSTILE, "email": HOSTILE, "phone": HOSTILE}
        invalid = browser.send(held.form, **typed)
        assert {name: invalid.form.fields[name] for name in typed} == typed
        pages += [invalid, browser.send(held.form, **GUEST | {"name": HOSTILE})]
        other = browser.send(shown.form, start=pick(shown, 1))
        run_out(running, number_of(other))
        pages += [browser.send(other.form, **typed), browser.send(shown.form, start=HOSTILE, service=HOSTILE)]
    assert [page.status for page in pages] == [200, 400, 200, 200, 409, 400, 200, 410, 404]
    for page in pages:
        assert {tag for tag, _ in page.tags} & {"img"} == set(), page.source
        scripts = [given.get("src") or "" for tag, given in page.tags if tag == "script"]
        assert all(address.startswith("/static/booking.js?") for address in scripts)
        assert [given for _, given in page.tags if any(name.startswith("on") for name in given)] == []
    assert all(HOSTILE in page.text for page in pages)


def test_the_page_is_allowed_nothing(running: Instance) -> None:
    """The page has nothing inline, may load only what is ours, and stands in no frame and no cache (U-1)."""
    answer = httpx.get(f"{running.url}/booking/slot/?service=intro-call", timeout=30)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    page = Page(answer)
    assert [tag for tag, given in page.tags if tag == "style" or "style" in given] == []
    assert all("src" in given for tag, given in page.tags if tag == "script")
    sheets = [given["href"] for tag, given in page.tags if tag == "link" and given.get("rel") == "stylesheet"]
    assert len(sheets) == 2
    for address in sheets:
        sheet = httpx.get(f"{running.url}{address}", timeout=30)
        assert (sheet.status_code, sheet.headers["Content-Type"].partition(";")[0]) == (200, "text/css")
