"""Calendars, conflicts and payment accounts in words."""

from holdfast.calendars.conflicts import ConflictKind, ConflictState
from holdfast.kernel.languages import N_

CONNECTED_BY = {"google": N_("Google Calendar"), "caldav": N_("CalDAV"), "ics": N_("Calendar file")}

# How a connection is, and in which colour it is told.
CALENDAR_STATES = {
    "works": (N_("Works"), "good"),
    "first": (N_("First look under way"), "cool"),
    "troubled": (N_("Has trouble"), "warn"),
    "stale": (N_("Not up to date"), "bad"),
    "unused": (N_("Used for nothing"), ""),
    "needs_reconnect": (N_("Has to be connected again"), "bad"),
    "stopped": (N_("Stopped"), "bad"),
}
PAYMENT_ACCOUNT_STATES = {
    "active": (N_("Takes payments"), "good"),
    "inactive": (N_("Takes no new payments"), ""),
    "unauthorized": (N_("The provider refuses the key"), "bad"),
}

# What somebody reads who comes back from Google without a calendar.
PROBLEMS_OF_GOOGLE = {
    "authentication_required": N_("You were not signed in here any more. Connect the calendar again."),
    "forbidden": N_("Only owners may connect calendars."),
    "google_calendar_off": N_("Calendars of Google are switched off here."),
    "google_not_configured": N_("This server is not set up for calendars of Google yet."),
    "calendar_authorization_invalid": N_(
        "This answer of Google belongs to no connection that you have begun in the last ten minutes. If you have opened"
        " it twice, the calendar may well be connected; otherwise connect it again."
    ),
    "calendar_access_denied": N_(
        "Access to the calendar was not granted. Connect it again and allow everything that is asked for."
    ),
    "calendar_grant_incomplete": N_(
        "Google has granted no lasting access. Remove this server's access in your account at Google, then connect the"
        " calendar again."
    ),
    "calendar_unreachable": N_("Google does not answer. Try again later."),
    "calendar_quota_exceeded": N_("Google asks for patience. Try again in some minutes."),
    "calendar_not_there": N_("This account has no calendar of its own."),
    "else": N_("Connect the calendar again. If that does not help, ask whoever runs this server."),
}

CONFLICTS = {
    ConflictKind.MOVED: N_("Somebody has moved the appointment in the calendar"),
    ConflictKind.DELETED: N_("Somebody has deleted the appointment in the calendar"),
    ConflictKind.OVERLAP: N_("Something else stands over the appointment in the calendar"),
}
CONFLICT_STATES = {
    ConflictState.OPEN: (N_("Open"), "warn"),
    ConflictState.ACCEPTED: (N_("Taken over"), "good"),
    ConflictState.RESTORED: (N_("Written back"), "good"),
    ConflictState.IGNORED: (N_("Left as it is"), ""),
    ConflictState.SUPERSEDED: (N_("Settled by itself"), ""),
}
