"""Time zones by the names of their cities, as somebody looks for theirs (A-5, U-1).

Cities and countries are those of the CLDR, in the language of whoever looks.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from babel.core import Locale, get_global

from holdfast.availability.walltime import UnknownTimeZone, check_zone
from holdfast.kernel.languages import LANGUAGES, LOCALES

# Proposed before anybody has looked for one: from east to west, one of each time that many people live by.
COMMON = (
    "Asia/Kamchatka",
    "Asia/Vladivostok",
    "Australia/Sydney",
    "Asia/Tokyo",
    "Asia/Shanghai",
    "Asia/Novosibirsk",
    "Asia/Almaty",
    "Asia/Yekaterinburg",
    "Asia/Kolkata",
    "Asia/Dubai",
    "Asia/Tbilisi",
    "Europe/Moscow",
    "Asia/Jerusalem",
    "Europe/Istanbul",
    "Europe/Berlin",
    "Europe/London",
    "America/Sao_Paulo",
    "America/New_York",
    "America/Chicago",
    "America/Los_Angeles",
)


@dataclass(frozen=True, slots=True)
class Named:
    """A zone with its city, and the country of that where it has one, in a language."""

    zone: str
    city: str
    country: str


@cache
def named(zone: str, language: str) -> Named:
    """Return a zone by its city: the last part of its name where the CLDR knows no other."""
    locale = Locale.parse(LOCALES[language])
    zone_now = _aliases().get(zone, zone)
    for name in (zone, *_former()[zone_now]):
        city = locale.time_zones.get(name, {}).get("city")
        if city:
            break
    territory = get_global("zone_territories").get(zone_now, "001")
    country = "" if territory == "001" else str(locale.territories.get(territory, ""))
    return Named(zone, city or zone.rpartition("/")[2].replace("_", " "), country)


def looked_up(text: str, language: str, most: int) -> list[Named]:
    """Return the zones whose city, country or name has the text in it, in any language; the best matches first."""
    wanted = text.casefold().replace("ё", "е")
    found = []
    for zone, names in _names().items():
        begins = [name.startswith(wanted) for name in names if wanted in name]
        if begins:
            found.append((not any(begins), named(zone, language).city, zone))
    return [named(zone, language) for _, _, zone in sorted(found)[:most]]


def distance(offset: timedelta | None) -> str:
    """Return how far a clock is ahead of UTC: UTC+3, UTC−4:30."""
    minutes = round((offset or timedelta()).total_seconds() / 60)
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'−' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


@cache
def _names() -> Mapping[str, tuple[str, ...]]:
    """Return by which names each zone that stands for a place is found."""
    found = {}
    for zone in get_global("zone_territories"):
        try:
            check_zone(zone)
        except UnknownTimeZone:
            continue
        if not zone.startswith("Etc/") or zone == "Etc/UTC":
            said = [
                part for language in LANGUAGES for part in (named(zone, language).city, named(zone, language).country)
            ]
            plain = [part.casefold().replace("ё", "е") for part in (*said, zone, zone.replace("_", " ")) if part]
            found[zone] = tuple(dict.fromkeys(plain))
    return found


@cache
def _aliases() -> Mapping[str, str]:
    known: Mapping[str, str] = get_global("zone_aliases")
    return known


@cache
def _former() -> Mapping[str, list[str]]:
    """Return the names that each zone had before, by which the CLDR may still call it."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for former, zone in _aliases().items():
        found[zone].append(former)
    return found
