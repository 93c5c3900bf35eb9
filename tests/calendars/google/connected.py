"""A connection to the fake that is stored, and what stands for it."""

from dataclasses import dataclass
from uuid import UUID, uuid4

from calendars.google.adapter import tokens_of
from calendars.google.fake import FakeGoogle
from calendars.google.server import settings_of
from holdfast.calendars.connections import Connection, find_connection, put_tokens
from holdfast.calendars.google_oauth import GoogleOAuth
from holdfast.calendars.grants import StoredGrant
from holdfast.catalog.resources import put_resource
from holdfast.identity.businesses import put
from holdfast.kernel.database import Database, Transaction


@dataclass
class Connected:
    """A business with one connection."""

    google: FakeGoogle
    database: Database
    business_id: UUID
    connection_id: UUID

    async def read(self) -> Connection:
        """Return the connection as it is stored."""
        async with self.database.transaction(self.business_id) as tx:
            return await find_connection(tx, self.connection_id)

    async def grant(self, database: Database | None = None) -> StoredGrant:
        """Return the grant as another process finds it."""
        oauth = GoogleOAuth(settings_of(self.google))
        return StoredGrant(database or self.database, oauth, self.business_id, await self.read())

    async def items(self) -> list[tuple[str, UUID, int]]:
        """Return what stands in the inbox."""
        async with self.database.transaction(self.business_id) as tx:
            rows = await tx.rows("select kind, subject_id, times_raised from attention_items order by raised_at")
        return [(row["kind"], row["subject_id"], row["times_raised"]) for row in rows]


async def connected(google: FakeGoogle, database: Database) -> Connected:
    """Store what the owner of the fake's account has granted, in a business of its own."""

    async def business(tx: Transaction) -> UUID:
        slug = f"b-{uuid4().hex}"
        return (await put(tx, slug=slug, name="A practice", timezone="UTC", currency="EUR", locale="en")).id

    business_id = await database.run(None, business)
    connection_id = uuid4()

    async def connection(tx: Transaction) -> None:
        resource_id = await put_resource(tx, slug="r", name="r", kind="practitioner", always_open=True)
        keys = await tx.keys()
        await tx.run(
            "insert into calendar_connections (business_id, id, resource_id, provider, account, account_index)"
            " values (%s, %s, %s, 'google', %s, %s)",
            [
                business_id,
                connection_id,
                resource_id,
                keys.seal("calendar_connections.account", connection_id, google.oauth.account),
                keys.index_other("calendar account", google.oauth.account),
            ],
        )
        await put_tokens(tx, connection_id, tokens_of(google))

    await database.run(business_id, connection)
    return Connected(google, database, business_id, connection_id)
