"""The pages on which a client chooses: what they show is what the API offers, and every link on them leads on."""

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from booking.served import SLUG, Clients, instant
from holdfast.availability.walltime import offset_changes
from journeys.browser import Page
from wording import say

START = f"/{SLUG}/booking/slot"
_CELL = re.compile(r'<td>(?:<a href="([^"]+)"[^>]*aria-label="([^"]+)"[^>]*>|<span[^>]*>)(\d+)<')


def opened(clients: Clients, **query: object) -> Page:
    """Open the page of times."""
    answer = clients.http.get(START, params={"lang": "en", **query})
    assert answer.status_code == 200, answer.text[-500:]
    return Page(answer)


def asked(link: str) -> dict[str, str]:
    """Return what the query of a link asks for."""
    return {name: values[0] for name, values in parse_qs(urlsplit(unescape(link)).query).items()}


def free_days(page: Page) -> dict[date, int]:
    """Return the days of the month that are links, with how many times they say are free."""
    found = {}
    for link, label, number in _CELL.findall(page.source):
        if link:
            day = date.fromisoformat(asked(link)["day"])
            assert day.day == int(number)
            found[day] = int(re.findall(r", (\d+) free time", unescape(label))[0])
    return found


def starts(page: Page) -> list[int]:
    """Return the times that can be chosen, in their order."""
    return [int(value) for name, value in page.forms[-1].buttons if name == "start"] if page.forms else []


def coming_month(months: int = 1) -> date:
    """Return the first day of a month from now."""
    day = datetime.now(UTC).date().replace(day=1)
    for _ in range(months):
        day = (day + timedelta(days=31)).replace(day=1)
    return day


@pytest.mark.parametrize(
    ("service", "zone", "more"),
    [
        ("individual-session", "Europe/Moscow", {}),
        ("individual-session", "America/Los_Angeles", {"resource": "practitioner-2"}),
        ("couple-session", "Asia/Tokyo", {}),
        ("open-studio", "Pacific/Kiritimati", {"party": "7"}),
    ],
)
def test_the_month_is_what_the_api_offers(clients: Clients, service: str, zone: str, more: dict[str, str]) -> None:
    """The days that are links are those on which the API has free times, as many as it has, in the client's zone; a day
    shows the very times (A-3, A-5, U-1).
    """
    taken = clients.slots(service, coming_month() + timedelta(days=9))
    clients.reserve(service, taken[3], partySize=int(more.get("party", 1)))
    query = dict(more)
    if "resource" in more:
        query["resource"] = clients.resource(more["resource"])
    like = {"tz": zone, "resource_id": query.get("resource"), "party_size": more.get("party")}
    first = coming_month()
    days = (coming_month(2) - first).days
    shown = clients.days(service, first, days, **{name: value for name, value in like.items() if value})
    offered = {date.fromisoformat(day["date"]): day["slots"] for day in shown["days"]}
    page = opened(clients, service=service, tz=zone, month=f"{first:%Y-%m}", **query)
    assert free_days(page) == {day: len(slots) for day, slots in offered.items() if slots}
    for day in (first, first + timedelta(days=9)):
        one = opened(clients, service=service, tz=zone, day=day, **query)
        assert starts(one) == [int(instant(slot["start"]).timestamp()) for slot in offered[day]]
        assert free_days(one) == free_days(page)


def test_every_link_keeps_what_was_chosen(clients: Clients) -> None:
    """Another day, another month and another practitioner keep language, zone, party and whom the client chose (U-1, U-4)."""
    one = clients.resource("practitioner-1")
    page = opened(clients, service="individual-session", tz="Asia/Tokyo", resource=one, month=f"{coming_month():%Y-%m}")
    links = [asked(link) for link in page.links if "service=" in link and "/zone" not in link and "lang=ru" not in link]
    assert len(links) > 20
    assert all(
        (link["tz"], link["lang"], link["service"]) == ("Asia/Tokyo", "en", "individual-session") for link in links
    )
    assert all(link.get("resource") == one for link in links if "month" in link)
    others = {link.get("resource") for link in links}
    assert others == {None, *(clients.resource(f"practitioner-{number}") for number in (1, 2, 3))}


def test_whoever_names_no_day_sees_the_first_free_one(clients: Clients) -> None:
    """Without a day the first one is open on which something is free, in whichever month it is (A-3, U-1)."""
    with clients.altered("services", "individual-session", min_notice_minutes=45 * 1_440):
        shown = clients.days("individual-session", datetime.now(UTC).date(), tz="UTC")
        day = instant(shown["nextFree"]).date()
        page = opened(clients, service="individual-session", tz="UTC")
        assert min(free_days(page)) == day
        [current] = [given for tag, given in page.tags if tag == "a" and given.get("aria-current") == "date"]
        assert asked(current["href"] or "")["day"] == str(day)
        assert {datetime.fromtimestamp(start, UTC).date() for start in starts(page)} == {day}


