"""What can be wrong with series: SQL that damages them, and what `verify` says of that."""

from journeys.damages import NOWHERE, Damage, says
from journeys.practice import the

COURSE = the("course")


def position(number: int, booking: str, series: str = COURSE) -> str:
    """Return SQL that adds a booking to a series."""
    return f"insert into series_bookings values ('{the('business')}', '{series}', {number}, '{the(booking)}');"


SERIES: dict[str, Damage] = {
    "a series has lost its bookings": (
        f"delete from series_bookings where series_id = '{COURSE}';",
        {says("series_have_bookings", COURSE)},
    ),
    "a series belongs to no business": (
        f"insert into booking_series values ('{NOWHERE}', '{the('new')}');",
        {says("series_have_bookings", the("new"))},
    ),
    "the first booking of a series is missing": (
        f"delete from series_bookings where series_id = '{COURSE}' and position = 1;",
        {says("series_are_numbered_densely", COURSE)},
    ),
    "a booking in the middle of a series is missing": (
        position(4, "past"),
        {says("series_are_numbered_densely", COURSE)},
    ),
    "a position of a series is given twice": (
        position(2, "past"),
        {says("series_are_numbered_densely", COURSE)},
    ),
    "a booking is in a series twice": (
        position(3, "open"),
        {says("bookings_are_in_one_series", the("open"), *[COURSE] * 2)},
    ),
    "a booking is in two series": (
        f"insert into booking_series values ('{the('business')}', '{the('new')}');" + position(1, "open", the("new")),
        {says("bookings_are_in_one_series", the("open"), *sorted([COURSE, the("new")]))},
    ),
}
