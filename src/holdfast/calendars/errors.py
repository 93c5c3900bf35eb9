"""What can go wrong for someone who connects a calendar, in words that say what to do."""

from holdfast.calendars.port import CalendarError
from holdfast.kernel.errors import UserError


class GoogleCalendarsOff(UserError):
    """The flag gcal_integration_enabled of the business is not on at a server of this stage."""

    code, status = "google_calendar_off", 409
    message = "Calendars of Google are switched off here: the setting gcal_integration_enabled says for which servers"


class GoogleNotConfigured(UserError):
    """This server has no client at Google, or does not know its own address."""

    code, status = "google_not_configured", 409
    message = (
        "This server cannot connect calendars of Google yet: whoever runs it sets HOLDFAST_GOOGLE_CLIENT_ID,"
        " HOLDFAST_GOOGLE_CLIENT_SECRET and HOLDFAST_PUBLIC_URL"
    )


class AuthorizationInvalid(UserError):
    """The way back from Google belongs to no way there: another person's, an old one, or one that was used."""

    code, status = "calendar_authorization_invalid", 400
    message = "This answer of Google belongs to no connection that you have begun in the last minutes; connect again"


class AccessDenied(UserError):
    """Somebody said no at the provider, or not to everything that is needed."""

    code, status = "calendar_access_denied", 409
    message = "Access to the calendar was not granted; connect again and allow everything that is asked for"


class GrantIncomplete(UserError):
    """Google has granted access for an hour and nothing that lasts, and nothing is kept from before."""

    code, status = "calendar_grant_incomplete", 409
    message = "Google has granted no lasting access; remove this server's access in the account, then connect again"


class CalendarUnreachable(UserError):
    """Nobody answers where the calendar should be, or not in time."""

    code, status = "calendar_unreachable", 422
    message = "The server of the calendar does not answer; check the address, or try again later"


class CalendarQuotaExceeded(UserError):
    """The provider was asked too often."""

    code, status = "calendar_quota_exceeded", 422
    message = "The provider asks for patience; try again in some minutes"


class CalendarRefused(UserError):
    """The provider does not want this, or the address is none that may be asked; `details.reason` says why."""

    code, status, message = "calendar_refused", 422, "The calendar cannot be connected"


class CalendarCredentialsRefused(UserError):
    """The provider does not, or no longer, let this account in."""

    code, status = "calendar_credentials_refused", 422
    message = "The account or its password is wrong, or access was withdrawn"


class CalendarNotThere(UserError):
    """Somebody answers, but there is no calendar."""

    code, status, message = "calendar_not_there", 422, "There is no calendar at this address"


class CalendarFeedBroken(UserError):
    """What is at the address is no calendar file, or too large a one."""

    code, status, message = "calendar_feed_broken", 422, "What is at this address is no calendar"


class CalendarNotWritable(UserError):
    """Appointments go only where we may write."""

    code, status, message = "calendar_not_writable", 409, "This calendar can only be read; choose another for exports"
    constraint = "calendars_exports_writable"


class OneExportCalendar(UserError):
    """An appointment stands in one calendar of an account."""

    code, status = "one_export_calendar", 409
    message = "Another calendar of this account receives the appointments; stop that first"


class NeedsConnectingAgain(UserError):
    """What Google had granted is void; trying again is of no use."""

    code, status, message = "calendar_needs_reconnect", 409, "Access was withdrawn; connect the account again"


class CalendarStopped(UserError):
    """Nothing is asked of this account until somebody says so."""

    code, status, message = "calendar_stopped", 409, "The provider has refused; look at why, then try the account again"


_ERRORS: dict[str, type[UserError]] = {
    "unreachable": CalendarUnreachable,
    "quota_exceeded": CalendarQuotaExceeded,
    "needs_reconnect": CalendarCredentialsRefused,
    "calendar_gone": CalendarNotThere,
    "feed_broken": CalendarFeedBroken,
}


def told(error: CalendarError) -> UserError:
    """Return what a provider has said no with as an error for whoever asked; its text never holds a secret."""
    known = _ERRORS.get(error.code)
    if known is not None:
        return known()
    return CalendarRefused(f"{CalendarRefused.message}: {error}", details={"reason": str(error)})