def test_a_day_without_free_times_leads_to_the_next_one(clients: Clients) -> None:
    """A day and a month without anything free say so, and lead to the next day that has something (A-3, U-1)."""
    today = datetime.now(UTC).date()
    with clients.altered("services", "intro-call", min_notice_minutes=45 * 1_440):
        first = instant(clients.days("intro-call", today, tz="UTC")["nextFree"]).date()
        for query in ({"day": str(today)}, {"month": f"{today:%Y-%m}"}):
            page = opened(clients, service="intro-call", tz="UTC", **query)
            assert starts(page) == []
            assert "No free times" in page.text
            [link] = [link for link in page.links if f"day={first}" in link]
            led = Page(clients.http.get(unescape(link)))
            assert {datetime.fromtimestamp(start, UTC).date() for start in starts(led)} == {first}


def test_months_that_cannot_be_booked_are_not_led_to(clients: Clients) -> None:
    """The first month leads to none before it and the last to none after it; other months are the nearest of those (U-1)."""
    this, last = coming_month(0), (datetime.now(UTC) + timedelta(days=90)).date().replace(day=1)

    def ways(page: Page) -> list[str | None]:
        return [given.get("rel") for tag, given in page.tags if tag == "a" and given.get("rel") in ("prev", "next")]

    for month, seen, expected in (
        (this, this, ["next"]),
        (coming_month(), coming_month(), ["prev", "next"]),
        (last, last, ["prev"]),
        (date(2001, 1, 1), this, ["next"]),
        (date(2090, 1, 1), last, ["prev"]),
    ):
        page = opened(clients, service="intro-call", tz="UTC", month=f"{month:%Y-%m}")
        assert ways(page) == expected
        assert f"{seen:%B %Y}" in page.text


@pytest.mark.parametrize("month", ["2026-13", "2026", "next", "2026-1", "2026-11-21", "٢٠٢٦-11", "0000-01"])
def test_months_that_are_none(clients: Clients, month: str) -> None:
    """What is no month is refused by a page (H-1)."""
    answer = clients.http.get(START, params={"service": "intro-call", "month": month, "lang": "en"})
    assert answer.status_code == 400
    assert say("en", "That did not work") in answer.text


def next_change(zone: str, *, back: bool) -> datetime:
    """Return when the clocks of a zone are next put back, or forward."""
    now = int(datetime.now(UTC).timestamp())
    changes = offset_changes(zone, now, now + 400 * 86_400)
    at = next(at for (_, was), (at, will) in pairwise(changes) if (will < was) == back)
    return datetime.fromtimestamp(at, UTC)


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_day_on_which_clocks_are_changed_says_so(clients: Clients, language: str) -> None:
    """On such a day a note says from when to when the clocks go, in the client's zone; on the day before none does, and
    times that come twice say how far they are from UTC (A-5, U-1, U-4).
    """
    zone, more = "America/New_York", {"service": "intro-call", "lang": language}
    texts = {
        True: "On this day the clocks go back from %(before)s to %(after)s."
        " Times that come twice say how far they are ahead of UTC.",
        False: "On this day the clocks go forward from %(before)s to %(after)s.",
    }
    clock = {True: {"before": "02:00", "after": "01:00"}, False: {"before": "02:00", "after": "03:00"}}
    with clients.altered("services", "intro-call", max_horizon_days=420):
        for back, text in texts.items():
            note = say(language, text) % clock[back]
            day = next_change(zone, back=back).date()
            assert note in opened(clients, **more, tz=zone, day=day).text
            assert note not in opened(clients, **more, tz=zone, day=day - timedelta(days=1)).text
            assert note not in opened(clients, **more, tz="Europe/Moscow", day=day).text
        # Open in Moscow from nine, when it is one o'clock in New York for the second time.
        page = opened(clients, **more, tz=zone, day=next_change(zone, back=True).date())
        first = re.findall(r'aria-label="([^"]+)">(\d\d:\d\d)(?:<small>([^<]+)</small>)?<', page.source)[0]
        assert first[1:] == ("01:00", "UTC−5")
        assert first[0].endswith("01:00 UTC−5")


