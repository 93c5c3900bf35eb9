"""Staff who look at a page are told what happens, by a server as it runs."""

from contextlib import closing
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from journeys.instance import Instance, copy_of, holdfast, serving

PASSWORD = "correct horse battery"  # noqa: S105 - of a user that is made here


@pytest.fixture
def data_dir(served_before: Path, tmp_path: Path) -> Path:
    """A data directory that has served the demo business."""
    return copy_of(served_before, tmp_path / "data")


def signed_in(instance: Instance) -> httpx.Client:
    """Return the browser of an owner."""
    made = holdfast("key", "create", "--role", "owner", "--name", "Desk", "--data", instance.data_dir)
    email = f"{uuid4().hex}@practice.test"
    user = {"email": email, "name": "Owner", "roles": ["owner"], "password": PASSWORD}
    http = httpx.Client(base_url=instance.url, timeout=60)
    headers = {"Authorization": f"Bearer {made.stdout.strip()}"}
    assert http.post("/api/admin/users", json=user, headers=headers).status_code == 201
    assert http.post("/api/public/login", json={"email": email, "password": PASSWORD}).status_code == 200
    return http


def test_a_stream_tells_what_happens_and_ends_with_the_server(data_dir: Path) -> None:
    """Who is signed in is told of a booking while it is made, and nobody else is let in; a server that is asked to stop ends the
    stream as it should end, and stops (K-1, U-3).
    """
    with serving(data_dir) as instance:
        assert instance.get("/admin/events").headers["location"].startswith("/admin/login")
        with closing(signed_in(instance)) as http, http.stream("GET", "/admin/events") as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines).startswith("retry:")
            [schedule, *_] = instance.get("/api/public/programs/open-lecture/schedules?limit=1").json()["schedules"]
            held = httpx.post(
                f"{instance.url}/api/booking/reserve", json={"scheduleId": schedule["id"]}, timeout=60
            ).json()
            commit = {"reservationId": held["reservationId"], "guestEmail": "guest@example.org"}
            made = httpx.post(f"{instance.url}/api/booking/commit", json=commit, timeout=60).json()
            told = next(line for line in lines if line.startswith("data:"))
            assert told == f'data: {{"kinds":["bookings"],"ids":["{made["appointmentId"]}"]}}'
            instance.process.terminate()
            # A stream that was cut off would raise here.
            assert not any(line.startswith("data:") for line in lines)
        assert instance.stop() == 0
