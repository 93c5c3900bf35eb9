"""A booking as a calendar file (W-2)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from booking.opened import START, open_practice
from holdfast.booking.bookings import Booking
from holdfast.booking.invites import Method, Shown, invite
from holdfast.booking.states import BookingState

SHOWN = Shown(
    "Individual session",
    "Calm Practice",
    "desk@practice.test",
    description="Change it at https://booking.test/manage?token=a&b=c",
    manage_url="https://booking.test/manage?token=a&b=c",
    attendee="invited+one@example.org",
    attendee_name="Somebody Invited",
)
HOUR = timedelta(hours=1)
BOOKING = Booking(
    business_id=UUID(int=1),
    id=UUID("0198f000-0000-7000-8000-000000000001"),
    service_id=UUID(int=2),
    schedule_id=None,
    starts_at=datetime(2026, 12, 1, 10, tzinfo=UTC),
    ends_at=datetime(2026, 12, 1, 11, tzinfo=UTC),
    party_size=1,
    state=BookingState.CONFIRMED,
    version=2,
    held_at=datetime(2026, 11, 20, tzinfo=UTC),
    expires_at=None,
    price_minor=0,
    currency="EUR",
    timezone="Europe/Berlin",
    locale="en",
    contact=None,
    guest_email=None,
    guest_phone=None,
    guest_name=None,
    has_note=False,
    token_nonce=None,
    due_minor=None,
    refund_terms=None,
    refund_percent=None,
    refund_most_percent=None,
    now=datetime(2026, 11, 21, 12, 30, 15, 999, tzinfo=UTC),
    resource_ids=[],
    cancel_notice_minutes=0,
    hold_minutes=15,
)


def parsed(body: bytes) -> tuple[str, Any]:
    """Return the method of a file and its one event."""
    calendar = Calendar.from_ical(body)
    [event] = calendar.walk("VEVENT")
    return str(calendar["METHOD"]), event


def test_an_invitation_names_its_booking_and_whom_it_is_for() -> None:
    """Method, parties, times and link stand where RFC 5546 wants them, and whoever has booked has said yes (W-2)."""
    method, event = parsed(invite(BOOKING, SHOWN, Method.REQUEST))
    assert method == "REQUEST"
    assert str(event["UID"]) == f"{BOOKING.id}@holdfast"
    assert (int(event["SEQUENCE"]), str(event["STATUS"])) == (2, "CONFIRMED")
    assert event["DTSTAMP"].dt == datetime(2026, 11, 21, 12, 30, 15, tzinfo=UTC)
    assert str(event["SUMMARY"]) == "Individual session — Calm Practice"
    assert str(event["ORGANIZER"]) == "mailto:desk@practice.test"
    assert event["ORGANIZER"].params["CN"] == "Calm Practice"
    assert str(event["ATTENDEE"]) == "mailto:invited+one@example.org"
    assert event["ATTENDEE"].params["PARTSTAT"] == "ACCEPTED"
    assert event["ATTENDEE"].params["RSVP"] == "FALSE"
    assert str(event["URL"]) == SHOWN.manage_url
    assert str(SHOWN.manage_url) in str(event["DESCRIPTION"])


def test_a_published_file_tells_nobody_who_comes() -> None:
    """What is downloaded has no attendee, as RFC 5546 demands, and may name a page where there is no address."""
    method, event = parsed(invite(BOOKING, replace(SHOWN, organizer="https://booking.test/calm")))
    assert method == "PUBLISH"
    assert "ATTENDEE" not in event
    assert str(event["ORGANIZER"]) == "https://booking.test/calm"


@pytest.mark.parametrize(
    ("zone", "wall"),
    [
        # The day on which clocks are put forward, before and after; the hour that comes twice, each time of it.
        ("Europe/Berlin", datetime(2027, 3, 28, 1, 30)),  # noqa: DTZ001 - a wall time, whose zone stands beside it
        ("Europe/Berlin", datetime(2027, 3, 28, 3, 0)),  # noqa: DTZ001
        ("Europe/Berlin", datetime(2026, 10, 25, 2, 30, fold=0)),  # noqa: DTZ001
        ("Europe/Berlin", datetime(2026, 10, 25, 2, 30, fold=1)),  # noqa: DTZ001
        ("Australia/Lord_Howe", datetime(2027, 4, 4, 1, 45, fold=1)),  # noqa: DTZ001
        ("Asia/Kathmandu", datetime(2026, 12, 1, 9, 15)),  # noqa: DTZ001
        ("Europe/Moscow", datetime(2026, 12, 31, 23, 30)),  # noqa: DTZ001
    ],
)
def test_times_are_instants_in_any_zone(zone: str, wall: datetime) -> None:
    """A file names the very instants of its booking, in UTC, on days of changed clocks as on others (W-2, A-5)."""
    starts_at = wall.replace(tzinfo=ZoneInfo(zone))
    ends_at = (starts_at.astimezone(UTC) + HOUR).astimezone(ZoneInfo(zone))
    _, event = parsed(invite(replace(BOOKING, starts_at=starts_at, ends_at=ends_at), SHOWN))
    assert (event["DTSTART"].dt, event["DTEND"].dt) == (starts_at.astimezone(UTC), ends_at.astimezone(UTC))
    assert event["DTSTART"].to_ical().endswith(b"Z")


@pytest.mark.parametrize(
    ("state", "method", "status"),
    [
        (BookingState.CONFIRMED, Method.CANCEL, "CANCELLED"),
        (BookingState.CANCELLED, Method.PUBLISH, "CANCELLED"),
        (BookingState.REFUNDED, Method.PUBLISH, "CANCELLED"),
        (BookingState.PENDING_PAYMENT, Method.PUBLISH, "TENTATIVE"),
        (BookingState.COMPLETED, Method.PUBLISH, "CONFIRMED"),
    ],
)
def test_the_status_says_whether_it_takes_place(state: BookingState, method: Method, status: str) -> None:
    """What does not take place any more is cancelled in every file, and what is not paid yet is tentative (W-2)."""
    _, event = parsed(invite(replace(BOOKING, state=state), SHOWN, method))
    assert str(event["STATUS"]) == status


def test_names_cannot_write_lines_of_their_own() -> None:
    """Quotes, commas, line breaks and colons of names stay within their property, and come out as they went in."""
    hostile = 'Quo"ted; , name: x\nATTENDEE:mailto:evil@example.org'
    shown = replace(SHOWN, title=hostile, business=hostile, attendee_name=hostile, location=hostile)
    shown = replace(shown, attendee="odd?x=1\r\nURL:evil@example.org")
    body = invite(BOOKING, shown, Method.REQUEST)
    _, event = parsed(body)
    assert event["ORGANIZER"].params["CN"] == hostile
    assert event["ATTENDEE"].params["CN"] == hostile
    assert str(event["SUMMARY"]) == f"{hostile} — {hostile}"
    assert str(event["LOCATION"]) == hostile
    assert str(event["ATTENDEE"]) == "mailto:odd%3Fx%3D1%0D%0AURL%3Aevil@example.org"
    assert str(event["URL"]) == SHOWN.manage_url
    assert all(len(line) <= 75 for line in body.split(b"\r\n"))
    assert b"\n" not in body.replace(b"\r\n", b"")


async def test_every_change_makes_a_newer_file_of_the_same_event(app_uri: str) -> None:
    """Confirmed, moved, cancelled: the UID stays and the SEQUENCE grows, whoever reads it last (W-2)."""
    async with open_practice(app_uri) as practice:
        await practice.add_resource("room")
        await practice.add_service("session", ["room"])
        booking_id = (await practice.reserve("session")).made().id
        await practice.commit(booking_id)
        files = [parsed(invite(await practice.read(booking_id), SHOWN))[1]]
        await practice.move(booking_id, "session", START + 7_200)
        files.append(parsed(invite(await practice.read(booking_id), SHOWN))[1])
        await practice.cancel(booking_id)
        files.append(parsed(invite(await practice.read(booking_id), SHOWN, Method.CANCEL))[1])
    assert len({str(event["UID"]) for event in files}) == 1
    sequences = [int(event["SEQUENCE"]) for event in files]
    assert sequences == sorted(set(sequences))
    assert files[1]["DTSTART"].dt == files[2]["DTSTART"].dt == datetime.fromtimestamp(START + 7_200, UTC)
