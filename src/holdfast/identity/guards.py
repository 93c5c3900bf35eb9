"""The guard of every call of staff: who calls, and may they (H-4, D-7)."""

from dataclasses import dataclass
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from holdfast.identity.api_keys import Staff, authenticate
from holdfast.identity.permissions import Permission, may
from holdfast.kernel.about import BUSINESS_ID, note
from holdfast.kernel.errors import AuthenticationRequired, Forbidden

Connection = ASGIConnection[Any, Any, Any, Any]

_STAFF = "holdfast_staff"


@dataclass(frozen=True)
class Needs:
    """Lets a call pass whose API key, as a bearer token, has the permission.

    Raises AuthenticationRequired and Forbidden before the call is looked at, so that what it names, and whether that
    exists, plays no part. With `or_client` a call without a bearer token passes as a client's, who has to prove
    otherwise whose the booking is.
    """

    permission: Permission
    or_client: bool = False

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Find out who calls and note it for the handler."""
        scheme, _, text = (connection.headers.get("Authorization") or "").partition(" ")
        if scheme.lower() != "bearer":
            if self.or_client:
                return
            raise AuthenticationRequired
        async with connection.app.state.database.transaction() as tx:
            staff = await authenticate(tx, text.strip())
        if staff is None:
            raise AuthenticationRequired
        if not may(staff.role, self.permission):
            raise Forbidden
        connection.scope["state"][_STAFF] = staff
        note(BUSINESS_ID, staff.business_id)


def staff_or_none(connection: Connection) -> Staff | None:
    """Return who of the staff calls, None when a client does."""
    return connection.scope["state"].get(_STAFF)


def staff_of(connection: Connection) -> Staff:
    """Return who of the staff calls, where a guard lets nobody else pass."""
    staff = staff_or_none(connection)
    assert staff is not None, "a guard stands before this call"
    return staff
