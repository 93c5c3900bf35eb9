"""What the edges of staff ask of a call, whatever it is about."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from litestar import Request

from holdfast.identity.entrance import Entrance
from holdfast.identity.errors import UnknownBusiness
from holdfast.identity.permissions import Permission
from holdfast.identity.staff import Staff
from holdfast.kernel.errors import NotFound
from holdfast.kernel.ids import uuid_or_none

Call = Request[Any, Any, Any]

_MAX_NUMBER_LENGTH = 9


def own_business(staff: Staff, *named: UUID | None) -> UUID:
    """Return the business whose staff call, which a call may name as well; raises UnknownBusiness for another."""
    if set(named) - {None, staff.business_id}:
        raise UnknownBusiness
    return staff.business_id


def entrance_of(request: Call) -> Entrance:
    """Return where people come in."""
    return request.app.state.entrance  # type: ignore[no-any-return]


def id_named(text: str) -> UUID:
    """Return the id that a path names; raises NotFound for what is none."""
    named = uuid_or_none(text)
    if named is None:
        raise NotFound
    return named


def number_named(text: str) -> int:
    """Return the number that a path names; raises NotFound for what is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_NUMBER_LENGTH):
        raise NotFound
    return int(text)


def name_named(text: str) -> str:
    """Return the name that a path has; raises NotFound for one that nothing can have and PostgreSQL does not take."""
    if not text.isprintable():
        raise NotFound
    return text


def may_read_confided(staff: Staff, resource_ids: Collection[UUID]) -> bool:
    """Return whether staff may read what a client has confided, or what is noted about them (D-7).

    Owners may, and the practitioner to whom the client comes: `resource_ids` are whom and what the appointment takes.
    """
    return staff.may(Permission.READ_CONFIDED) or not staff.resource_ids.isdisjoint(resource_ids)
