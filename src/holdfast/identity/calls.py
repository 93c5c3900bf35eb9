"""What the edges of staff ask of a call, whatever it is about."""

from typing import Any
from uuid import UUID

from litestar import Request

from holdfast.identity.entrance import Entrance
from holdfast.identity.errors import UnknownBusiness
from holdfast.identity.staff import Staff

Call = Request[Any, Any, Any]


def own_business(staff: Staff, *named: UUID | None) -> UUID:
    """Return the business whose staff call, which a call may name as well; raises UnknownBusiness for another."""
    if set(named) - {None, staff.business_id}:
        raise UnknownBusiness
    return staff.business_id


def entrance_of(request: Call) -> Entrance:
    """Return where people come in."""
    return request.app.state.entrance  # type: ignore[no-any-return]
