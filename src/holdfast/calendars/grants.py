"""The access token of a connection: kept while it is good, renewed by one process for all."""

from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import psycopg

from holdfast.calendars.connections import (
    Connection,
    ConnectionState,
    find_connection,
    put_tokens,
    stop_asking,
)
from holdfast.calendars.google_oauth import GoogleOAuth
from holdfast.calendars.port import NeedsReconnect, Unreachable
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import NotFound

# A token is renewed so long before it ends that clocks may differ and a request may take its time.
_AHEAD: Final = timedelta(seconds=90)


class StoredGrant:
    """What an owner has granted a connection that is stored."""

    def __init__(self, database: Database, oauth: GoogleOAuth, business_id: UUID, connection: Connection) -> None:
        self._database = database
        self._oauth = oauth
        self._business_id = business_id
        self._connection = connection

    async def access_token(self, refused: str | None = None) -> str:
        """Return a token that is good, other than one that was refused.

        It is renewed at most once at a time, in whatever process: who comes second waits and takes what the first one
        has got. Raises NeedsReconnect, of which staff have then been told, Refused and Unreachable.
        """
        if (token := _good(self._connection, refused)) is not None:
            return token
        try:
            # The lock on the row, which all processes wait for, is held while Google is asked: for 5 seconds at most.
            async with self._database.transaction(self._business_id) as tx:
                granted = await self._renewed(tx, refused)
                self._connection = await find_connection(tx, self._connection.id)
        except psycopg.errors.LockNotAvailable:
            raise Unreachable("the renewal of others takes long") from None
        except NotFound:
            raise NeedsReconnect("the connection is gone") from None
        if granted is None:
            raise NeedsReconnect("the grant is void")
        return granted

    async def revoke(self) -> None:
        """Give back what was granted; raises Unreachable, Refused."""
        token = self._connection.refresh_token or self._connection.access_token
        if token is not None:
            await self._oauth.revoke(token)

    async def _renewed(self, tx: Transaction, refused: str | None) -> str | None:
        """Return the token that somebody else has got meanwhile, or a new one; None when there is no grant any more."""
        connection = await find_connection(tx, self._connection.id, lock=True)
        if (token := _good(connection, refused)) is not None:
            return token
        if connection.refresh_token is None or connection.state is ConnectionState.NEEDS_RECONNECT:
            await stop_asking(tx, connection, NeedsReconnect("the grant is void"))
            return None
        try:
            tokens = await self._oauth.renew(connection.refresh_token)
        except NeedsReconnect as void:
            await stop_asking(tx, connection, void)
            return None
        await put_tokens(tx, connection.id, tokens)
        return tokens.access_token


def _good(connection: Connection, refused: str | None) -> str | None:
    token, until = connection.access_token, connection.access_token_expires_at
    if token is None or until is None or connection.state is ConnectionState.NEEDS_RECONNECT:
        return None
    return token if token != refused and datetime.now(UTC) + _AHEAD < until else None
