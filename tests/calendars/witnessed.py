"""A calendar of the fake that remembers who has done what to its events: people, or we."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from calendars.google.store import At, Calendar, Json

# From when to when an event takes place; None when it is gone.
Times = tuple[int, int] | None


@dataclass
class Witnessed(Calendar):
    """A calendar. What people do here goes by `add`, `change` and `copy`, what we do by requests, which use `put`."""

    # How we have left an event.
    ours: dict[str, Times] = field(default_factory=dict)
    # What people had made of an event of ours when we wrote something else over it.
    overwritten: list[tuple[str, Times]] = field(default_factory=list)
    # What people have made of events, one after the other.
    theirs: dict[str, list[Times]] = field(default_factory=dict)
    by_person: bool = False

    def add(self, start: At, end: At, summary: str = "Something else", **more: Any) -> str:
        """Let a person make an event."""
        with self._person():
            return super().add(start, end, summary, **more)

    def change(self, event_id: str, **more: Any) -> None:
        """Let a person change an event."""
        with self._person():
            super().change(event_id, **more)

    def copy(self, event_id: str, start: At | None = None, end: At | None = None) -> str:
        """Let a person duplicate an event."""
        with self._person():
            return super().copy(event_id, start, end)

    def put(self, body: Json) -> Json:
        """Store an event as it is now."""
        with self.lock:
            event_id = body["id"]
            before = self.times(event_id)
            stored = super().put(body)
            after = self.times(event_id)
            if self.by_person:
                self.theirs.setdefault(event_id, []).append(after)
            else:
                if before not in (self.ours.get(event_id), after):
                    self.overwritten.append((event_id, before))
                self.ours[event_id] = after
            return stored

    def times(self, event_id: str) -> Times:
        """Return when an event takes place."""
        body = self.find(event_id)
        return None if body is None or body["status"] == "cancelled" else self.span(body)

    def span(self, body: Json) -> tuple[int, int]:
        """Return when what is written like this takes place."""
        start, end = self.bounds(body)
        return int(start.timestamp()), int(end.timestamp())

    @contextmanager
    def _person(self) -> Iterator[None]:
        # Whoever writes by a request waits for this lock, so that nobody is taken for somebody else.
        with self.lock:
            self.by_person = True
            try:
                yield
            finally:
                self.by_person = False
