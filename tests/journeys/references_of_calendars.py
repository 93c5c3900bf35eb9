"""For every foreign key of calendars a row that is sound but for one thing; see `references.py`."""

from typing import Any

from journeys.damages import ANA, NOWHERE, Damage, says
from journeys.references import CALENDARS, MINE, NEW, PAST, SEALED, row, the, theirs

CONNECTION, CALENDAR, ITEM_ID = the("connection"), the("calendar"), the("item")
INDEX = "\\x" + "01" * 16
HASH = "\\x" + "00" * 32
KEPT = {"etag": "e", "event_id": "fresh0"}
SOON = "2045-01-01"


def connection(business: str = MINE, **values: Any) -> str:
    """Return SQL that inserts a connection to an account."""
    return row(
        "calendar_connections",
        business,
        **{"id": CONNECTION, "resource_id": ANA, "provider": "ics", "account_index": INDEX, **values},
    )


def calendar(business: str = MINE, **values: Any) -> str:
    """Return SQL that inserts a calendar of the connection."""
    names = {"remote_id": SEALED, "remote_id_index": INDEX, "name": SEALED, "access": "read"}
    return row(
        "calendars", business, **{"id": CALENDAR, "connection_id": CONNECTION, "resource_id": ANA, **names, **values}
    )


def channel(business: str = MINE, **values: Any) -> str:
    """Return SQL that inserts a channel."""
    return row(
        "calendar_channels",
        business,
        **{"id": NEW, "calendar_id": CALENDAR, "token_hash": HASH, "expires_at": SOON, **values},
    )


def event(business: str = MINE, **values: Any) -> str:
    """Return SQL that inserts an event that stands for a booking."""
    return row("calendar_events", business, **{"calendar_id": CALENDAR, "booking_id": the("past"), **KEPT, **values})


def conflict(business: str = MINE, **values: Any) -> str:
    """Return SQL that inserts a conflict, with the item of the inbox that tells of it."""
    terms: dict[str, Any] = {
        "calendar_id": CALENDAR,
        "booking_id": the("past"),
        "kind": "deleted",
        "booking_version": 2,
    }
    return row("calendar_conflicts", business, **{"id": NEW, "item_id": ITEM_ID, **terms, **values})


def authorization(business: str = MINE, **values: Any) -> str:
    """Return SQL that inserts an owner who is away to consent."""
    terms: dict[str, Any] = {"state_hash": HASH, "verifier": SEALED, "redirect_uri": "r", "expires_at": SOON}
    return row(
        "calendar_authorizations", business, **{"id": NEW, "resource_id": ANA, "actor_id": NEW, **terms, **values}
    )


def feed(business: str = MINE, **values: Any) -> str:
    """Return SQL that inserts the address of a feed."""
    return row("calendar_feeds", business, **{"resource_id": ANA, "token_hash": HASH, **values})


ITEM = row("attention_items", id=ITEM_ID, kind="thing", subject_id=NEW, severity="info")

# By the name of the foreign key.
CALENDAR_REFERENCES: dict[str, Damage] = {
    "calendar_connections_business_id_fkey": (
        connection(NOWHERE),
        {says(CALENDARS, CONNECTION, NOWHERE), says(CALENDARS, CONNECTION, ANA)},
    ),
    "calendar_connections_resource": (
        connection(resource_id=theirs("ana")),
        {says(CALENDARS, CONNECTION, theirs("ana"))},
    ),
    "calendars_business_id_fkey": (
        calendar(NOWHERE),
        {says(CALENDARS, CALENDAR, NOWHERE), says(CALENDARS, CALENDAR, CONNECTION), says(CALENDARS, CALENDAR, ANA)},
    ),
    "calendars_connection": (calendar(connection_id=NOWHERE), {says(CALENDARS, CALENDAR, NOWHERE)}),
    "calendars_resource": (
        connection() + calendar(resource_id=theirs("ana")),
        {
            says(CALENDARS, CALENDAR, theirs("ana")),
            says("calendars.calendars_tell_of_whose_they_are", CALENDAR, CONNECTION),
        },
    ),
    "calendar_channels_business_id_fkey": (
        channel(NOWHERE),
        {says(CALENDARS, NEW, NOWHERE), says(CALENDARS, NEW, CALENDAR)},
    ),
    "calendar_channels_calendar": (channel(calendar_id=NOWHERE), {says(CALENDARS, NEW, NOWHERE)}),
    "calendar_busy_intervals_calendar": (
        row(
            "calendar_busy_intervals",
            id=NEW,
            resource_id=ANA,
            during=PAST,
            source="ics",
            calendar_id=NOWHERE,
            event_key=INDEX,
        ),
        {says(CALENDARS, NEW, NOWHERE)},
    ),
    "calendar_events_business_id_fkey": (
        event(NOWHERE),
        {
            says(CALENDARS, "fresh0", NOWHERE),
            says(CALENDARS, "fresh0", CALENDAR),
            says(CALENDARS, "fresh0", the("past")),
        },
    ),
    "calendar_events_calendar": (event(calendar_id=NOWHERE), {says(CALENDARS, "fresh0", NOWHERE)}),
    "calendar_events_booking": (
        connection() + calendar() + event(booking_id=theirs("past")),
        {says(CALENDARS, "fresh0", theirs("past"))},
    ),
    "calendar_conflicts_business_id_fkey": (
        conflict(NOWHERE),
        {
            says(CALENDARS, NEW, NOWHERE),
            says(CALENDARS, NEW, CALENDAR),
            says(CALENDARS, NEW, the("past")),
            says(CALENDARS, NEW, ITEM_ID),
        },
    ),
    "calendar_conflicts_calendar": (ITEM + conflict(calendar_id=NOWHERE), {says(CALENDARS, NEW, NOWHERE)}),
    "calendar_conflicts_booking": (
        ITEM + connection() + calendar() + conflict(booking_id=theirs("past")),
        {says(CALENDARS, NEW, theirs("past"))},
    ),
    "calendar_conflicts_item": (connection() + calendar() + conflict(item_id=NOWHERE), {says(CALENDARS, NEW, NOWHERE)}),
    "calendar_authorizations_business_id_fkey": (
        authorization(NOWHERE),
        {says(CALENDARS, NEW, NOWHERE), says(CALENDARS, NEW, ANA)},
    ),
    "calendar_authorizations_resource": (
        authorization(resource_id=theirs("ana")),
        {says(CALENDARS, NEW, theirs("ana"))},
    ),
    "calendar_feeds_business_id_fkey": (feed(NOWHERE), {says(CALENDARS, ANA, NOWHERE), says(CALENDARS, ANA, ANA)}),
    "calendar_feeds_resource": (
        feed(resource_id=theirs("ana")),
        {says(CALENDARS, theirs("ana"), theirs("ana"))},
    ),
}
