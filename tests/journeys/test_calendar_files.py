"""Calendar files through the command and the API: what they close is neither offered nor admitted."""

import json
import os
import subprocess
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest

from availability.calendar_texts import calendar, event
from holdfast.business_files.demo import demo_text
from journeys.instance import HOLDFAST, Instance, clean_environment, holdfast

DAY = datetime.now(UTC).date() + timedelta(days=20)
NEXT = DAY + timedelta(days=1)
MEGABYTE = 1024 * 1024


@pytest.fixture
def business(running: Instance, tmp_path: Path) -> str:
    """The slug of a business of its own, like the demo."""
    slug = f"b-{uuid4().hex[:8]}"
    file = tmp_path / "business.toml"
    file.write_text(demo_text().replace('"emotional-balance"', f'"{slug}"'), encoding="utf-8")
    assert holdfast("import", file, "--data", running.data_dir).returncode == 0
    return slug


def bring(running: Instance, file: Path, business: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Import a calendar file."""
    return holdfast("import", file, "--data", running.data_dir, "--business", business, *words)


def slots(running: Instance, business: str, day: date, service: str = "individual-session") -> list[dict[str, Any]]:
    """Return the slots of a day in Moscow."""
    asked = {"business": business, "service_slug": service, "from": str(day), "to": str(day + timedelta(days=1))}
    answer = httpx.get(f"{running.url}/api/public/booking/slots", params=asked, timeout=30)
    found: list[dict[str, Any]] = answer.raise_for_status().json()["days"][0]["slots"]
    return found


def reserve(running: Instance, business: str, slot: dict[str, Any], resource: str) -> httpx.Response:
    """Ask for a slot with one resource."""
    card = running.get(f"/api/public/businesses/{business}").json()
    body = {
        "businessId": card["id"],
        "serviceId": next(each["id"] for each in card["services"] if each["slug"] == "individual-session"),
        "resourceId": next(each["id"] for each in card["resources"] if each["slug"] == resource),
        "slotStart": slot["start"],
        "slotEnd": slot["end"],
    }
    return httpx.post(f"{running.url}/api/booking/reserve", json=body, timeout=30)


def test_holidays_are_neither_offered_nor_admitted(running: Instance, business: str, tmp_path: Path) -> None:
    """After holidays were imported beside the running server their days have no slots, and what was offered on them
    before is refused; taken back, they are offered again (A-1, A-4, K-2).
    """
    offered = slots(running, business, DAY)
    assert len(offered) > 10
    file = tmp_path / "holidays.ics"
    file.write_bytes(calendar(*event(f"DTSTART;VALUE=DATE:{DAY:%Y%m%d}", "TRANSP:TRANSPARENT")))
    told = bring(running, file, business, "--as", "holidays")
    assert (told.returncode, told.stdout.splitlines()[1]) == (0, "resources: 5 changed, 0 unchanged")
    assert slots(running, business, DAY) == []
    assert len(slots(running, business, NEXT)) == len(offered)
    refused = reserve(running, business, offered[3], "practitioner-1")
    assert (refused.status_code, refused.json()["code"]) == (422, "slot_not_offered")
    again = bring(running, file, business, "--as", "holidays", "--json")
    assert json.loads(again.stdout)["changed"] == []
    file.write_bytes(calendar())
    assert bring(running, file, business, "--as", "holidays").returncode == 0
    assert slots(running, business, DAY) == offered
    assert reserve(running, business, offered[3], "practitioner-1").status_code == 201


def test_busy_time_is_neither_offered_nor_admitted(running: Instance, business: str, tmp_path: Path) -> None:
    """Busy time of a practitioner is not offered with that one and refused, while the others can be booked (A-2, K-2)."""
    before = slots(running, business, DAY)
    ids = {each["slug"]: each["id"] for each in running.get(f"/api/public/businesses/{business}").json()["resources"]}
    file = tmp_path / "calendar.ics"
    lines = [
        f"DTSTART;TZID=Europe/Moscow:{DAY - timedelta(days=7):%Y%m%d}T090000",
        "DURATION:PT3H",
        "RRULE:FREQ=WEEKLY",
    ]
    file.write_bytes(calendar(*event(*lines)))
    told = bring(running, file, business, "--as", "busy", "--resource", "practitioner-1")
    assert (told.returncode, told.stdout.splitlines()[1]) == (0, "resources: 1 changed, 0 unchanged")
    after = slots(running, business, DAY)
    assert [slot["start"] for slot in after] == [slot["start"] for slot in before]
    morning = [ids["practitioner-1"] in slot["resourceIds"] for slot in after if slot["startLocal"][11:13] < "12"]
    assert morning
    assert not any(morning)
    refused = reserve(running, business, before[0], "practitioner-1")
    assert (refused.status_code, refused.json()["code"]) == (409, "slot_conflict")
    assert reserve(running, business, before[0], "practitioner-2").status_code == 201


def test_a_broken_calendar_changes_nothing(running: Instance, business: str, tmp_path: Path) -> None:
    """A calendar with a mistake in its last event is refused with the line and leaves nothing of the others (K-2)."""
    file = tmp_path / "calendar.ics"
    broken = calendar(*event(f"DTSTART:{DAY:%Y%m%d}", uid="a"), *event("DTSTART:20270230", uid="b"))
    file.write_bytes(broken)
    offered = slots(running, business, DAY)
    for words in (("--as", "holidays"), ("--as", "busy", "--resource", "practitioner-1")):
        refused = bring(running, file, business, *words)
        assert (refused.returncode, refused.stdout) == (2, "")
        line = broken[: broken.index(b"20270230")].count(b"\n") + 1
        assert f"holdfast: line {line}: DTSTART: '20270230' is no day" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert slots(running, business, DAY) == offered


@pytest.mark.parametrize(
    ("name", "words", "told"),
    [
        ("a.ics", (), "Say what the calendar holds"),
        # What begins as a calendar is one, whatever it is called.
        ("a.toml", (), "Say what the calendar holds"),
        ("a.ics", ("--as", "busy"), "Say whose busy time this is"),
        ("a.ics", ("--as", "busy", "--resource", "nobody"), "There is no resource nobody"),
        ("a.ics", ("--as", "holidays", "--business", "nobody"), "There is no such business"),
        ("b.toml", ("--as", "holidays"), "go with a calendar (.ics) only"),
    ],
)
def test_what_a_calendar_is_for_has_to_be_said(
    running: Instance, tmp_path: Path, name: str, words: tuple[str, ...], told: str
) -> None:
    """A calendar without its meaning, or for what is not there, ends with exit code 2 and a sentence (K-2)."""
    file = tmp_path / name
    file.write_bytes(demo_text().encode() if name == "b.toml" else calendar(*event(f"DTSTART:{DAY:%Y%m%d}")))
    refused = holdfast("import", file, "--data", running.data_dir, "--business", "emotional-balance", *words)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert told in refused.stderr
    assert "Traceback" not in refused.stderr


def peak_bytes(*words: str | Path) -> tuple[int, str]:
    """Run a command to its end; return the most memory that it had, and what it told on stderr."""
    command = [*HOLDFAST, *map(str, words)]
    with subprocess.Popen(command, env=clean_environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None, "stderr is a pipe"
        told = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, told
    return usage.ru_maxrss * 1024, told


def test_a_large_calendar_takes_little_memory(running: Instance, business: str, tmp_path: Path) -> None:
    """A calendar of 20 MB with 20,000 events is imported in 60 MB more than one with a single event, and tells how
    far it is; all of it is busy time afterwards (K-2).
    """
    words = ["--as", "busy", "--resource", "practitioner-1", "--data", running.data_dir, "--business", business]
    small, large = tmp_path / "small.ics", tmp_path / "large.ics"
    small.write_bytes(calendar(*event("DTSTART:20270105T090000Z", "DURATION:PT1H")))
    text = "DESCRIPTION:" + "\r\n ".join(["words upon words that say nothing of times" * 2] * 11)
    with large.open("wb") as out:
        out.write(calendar().removesuffix(b"END:VCALENDAR\r\n"))
        begin = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
        for number in range(20_000):
            start = begin + timedelta(minutes=50 * number)
            times = [f"DTSTART:{start:%Y%m%dT%H%M%SZ}", "DURATION:PT10M", text]
            out.write(("\r\n".join(event(*times, uid=f"event-{number}@example.org")) + "\r\n").encode())
        out.write(b"END:VCALENDAR\r\n")
    assert large.stat().st_size > 20 * MEGABYTE
    without, _ = peak_bytes("import", small, *words)
    with_all, told = peak_bytes("import", large, *words)
    assert with_all < without + 60 * MEGABYTE
    percents = [int(line.split(" %")[0].split()[-1]) for line in told.splitlines() if " %, " in line]
    assert percents == sorted(percents)
    assert (len(percents) > 10, percents[-1], "20000 events" in told) == (True, 100, True)
    with psycopg.connect(running.dsn) as connection:
        count = connection.execute(
            "select count(*) from calendar_busy_intervals i join businesses b on b.id = i.business_id"
            " where b.slug = %s and i.source = 'file:large.ics'",
            [business],
        ).fetchone()
    assert count == (20_000,)
