"""What the API does with single events."""

import re
import secrets
from typing import Any

from calendars.google.discovery import Call
from calendars.google.errors import GoogleError
from calendars.google.store import Calendar, Json

_CLIENT_ID = re.compile("[a-v0-9]{5,1024}")
# What only the calendar says.
_READ_ONLY = {"kind", "etag", "created", "updated", "htmlLink", "creator", "organizer"}


def check_times(calendar: Calendar, body: Json) -> None:
    """Refuse times that no event can have."""
    for name in ("start", "end"):
        if len(body.get(name, {}).keys() & {"date", "dateTime"}) != 1:
            raise GoogleError(400, "required")
    if body["start"].keys() & {"date"} != body["end"].keys() & {"date"}:
        raise GoogleError(400, "invalid")
    if "recurrence" in body and "dateTime" in body["start"] and "timeZone" not in body["start"]:
        raise GoogleError(400, "required")
    start, end = calendar.bounds(body)
    if end < start:
        raise GoogleError(400, "timeRangeEmpty")


def get(calendar: Calendar, call: Call, if_none_match: str | None) -> Json:
    """Return an event, one that was deleted as cancelled."""
    body = _existing(calendar, call)
    if if_none_match in {body["etag"], "*"}:
        raise GoogleError(304, "notModified")
    return body


def insert(calendar: Calendar, call: Call) -> Json:
    """Make an event under an id that the client has chosen, or under another."""
    body = _writable(call.body or {})
    event_id = body.setdefault("id", secrets.token_hex(13))
    if not _CLIENT_ID.fullmatch(event_id):
        raise GoogleError(400, "invalid")
    check_times(calendar, body)
    with calendar.lock:
        if calendar.find(event_id) is not None:
            raise GoogleError(409, "duplicate")
        return calendar.put(body)


def patch(calendar: Calendar, call: Call, if_match: str | None) -> Json:
    """Change the members that are named; null takes one away."""
    with calendar.lock:
        before = _existing(calendar, call)
        _check_version(before, if_match)
        body = _merged(before, _writable(call.body or {}))
        check_times(calendar, body)
        return calendar.put(body)


def update(calendar: Calendar, call: Call, if_match: str | None) -> Json:
    """Replace an event."""
    with calendar.lock:
        before = _existing(calendar, call)
        _check_version(before, if_match)
        kept = {name: before[name] for name in (*_READ_ONLY, "iCalUID", "recurringEventId") if name in before}
        body = _writable(call.body or {}) | kept | {"id": before["id"]}
        check_times(calendar, body)
        return calendar.put(body)


def delete(calendar: Calendar, call: Call, if_match: str | None) -> None:
    """Delete an event; one that is deleted is gone."""
    with calendar.lock:
        before = _existing(calendar, call)
        if before["status"] == "cancelled":
            raise GoogleError(410, "deleted")
        _check_version(before, if_match)
        calendar.put(before | {"status": "cancelled"})


def instances(calendar: Calendar, call: Call) -> Json:
    """Return the instances of a series."""
    master = _existing(calendar, call)
    found = [
        entry.body
        for entry in calendar.expanded.values()
        if entry.body.get("recurringEventId") == master["id"]
        and (entry.body["status"] != "cancelled" or call.query.get("showDeleted"))
    ]
    return {"kind": "calendar#events", "etag": master["etag"], "timeZone": calendar.time_zone, "items": found}


def _existing(calendar: Calendar, call: Call) -> Json:
    found = calendar.find(call.path["eventId"])
    if found is None:
        raise GoogleError(404, "notFound")
    return found


def _check_version(body: Json, if_match: str | None) -> None:
    if if_match not in {None, "*", body["etag"]}:
        raise GoogleError(412, "conditionNotMet")


def _writable(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in _READ_ONLY}


def _merged(before: Any, changes: Json) -> Json:
    made = dict(before) if isinstance(before, dict) else {}
    for name, value in changes.items():
        if value is None:
            made.pop(name, None)
        else:
            made[name] = _merged(made.get(name), value) if isinstance(value, dict) else value
    return made
