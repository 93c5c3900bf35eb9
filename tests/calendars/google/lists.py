"""How events are listed: windows, pages, and what has changed since a token was given."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from calendars.google.discovery import Violation
from calendars.google.errors import GoogleError
from calendars.google.store import Calendar, Entry, Json, least

# With these there is no token for a later look, and none of them goes with one.
_NO_TOKEN = {"iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "updatedMin"}
_NOT_WITH_TOKEN = _NO_TOKEN | {"timeMin", "timeMax"}
# Which page of a look it is, and how much of it is told.
_OF_THE_PAGE = {"pageToken", "syncToken", "maxResults", "fields", "alt", "prettyPrint", "key", "quotaUser"}


@dataclass
class Point:
    """Where a look at a calendar goes on: a change, and what was asked for when it began."""

    calendar_id: str
    changed: int
    query: Json


@dataclass
class Rest:
    """The pages of a look that are still to come."""

    query: Json
    items: list[Json]
    point: Point | None


class Lists:
    """The tokens that were given, of all calendars."""

    def __init__(self) -> None:
        self._points: dict[str, Point] = {}
        self._rests: dict[str, Rest] = {}
        # A page is never larger, whatever was asked for.
        self.page_size = 2_500
        # How long pages are, one after the other; a zero is an empty page.
        self.short_pages: list[int] = []
        # Whether a last page says where to go on.
        self.gives_tokens = True
        # Whether what is deleted says so; all that Google guarantees is by what it is known.
        self.tells_deleted = True

    def forget(self, calendar_id: str | None = None) -> None:
        """Let the tokens of a calendar, or of all, be too old."""
        for token, point in list(self._points.items()):
            if calendar_id in {None, point.calendar_id}:
                del self._points[token]

    def page(self, calendar: Calendar, query: Json, role: str) -> Json:
        """Return one page; raises GoogleError, and Violation for what Google leaves undefined."""
        if "pageToken" in query:
            rest = self._rests.get(query["pageToken"])
            if rest is None:
                raise GoogleError(400, "invalid")
            _refuse_others(rest.query, query, "pageToken")
        else:
            with calendar.lock:
                rest = self._begin(calendar, query)
        size = min(query.get("maxResults", 250), self.page_size)
        if self.short_pages and rest.items:
            size = min(size, self.short_pages.pop(0))
        items, later = rest.items[:size], rest.items[size:]
        answer = {
            "kind": "calendar#events",
            "etag": f'"p{calendar.changed}"',
            "summary": calendar.summary,
            "timeZone": calendar.time_zone,
            "updated": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
            "accessRole": role,
            "defaultReminders": [],
            "items": [self._seen(item, role, query.get("maxAttendees")) for item in items],
        }
        if later:
            answer["nextPageToken"] = self._keep(self._rests, Rest(rest.query, later, rest.point))
        elif rest.point is not None and self.gives_tokens:
            answer["nextSyncToken"] = self._keep(self._points, rest.point)
        return answer

    def _begin(self, calendar: Calendar, query: Json) -> Rest:
        if "syncToken" not in query:
            point = None if _NO_TOKEN & query.keys() else Point(calendar.id, calendar.changed, query)
            return Rest(query, _all(calendar, query), point)
        if with_token := _NOT_WITH_TOKEN & query.keys():
            raise Violation(f"with a sync token: {', '.join(sorted(with_token))}")
        if query.get("showDeleted") is False:
            raise GoogleError(400, "invalid")
        since = self._points.get(query["syncToken"])
        if since is None or since.calendar_id != calendar.id:
            raise GoogleError(410, "fullSyncRequired")
        bounds = {name: since.query[name] for name in ("timeMin", "timeMax") if name in since.query}
        _refuse_others(since.query, query | bounds, "syncToken")
        return Rest(query, _since(calendar, since), Point(calendar.id, calendar.changed, since.query))

    def _seen(self, body: Json, role: str, most_attendees: int | None) -> Json:
        if body["status"] == "cancelled":
            return least(body, told=self.tells_deleted)
        if role == "freeBusyReader":
            hidden = ("kind", "etag", "id", "status", "start", "end", "recurringEventId", "originalStartTime")
            return {name: body[name] for name in hidden if name in body} | {"visibility": "private"}
        if most_attendees is not None and len(body.get("attendees", ())) > most_attendees:
            own = [attendee for attendee in body["attendees"] if attendee.get("self")]
            return body | {"attendees": own, "attendeesOmitted": True}
        return body

    @staticmethod
    def _keep(kept: dict[str, Any], value: Any) -> str:
        token = secrets.token_hex(12) + "=="
        kept[token] = value
        return token


def _entries(calendar: Calendar, query: Json) -> list[Entry]:
    return list((calendar.expanded if query.get("singleEvents") else calendar.written).values())


def _all(calendar: Calendar, query: Json) -> list[Json]:
    found = [
        entry.body
        for entry in _entries(calendar, query)
        if (entry.body["status"] != "cancelled" or query.get("showDeleted"))
        and _is_within(calendar, entry.body, query)
        and _matches(entry.body, query)
    ]
    if query.get("orderBy") == "startTime":
        if not query.get("singleEvents"):
            raise GoogleError(400, "invalid")
        found.sort(key=lambda body: calendar.bounds(body)[0])
    return found


def _since(calendar: Calendar, since: Point) -> list[Json]:
    changed = sorted(
        (entry for entry in _entries(calendar, since.query) if entry.changed > since.changed),
        key=lambda entry: entry.changed,
    )
    # An instance that is far from the window now and was far from it before is none of the look's concern.
    return [
        body
        for entry in changed
        if _is_within(calendar, body := entry.body, since.query)
        or "originalStartTime" not in body
        or _is_within(
            calendar, body | {"start": body["originalStartTime"], "end": body["originalStartTime"]}, since.query
        )
    ]


def _is_within(calendar: Calendar, body: Json, query: Json) -> bool:
    start, end = calendar.bounds(body)
    return not (
        ("timeMin" in query and end <= datetime.fromisoformat(query["timeMin"]) and "recurrence" not in body)
        or ("timeMax" in query and start >= datetime.fromisoformat(query["timeMax"]))
    )


def _matches(body: Json, query: Json) -> bool:
    private = body.get("extendedProperties", {}).get("private", {})
    return (
        all(
            private.get(name) == value
            for name, _, value in (text.partition("=") for text in query.get("privateExtendedProperty", ()))
        )
        and query.get("iCalUID", body["iCalUID"]) == body["iCalUID"]
        and query.get("q", "").lower() in (body.get("summary", "") + body.get("description", "")).lower()
        and body["eventType"] in query.get("eventTypes", [body["eventType"]])
        and body["updated"] >= query.get("updatedMin", "")
    )


def _refuse_others(first: Json, now: Json, token: str) -> None:
    """Refuse parameters that differ from those of the first call: Google does not say what it does then."""
    for name in (first.keys() | now.keys()) - _OF_THE_PAGE:
        if first.get(name) != now.get(name):
            raise Violation(f"with {token} {name} is not that of the first call")
