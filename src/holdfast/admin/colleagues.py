"""Who works for a business, by name: whose something is, and whose it can become."""

from dataclasses import dataclass
from uuid import UUID

from holdfast.identity import api_keys, users
from holdfast.identity.permissions import STAFF_ROLES, Permission, any_may
from holdfast.kernel.database import Transaction

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Colleague:
    """Somebody of the staff, a program with a key as well; who has left is known by name and does nothing more."""

    id: UUID
    name: str
    is_here: bool
    permissions: frozenset[Permission]


@dataclass(frozen=True, slots=True)
class Colleagues:
    """Everybody who works for a business, or has worked for it."""

    known: dict[UUID, Colleague]

    def name(self, who: UUID | str | None) -> str | None:
        """Return how somebody is called, by their id; None for nobody and for whom nobody knows any more."""
        found = None if who is None else self.known.get(UUID(str(who)))
        return None if found is None else found.name

    def who_may(self, permission: Permission) -> list[Colleague]:
        """Return who works here and has a permission."""
        return [one for one in self.known.values() if one.is_here and permission in one.permissions]


async def colleagues(tx: Transaction) -> Colleagues:
    """Return the staff of the business."""
    found: dict[UUID, Colleague] = {}
    cursor: str | None = None
    while True:
        page = await users.list_users(tx, cursor=cursor, limit=_PAGE)
        for user in page.users:
            is_here = user.deactivated_at is None and any(role in STAFF_ROLES for role in user.roles)
            found[user.id] = Colleague(user.id, user.name, is_here, _permissions(*user.roles))
        cursor = page.next_cursor
        if cursor is None:
            break
    for key in await api_keys.keys_of(tx):
        found[key.id] = Colleague(key.id, key.name, key.revoked_at is None, _permissions(key.role))
    return Colleagues(found)


def _permissions(*roles: object) -> frozenset[Permission]:
    held = [role for role in STAFF_ROLES if role in roles]
    return frozenset(one for one in Permission if any_may(held, one))
