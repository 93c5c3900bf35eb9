"""What is asked of a server of CalDAV, and what it answers, in XML (RFC 4918, 4791, 6578)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as ET
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape

from holdfast.calendars.port import Unreachable, Window

DAV: Final = "{DAV:}"
CALDAV: Final = "{urn:ietf:params:xml:ns:caldav}"
_NAMES: Final = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
# An answer about twenty thousand events has a third of this.
_MOST_ELEMENTS: Final = 500_000
# A part of an answer that stands for the rest, which is not told at once (RFC 6578, 3.6).
_INSUFFICIENT_STORAGE: Final = 507


@dataclass(frozen=True, slots=True)
class Response:
    """What a multistatus says of one thing: the properties that it has, or by its status that it is not there."""

    href: str
    status: int | None
    properties: Mapping[str, Element]

    @property
    def gone(self) -> bool:
        """Whether it is not there."""
        return self.status in {404, 410}

    def text(self, name: str) -> str | None:
        """Return the text of a property, None when there is none."""
        found = self.properties.get(name)
        return (found.text or "").strip() or None if found is not None else None

    def href_in(self, name: str) -> str | None:
        """Return the address that a property holds."""
        found = self.properties.get(name)
        return None if found is None else (found.findtext(f"{DAV}href") or "").strip() or None


@dataclass(frozen=True, slots=True)
class Multistatus:
    """What a server says of several things; `truncated` when it would say more if it were asked again."""

    responses: list[Response]
    sync_token: str | None
    truncated: bool


class _Builder(ET.TreeBuilder):
    """Refuses what becomes gigabytes from a few bytes, or names files: declarations, and too many elements."""

    def __init__(self) -> None:
        super().__init__()
        self._elements = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> Element:
        self._elements += 1
        if self._elements > _MOST_ELEMENTS:
            raise ValueError("too many elements")
        return super().start(tag, attrs)

    def doctype(self, _name: str, _public_id: str | None, _system: str | None) -> None:
        raise ValueError("a document type")


def parsed(body: bytes) -> Element:
    """Return the root of an answer. Raises Unreachable when it is no XML."""
    try:
        return ET.fromstring(body, ET.XMLParser(target=_Builder()))  # noqa: S314 - see _Builder
    except (ET.ParseError, ValueError, LookupError):
        raise Unreachable("the server's answer cannot be read") from None


def multistatus(body: bytes) -> Multistatus:
    """Return what an answer says. Raises Unreachable when it is none to such a question."""
    root = parsed(body)
    if root.tag != f"{DAV}multistatus":
        raise Unreachable("the server's answer cannot be read")
    responses = [each for part in root.iter(f"{DAV}response") for each in _responses(part)]
    truncated = any(each.status == _INSUFFICIENT_STORAGE for each in responses)
    told = [each for each in responses if each.status != _INSUFFICIENT_STORAGE]
    return Multistatus(told, (root.findtext(f"{DAV}sync-token") or "").strip() or None, truncated)


def conditions(body: bytes) -> set[str]:
    """Return the names of what an answer says was not as it has to be; none when it does not say."""
    try:
        root = parsed(body)
    except Unreachable:
        return set()
    return {each.tag for each in root} if root.tag == f"{DAV}error" else set()


def _responses(part: Element) -> Iterator[Response]:
    status = _status(part.findtext(f"{DAV}status"))
    properties = {
        each.tag: each
        for propstat in part.iter(f"{DAV}propstat")
        if _status(propstat.findtext(f"{DAV}status")) == 200
        for prop in propstat.iter(f"{DAV}prop")
        for each in prop
    }
    # What is not there may be named many times in one part.
    for href in part.findall(f"{DAV}href"):
        if href.text and href.text.strip():
            yield Response(href.text.strip(), status, properties)


def _status(line: str | None) -> int | None:
    words = (line or "").split()
    return int(words[1]) if len(words) > 1 and words[1].isascii() and words[1].isdigit() else None


def propfind(*names: str) -> bytes:
    """Ask for properties."""
    return _document(f"<D:propfind {_NAMES}><D:prop>{_asked(names)}</D:prop></D:propfind>")


def sync_collection(token: str) -> bytes:
    """Ask for what has changed since a token."""
    return _document(
        f"<D:sync-collection {_NAMES}><D:sync-token>{escape(token)}</D:sync-token><D:sync-level>1</D:sync-level>"
        "<D:prop><D:getetag/></D:prop></D:sync-collection>"
    )


def multiget(paths: Iterable[str]) -> bytes:
    """Ask for objects."""
    hrefs = "".join(f"<D:href>{escape(path)}</D:href>" for path in paths)
    return _document(
        f"<C:calendar-multiget {_NAMES}><D:prop><D:getetag/><C:calendar-data/></D:prop>{hrefs}</C:calendar-multiget>"
    )


def in_window(window: Window) -> bytes:
    """Ask for the names of the events that take place within a window."""
    return _query(_range(window))


def with_uid(uid: str) -> bytes:
    """Ask for the name of the event with a UID."""
    match = f'<C:text-match collation="i;octet">{escape(uid)}</C:text-match>'
    return _query(f'<C:prop-filter name="UID">{match}</C:prop-filter>')


def free_busy(window: Window) -> bytes:
    """Ask when somebody is busy."""
    return _document(f"<C:free-busy-query {_NAMES}>{_range(window)}</C:free-busy-query>")


def _query(condition: str) -> bytes:
    return _document(
        f"<C:calendar-query {_NAMES}><D:prop><D:getetag/></D:prop><C:filter>"
        f'<C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">{condition}</C:comp-filter></C:comp-filter>'
        "</C:filter></C:calendar-query>"
    )


def _range(window: Window) -> str:
    start, end = (f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}" for at in (window.start, window.end))
    return f'<C:time-range start="{start}" end="{end}"/>'


def _asked(names: Iterable[str]) -> str:
    return "".join(f"<{name.replace(DAV, 'D:').replace(CALDAV, 'C:')}/>" for name in names)


def _document(text: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?>{text}'.encode()
