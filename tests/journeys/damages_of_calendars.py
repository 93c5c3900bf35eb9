"""What can be wrong with appointments in calendars: SQL that damages them, and what `verify` says of that."""

from typing import Any

from journeys.damages import ANA, BEN, Damage, says
from journeys.practice import at, the
from journeys.references import NEW, PAST, row
from journeys.references_of_calendars import CALENDAR, CONNECTION, ITEM, calendar, conflict, connection, event
from journeys.references_of_calendars import INDEX as KEY

PLACED = "calendars.appointments_are_in_their_calendars"
# Somebody's calendar that is exported to, of whose events all is seen.
EXPORTED_TO = (
    connection() + calendar(access="write", exports=True) + "update calendar_export_feed set read_until = 'infinity';"
)
MOVED, ELSEWHERE, DEAD = the("moved"), the("booked"), the("cancelled")


def exported(booking: str, version: int, **values: Any) -> str:
    """Return SQL that inserts an event that was written."""
    times = {"starts_at": at("13:00"), "ends_at": at("14:00"), "exported_at": at("10:00", year=2020)}
    return event(booking_id=booking, state="exported", booking_version=version, **(times | values))


WHOSE = "calendars.calendars_tell_of_whose_they_are"
TAKEN = row(
    "calendar_busy_intervals",
    id=NEW,
    resource_id=ANA,
    during=PAST,
    source="calendar",
    calendar_id=CALENDAR,
    event_key=KEY,
)
RIGHT = exported(MOVED, 3)
WRONG = {says(PLACED, CALENDAR, MOVED)}

CALENDAR_DAMAGES: dict[str, Damage] = {
    "an appointment is in no calendar": (EXPORTED_TO, WRONG),
    "an event is as its booking was": (EXPORTED_TO + exported(MOVED, 2), WRONG),
    "an event is at another time than its booking": (EXPORTED_TO + exported(MOVED, 3, ends_at=at("15:00")), WRONG),
    "an event was never written and never will be": (EXPORTED_TO + event(booking_id=MOVED), WRONG),
    "an event that was removed belongs there": (EXPORTED_TO + event(booking_id=MOVED, state="removed"), WRONG),
    "an event stays where its booking is not": (
        EXPORTED_TO + RIGHT + exported(ELSEWHERE, 1) + event(booking_id=DEAD),
        {says(PLACED, CALENDAR, ELSEWHERE), says(PLACED, CALENDAR, DEAD)},
    ),
    "an event stays in a calendar that is exported to no longer": (
        EXPORTED_TO + RIGHT + f"update calendars set exports = false where id = '{CALENDAR}';",
        WRONG,
    ),
    "an event waits for a decision that nobody is asked for": (
        EXPORTED_TO + event(booking_id=MOVED, state="conflict"),
        WRONG,
    ),
    "an event is exported that staff have to decide about": (
        EXPORTED_TO + ITEM + RIGHT + conflict(booking_id=MOVED),
        WRONG,
    ),
    "a calendar tells of another resource than its connection": (
        connection() + calendar(resource_id=BEN),
        {says(WHOSE, CALENDAR, CONNECTION)},
    ),
    "a calendar blocks time though it is not to": (connection() + calendar() + TAKEN, {says(WHOSE, CALENDAR, NEW)}),
    "a calendar blocks the time of another resource": (
        connection() + calendar(resource_id=ANA, blocks=True) + TAKEN.replace(ANA, BEN),
        {says(WHOSE, CALENDAR, NEW)},
    ),
}

CALENDARS_SOUND = {
    "a calendar blocks the time of whom it tells": connection() + calendar(blocks=True) + TAKEN,
    "appointments are in their calendar": EXPORTED_TO + RIGHT + event(booking_id=DEAD, state="removed"),
    "an event is due": EXPORTED_TO + event(booking_id=MOVED, next_attempt_at=at("10:00")),
    "staff are asked about an event": (
        EXPORTED_TO + ITEM + event(booking_id=MOVED, state="conflict") + conflict(booking_id=MOVED)
    ),
    "what is past stays in a calendar that is exported to no longer": (
        EXPORTED_TO + exported(the("past"), 1) + f"update calendars set exports = false where id = '{CALENDAR}';"
    ),
    "nobody has looked at an appointment yet": connection() + calendar(access="write", exports=True),
}
