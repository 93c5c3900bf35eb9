"""The calendars of the fake: events with versions, series with exceptions, and what has changed since when.

People act here; the API does so as well, in `events.py`. Nothing is ever forgotten: a deleted event is cancelled.
"""

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from threading import RLock
from typing import Any

from calendars.google.discovery import check_event
from calendars.google.times import instances, instant, normal, shown

Json = dict[str, Any]
At = datetime | date | int

_ID_CHARACTERS = "0123456789abcdefghijklmnopqrstuv"
# What an event has of its own accord; not a change by anybody.
_STAMPS = ("etag", "updated")


@dataclass
class Entry:
    """An event as a list shows it, and the change that made it so."""

    body: Json
    changed: int


@dataclass
class Calendar:
    """One calendar. `roles` says what which account may do with it."""

    id: str
    summary: str
    time_zone: str
    roles: dict[str, str]
    lock: RLock = field(default_factory=RLock)
    changed: int = 0
    # Single events and series, exceptions of series by the id of the instance.
    masters: dict[str, Json] = field(default_factory=dict)
    exceptions: dict[str, Json] = field(default_factory=dict)
    # What lists show: single events and instances, or events and exceptions as they are written.
    expanded: dict[str, Entry] = field(default_factory=dict)
    # Which of the expanded ones are of which event.
    shown_of: dict[str, set[str]] = field(default_factory=dict)
    written: dict[str, Entry] = field(default_factory=dict)
    listeners: list[Callable[["Calendar"], None]] = field(default_factory=list)
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def add(self, start: At, end: At, summary: str = "Something else", **more: Any) -> str:
        """Let a person make an event; whole days are dates, the last one not included. Return its id."""
        event_id = more.pop("id", None) or "".join(self.chance.choices(_ID_CHARACTERS, k=26))
        body = {"id": event_id, "summary": summary, **self._times(start, end), **more}
        with self.lock:
            assert event_id not in self.masters, "an id is taken"
            self.put(body)
        return event_id

    def move(self, event_id: str, start: At, end: At) -> None:
        """Let a person move an event, or one instance of a series by its id."""
        self.change(event_id, **self._times(start, end))

    def change(self, event_id: str, **more: Any) -> None:
        """Let a person change members of an event, or of one instance of a series; None takes a member away."""
        with self.lock:
            body = self.find(event_id)
            assert body is not None, "no such event"
            changed = {name: value for name, value in (body | more).items() if value is not None}
            self.put(changed)

    def delete(self, event_id: str) -> None:
        """Let a person delete an event, or one instance of a series by its id."""
        self.change(event_id, status="cancelled")

    def copy(self, event_id: str, start: At | None = None, end: At | None = None) -> str:
        """Let a person duplicate an event, with all that programs have written into it; return the id of the copy."""
        with self.lock:
            body = self.find(event_id)
            assert body is not None, "no such event"
            kept = {name: value for name, value in body.items() if name not in {"id", "iCalUID", "etag", "created"}}
            times = self._times(start, end) if start is not None and end is not None else {}
            new_id = "".join(self.chance.choices(_ID_CHARACTERS, k=26))
            self.put(kept | times | {"id": new_id})
        return new_id

    def answer(self, event_id: str, response: str) -> None:
        """Let the owner answer an invitation: accepted, declined, tentative or needsAction."""
        owner = next(email for email, role in self.roles.items() if role == "owner")
        self.change(event_id, attendees=[{"email": owner, "self": True, "responseStatus": response}])

    def instance_ids(self, event_id: str) -> list[str]:
        """Return the ids of the instances of a series, deleted ones too, in the order of its rule."""
        return [made for made, _, _ in instances(self.masters[event_id], self.time_zone)]

    def live(self) -> dict[str, Json]:
        """Return the single events and instances that are not cancelled, by id."""
        with self.lock:
            return {
                key: copy.deepcopy(entry.body)
                for key, entry in self.expanded.items()
                if entry.body["status"] != "cancelled"
            }

    def find(self, event_id: str) -> Json | None:
        """Return an event, a series, or an instance, deleted ones too."""
        with self.lock:
            found = self.masters.get(event_id) or self.exceptions.get(event_id)
            if found is None and event_id in self.expanded:
                found = self.expanded[event_id].body
            return copy.deepcopy(found)

    def put(self, body: Json) -> Json:
        """Store an event or an exception as it is now, and tell who listens; return it with its stamps."""
        with self.lock:
            stored = self._stamped(body)
            before = self.find(stored["id"])
            if before is not None and _content(before) == _content(stored):
                return before
            self.changed += 1
            stored["etag"] = self._etag()
            master_id = stored.get("recurringEventId", stored["id"])
            if "recurringEventId" in stored:
                self.exceptions[stored["id"]] = stored
            else:
                self.masters[stored["id"]] = stored
            self._note(self.written, stored)
            self._expand(master_id)
        for listener in self.listeners:
            listener(self)
        return copy.deepcopy(stored)

    def _stamped(self, body: Json) -> Json:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        owner = next((email for email, role in self.roles.items() if role == "owner"), self.id)
        made = {
            "kind": "calendar#event",
            "status": "confirmed",
            "created": now,
            "htmlLink": f"https://www.google.com/calendar/event?eid={body['id']}",
            "creator": {"email": owner, "self": True},
            "organizer": {"email": owner, "self": True},
            "iCalUID": f"{body['id']}@google.com",
            "eventType": "default",
            "reminders": {"useDefault": True},
            **copy.deepcopy(body),
            "updated": now,
        }
        for name in ("start", "end", "originalStartTime"):
            if name in made:
                made[name] = normal(made[name], self.time_zone)
        check_event(made)
        return made

    def _etag(self) -> str:
        return f'"{3_500_000_000_000_000 + self.changed * 2}"'

    def _expand(self, master_id: str) -> None:
        """Note every instance of a series that is not as it was, or a single event."""
        master = self.masters[master_id]
        now = dict(self._instances(master)) if "recurrence" in master else {master_id: master}
        known = self.shown_of.setdefault(master_id, set())
        now |= {key: self.expanded[key].body | {"status": "cancelled"} for key in known - now.keys()}
        known.update(now)
        for body in now.values():
            self._note(self.expanded, body)

    def _instances(self, master: Json) -> Iterator[tuple[str, Json]]:
        own = {name: value for name, value in master.items() if name != "recurrence"}
        for key, start, end in instances(master, self.time_zone):
            body = own | {"id": key, "start": start, "end": end, "recurringEventId": master["id"]}
            body["originalStartTime"] = start
            if key in self.exceptions:
                body = self.exceptions[key]
            if master["status"] == "cancelled":
                body = body | {"status": "cancelled"}
            yield key, body

    def _note(self, entries: dict[str, Entry], body: Json) -> None:
        before = entries.get(body["id"])
        if before is None or _content(before.body) != _content(body):
            entries[body["id"]] = Entry(body | {"etag": self._etag()}, self.changed)

    def _times(self, start: At, end: At) -> Json:
        return {"start": shown(start, self.time_zone), "end": shown(end, self.time_zone)}

    def bounds(self, body: Json) -> tuple[datetime, datetime]:
        """Return the instants between which an event takes place."""
        return instant(body["start"], self.time_zone), instant(body["end"], self.time_zone)


def least(body: Json, *, told: bool) -> Json:
    """Return all of a cancelled event that lists promise to tell, and whether it is cancelled."""
    names = ["kind", "etag", "id", "status"] if told else ["id"]
    if "recurringEventId" in body:
        names += ["recurringEventId", "originalStartTime"]
    return {name: body[name] for name in names}


def _content(body: Json) -> Json:
    return {name: value for name, value in body.items() if name not in _STAMPS}
