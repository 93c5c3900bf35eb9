"""The content lines of a calendar file, unfolded one at a time, in memory that does not grow with the file.

Descriptions and attachments, which make up most of a file, are passed over without being kept.
"""

import re
from collections.abc import Iterator, Mapping
from typing import BinaryIO, Final, NamedTuple

from icalendar.parser import Contentline

from holdfast.availability.ics.errors import quoted, refusal

# What Holdfast writes into its own events.
BOOKING_PROPERTY: Final = "X-HOLDFAST-BOOKING"
VERSION_PROPERTY: Final = "X-HOLDFAST-VERSION"
# What is read of a file; all other properties are passed over.
READ: Final = frozenset(
    {b"BEGIN", b"END", b"UID", b"SEQUENCE", b"STATUS", b"TRANSP", b"DTSTART", b"DTEND", b"DURATION", b"RRULE"}
    | {b"RDATE", b"EXDATE", b"EXRULE", b"RECURRENCE-ID", b"FREEBUSY", b"X-WR-TIMEZONE"}
    | {b"TZID", b"TZOFFSETFROM", b"TZOFFSETTO", b"X-WR-CALNAME"}
    | {BOOKING_PROPERTY.encode(), VERSION_PROPERTY.encode()}
)
# Ten thousand exceptions of one event fit.
LONGEST_LINE_BYTES: Final = 262_144
_PIECE_BYTES: Final = 65_536
_NAME: Final = re.compile(rb"([A-Za-z0-9-]{1,200})[;:]")
_BOM: Final = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A content line: the number of the line on which it begins, its name in capitals, its parameters, its value."""

    number: int
    name: str
    params: Mapping[str, str | list[str]]
    value: str

    def param(self, name: str) -> str | None:
        """Return a parameter's value, the first one of several."""
        given = self.params.get(name)
        return given[0] if isinstance(given, list) else given


def content_lines(stream: BinaryIO) -> Iterator[Line]:
    """Yield the lines that are read. Raises CalendarFileInvalid for what is no content line."""
    number, begun, kept = 0, 0, bytearray()
    wanted = colon = True
    for number, piece, first in _pieces(stream):
        if first and piece[:1] not in {b" ", b"\t"}:
            yield from _finished(begun, kept, wanted=wanted, colon=colon)
            begun, kept, colon = 0, bytearray(), False
            if not piece.strip():
                continue
            begun = number
            name = _NAME.match(piece)
            if name is None:
                raise refusal(number, f"{_shown(piece)} is not a line of a calendar: a name, a colon, a value")
            wanted = name[1].upper() in READ
        elif begun == 0:
            if piece.strip():
                raise refusal(number, "this line goes on, but there is none before it")
            continue
        elif first:
            piece = piece[1:]  # noqa: PLW2901 - the blank that marks the fold is not part of the line
        if wanted:
            kept += piece
            if len(kept) > LONGEST_LINE_BYTES:
                raise refusal(begun, f"this line is longer than {LONGEST_LINE_BYTES} bytes")
        else:
            colon = colon or b":" in piece
    yield from _finished(begun, kept, wanted=wanted, colon=colon)


def _pieces(stream: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """Yield the physical lines without their ends; a very long one in several pieces, of which one is the first."""
    number, first = 1, True
    while piece := stream.readline(_PIECE_BYTES):
        ended = piece.endswith(b"\n")
        if number == 1 and first:
            piece = piece.removeprefix(_BOM)
        yield number, piece.rstrip(b"\r\n") if ended else piece, first
        first = ended
        number += ended


def _finished(number: int, kept: bytearray, *, wanted: bool, colon: bool) -> Iterator[Line]:
    if number == 0:
        return
    if not wanted:
        if not colon:
            raise refusal(number, "this line has no value: there is no colon in it")
        return
    try:
        text = kept.decode()
    except UnicodeDecodeError:
        raise refusal(number, "this line is not UTF-8") from None
    try:
        name, params, value = Contentline(text.rstrip("\r")).raw_parts()
    except ValueError:
        raise refusal(number, f"{_shown(kept)} is not a line of a calendar: a name, a colon, a value") from None
    yield Line(number, name.upper(), params, value.strip())


def _shown(piece: bytes | bytearray) -> str:
    return quoted(bytes(piece[:64]).decode(errors="replace"))
