"""Content as those see it who write it, over HTTP, every answer checked against the OpenAPI document."""

from typing import Any
from uuid import uuid4

import httpx

from booking.served import Clients, Json
from booking.staffed import StaffClients

CONTENT = "/api/admin/content"
PUBLIC = "/api/public/content"


def new_slug(word: str = "text") -> str:
    """Return a slug that nobody has used."""
    return f"{word}-{uuid4().hex[:12]}"


def path_of(item: Json) -> str:
    """Return where staff find an item."""
    return f"{CONTENT}/{item['id']}"


def public_path(item: Json) -> str:
    """Return where the public finds an item."""
    return f"{PUBLIC}/{item['type']}/{item['slug']}"


class Editing:
    """One of the staff who writes."""

    def __init__(self, staff: StaffClients) -> None:
        self.staff = staff
        self.clients: Clients = staff.clients

    def call(self, method: str, path: str, body: Json | None = None, **more: Any) -> httpx.Response:
        """Return the answer to a call."""
        return self.staff.call(method, path, body, **more)

    def made(self, path: str, body: Json) -> Json:
        """Return what a post has made."""
        answer = self.call("POST", path, body)
        assert answer.status_code == 201, answer.text
        shown: Json = answer.json()
        return shown

    def draft(self, **more: Any) -> Json:
        """Make a draft."""
        body = {"type": "article", "slug": new_slug(), "locale": "ru", "title": "Тревога", "body": "# Текст"}
        return self.made(CONTENT, body | more)

    def read(self, item: Json) -> Json:
        """Return an item as it is now."""
        shown: Json = self.call("GET", path_of(item)).json()
        return shown

    def save(self, item: Json, **changes: Any) -> Json:
        """Save changes of an item as it was seen."""
        answer = self.call("PATCH", path_of(item), changes | {"expectedVersion": item["version"]})
        assert answer.status_code == 200, answer.text
        shown: Json = answer.json()
        return shown

    def tried(self, item: Json, step: str) -> httpx.Response:
        """Return the answer to a step of an item as it was seen."""
        return self.call("POST", f"{path_of(item)}/{step}", {"expectedVersion": item["version"]})

    def step(self, item: Json, *steps: str) -> Json:
        """Take an item through these steps."""
        for step in steps:
            answer = self.tried(item, step)
            assert answer.status_code == 200, answer.text
            item = answer.json()
        return item

    def published(self, **more: Any) -> Json:
        """Make an item that is public."""
        return self.step(self.draft(**more), "submit", "publish")
