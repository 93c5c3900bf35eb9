"""The first setup: whoever runs a server makes the first owner, by a code that only they can have.

The code is derived by HMAC-SHA256 from the master key, so nothing has to be stored, and every process of a server gives
the same one. It opens what is still vacant, and nothing else: a server without a business, or a business in which
nobody of staff has ever been.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass

from holdfast.identity import businesses, users
from holdfast.identity.businesses import Business
from holdfast.identity.errors import SetupOver
from holdfast.identity.permissions import Role
from holdfast.identity.users import User
from holdfast.kernel.audit import CONSOLE, record
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.sql import load

_SQL = load("holdfast.identity")


@dataclass(frozen=True, slots=True)
class Vacancy:
    """What has to be set up: an owner for a business, or a business as well for None."""

    business: Business | None


class Setup:
    """Knows the code of a server, and what is vacant on it.

    `default_business` is the one that a server means when nobody names one; what one code opens, another default's does
    not.
    """

    def __init__(self, master_key: bytes, default_business: str | None) -> None:
        # A key of its own for this purpose, so that no other use of the master key can make a code.
        key = hmac.digest(master_key, b"holdfast setup v1", hashlib.sha256)
        digest = hmac.digest(key, (default_business or "").encode(), hashlib.sha256)
        # 192 bits, which nobody guesses, in a link that still fits on a line.
        self.code = urlsafe_b64encode(digest[:24]).decode()
        self._default = default_business

    def link(self, url: str) -> str:
        """Return the link for a server whose address, without a slash at its end, is this."""
        return f"{url}/admin/setup?code={self.code}"

    async def vacancy(self, tx: Transaction) -> Vacancy | None:
        """Return what has to be set up; None when there is staff, or several businesses and none that is meant."""
        named = self._default
        business = await (businesses.only(tx) if named is None else businesses.find(tx, named))
        if business is None:
            return None if await tx.value(_SQL["any_business"]) else Vacancy(None)
        own = await tx.act_for(business.id)
        has_staff = await own.value(_SQL["has_staff"], {"business_id": business.id})
        return None if has_staff else Vacancy(business)

    async def opened(self, tx: Transaction, code: str) -> Vacancy:
        """Return what a code opens. Raises SetupOver, whether the code is wrong or has served."""
        proved = hmac.compare_digest(code.encode(errors="replace"), self.code.encode())
        found = await self.vacancy(tx)
        if not proved or found is None:
            raise SetupOver
        return found

    async def add_business(
        self, database: Database, code: str, *, slug: str, name: str, timezone: str, currency: str, locale: str
    ) -> Business:
        """Make the business of a server that has none. Raises SetupOver when somebody else has, InvalidBusinessSlug."""
        async with database.transaction() as tx:
            await tx.run(_SQL["await_setup"])
            found = await self.opened(tx, code)
            if found.business is not None:
                raise SetupOver
            return await businesses.put(tx, slug=slug, name=name, timezone=timezone, currency=currency, locale=locale)

    async def add_owner(self, database: Database, code: str, *, email: str, name: str, kept: str) -> User:
        """Make the first owner of the business; of two at one moment the second raises SetupOver."""
        async with database.transaction() as tx:
            await tx.run(_SQL["await_setup"])
            found = await self.opened(tx, code)
            if found.business is None:
                raise SetupOver
            own = await tx.act_for(found.business.id)
            await record(own, "business", found.business.id, "set_up", CONSOLE)
            return await users.create(own, email=email, name=name, roles=[Role.OWNER], kept=kept, actor=CONSOLE)
