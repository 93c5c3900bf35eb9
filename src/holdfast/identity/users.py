"""Users: people who sign in to a business, what they may do there, and which resources they are.

E-mail address, name and password hash are sealed; an address is found by its blind index.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from holdfast.identity import businesses
from holdfast.identity.errors import LastOwner, UnknownUser
from holdfast.identity.logins import end_logins
from holdfast.identity.permissions import Role
from holdfast.kernel.audit import Actor, record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.ids import new_id
from holdfast.kernel.lists import cursor_after, place_of
from holdfast.kernel.privacy import TenantKeys
from holdfast.kernel.sql import load

_SQL = load("holdfast.identity", "users.sql")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in, unless they were deactivated or have not chosen a password yet."""

    id: UUID
    email: str
    name: str
    roles: tuple[Role, ...]
    resource_ids: tuple[UUID, ...]
    created_at: datetime
    password_set_at: datetime | None
    deactivated_at: datetime | None
    reactivated_at: datetime | None


@dataclass(frozen=True, slots=True)
class UserPage:
    """Users in the order in which they were made; the cursor leads to the next page."""

    users: list[User]
    next_cursor: str | None


async def create(
    tx: Transaction,
    *,
    email: str,
    name: str,
    roles: Iterable[Role],
    actor: Actor,
    kept: str | None = None,
    resource_ids: Sequence[UUID] = (),
) -> User:
    """Make a user; without what was kept of a password they cannot sign in before they choose one.

    Raises EmailTaken when the business has a user with this address, ValidationFailed for an unknown resource.
    """
    keys, user_id = await tx.keys(), new_id()
    values = {
        "business_id": tx.business_id,
        "id": user_id,
        "email": keys.seal("users.email", user_id, email.strip()),
        "email_index": keys.index_email(email),
        "name": keys.seal("users.name", user_id, name),
        "password": None if kept is None else keys.seal("users.password", user_id, kept),
    }
    await tx.run(_SQL["add_user"], values)
    await _put_roles(tx, user_id, roles)
    await _put_resources(tx, user_id, resource_ids)
    made = await find(tx, user_id)
    await record(tx, "user", user_id, "create_user", actor, after=_told(made.roles))
    return made


async def find(tx: Transaction, user_id: UUID) -> User:
    """Return a user of the business. Raises UnknownUser."""
    keys = await tx.keys()
    found = await tx.rows(_SQL["find_user"], {"business_id": tx.business_id, "id": user_id})
    if not found:
        raise UnknownUser
    return _user(keys, found[0])


async def find_by_email(tx: Transaction, email: str) -> User:
    """Return the user with this address. Raises UnknownUser."""
    keys = await tx.keys()
    values = {"business_id": tx.business_id, "email_index": keys.index_email(email)}
    user_id = await tx.value(_SQL["user_by_email"], values)
    if user_id is None:
        raise UnknownUser
    return await find(tx, user_id)


async def list_users(tx: Transaction, *, cursor: str | None, limit: int) -> UserPage:
    """Return a page of the users of the business, the deactivated ones as well, oldest first.

    Raises ValidationFailed for a cursor that no page has given.
    """
    keys = await tx.keys()
    after_at, after_id = place_of(cursor)
    values = {"business_id": tx.business_id, "after_at": after_at, "after_id": after_id, "limit": limit + 1}
    found = [_user(keys, row) for row in await tx.rows(_SQL["list_users"], values)]
    more = len(found) > limit
    return UserPage(found[:limit], cursor_after(found[limit - 1].created_at, found[limit - 1].id) if more else None)


async def change(
    tx: Transaction,
    user_id: UUID,
    *,
    actor: Actor,
    name: str | None = None,
    roles: Iterable[Role] | None = None,
    resource_ids: Sequence[UUID] | None = None,
) -> User:
    """Give a user another name, other roles, other resources; what is None stays. Roles count from the next call on.

    Raises UnknownUser, LastOwner, ValidationFailed for an unknown resource.
    """
    await businesses.lock(tx)
    before = await _locked(tx, user_id)
    values = {"business_id": tx.business_id, "id": user_id}
    if roles is not None and set(roles) != set(before.roles):
        await _put_roles(tx, user_id, roles)
        await _keep_an_owner(tx)
        after = await find(tx, user_id)
        await record(tx, "user", user_id, "change_roles", actor, before=_told(before.roles), after=_told(after.roles))
    if resource_ids is not None and set(resource_ids) != set(before.resource_ids):
        await _put_resources(tx, user_id, resource_ids)
        await record(tx, "user", user_id, "change_resources", actor)
    if name is not None and name != before.name:
        keys = await tx.keys()
        await tx.run(_SQL["rename_user"], values | {"name": keys.seal("users.name", user_id, name)})
        await record(tx, "user", user_id, "rename_user", actor)
    return await find(tx, user_id)


