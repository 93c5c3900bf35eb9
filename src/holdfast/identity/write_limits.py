"""Limits of what the public may write in a minute: each client, and all clients of a business together (H-3).

Counted in the database, so that the limit is one for all processes of all servers.
"""

import hashlib
import hmac
import math
import time
from collections import OrderedDict
from uuid import UUID

from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.errors import TooManyRequests
from holdfast.kernel.sql import load

_SQL = load("holdfast.identity", "write_limits.sql")

# Of those who were refused, so many are refused again without asking the database.
_KEPT_REFUSALS = 10_000


class WriteLimits:
    """Counts writes and refuses those beyond a limit.

    A minute begins with the first write that is counted in it; whoever has had his number waits for its end.
    """

    def __init__(self, database: Database, master_key: bytes, *, per_client: int, per_business: int) -> None:
        """Prepare; 0 writes in a minute stand for no limit."""
        self._database = database
        # A key of its own for this purpose: without it, nobody finds out an address by hashing all that there are.
        self._key = hmac.digest(master_key, b"holdfast write limits v1", hashlib.sha256)
        self._per_client = per_client
        self._per_business = per_business
        # Until when on the monotonic clock, the oldest refusal first.
        self._refused: OrderedDict[bytes, float] = OrderedDict()

    def refuse_known(self, client: str) -> None:
        """Refuse a client who was refused in this minute, before anything is asked of anybody.

        Raises TooManyRequests.
        """
        if self._per_client:
            self._refuse_again("client", self._subject("client", client))

    async def count(self, client: str, business_id: UUID | None) -> None:
        """Count a write of a client, and of a business if it is known.

        Raises TooManyRequests when either has had its number; what is refused counts for nobody. TryLater.
        """
        subjects = {
            "client": self._subject("client", client) if self._per_client else None,
            "business": self._subject("business", str(business_id)) if self._per_business and business_id else None,
        }
        self._refuse_again("business", subjects["business"])
        values = {**subjects, "client_limit": self._per_client, "business_limit": self._per_business}
        async with self._database.reading() as tx:
            exceeded = await tx.rows(_SQL["count"], values)
        if exceeded:
            by, wait_seconds = exceeded[0]["by"], exceeded[0]["wait_seconds"]
            subject = subjects[by]
            assert subject is not None, "only what was counted is exceeded"
            self._refused[subject] = time.monotonic() + wait_seconds
            self._refused.move_to_end(subject)
            if len(self._refused) > _KEPT_REFUSALS:
                self._refused.popitem(last=False)
            raise _refusal(by, wait_seconds)

    def _refuse_again(self, by: str, subject: bytes | None) -> None:
        """Refuse whoever was refused in this minute, which nobody can shorten."""
        if subject is None or (until := self._refused.get(subject)) is None:
            return
        wait_seconds = until - time.monotonic()
        if wait_seconds > 0:
            raise _refusal(by, wait_seconds)
        del self._refused[subject]

    def _subject(self, kind: str, name: str) -> bytes:
        return hashlib.blake2b(f"{kind} {name}".encode(), digest_size=16, key=self._key).digest()


async def forget(tx: Transaction) -> int:
    """Forget the minutes that are over; return how many."""
    return await tx.run(_SQL["forget"])


def _refusal(by: str, wait_seconds: float) -> TooManyRequests:
    return TooManyRequests.of(by, max(1, math.ceil(wait_seconds)))