def test_a_zone_is_looked_for(clients: Clients) -> None:
    """Whoever lives elsewhere finds their zone by city or country, and comes back to where they were, in it (A-5, U-1)."""
    day = coming_month() + timedelta(days=3)
    page = opened(clients, service="open-studio", party=4, day=day)
    way = next(link for link in page.links if "/booking/slot/zone" in link)
    list_ = Page(clients.http.get(unescape(way)))
    assert 10 < len([link for link in list_.links if "tz=" in link]) < 60
    [search] = list_.forms
    found = Page(clients.http.get(search.action, params=search.fields | {"q": "владивос"}))
    [link] = [link for link in found.links if "tz=" in link]
    back = Page(clients.http.get(unescape(link)))
    assert "Vladivostok" in back.text
    assert asked(link) | {"lang": ""} == {
        "lang": "",
        "tz": "Asia/Vladivostok",
        "service": "open-studio",
        "party": "4",
        "day": str(day),
    }
    same = clients.days("open-studio", day, tz="Asia/Vladivostok", party_size=4)["days"][0]["slots"]
    assert starts(back) == [int(instant(slot["start"]).timestamp()) for slot in same]
    nothing = Page(clients.http.get(search.action, params=search.fields | {"q": "Atlantis", "lang": "ru"}))
    assert say("ru", "No city, country or zone has this in its name. Try a larger city nearby.") in nothing.text


def test_the_page_of_zones_leads_nowhere_else(clients: Clients) -> None:
    """Whatever its address says, the links of the page of zones stay with the business (H-1, U-1)."""
    hostile = {"service": "//evil.example/", "day": "https://evil.example", "q": '"><script>', "next": "//evil.example"}
    answer = clients.http.get(f"{START}/zone", params=hostile)
    assert answer.status_code == 200
    page = Page(answer)
    assert all(link.startswith(f"/{SLUG}/booking/slot") for link in page.links)
    assert "<script>" not in answer.text


def test_pages_without_secrets_are_sent_in_few_bytes(clients: Clients) -> None:
    """What anybody may see is compressed; a page that could show somebody's secret is not (H-1)."""
    reservation = clients.reserve("intro-call", clients.slots("intro-call", coming_month() + timedelta(days=20))[0])

    def coding(path: str) -> str | None:
        answer = clients.http.get(path, headers={"Accept-Encoding": "gzip"})
        assert answer.status_code == 200
        return answer.headers.get("content-encoding")

    assert coding(f"{START}?service=individual-session") == "gzip"
    assert coding(f"{START}/zone") == "gzip"
    assert coding(f"{START}/held/{reservation['reservationId']}") is None


def test_for_how_many_is_chosen_where_it_matters(clients: Clients) -> None:
    """A service of many places lets choose for how many, from one to all of them, and holds so many; one that takes a
    party of any size does not ask (B-3, U-1).
    """
    day = coming_month() + timedelta(days=12)
    assert not [link for link in opened(clients, service="couple-session", day=day).links if "party=" in link]

    def parties(page: Page) -> list[str]:
        near = [link for link in page.links if "party=" in link or "day=" in link]
        labels = re.findall(r'<a href="([^"]+)" data-swap aria-label="One person (less|more)"', page.source)
        assert all(unescape(link) in map(unescape, near) for link, _ in labels)
        return [f"{way} {asked(link).get('party', '1')}" for link, way in labels]

    assert parties(opened(clients, service="open-studio", day=day)) == ["more 2"]
    assert parties(opened(clients, service="open-studio", day=day, party=3)) == ["less 2", "more 4"]
    for party in (12, 13, 1_000):
        page = opened(clients, service="open-studio", day=day, party=party)
        assert parties(page) == ["less 11"]
        assert page.form.fields["party"] == "12"
    page = opened(clients, service="open-studio", day=day, party=3)
    answer = clients.http.post(page.form.action, data=page.form.fields | {"start": str(starts(page)[0])})
    assert answer.status_code == 303
    held = Page(clients.http.get(answer.headers["location"]))
    assert "3 places" in held.text
    reservation = answer.headers["location"].partition("?")[0].rpartition("/")[2]
    assert clients.read({"reservationId": reservation})["partySize"] == 3
    clients.http.delete(f"/api/booking/reservations/{reservation}")


@pytest.mark.parametrize("party", ["0", "-1", "many", "1.5", "9999999"])
def test_parties_that_are_none(clients: Clients, party: str) -> None:
    """What is no number of people is refused by a page, in an address as in a form (H-1)."""
    day = coming_month() + timedelta(days=12)
    seen = [clients.http.get(START, params={"service": "open-studio", "party": party})]
    form = opened(clients, service="open-studio", day=day).form
    start = next(value for name, value in form.buttons if name == "start")
    seen.append(clients.http.post(form.action, data=form.fields | {"start": start, "party": party}))
    assert [answer.status_code for answer in seen] == [400, 400]
