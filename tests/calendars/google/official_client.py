"""Drives the fake with Google's own client, in a process of its own: it blocks, and brings its own HTTP.

Takes what it needs to know as JSON on stdin and prints what it has met as JSON.
"""

import json
import sys
from typing import Any

from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

# For what the server answers no to.
_STATUSES: dict[str, int] = {}


def main() -> None:
    """Go through the life of a calendar."""
    given = json.load(sys.stdin)
    credentials = Credentials(
        given["access_token"],
        refresh_token=given["refresh_token"],
        token_uri=given["token_uri"],
        client_id=given["client_id"],
        client_secret=given["client_secret"],
    )
    api = build(
        "calendar", "v3", credentials=credentials, static_discovery=True, client_options={"api_endpoint": given["api"]}
    )
    found: dict[str, Any] = {"calendars": [entry["id"] for entry in api.calendarList().list().execute()["items"]]}
    found["pages"], token = _read(api, given["calendar"], maxResults=2, singleEvents=True)
    found |= _write(api, given["calendar"])
    found["changes"], token = _read(api, given["calendar"], syncToken=token, maxResults=2, singleEvents=True)
    found["unchanged"], _ = _read(api, given["calendar"], syncToken=token, maxResults=2, singleEvents=True)
    asked = {"timeMin": given["from"], "timeMax": given["until"], "items": [{"id": given["calendar"]}, {"id": "none"}]}
    found["busy"] = api.freebusy().query(body=asked).execute()["calendars"]
    channel = {"id": "0f2c", "type": "web_hook", "address": given["hook"], "token": "t", "params": {"ttl": "3600"}}
    watched = api.events().watch(calendarId=given["calendar"], body=channel).execute()
    found["stopped"] = api.channels().stop(body={"id": "0f2c", "resourceId": watched["resourceId"]}).execute()
    _expect("old token", api.events().list(calendarId=given["calendar"], syncToken="none", singleEvents=True))
    found["statuses"] = _STATUSES
    json.dump(found, sys.stdout)


def _read(api: Any, calendar: str, **asked: Any) -> tuple[list[list[str]], str]:
    pages, request = [], api.events().list(calendarId=calendar, **asked)
    while request is not None:
        answer = request.execute()
        pages.append([f"{event['id']} {event['status']}" for event in answer["items"]])
        request = api.events().list_next(request, answer)
    return pages, answer["nextSyncToken"]


def _write(api: Any, calendar: str) -> dict[str, Any]:
    event = {
        "id": "0123456789abcdefghijklmnop",
        "summary": "Made by the official client",
        "start": {"dateTime": "2027-03-01T10:00:00+03:00"},
        "end": {"dateTime": "2027-03-01T11:00:00+03:00"},
        "extendedProperties": {"private": {"mark": "1"}},
    }
    made = api.events().insert(calendarId=calendar, body=event).execute()
    _expect("twice", api.events().insert(calendarId=calendar, body=event))
    named = {"calendarId": calendar, "eventId": made["id"]}
    old = api.events().patch(**named, body={"summary": "Another name"})
    old.headers["If-Match"] = '"older"'
    _expect("old version", old)
    changed = api.events().patch(
        **named, body={"summary": "Another name", "extendedProperties": {"private": {"b": "2"}}}
    )
    changed.headers["If-Match"] = made["etag"]
    now = changed.execute()
    marked = api.events().list(calendarId=calendar, privateExtendedProperty="mark=1").execute()["items"]
    api.events().delete(**named).execute()
    _expect("deleted twice", api.events().delete(**named))
    _expect("unknown", api.events().get(calendarId=calendar, eventId="none00"))
    return {
        "properties": now["extendedProperties"],
        "other_version": now["etag"] != made["etag"],
        "marked": [item["id"] for item in marked],
        "after": api.events().get(**named).execute()["status"],
    }


def _expect(name: str, request: Any) -> None:
    try:
        request.execute()
    except HttpError as refused:
        _STATUSES[name] = refused.status_code


main()
