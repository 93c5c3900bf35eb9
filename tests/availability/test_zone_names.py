"""Time zones are found by the names by which people know them."""

from datetime import timedelta

import pytest

from holdfast.availability.walltime import check_zone, zones
from holdfast.availability.zone_names import COMMON, distance, looked_up, named


@pytest.mark.parametrize(
    ("text", "zone"),
    [
        ("Москва", "Europe/Moscow"),
        ("moscow", "Europe/Moscow"),
        ("токио", "Asia/Tokyo"),
        ("Нью-Йорк", "America/New_York"),
        ("new york", "America/New_York"),
        ("America/Argentina/Buenos", "America/Argentina/Buenos_Aires"),
        ("Кёльн", None),
        ("Грузия", "Asia/Tbilisi"),
        ("georgia", "Asia/Tbilisi"),
        ("UTC", "Etc/UTC"),
        ("%", None),
    ],
)
def test_a_zone_is_found_by_its_city_or_country(text: str, zone: str | None) -> None:
    """City, country and the name of a zone lead to it, in either language and however they are cased (A-5, U-1)."""
    for language in ("en", "ru"):
        found = [each.zone for each in looked_up(text, language, 40)]
        assert found == [] if zone is None else zone in found


def test_what_begins_with_the_text_comes_first() -> None:
    """Of more zones than are shown those come first whose name begins so; what is found can be chosen (A-5, U-1)."""
    found = looked_up("lon", "en", 3)
    assert found[0].city == "London"
    assert len(found) == 3
    assert all(check_zone(each.zone) for each in looked_up("a", "en", 1_000))


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_zone_has_a_name(language: str) -> None:
    """Each zone that an address may name is called by something, and those that are proposed by city and country (U-1, U-4)."""
    assert all(named(zone, language).city for zone in zones())
    assert all(named(zone, language).country for zone in COMMON)
    assert {"en": "Kolkata", "ru": "Калькутта"}[language] == named("Asia/Kolkata", language).city


def test_how_far_a_clock_is_ahead() -> None:
    """The distance from UTC is said with its minutes only where it has any (A-5)."""
    said = [distance(timedelta(minutes=m)) for m in (0, 180, 330, -150, -30)]
    assert said == ["UTC+0", "UTC+3", "UTC+5:30", "UTC−2:30", "UTC−0:30"]