async def deactivate(tx: Transaction, user_id: UUID, *, actor: Actor) -> User:
    """Let a user sign in no more and end their logins; what they did stays theirs. Repeated, it changes nothing.

    Raises UnknownUser, LastOwner.
    """
    await businesses.lock(tx)
    await _locked(tx, user_id)
    if await tx.run(_SQL["deactivate_user"], {"business_id": tx.business_id, "id": user_id}):
        await _keep_an_owner(tx)
        await end_logins(tx, user_id)
        await record(tx, "user", user_id, "deactivate_user", actor, before="active", after="deactivated")
    return await find(tx, user_id)


async def reactivate(tx: Transaction, user_id: UUID, *, actor: Actor) -> User:
    """Let a user sign in again, as what they were; invitations from before stay void. Raises UnknownUser."""
    await _locked(tx, user_id)
    if await tx.run(_SQL["reactivate_user"], {"business_id": tx.business_id, "id": user_id}):
        await record(tx, "user", user_id, "reactivate_user", actor, before="deactivated", after="active")
    return await find(tx, user_id)


async def set_password(
    tx: Transaction, user_id: UUID, kept: str, *, actor: Actor, but_login: UUID | None = None
) -> None:
    """Give a user, who is known to be there, another password and end all logins but one."""
    await tx.value(_SQL["lock_user"], {"business_id": tx.business_id, "id": user_id})
    keys = await tx.keys()
    sealed = keys.seal("users.password", user_id, kept)
    await tx.run(_SQL["set_password"], {"business_id": tx.business_id, "id": user_id, "password": sealed})
    await end_logins(tx, user_id, but=but_login)
    await record(tx, "user", user_id, "set_password", actor)


async def keep_anew(tx: Transaction, user_id: UUID, kept: str, password_set_at: datetime) -> None:
    """Keep the same password under newer parameters, unless another one was set meanwhile."""
    keys = await tx.keys()
    sealed = keys.seal("users.password", user_id, kept)
    values = {"business_id": tx.business_id, "id": user_id, "password": sealed, "password_set_at": password_set_at}
    await tx.run(_SQL["keep_anew"], values)


async def _locked(tx: Transaction, user_id: UUID) -> User:
    """Return a user, locked; raises UnknownUser."""
    await tx.value(_SQL["lock_user"], {"business_id": tx.business_id, "id": user_id})
    return await find(tx, user_id)


async def _keep_an_owner(tx: Transaction) -> None:
    """Raise LastOwner when there is none left; the business is locked, so that two cannot leave at one moment."""
    if not await tx.rows(_SQL["active_owners"], {"business_id": tx.business_id}):
        raise LastOwner


async def _put_roles(tx: Transaction, user_id: UUID, roles: Iterable[Role]) -> None:
    values = {"business_id": tx.business_id, "id": user_id, "roles": sorted({str(role) for role in roles})}
    await tx.run(_SQL["clear_roles"], values)
    await tx.run(_SQL["grant_roles"], values)


async def _put_resources(tx: Transaction, user_id: UUID, resource_ids: Sequence[UUID]) -> None:
    values = {"business_id": tx.business_id, "id": user_id, "resource_ids": list(resource_ids)}
    if await tx.value(_SQL["unknown_resources"], values):
        raise ValidationFailed.at("resourceIds", "names what is no resource of the business")
    await tx.run(_SQL["clear_resources"], values)
    await tx.run(_SQL["assign_resources"], values)


def _told(roles: Iterable[Role]) -> str:
    return ", ".join(sorted(roles))


def _user(keys: TenantKeys, row: dict[str, Any]) -> User:
    return User(
        id=row["id"],
        email=keys.open("users.email", row["id"], row["email"]),
        name=keys.open("users.name", row["id"], row["name"]),
        roles=tuple(role for role in Role if role in row["roles"]),
        resource_ids=tuple(row["resource_ids"]),
        created_at=row["created_at"],
        password_set_at=row["password_set_at"],
        deactivated_at=row["deactivated_at"],
        reactivated_at=row["reactivated_at"],
    )
