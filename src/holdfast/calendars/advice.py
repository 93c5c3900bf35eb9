"""What to do about a calendar that does not work, by the code that says why, as in `docs/calendars.md` (C-1)."""

from holdfast.kernel.languages import N_

ADVICE = {
    "needs_reconnect": N_("Access was withdrawn or has ended. Connect the account again; nothing is made twice."),
    "refused": N_("The provider refuses. Look at the rights of the account, then try again."),
    "unreachable": N_(
        "The provider does not answer. It is tried again by itself; nothing is to be done unless it lasts."
    ),
    "quota_exceeded": N_("The provider was asked too often. It is tried again by itself, ever more rarely."),
    "calendar_gone": N_(
        "The calendar is not there any more, or not shared any more. Choose another, or share it again."
    ),
    "sync_point_gone": N_("The provider has forgotten what was seen. Everything is read anew by itself."),
    "feed_broken": N_("What is at the address is no calendar. What was read last stays; look at the address."),
    "already_there": N_("Another event has the id of ours. It is looked at again in a day; remove that event."),
    "changed": N_("The event changes faster than it can be written. It is tried again by itself."),
    "unexpected": N_("Something unforeseen has happened. It is tried again by itself; the worker's log tells more."),
    "calendar_error": N_("Something is wrong with this calendar. Try again, and look into the log of the worker."),
}


def advice_on(code: str | None) -> str | None:
    """Return what to do about an error; None where there is none."""
    return None if code is None else ADVICE.get(code, ADVICE["calendar_error"])
