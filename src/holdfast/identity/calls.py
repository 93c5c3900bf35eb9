"""What the edges of staff ask of a call, whatever it is about."""

from typing import Any
from uuid import UUID

from litestar import Request

from holdfast.identity.api_keys import Staff
from holdfast.identity.errors import UnknownBusiness

Call = Request[Any, Any, Any]


def own_business(staff: Staff, *named: UUID | None) -> UUID:
    """Return the business whose staff call, which a call may name as well; raises UnknownBusiness for another."""
    if set(named) - {None, staff.business_id}:
        raise UnknownBusiness
    return staff.business_id
