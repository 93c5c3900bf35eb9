"""Google Calendar v3 and Google's OAuth, with state, over real HTTP on loopback.

Every request that reaches it and every answer that it gives is checked against Google's discovery document.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from calendars.google import events
from calendars.google.channels import Channels
from calendars.google.discovery import Call, Violation, check_request, check_response, selected
from calendars.google.errors import GoogleError
from calendars.google.faults import Faults
from calendars.google.lists import Lists
from calendars.google.oauth import Grant, OAuth
from calendars.google.store import Calendar, Json

_ROLES = ("freeBusyReader", "reader", "writer", "owner")
# Google does not say how long a range may be.
_LONGEST_RANGE = timedelta(days=90)
_MOST_CALENDARS = 50


@dataclass(frozen=True)
class Called:
    """A call that was answered."""

    method: str
    path: dict[str, str]
    query: Json
    body: Json | None
    status: int


@dataclass
class Request:
    """A call with what of its headers matters."""

    call: Call
    grant: Grant
    if_match: str | None
    if_none_match: str | None


@dataclass
class FakeGoogle:
    """The state of it all. `violations` says what was not as the discovery document has it: it must stay empty."""

    url: str = ""
    oauth: OAuth = field(default_factory=OAuth)
    faults: Faults = field(default_factory=Faults)
    channels: Channels = field(default_factory=Channels)
    lists: Lists = field(default_factory=Lists)
    calendars: dict[str, Calendar] = field(default_factory=dict)
    calls: list[Called] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    # What freeBusy says of a calendar instead of its times, the next times that it is asked; nothing for its times.
    free_busy_errors: dict[str, list[str]] = field(default_factory=dict)

    def calendar(self, calendar_id: str | None = None, zone: str = "Europe/Moscow", role: str = "owner") -> Calendar:
        """Make a calendar of the account, by default its first one, and return it."""
        calendar_id = calendar_id or self.oauth.account
        made = Calendar(calendar_id, f"Calendar of {calendar_id}", zone, {self.oauth.account: role})
        made.listeners.append(self.channels.tell)
        self.calendars[calendar_id] = made
        return made

    def called(self, method: str) -> list[Called]:
        """Return the calls of a method so far."""
        return [call for call in self.calls if call.method == method]

    def answer(
        self, http_method: str, path: str, query: list[tuple[str, str]], body: Any, headers: Mapping[str, str]
    ) -> Json | None:
        """Do what a request to the API asks for and return the body of the answer.

        Raises GoogleError, Violation and Cut.
        """
        call = check_request(http_method, path, query, body)
        status = 200
        try:
            self.faults.strike(call.method.id, after=False)
            grant = self.oauth.bearer(headers.get("Authorization"), call.method.scopes)
            request = Request(call, grant, headers.get("If-Match"), headers.get("If-None-Match"))
            found = _ANSWERS[call.method.id](self, request)
            self.faults.strike(call.method.id, after=True)
            answer = selected(call.method, found, call.query.get("fields"))
            check_response(call.method, answer)
        except GoogleError as error:
            status = error.status
            raise
        except KeyError as unknown:
            raise Violation(f"the fake does not know {unknown}") from unknown
        finally:
            self.calls.append(Called(call.method.id, call.path, call.query, call.body, status))
        return answer

    def for_read(self, request: Request) -> tuple[Calendar, str]:
        """Return the calendar of a request, and what the account may do with it."""
        calendar_id = request.call.path["calendarId"]
        calendar = self.calendars.get(request.grant.email if calendar_id == "primary" else calendar_id)
        role = calendar.roles.get(request.grant.email) if calendar is not None else None
        if calendar is None or role is None:
            raise GoogleError(404, "notFound")
        return calendar, role

    def for_write(self, request: Request) -> Calendar:
        """Return the calendar of a request that changes it."""
        calendar, role = self.for_read(request)
        if _ROLES.index(role) < _ROLES.index("writer"):
            raise GoogleError(403, "requiredAccessLevel")
        return calendar


def _calendar_list(google: FakeGoogle, request: Request) -> Json:
    query, email = request.call.query, request.grant.email
    least = _ROLES.index(query.get("minAccessRole", "freeBusyReader"))
    entries = [
        _entry(calendar, email)
        for calendar in google.calendars.values()
        if email in calendar.roles and _ROLES.index(calendar.roles[email]) >= least
    ]
    first, size = int(query.get("pageToken", "0")), min(query.get("maxResults", 100), 250, google.lists.page_size)
    answer = {"kind": "calendar#calendarList", "etag": '"p1"', "items": entries[first : first + size]}
    if first + size < len(entries):
        return answer | {"nextPageToken": str(first + size)}
    return answer | {"nextSyncToken": "calendarlist=="}


def _entry(calendar: Calendar, email: str) -> Json:
    made = {
        "kind": "calendar#calendarListEntry",
        "etag": '"1"',
        "id": calendar.id,
        "summary": calendar.summary,
        "timeZone": calendar.time_zone,
        "colorId": "14",
        "backgroundColor": "#9fe1e7",
        "foregroundColor": "#000000",
        "selected": True,
        "accessRole": calendar.roles[email],
        "defaultReminders": [{"method": "popup", "minutes": 10}],
    }
    return made | ({"primary": True} if calendar.id == email else {})


def _calendar_list_entry(google: FakeGoogle, request: Request) -> Json:
    return _entry(google.for_read(request)[0], request.grant.email)


def _calendar(google: FakeGoogle, request: Request) -> Json:
    found = google.for_read(request)[0]
    return {
        "kind": "calendar#calendar",
        "etag": '"1"',
        "id": found.id,
        "summary": found.summary,
        "timeZone": found.time_zone,
    }


def _list(google: FakeGoogle, request: Request) -> Json:
    calendar, role = google.for_read(request)
    return google.lists.page(calendar, request.call.query, role)


def _watch(google: FakeGoogle, request: Request) -> Json:
    return google.channels.watch(google.for_read(request)[0], request.call.body or {})


def _free_busy(google: FakeGoogle, request: Request) -> Json:
    body = request.call.body or {}
    if not {"timeMin", "timeMax", "items"} <= body.keys():
        raise GoogleError(400, "required")
    if len(body["items"]) > _MOST_CALENDARS:
        raise GoogleError(400, "tooManyCalendarsRequested")
    first, last = (datetime.fromisoformat(body[name]) for name in ("timeMin", "timeMax"))
    if last <= first:
        raise GoogleError(400, "timeRangeEmpty")
    if last - first > _LONGEST_RANGE:
        raise GoogleError(400, "timeRangeTooLong")
    found = {item["id"]: _busy(google, request, item["id"], first, last) for item in body["items"]}
    return {"kind": "calendar#freeBusy", "timeMin": body["timeMin"], "timeMax": body["timeMax"], "calendars": found}


def _busy(google: FakeGoogle, request: Request, calendar_id: str, first: datetime, last: datetime) -> Json:
    calendar = google.calendars.get(calendar_id)
    if calendar is None or request.grant.email not in calendar.roles:
        return {"errors": [{"domain": "global", "reason": "notFound"}], "busy": []}
    if (errors := google.free_busy_errors.get(calendar_id)) and (reason := errors.pop(0)):
        return {"errors": [{"domain": "global", "reason": reason}], "busy": []}
    times = [calendar.bounds(body) for body in calendar.live().values() if body.get("transparency") != "transparent"]
    within = [(max(start, first), min(end, last)) for start, end in sorted(times) if start < last and end > first]
    return {"busy": [{"start": start.isoformat(), "end": end.isoformat()} for start, end in within]}


_ANSWERS: dict[str, Callable[[FakeGoogle, Request], Json | None]] = {
    "calendar.calendarList.list": _calendar_list,
    "calendar.calendarList.get": _calendar_list_entry,
    "calendar.calendars.get": _calendar,
    "calendar.events.list": _list,
    "calendar.events.watch": _watch,
    "calendar.freebusy.query": _free_busy,
    "calendar.channels.stop": lambda google, request: google.channels.stop(request.call.body or {}),
    "calendar.events.get": lambda google, request: events.get(
        google.for_read(request)[0], request.call, request.if_none_match
    ),
    "calendar.events.instances": lambda google, request: events.instances(google.for_read(request)[0], request.call),
    "calendar.events.insert": lambda google, request: events.insert(google.for_write(request), request.call),
    "calendar.events.patch": lambda google, request: events.patch(
        google.for_write(request), request.call, request.if_match
    ),
    "calendar.events.update": lambda google, request: events.update(
        google.for_write(request), request.call, request.if_match
    ),
    "calendar.events.delete": lambda google, request: events.delete(
        google.for_write(request), request.call, request.if_match
    ),
}
