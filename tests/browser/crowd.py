"""A practice of ten whose week is full: 500 appointments."""

import itertools
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

from browser.furnished import PASSWORD, Place
from journeys.instance import holdfast

SLUG = "crowd"
PEOPLE, A_DAY, DAYS = 10, 10, 5
_HEAD = """
[business]
slug = "crowd"
name = "Большая практика"
timezone = "Europe/Moscow"
currency = "RUB"
locale = "ru"
[hours]
every_day = ["09:00-21:00"]
"""
_PERSON = """
[[resources]]
slug = "p{0}"
name = "Специалист {0}"
kind = "practitioner"
"""
_SERVICE = """
[[services]]
slug = "talk"
name = "Консультация"
duration_minutes = 50
slot_step_minutes = 60
requires = [{}]
"""
_NAMES = (
    "Гость Второй",
    "Гость Третий",
    "Гость Четвёртый",
    "Гость Пятый",
    "Гость Шестой",
    "Гость Седьмой",
    "Гость Восьмой",
)


def monday() -> date:
    """Return the first day of the week that is full."""
    ahead = datetime.now(UTC).date() + timedelta(days=21)
    return ahead - timedelta(days=ahead.weekday())


def fill(place: Place) -> dict[str, str]:
    """Bring the practice to the server of another one; return the cookies of a login of its owner."""
    people = [f"p{number}" for number in range(PEOPLE)]
    file = place.instance.data_dir.parent / "crowd.toml"
    text = _HEAD + "".join(_PERSON.format(number) for number in range(PEOPLE)) + _SERVICE.format(json.dumps(people))
    file.write_text(text, encoding="utf-8")
    to = ["--data", place.instance.data_dir]
    assert holdfast("import", file, *to).returncode == 0
    made = holdfast("key", "create", "--role", "owner", "--name", "Owner", "--business", SLUG, *to)
    key = {"Authorization": f"Bearer {made.stdout.strip()}"}
    card = place.call("GET", f"/api/public/businesses/{SLUG}")
    _book(place, card, key)
    user = {"email": "owner@crowd.test", "name": "Владелец практики", "roles": ["owner"], "password": PASSWORD}
    place.call("POST", "/api/admin/users", user, **key)
    return place.login(SLUG, "owner@crowd.test")


def _book(place: Place, card: dict[str, Any], key: dict[str, str]) -> None:
    [service] = card["services"]
    names = itertools.cycle(_NAMES)
    for resource, day, hour in itertools.product(card["resources"], range(DAYS), range(A_DAY)):
        # Nine o'clock in Moscow.
        start = datetime.combine(monday(), datetime.min.time(), UTC) + timedelta(days=day, hours=6 + hour)
        wish = {
            "businessId": card["id"],
            "serviceId": service["id"],
            "resourceId": resource["id"],
            "slotStart": start.isoformat(),
            "slotEnd": (start + timedelta(minutes=50)).isoformat(),
            "guestName": next(names),
            "guestEmail": f"{uuid4().hex}@example.org",
        }
        place.call("POST", "/api/booking/appointments", wish, **key)
