"""A practice with something of everything, which made-up calls may turn inside out."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest

from booking.staffed import bearer
from browser.furnished import PASSWORD, SLUG, Place, furnished
from fuzz.calls import Fuzz

_WAITING = {"waiting_token", "offered_token"}
# The users that sign in: a call that signs its user out, or changes the password, is followed by a new one.
_USER = {"name": "Guest", "roles": ["owner"], "password": PASSWORD}


@pytest.fixture(scope="package")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The practice; what its database seals goes unread at the end, for made-up words stand anywhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Place, "call", _noted(Place.call))
        with furnished(tmp_path_factory.mktemp("fuzzed") / "data") as made:
            patch.undo()
            yield made
            assert made.instance.stop() == 0


# What furnished the practice: the method, the address and the body of each call.
_CALLS: list[tuple[str, str, dict[str, Any]]] = []


def _noted(call: Callable[..., Any]) -> Callable[..., Any]:
    def noted(place: Place, method: str, path: str, body: dict[str, Any] | None = None, **headers: str) -> Any:
        answer = call(place, method, path, body, **headers)
        if body is not None:
            _CALLS.append((method, path, body))
        return answer

    return noted


@pytest.fixture(scope="package")
def fuzz(place: Place) -> Iterator[Fuzz]:
    """Calls to the practice, by its owner and by clients."""

    def sign_in() -> dict[str, str]:
        made = place.staff("POST", "/api/admin/users", {"email": f"{uuid4().hex}@fuzz.test"} | _USER)
        body = {"business": SLUG, "email": made["user"]["email"], "password": PASSWORD}
        answer = httpx.post(f"{place.url}/api/public/login", json=body, timeout=30).raise_for_status()
        return {"Cookie": f"holdfast={answer.cookies['holdfast']}", "X-CSRF-Token": answer.json()["csrfToken"]}

    made = Fuzz(place.url, sign_in, bearer(place.key), SLUG)
    for call in _CALLS:
        made.note(*call)
    for name, token in place.names.items():
        if name.endswith("_token") or name == "token":
            id_ = place.names.get(name.removesuffix("_token"), place.names["booking"])
            thing = (
                {"waitlistId": id_, "token": token}
                if name in _WAITING
                else {"appointmentId": id_, "cancellationToken": token}
            )
            made.known.learn("", thing)
    yield made
    made.close()
