"""The id of the event that stands for a booking."""

import re
from uuid import UUID, uuid4

import pytest

from holdfast.calendars.event_ids import booking_of, event_id_of


def test_the_id_is_base32hex_of_the_booking() -> None:
    """An event id has only characters that Google allows, is the same each time, and leads back (C-3, calendars 1)."""
    for booking_id in [uuid4() for _ in range(200)] + [UUID(int=0), UUID(int=2**128 - 1)]:
        made = event_id_of(booking_id)
        assert re.fullmatch(r"[a-v0-9]{26}", made)
        assert event_id_of(booking_id) == made
        assert booking_of(made) == booking_id


@pytest.mark.parametrize("other", ["", "0" * 25, "0" * 27, "w" * 26, "É" * 26, "A" * 26, "0" * 25 + "=", "a-b" * 9])
def test_other_ids_are_of_no_booking(other: str) -> None:
    """What is no id of ours is of no booking, whatever it is (C-4)."""
    assert booking_of(other) is None
