"""Attempts to sign in: each account and each client has so many in a window, whether the account exists or not.

Counted in the database before a password is looked at, so that the limit is one for all processes of all servers.
"""

import hashlib
import hmac
import math
from uuid import UUID

from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import TooManyRequests
from holdfast.kernel.sql import load

_SQL = load("holdfast.identity", "attempts.sql")

WINDOW_SECONDS = 900
# Wrong passwords for one account, from wherever; and of one client, for whatever accounts, as a practice behind one
# address may have several people with the morning still before them.
ACCOUNT_LIMIT = 10
CLIENT_LIMIT = 30


class Attempts:
    """Counts attempts and refuses those beyond a limit; one that succeeds does not count."""

    def __init__(self, database: Database, master_key: bytes) -> None:
        self._database = database
        # A key of its own for this purpose: without it, nobody finds out an address by hashing all that there are.
        self._key = hmac.digest(master_key, b"holdfast login attempts v1", hashlib.sha256)

    async def count(self, business_id: UUID, email: str, client: str) -> None:
        """Count an attempt before it is made.

        Raises TooManyRequests when account or client has had its number; it says nothing of which, nor whether there is
        such an account.
        """
        values = {
            **self._subjects(business_id, email, client),
            "window_seconds": WINDOW_SECONDS,
            "account_limit": ACCOUNT_LIMIT,
            "client_limit": CLIENT_LIMIT,
        }
        async with self._database.reading() as tx:
            exceeded = await tx.rows(_SQL["count_attempt"], values)
        if exceeded:
            raise TooManyRequests.of("login", max(1, math.ceil(exceeded[0]["wait_seconds"])))

    async def succeeded(self, business_id: UUID, email: str, client: str) -> None:
        """Take an attempt back: it was no guess, and the guesses for its account are over."""
        subjects = self._subjects(business_id, email, client)
        async with self._database.transaction() as tx:
            # In the order in which an attempt locks them.
            await tx.run(_SQL["take_back_attempt"], subjects)
            await tx.run(_SQL["forget_account"], subjects)

    def _subjects(self, business_id: UUID, email: str, client: str) -> dict[str, bytes]:
        return {
            "client": self._subject(f"client {client}"),
            "account": self._subject(f"account {business_id} {email.strip().casefold()}"),
        }

    def _subject(self, name: str) -> bytes:
        return hashlib.blake2b(name.encode(errors="surrogatepass"), digest_size=16, key=self._key).digest()


async def forget(tx: Transaction) -> int:
    """Forget the windows that are over; return how many."""
    return await tx.run(_SQL["forget_attempts"], {"window_seconds": WINDOW_SECONDS})
