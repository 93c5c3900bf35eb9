"""Asks for the access token of a connection, as a process of its own; takes what it needs to know as JSON on stdin."""

import asyncio
import json
import sys
from uuid import UUID

from holdfast.calendars.connections import find_connection
from holdfast.calendars.google_oauth import GoogleOAuth
from holdfast.calendars.grants import StoredGrant
from holdfast.calendars.settings import GoogleSettings
from holdfast.kernel.database import Database
from holdfast.kernel.privacy import Keyring


async def main() -> None:
    """Print a token other than the one that is stored."""
    given = json.load(sys.stdin)
    business_id, connection_id = UUID(given["business"]), UUID(given["connection"])
    database = Database(given["dsn"], keyring=Keyring(bytes.fromhex(given["master_key"]), given["dsn"]))
    await database.open()
    try:
        async with database.transaction(business_id) as tx:
            connection = await find_connection(tx, connection_id)
        grant = StoredGrant(database, GoogleOAuth(GoogleSettings(**given["settings"])), business_id, connection)
        print(await grant.access_token(given["refused"]))  # noqa: T201 - this is how the test hears of it
    finally:
        await database.close()


asyncio.run(main())
