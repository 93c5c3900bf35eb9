"""The fake Google keeps Google's contract, and does not let others break it."""

import json
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path

import pytest

from calendars.google.discovery import Violation, check_request, check_response, selected
from calendars.google.fake import FakeGoogle
from calendars.google.server import API, TOKEN, fake_google

_SCOPE = "https://www.googleapis.com/auth/calendar"
_TEN = datetime(2027, 3, 1, 10, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_EVENT = {"start": {"dateTime": "2027-03-01T10:00:00Z"}, "end": {"dateTime": "2027-03-01T11:00:00Z"}}


def test_the_official_client_drives_the_fake(google: FakeGoogle) -> None:
    """Google's own client pages, syncs, writes, meets conflicts and watches: the fake is shaped after Google, not after our
    adapter (C-8, the contract of calendars).
    """
    calendar = google.calendar()
    kept = [calendar.add(_TEN + n * _HOUR, _TEN + (n + 1) * _HOUR) for n in range(5)]
    token, refresh = google.oauth.grant(google.oauth.account, _SCOPE)
    google.oauth.expire_access_tokens()
    given = {
        "access_token": token,
        "refresh_token": refresh,
        "token_uri": google.url + TOKEN,
        "client_id": google.oauth.client_id,
        "client_secret": google.oauth.client_secret,
        "api": google.url + API,
        "calendar": calendar.id,
        "from": "2027-03-01T00:00:00Z",
        "until": "2027-03-02T00:00:00Z",
        "hook": "https://calendars.test/hook",
    }
    script = Path(__file__).parent / "google" / "official_client.py"
    done = subprocess.run(
        [sys.executable, "-I", script],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    own = "0123456789abcdefghijklmnop"
    busy = {"busy": [{"start": "2027-03-01T13:00:00+03:00", "end": "2027-03-01T14:00:00+03:00"}]}
    assert found.pop("busy")[calendar.id]["busy"][0] == busy["busy"][0]
    assert found == {
        "calendars": [calendar.id],
        "pages": [
            [f"{e} confirmed" for e in kept[:2]],
            [f"{e} confirmed" for e in kept[2:4]],
            [f"{kept[4]} confirmed"],
        ],
        "properties": {"private": {"mark": "1", "b": "2"}},
        "other_version": True,
        "marked": [own],
        "after": "cancelled",
        "changes": [[f"{own} cancelled"]],
        "unchanged": [[]],
        "stopped": "",
        "statuses": {"twice": 409, "old version": 412, "deleted twice": 410, "unknown": 404, "old token": 410},
    }
    # An access token that is too old is renewed, once.
    assert google.oauth.renewals == 1


@pytest.mark.parametrize(
    ("http_method", "path", "query", "body"),
    [
        ("GET", "calendars/a/eventz", [], None),
        ("POST", "calendars/a/events/b", [], _EVENT),
        ("GET", "calendars/a/events", [("since", "2027")], None),
        ("GET", "calendars/a/events", [("timeMin", "2027-03-01")], None),
        ("GET", "calendars/a/events", [("timeMin", "2027-03-01T10:00:00")], None),
        ("GET", "calendars/a/events", [("singleEvents", "True")], None),
        ("GET", "calendars/a/events", [("maxResults", "0")], None),
        ("GET", "calendars/a/events", [("maxResults", "5"), ("maxResults", "6")], None),
        ("GET", "calendars/a/events", [("orderBy", "name")], None),
        ("GET", "calendars/a/events", [], {}),
        ("POST", "calendars/a/events", [], None),
        ("POST", "calendars/a/events", [], {"start": _EVENT["start"]}),
        ("POST", "calendars/a/events", [], _EVENT | {"title": "x"}),
        ("POST", "calendars/a/events", [], _EVENT | {"start": {"dateTime": "2027-03-01 10:00"}}),
        ("POST", "calendars/a/events", [], _EVENT | {"start": {"dateTime": "2027-02-30T10:00:00Z"}}),
        ("POST", "calendars/a/events", [], _EVENT | {"start": {"date": "2027-02-30"}}),
        ("POST", "calendars/a/events", [], _EVENT | {"extendedProperties": {"private": {"n": 1}}}),
        ("POST", "calendars/a/events", [], _EVENT | {"sequence": 2**40}),
        ("PATCH", "calendars/a/events/b", [], {"start": {"at": "2027-03-01T10:00:00Z"}}),
        ("POST", "freeBusy", [], {"timeMin": "today"}),
        ("POST", "calendars/a/events/watch", [], {"id": "b", "expiration": "soon"}),
    ],
)
def test_a_wrong_request_breaks_the_contract(http_method: str, path: str, query: list, body: object) -> None:
    """A request that is not as the discovery document has it is refused: method, path, names, types, required and unknown
    members (C-8, the contract of calendars).
    """
    with pytest.raises(Violation):
        check_request(http_method, path, query, body)


def test_a_right_request_keeps_the_contract() -> None:
    """What the discovery document allows is read with its types, names in paths unquoted (C-8)."""
    asked = [("maxResults", "5"), ("singleEvents", "true"), ("privateExtendedProperty", "a=b")]
    call = check_request("GET", "calendars/a%40b.test/events", asked, None)
    assert call.method.id == "calendar.events.list"
    assert call.path == {"calendarId": "a@b.test"}
    assert call.query == {"maxResults": 5, "singleEvents": True, "privateExtendedProperty": ["a=b"]}
    assert check_request("PATCH", "calendars/a/events/b", [], {"start": {"date": None}}).method.request == "Event"


@pytest.mark.parametrize(
    "answer",
    [
        {"items": [{"id": 5}]},
        {"items": [{"identity": "x"}]},
        {"items": {}},
        {"items": [{"start": {"dateTime": "2027-03-01"}}]},
        {"items": [{"attendees": [{"self": "true"}]}]},
        None,
    ],
)
def test_a_wrong_answer_breaks_the_contract(answer: object) -> None:
    """An answer that is not as the discovery document has it is refused as well (C-8, the contract of calendars)."""
    method = check_request("GET", "calendars/a/events", [], None).method
    with pytest.raises(Violation):
        check_response(method, answer)


def test_fields_select_and_are_checked() -> None:
    """What a partial answer is asked for has to exist in the whole one (C-8)."""
    method = check_request("GET", "calendars/a/events", [], None).method
    whole = {
        "kind": "calendar#events",
        "items": [{"id": "a", "etag": "b", "start": {"date": "2027-03-01", "timeZone": "UTC"}}],
    }
    assert selected(method, whole, "items(id,start/date)") == {"items": [{"id": "a", "start": {"date": "2027-03-01"}}]}
    for wrong in ("items(id,name)", "items(id", "itemz", "items/start/day", ""):
        with pytest.raises(Violation):
            selected(method, whole, wrong)


def test_a_broken_contract_fails_the_test() -> None:
    """Whoever sends the fake what the discovery document does not know has a red test, not only an answer (C-8)."""
    with pytest.raises(AssertionError, match="no parameter since"), fake_google() as google:
        _ask(google, "calendars/a/events?since=5", 400)


def test_a_token_is_for_the_look_that_began_it(google: FakeGoogle) -> None:
    """A sync token with a window, or with other parameters than those of the first call, breaks the contract (C-2,
    calendars 6).
    """
    calendar = google.calendar()
    first = {"singleEvents": True, "timeMin": "2027-03-01T00:00:00Z", "maxAttendees": 1}
    later = {"singleEvents": True, "maxAttendees": 1}
    token = google.lists.page(calendar, first, "owner")["nextSyncToken"]
    for wrong in (
        first,
        {"maxAttendees": 1},
        later | {"maxAttendees": 2},
        later | {"q": "x"},
        later | {"orderBy": "updated"},
    ):
        with pytest.raises(Violation):
            google.lists.page(calendar, wrong | {"syncToken": token}, "owner")
    assert google.lists.page(calendar, later | {"syncToken": token}, "owner")["items"] == []


def test_instances_keep_their_identity_and_tell_what_changed(google: FakeGoogle) -> None:
    """A series shows instances; one that was moved keeps the time by which it is known, one that was deleted tells hardly
    more, and a change of the series is a change of those it changes (C-2, calendars 8, 9).
    """
    calendar = google.calendar(zone="Europe/Berlin")
    series = calendar.add(_TEN, _TEN + _HOUR, recurrence=["RRULE:FREQ=DAILY;COUNT=5"])
    ids = calendar.instance_ids(series)
    assert ids[0] == f"{series}_20270301T100000Z"
    first = google.lists.page(calendar, {"singleEvents": True}, "owner")
    assert [item["id"] for item in first["items"]] == ids
    calendar.move(ids[1], _TEN + 9 * _HOUR, _TEN + 10 * _HOUR)
    calendar.delete(ids[2])
    asked = {"singleEvents": True, "syncToken": first["nextSyncToken"]}
    moved, deleted = google.lists.page(calendar, asked, "owner")["items"]
    assert (moved["id"], moved["originalStartTime"]["dateTime"]) == (ids[1], "2027-03-02T11:00:00+01:00")
    assert moved["start"]["dateTime"] == "2027-03-01T20:00:00+01:00"
    assert deleted.keys() == {"kind", "etag", "id", "status", "recurringEventId", "originalStartTime"}
    then = google.lists.page(calendar, asked, "owner")["nextSyncToken"]
    calendar.change(series, recurrence=["RRULE:FREQ=DAILY;COUNT=4"])
    now = google.lists.page(calendar, {"singleEvents": True, "syncToken": then}, "owner")["items"]
    assert [(item["id"], item["status"]) for item in now] == [(ids[4], "cancelled")]


def test_days_are_days_in_lists(google: FakeGoogle) -> None:
    """An event of whole days has dates, its series too (C-2, calendars 11)."""
    calendar = google.calendar(zone="America/New_York")
    series = calendar.add(date(2027, 3, 13), date(2027, 3, 14), recurrence=["RRULE:FREQ=DAILY;COUNT=2"])
    items = google.lists.page(calendar, {"singleEvents": True}, "owner")["items"]
    assert [(item["id"], item["start"], item["end"]) for item in items] == [
        (f"{series}_20270313", {"date": "2027-03-13"}, {"date": "2027-03-14"}),
        (f"{series}_20270314", {"date": "2027-03-14"}, {"date": "2027-03-15"}),
    ]


def _ask(google: FakeGoogle, path: str, status: int) -> None:
    token, _ = google.oauth.grant(google.oauth.account, _SCOPE)
    connection = HTTPConnection("127.0.0.1", int(google.url.rpartition(":")[2]))
    connection.request("GET", API + path, headers={"Authorization": f"Bearer {token}"})
    assert connection.getresponse().status == status
    connection.close()
