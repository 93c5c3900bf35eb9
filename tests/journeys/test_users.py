"""`holdfast user`: the first owner and all who follow, beside a running server."""

import json
import subprocess
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from journeys.instance import Instance, holdfast

PASSWORD, ANOTHER = "correct horse battery", "another long password"


def user(running: Instance, *words: str | Path, password: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `holdfast user` with what is typed on stdin."""
    typed = "" if password is None else f"{password}\n"
    return holdfast("user", *words, "--data", running.data_dir, stdin=typed, COLUMNS="200")


def listed(running: Instance) -> list[dict[str, Any]]:
    """Return the users of the only business."""
    found: list[dict[str, Any]] = json.loads(user(running, "list", "--json").stdout)
    return found


def signs_in(running: Instance, email: str, password: str = PASSWORD) -> int:
    """Return how signing in is answered."""
    body = {"email": email, "password": password}
    return httpx.post(f"{running.url}/api/public/login", json=body, timeout=30).status_code


def test_the_first_owner_and_what_becomes_of_them(running: Instance) -> None:
    """An owner made on the console signs in at once; password, roles and end are set there too (H-4, K-3)."""
    email = f"{uuid4().hex}@practice.test"
    made = user(running, "create", "--email", email, "--name", "Owner", "--role", "owner", password=PASSWORD)
    assert (made.returncode, made.stderr) == (0, "")
    [told] = [each for each in listed(running) if each["email"] == email]
    assert (made.stdout.strip(), told["roles"], told["active"]) == (told["id"], ["owner"], True)
    assert signs_in(running, email) == 200
    assert email in user(running, "list").stdout

    assert user(running, "password", email, password=ANOTHER).returncode == 0
    assert [signs_in(running, email), signs_in(running, email, ANOTHER)] == [401, 200]

    other = f"{uuid4().hex}@practice.test"
    assert user(running, "create", f"--email={other}", "--name=B", "--role=owner", password=PASSWORD).returncode == 0
    changed = user(running, "roles", told["id"], "--role", "assistant", "--role", "editor", "--json")
    assert json.loads(changed.stdout)["roles"] == ["assistant", "editor"]
    for _ in range(2):
        assert user(running, "deactivate", email.upper()).stdout.strip() == told["id"]
    assert signs_in(running, email, ANOTHER) == 401
    assert "deactivated" in user(running, "list").stdout


def test_an_invitation_instead_of_a_password(running: Instance) -> None:
    """With --invite nothing is typed; the invitation is printed alone, and its user chooses the password (H-4)."""
    email = f"{uuid4().hex}@practice.test"
    made = user(running, "create", f"--email={email}", "--name=A", "--role=editor", "--invite")
    invitation = made.stdout.strip()
    assert (made.returncode, invitation[:3], invitation in made.stderr) == (0, "hi_", False)
    assert signs_in(running, email) == 401
    wish = {"invitation": invitation, "newPassword": PASSWORD}
    assert httpx.post(f"{running.url}/api/public/login/password", json=wish, timeout=30).status_code == 204
    assert signs_in(running, email) == 200


@pytest.mark.parametrize(
    ("words", "password", "told"),
    [
        (
            ["create", "--email=nobody", "--name=A", "--role=owner"],
            PASSWORD,
            "holdfast: email: must be an e-mail address",
        ),
        (["create", "--email=a@b.c", "--name=", "--role=owner"], PASSWORD, "holdfast: name: "),
        (["create", "--email=a@b.c", "--name=A", "--role=owner"], "short", "holdfast: password: must have 12"),
        (["create", "--email=a@b.c", "--name=A", "--role=owner"], None, "holdfast: password: must have 12"),
        (["create", "--email=a@b.c", "--name=A", "--role=king"], PASSWORD, "'king' is not one of"),
        (["create", "--email=a@b.c", "--name=A", "--role=owner", "--business=gone"], PASSWORD, "no such business"),
        (["password", "nobody@practice.test"], PASSWORD, "holdfast: There is no such user"),
        (["roles", str(uuid4()), "--role=owner"], None, "holdfast: There is no such user"),
        (["deactivate", "nobody@practice.test"], None, "holdfast: There is no such user"),
    ],
)
def test_what_cannot_be_done_is_said(running: Instance, words: list[str], password: str | None, told: str) -> None:
    """A wrong address, name, password, role, business or user is told in a sentence, and nothing changes (K-3)."""
    before = listed(running)
    failed = user(running, *words, password=password)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert told in failed.stderr
    assert "Traceback" not in failed.stderr
    assert password is None or password not in failed.stderr
    assert listed(running) == before


def test_personal_data_needs_the_master_key(running: Instance) -> None:
    """Against a database that is named, the command asks for the master key instead of making a second one (K-3)."""
    failed = holdfast("user", "list", "--dsn", running.dsn)
    assert (failed.returncode, failed.stdout) == (2, "")
    assert "HOLDFAST_MASTER_KEY" in failed.stderr
