"""Quizzes and rituals over HTTP: as those see them who make them, and as those who go through them."""

from typing import Any
from uuid import uuid4

import httpx

from booking.served import Clients, Json
from booking.staffed import StaffClients

ADMIN = "/api/admin/interactives"
PUBLIC = "/api/public/interactives"


def quiz(*points: int, levels: list[tuple[str, int, int]] | None = None, **more: Any) -> Json:
    """Return a quiz of yes or no, where yes counts so many points for each question."""
    top = sum(points)
    bounds = levels or [("low", 0, top // 2), ("high", top // 2 + 1, top)]
    return {
        "kind": "quiz",
        "title": "Тревога",
        "questions": [
            {
                "id": f"q{number}",
                "text": f"Вопрос {number}",
                "options": [{"id": "no", "text": "Нет", "points": 0}, {"id": "yes", "text": "Да", "points": count}],
            }
            for number, count in enumerate(points, 1)
        ],
        "levels": [
            {"id": name, "from": least, "to": most, "title": f"Level {name}", "text": f"Text of {name}"}
            for name, least, most in bounds
        ],
    } | more


def ritual(**more: Any) -> Json:
    """Return a ritual of two steps."""
    steps = [{"id": f"s{n}", "text": f"Шаг {n}", "durationSeconds": 60 * n} for n in (1, 2)]
    return {"kind": "ritual", "title": "Дыхание", "intro": "Сядьте", "steps": steps} | more


def answers(*chosen: str) -> dict[str, str]:
    """Return what was chosen for each question in turn."""
    return {f"q{number}": option for number, option in enumerate(chosen, 1)}


class Author:
    """One of the staff who makes quizzes and rituals, and clients who go through them."""

    def __init__(self, staff: StaffClients) -> None:
        self.staff = staff
        self.clients: Clients = staff.clients

    def call(self, method: str, path: str, body: Json | None = None, **more: Any) -> httpx.Response:
        """Return the answer to a call of staff."""
        return self.staff.call(method, path, body, **more)

    def draft(self, definition: Json, **more: Any) -> Json:
        """Make a draft."""
        body = {"slug": f"quiz-{uuid4().hex[:12]}", "locale": "ru", "definition": definition, **more}
        answer = self.call("POST", ADMIN, body)
        assert answer.status_code == 201, answer.text
        shown: Json = answer.json()
        return shown

    def step(self, made: Json, *steps: str) -> Json:
        """Take a quiz through these steps."""
        for step in steps:
            answer = self.call("POST", f"{ADMIN}/{made['id']}/{step}", {"expectedVersion": made["version"]})
            assert answer.status_code == 200, answer.text
            made = answer.json()
        return made

    def revised(self, made: Json, definition: Json) -> Json:
        """Add a version."""
        body = {"definition": definition, "expectedVersion": made["version"]}
        answer = self.call("POST", f"{ADMIN}/{made['id']}/versions", body)
        assert answer.status_code == 201, answer.text
        shown: Json = answer.json()
        return shown

    def published(self, definition: Json) -> Json:
        """Make a quiz that the public can go through."""
        return self.step(self.draft(definition), "publish")

    def start(self, made: Json) -> str:
        """Begin a run and return its id."""
        return str(self.clients.post(f"{PUBLIC}/{made['slug']}/runs", {})["runId"])

    def finish(self, made: Json, run: str, body: Json) -> httpx.Response:
        """Return the answer to the end of a run."""
        return self.clients.http.post(f"{PUBLIC}/{made['slug']}/runs/{run}/finish", json=body)

    def went_through(self, made: Json, *chosen: str) -> Json:
        """Go through a quiz and return the result."""
        answer = self.finish(made, self.start(made), {"answers": answers(*chosen)})
        assert answer.status_code == 200, answer.text
        shown: Json = answer.json()
        return shown
