"""The business of a proof: how it is made, and what there is of it to be booked."""

import subprocess
import sys
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec

FILE = Path(__file__).with_name("stage.toml")
DAYS = 12
_PROGRAM = [sys.executable, "-m", "holdfast"]


class Offer(msgspec.Struct, frozen=True):
    """A service; `needs` lists what a booking takes, each as the resources of which any one will do.

    `slots` are starts in epoch seconds, in order. What is paid beforehand has a price.
    """

    service: str
    slug: str
    needs: list[list[str]]
    minutes: int
    before_minutes: int
    after_minutes: int
    due_minor: int
    slots: list[int]

    def span(self, start: int) -> tuple[int, int]:
        """Return from when to when a booking that starts then takes its resources, in epoch seconds."""
        return start - self.before_minutes * 60, start + (self.minutes + self.after_minutes) * 60


class Group(msgspec.Struct, frozen=True):
    """A schedule of a program; epoch seconds."""

    schedule: str
    start: int
    end: int
    capacity: int


class Stage(msgspec.Struct, frozen=True):
    """All that clients of a load ask for; capacities by resource."""

    business: str
    slug: str
    capacities: dict[str, int]
    offers: list[Offer]
    groups: list[Group]

    def offer(self, service: str) -> Offer:
        """Return a service."""
        return next(offer for offer in self.offers if offer.service == service)


def furnish(dsn: str, **environment: str) -> str:
    """Make the business in a migrated database, which has no other yet; return a key of its owner.

    `environment` is that of a command, HOLDFAST_MASTER_KEY in it; it inherits nothing of ours.
    Raises RuntimeError with what the command said.
    """
    _run(["import", str(FILE), "--dsn", dsn], environment)
    made = ["key", "create", "--role", "owner", "--name", "Proof", "--business", "proof", "--dsn", dsn]
    return _run(made, environment).strip()


def look(url: str) -> Stage:
    """Return what a server shows of the business, from the day after tomorrow on.

    What is paid beforehand is part of it once the business has an account to be paid to.
    """
    declared = tomllib.loads(FILE.read_text(encoding="utf-8"))
    slug = declared["business"]["slug"]
    first = datetime.now(UTC).date() + timedelta(days=2)
    days = {"from": str(first), "to": str(first + timedelta(days=DAYS)), "business": slug}
    with httpx.Client(base_url=url, timeout=60) as http:
        card = _get(http, f"/api/public/businesses/{slug}")
        resources = {each["slug"]: each for each in card["resources"]}
        services = {each["slug"]: each for each in card["services"]}
        return Stage(
            business=card["id"],
            slug=slug,
            capacities={each["id"]: each["capacity"] for each in card["resources"]},
            offers=[
                Offer(
                    service=services[each["slug"]]["id"],
                    slug=each["slug"],
                    needs=[[resources[name]["id"] for name in need] for need in each["requires"]],
                    minutes=each["duration_minutes"],
                    before_minutes=each.get("buffer_before_minutes", 0),
                    after_minutes=each.get("buffer_after_minutes", 0),
                    due_minor=services[each["slug"]]["priceMinor"] if each.get("payment") == "prepay" else 0,
                    slots=slots,
                )
                for each in declared["services"]
                if (slots := _slots(http, days | {"service_slug": each["slug"]}))
            ],
            groups=[
                Group(each["id"], epoch(each["start"]), epoch(each["end"]), each["maxCapacity"])
                for program in declared["programs"]
                for each in _get(http, f"/api/public/programs/{program['slug']}/schedules", days)["schedules"]
            ],
        )


def epoch(text: str) -> int:
    """Return a whole second of RFC 3339 as seconds since 1970."""
    return int(datetime.fromisoformat(text).timestamp())


def _slots(http: httpx.Client, query: dict[str, str]) -> list[int]:
    answer = http.get("/api/public/booking/slots", params=query)
    if answer.status_code == 422 and answer.json()["code"] == "payments_unavailable":
        return []
    answer.raise_for_status()
    return [epoch(slot["start"]) for day in answer.json()["days"] for slot in day["slots"]]


def _get(http: httpx.Client, path: str, query: dict[str, str] | None = None) -> dict[str, Any]:
    answer = http.get(path, params=query)
    answer.raise_for_status()
    shown: dict[str, Any] = answer.json()
    return shown


def _run(words: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run([*_PROGRAM, *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"holdfast {words[0]} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout
