"""The link by which the first owner is made, as whoever runs a server gets it."""

import json
import re
from pathlib import Path

import httpx

from journeys.instance import holdfast, serving

OWNER = {
    "owner": "Guest",
    "email": "owner@practice.test",
    "chosen": "a first long password",
    "again": "a first long password",
}


def test_serve_prints_the_link_until_somebody_is_there(tmp_path: Path) -> None:
    """A new server tells on stderr where the first owner is made, and a command tells it again; stdout has the ready line
    alone. Once somebody of staff is there, neither tells anything (K-1, H-4).
    """
    data = tmp_path / "data"
    with serving(data, "--demo", as_json=False) as running:
        assert re.fullmatch(r"Holdfast is ready: \S+\n", running.first_line)
        url = running.first_line.split()[-1].removesuffix("/booking/slot/")
        [link] = re.findall(rf"{url}/admin/setup\?code=(\S+)", running.log)
        again = holdfast("user", "setup-link", "--data", data, "--json")
        assert json.loads(again.stdout)["link"].endswith(f"/admin/setup?code={link}")
        made = httpx.post(f"{url}/admin/setup", data={"code": link, **OWNER}, timeout=30)
        assert (made.status_code, made.headers["location"]) == (303, "/admin?done=setup")
        spent = holdfast("user", "setup-link", "--data", data)
        assert (spent.returncode, spent.stdout) == (2, "")
        assert "somebody of staff is there" in spent.stderr
    with serving(data) as running:
        assert "/admin/setup" not in running.log
        body = {"email": OWNER["email"], "password": OWNER["chosen"]}
        assert httpx.post(f"{running.url}/api/public/login", json=body, timeout=30).status_code == 200
