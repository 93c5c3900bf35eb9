"""What answers have told: ids, slugs, versions and tokens, by which a made-up call gets past the first look."""

import re
from collections import defaultdict, deque
from random import Random
from typing import Any

Json = dict[str, Any]

# As many values of a name as are worth coming back to.
_KEPT = 40
_EVEN = 0.5
_CAPITAL = re.compile(r"(?<!^)(?=[A-Z])")
_LAST_PARAMETER = re.compile(r"^(.*)/\{(\w+)\}(?:/|$)")
_OWN_IDS = ("id", "reservationId", "appointmentId", "seriesId", "waitlistId")
# Lists of things that have their addresses elsewhere.
_ELSEWHERE = {"/api/admin/moderation/queue": "/api/admin/moderation/items"}
# What names something or says how it stands. Other members are texts, which are as good made up.
_TELLING = re.compile(
    r"(^|_)(id|slug|version|token|state|status|kind|type|locale|channel|key|seen|currency|timezone|tz|cursor|limit|from|to)s?$"
)


class Known:
    """Values by the name of the member or parameter that takes them, newest last."""

    def __init__(self, paths: list[str]) -> None:
        # What is below a list, by its address, and how that calls it: an `id` in the list is that.
        self._called = {match[1]: match[2] for path in paths if (match := _LAST_PARAMETER.match(path))}
        self._values: dict[str, deque[Any]] = defaultdict(lambda: deque(maxlen=_KEPT))
        self._things: dict[str, Json] = {}
        # Places of bookings: a service with a free time of it, or a schedule.
        self.wishes: deque[Json] = deque(maxlen=_KEPT)
        # Bodies that were taken, by method and path.
        self.taken: dict[str, deque[Json]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def learn(self, path: str, answer: Any) -> None:
        """Keep what an answer of a path tells."""
        path = _ELSEWHERE.get(path, path)
        self._learn(path, self._called.get(path), answer)

    def thing(self, id_: object) -> Json:
        """Return what was told last of the thing with this id."""
        return self._things.get(str(id_), {})

    def of(self, name: str, chance: Random, within: str = "") -> Any:
        """Return a value that goes by this name, of the list within which it stands if there is any; None when there is none.

        The newest comes half of the times.
        """
        plain = snake(name)
        names = (f"{within}/{plain}", f"{_last(within)}/{plain}", plain, plain.removesuffix("s"))
        found = next((self._values[each] for each in names if each in self._values), None)
        if not found or not _TELLING.search(plain):
            return None
        return found[-1] if chance.random() < _EVEN else chance.choice(list(found))

    def _learn(self, within: str, called: str | None, value: Any) -> None:
        if isinstance(value, list):
            for item in value:
                self._learn(within, called, item)
        if not isinstance(value, dict):
            return
        for name, member in value.items():
            if isinstance(member, dict | list):
                # What stands in a member is called after it, but in the list that is the answer itself.
                inside = name if called is None else within
                self._learn(inside, called or f"{snake(name).removesuffix('s')}_id", member)
            elif member is not None:
                plain = snake(called if name == "id" and called else name).removeprefix("next_")
                for each in (plain, f"{within}/{plain}", f"{_last(within)}/{plain}"):
                    self._keep(each, member)
        for name in _OWN_IDS:
            if name in value:
                self._things[str(value[name])] = self.thing(value[name]) | value

    def _keep(self, name: str, value: Any) -> None:
        values = self._values[name]
        if value in values:
            values.remove(value)
        values.append(value)


def snake(name: str) -> str:
    """Return a name as parameters of addresses are written, however it was written."""
    return _CAPITAL.sub("_", name).replace("-", "_").lower()


def _last(path: str) -> str:
    return path.rpartition("/")[2]
