"""Who of the staff calls: by a key or signed in, and with which rights."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from holdfast.identity.permissions import Permission, Role, any_may
from holdfast.kernel.audit import Actor
from holdfast.kernel.database import Transaction
from holdfast.kernel.sql import load

_SQL = load(__package__)


@dataclass(frozen=True, slots=True)
class Staff:
    """Who calls: for which business, by which key or as which user, with which rights.

    A user may have several roles, whose permissions add up. `resource_ids` are the resources that the user is: whose
    appointments are theirs.
    """

    business_id: UUID
    roles: frozenset[Role]
    key_id: UUID | None = None
    user_id: UUID | None = None
    login_id: UUID | None = None
    resource_ids: frozenset[UUID] = frozenset()

    def may(self, permission: Permission) -> bool:
        """Return whether one of the roles has the permission."""
        return any_may(self.roles, permission)

    @property
    def actor(self) -> Actor:
        """Return who does what this call does: the user, or the key."""
        return Actor.staff(self.id)

    @property
    def id(self) -> UUID:
        """Return by which id they are known: of the user, or of the key."""
        who = self.user_id or self.key_id
        assert who is not None, "staff are known by a key or a login"
        return who


async def is_staff(tx: Transaction, staff_id: UUID) -> bool:
    """Return whether somebody works for the business: a user who is active and not only a client, or a key in use."""
    return bool(await tx.value(_SQL["is_staff"], {"business_id": tx.business_id, "id": staff_id}))


async def names_of(tx: Transaction, ids: Iterable[UUID | None]) -> dict[UUID, str]:
    """Return how users and keys of the business are called; whoever is neither is left out."""
    wanted = sorted({each for each in ids if each is not None})
    if not wanted:
        return {}
    keys = await tx.keys()
    rows = await tx.rows(_SQL["names_of_staff"], {"business_id": tx.business_id, "ids": wanted})
    return {
        row["id"]: row["name"] if row["sealed"] is None else keys.open("users.name", row["id"], bytes(row["sealed"]))
        for row in rows
    }
