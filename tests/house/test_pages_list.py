"""The tests of pages go over every page that there is."""

import re

from browser.pages_list import NO_PAGES, PAGES
from holdfast import config, web

# What programs ask for.
_NOT_FOR_PEOPLE = ("/api/", "/health", "/metrics", "/schema", "/static", "/bench")


def _served() -> set[str]:
    """Return the paths that people open."""
    return {
        re.sub(r":\w+}", "}", path)
        for route in web.handlers(config.Settings())
        if "GET" in route.http_methods
        for path in route.paths
        if not path.startswith(_NOT_FOR_PEOPLE)
    }


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{[^}]*}", "[^/]+", path))


def test_every_page_is_in_the_list_of_the_tests() -> None:
    """A page that is served stands in tests/browser/pages_list.py, or there is why it is none (U-5)."""
    listed = [address.path.partition("?")[0].rstrip("/") for address in PAGES]
    unlisted = [path for path in _served() if not any(map(_pattern(path).fullmatch, listed)) and path not in NO_PAGES]
    assert sorted(unlisted) == []
    assert sorted(set(NO_PAGES) - _served()) == []


def test_every_page_in_the_list_is_served() -> None:
    """The list has no page that is gone, and none twice."""
    patterns = [_pattern(path) for path in _served()]
    gone = [a.path for a in PAGES if not any(one.fullmatch(a.path.partition("?")[0].rstrip("/")) for one in patterns)]
    assert gone == []
    assert len(set(PAGES)) == len(PAGES)
