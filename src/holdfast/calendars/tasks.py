"""What of calendars needs a person, as it stands in the inbox."""

from holdfast.kernel.attention import KINDS
from holdfast.kernel.tracking import identifier, instant, one_of

# The subject is the booking; the conflict is what staff decide about.
MOVED = KINDS.declare("calendar_event_moved", conflict=identifier, calendar=identifier)
DELETED = KINDS.declare("calendar_event_deleted", conflict=identifier, calendar=identifier)
OVERLAPPED = KINDS.declare("calendar_overlap", conflict=identifier, calendar=identifier)
# Another event has the id of ours: nothing is exported for the booking until that is gone.
ID_TAKEN = KINDS.declare("calendar_event_id_taken", calendar=identifier)
NOT_EXPORTED = KINDS.declare("calendar_event_not_exported", calendar=identifier)

# The subject is the connection.
NEEDS_RECONNECT = KINDS.declare("calendar_needs_reconnect", provider=one_of("google", "caldav", "ics"))
STOPPED = KINDS.declare("calendar_stopped", provider=one_of("google", "caldav", "ics"))
# The subject is the calendar.
UNREADABLE = KINDS.declare("calendar_unreadable")
GONE = KINDS.declare("calendar_gone")
STALE = KINDS.declare("calendar_stale", since=instant)
