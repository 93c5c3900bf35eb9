"""Calendars that block the time of a resource, put into the database as if they had been looked at some time ago."""

from datetime import timedelta
from uuid import UUID, uuid4

import psycopg

from conftest import MASTER_KEY
from holdfast.kernel.privacy import Keyring


async def connect(
    uri: str, business_id: UUID, resource_id: UUID, *, seen: timedelta | None, connected: timedelta = timedelta(0)
) -> UUID:
    """Give a resource a calendar that blocks, looked at and connected so long ago; return its id."""
    keys = await Keyring(MASTER_KEY, uri).of(business_id)
    connection_id, calendar_id, feed = uuid4(), uuid4(), f"feed {uuid4()}"
    with psycopg.connect(uri) as connection:
        connection.execute(
            "insert into calendar_connections (business_id, id, resource_id, provider, account_index, address, connected_at)"
            " values (%s, %s, %s, 'ics', %s, %s, clock_timestamp() - %s)",
            [
                business_id,
                connection_id,
                resource_id,
                keys.index_other("calendar account", feed),
                keys.seal("calendar_connections.address", connection_id, feed),
                connected,
            ],
        )
        connection.execute(
            "insert into calendars (business_id, id, connection_id, resource_id, remote_id, remote_id_index, name, access,"
            " blocks, last_success_at, next_sync_at)"
            " values (%s, %s, %s, %s, %s, %s, %s, 'read', true, clock_timestamp() - %s::interval, 'infinity')",
            [
                business_id,
                calendar_id,
                connection_id,
                resource_id,
                keys.seal("calendars.remote_id", calendar_id, feed),
                keys.index_other("calendar", feed),
                keys.seal("calendars.name", calendar_id, "Calendar"),
                seen,
            ],
        )
    return calendar_id


def look(uri: str, calendar_id: UUID, ago: timedelta = timedelta(0)) -> None:
    """Have a calendar looked at so long ago."""
    with psycopg.connect(uri) as connection:
        connection.execute(
            "update calendars set last_success_at = clock_timestamp() - %s where id = %s", [ago, calendar_id]
        )


def disconnect(uri: str, calendar_id: UUID) -> None:
    """Take a calendar away, with its connection."""
    with psycopg.connect(uri) as connection:
        connection.execute(
            "delete from calendar_connections c using calendars k where k.id = %s and c.id = k.connection_id",
            [calendar_id],
        )
