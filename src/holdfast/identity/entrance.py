"""Where people come in: signing in, choosing a password, changing it. Passwords are checked between transactions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.identity import invitations, logins, users
from holdfast.identity.attempts import Attempts
from holdfast.identity.cookies import Cookies
from holdfast.identity.errors import InvitationInvalid, WrongCredentials
from holdfast.identity.invitations import Invitations
from holdfast.identity.logins import Terms, Token
from holdfast.identity.passwords import Passwords
from holdfast.identity.staff import Staff
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Database, Transaction
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load

_SQL = load("holdfast.identity", "users.sql")


@dataclass(frozen=True, slots=True)
class _Credentials:
    """What is kept of a user's password; of nobody, nothing."""

    user_id: UUID
    email: str
    kept: str | None
    password_set_at: datetime | None
    active: bool


_NOBODY = _Credentials(UUID(int=0), "", None, None, active=False)


class Entrance:
    """Lets users in, and tells nobody who is one."""

    def __init__(self, database: Database, master_key: bytes, terms: Terms, cookies: Cookies) -> None:
        self.terms = terms
        self.cookies = cookies
        self.passwords = Passwords()
        self.invitations = Invitations(master_key)
        self._database = database
        self._attempts = Attempts(database, master_key)

    async def sign_in(self, business_id: UUID, email: str, password: str, *, client: str, device: str | None) -> Token:
        """Open a login for the user with this address and password.

        Whatever is wrong, and whether there is such a user or not, the work and the answer are the same. Raises
        WrongCredentials, TooManyRequests, TryLater.
        """
        await self._attempts.count(business_id, email, client)
        async with self._database.transaction(business_id) as tx:
            found = await _by_email(tx, email)
        proved = await self.passwords.proves(password, found.kept if found.active else None)
        if not proved or found.kept is None or found.password_set_at is None:
            raise WrongCredentials
        newer = await self.passwords.hashed(password) if self.passwords.outdated(found.kept) else None
        async with self._database.transaction(business_id) as tx:
            token = await logins.begin(tx, found.user_id, found.password_set_at, self.terms, device)
            if token is None:
                raise WrongCredentials
            if newer is not None:
                await users.keep_anew(tx, found.user_id, newer, found.password_set_at)
        await self._attempts.succeeded(business_id, email, client)
        return token

    async def change_password(self, staff: Staff, current: str, chosen: str, *, client: str) -> None:
        """Give the user who is signed in another password, and end their other logins.

        Raises WrongCredentials when the current one is not that, TooManyRequests, ValidationFailed, TryLater.
        """
        assert staff.user_id is not None, "only users have passwords"
        async with self._database.transaction(staff.business_id) as tx:
            found = await _by_id(tx, staff.user_id)
        await self._attempts.count(staff.business_id, found.email, client)
        if not await self.passwords.proves(current, found.kept):
            raise WrongCredentials
        await self._attempts.succeeded(staff.business_id, found.email, client)
        kept = await self.passwords.hashed(chosen)
        async with self._database.transaction(staff.business_id) as tx:
            await users.set_password(tx, staff.user_id, kept, actor=staff.actor, but_login=staff.login_id)

    async def count_guess(self, purpose: str, client: str) -> None:
        """Count a wrong code or link of a client. Raises TooManyRequests when they have had their number."""
        await self._attempts.count(_NOBODY.user_id, f"{purpose} {client}", client)

    async def check_invitation(self, text: str) -> UUID:
        """Return the business to which an invitation leads. Raises InvitationInvalid."""
        invitation = invitations.read(text)
        if invitation is None:
            raise InvitationInvalid
        async with self._database.transaction(invitation.business_id) as tx:
            await self._check(tx, invitation)
        return invitation.business_id

    async def accept(self, text: str, chosen: str) -> None:
        """Let whom an invitation is for choose their password, once; ends the logins that they had.

        Raises InvitationInvalid, ValidationFailed, TryLater.
        """
        invitation = invitations.read(text)
        if invitation is None:
            raise InvitationInvalid
        async with self._database.transaction(invitation.business_id) as tx:
            await self._check(tx, invitation)
        kept = await self.passwords.hashed(chosen)
        async with self._database.transaction(invitation.business_id) as tx:
            # Again, under a lock: of two who use it at one moment one comes too late.
            await self._check(tx, invitation, locked=True)
            await users.set_password(tx, invitation.user_id, kept, actor=Actor.staff(invitation.user_id))

    async def _check(self, tx: Transaction, invitation: invitations.Invitation, *, locked: bool = False) -> None:
        values = {"business_id": tx.business_id, "id": invitation.user_id}
        if locked:
            await tx.value(_SQL["lock_user"], values)
        # Of a business that is not there, there are no keys to open anything with, and none are made.
        found = await tx.rows(_SQL["credentials_by_id"], values)
        if not found or found[0]["deactivated_at"] is not None:
            raise InvitationInvalid
        if not self.invitations.proves(invitation, found[0]["password_set_at"], found[0]["reactivated_at"]):
            raise InvitationInvalid


async def _by_email(tx: Transaction, email: str) -> _Credentials:
    keys = await tx.keys()
    values = {"business_id": tx.business_id, "email_index": keys.index_email(email)}
    return _opened(keys, await tx.rows(_SQL["credentials_by_email"], values))


async def _by_id(tx: Transaction, user_id: UUID) -> _Credentials:
    values = {"business_id": tx.business_id, "id": user_id}
    return _opened(await tx.keys(), await tx.rows(_SQL["credentials_by_id"], values))


def _opened(keys: TenantKeys, found: list[dict[str, Any]]) -> _Credentials:
    if not found:
        return _NOBODY
    [row] = found
    return _Credentials(
        user_id=row["id"],
        email=keys.open("users.email", row["id"], row["email"]),
        kept=row["password"] and keys.open("users.password", row["id"], row["password"]),
        password_set_at=row["password_set_at"],
        active=row["deactivated_at"] is None,
    )
