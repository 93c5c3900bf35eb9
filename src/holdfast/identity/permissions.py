"""Who may do what: the one matrix of roles and permissions (D-7).

A capability that gets calls of staff adds its permissions here and asks for them at its edges by
`holdfast.identity.guards.Needs`.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Role(StrEnum):
    """What somebody is to a business. A migration knows the same words."""

    OWNER = "owner"
    ASSISTANT = "assistant"
    EDITOR = "editor"


class Permission(StrEnum):
    """Something that staff may be allowed to do."""

    READ_APPOINTMENTS = "read_appointments"


P = Permission

# An editor works on content and sees nothing of clients.
MATRIX: Mapping[Role, frozenset[Permission]] = MappingProxyType(
    {
        Role.OWNER: frozenset(Permission),
        Role.ASSISTANT: frozenset({P.READ_APPOINTMENTS}),
        Role.EDITOR: frozenset(),
    }
)


def may(role: Role, permission: Permission) -> bool:
    """Return whether a role has a permission."""
    return permission in MATRIX[role]
