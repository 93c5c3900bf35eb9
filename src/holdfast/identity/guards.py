"""The guard of every call of staff: who calls, and may they (H-4, D-7)."""

import hmac
from dataclasses import dataclass
from typing import Any

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.datastructures import State
from litestar.handlers import BaseRouteHandler

from holdfast.identity import logins
from holdfast.identity.api_keys import authenticate
from holdfast.identity.cookies import check_origin
from holdfast.identity.errors import CsrfFailed
from holdfast.identity.logins import Token
from holdfast.identity.permissions import Permission, roles_that_may
from holdfast.identity.staff import Staff
from holdfast.kernel.about import BUSINESS_ID, note
from holdfast.kernel.errors import AuthenticationRequired, Forbidden
from holdfast.kernel.http import decode_form

Connection = ASGIConnection[Any, Any, Any, Any]

READS = frozenset({"GET", "HEAD", "OPTIONS"})
_STAFF = "holdfast_staff"
_CSRF_HEADER, _CSRF_FIELD = "X-CSRF-Token", "csrf_token"


@dataclass(frozen=True)
class Needs:
    """Lets a call pass whose API key, as a bearer token, or whose login, by its cookie, has the permission.

    Raises AuthenticationRequired and Forbidden before the call is looked at, so that what it names, and whether that
    exists, plays no part; CsrfFailed for a change with a cookie and no proof that a page of ours makes it.

    With `or_client` a call without any of these passes as a client's, who has to prove otherwise whose the booking is.
    There a cookie, which browsers send unasked, stands back: behind the token of a booking, and when nothing says that
    the change was meant to be one of staff.
    """

    permission: Permission
    or_client: bool = False

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Find out who calls and note it for the handler."""
        staff = await self._caller(connection)
        if staff is None:
            if self.or_client:
                return
            raise AuthenticationRequired
        if not staff.may(self.permission):
            raise Forbidden
        _admit(connection, staff)

    def documented(self) -> dict[str, Any]:
        """Return what the document of the API tells of a call behind this guard."""
        return {"x-permission": self.permission, "x-roles": roles_that_may(self.permission)}

    async def _caller(self, connection: Connection) -> Staff | None:
        key = _bearer(connection)
        if key is not None:
            staff = await _by_key(connection.app.state, key)
            if staff is None:
                raise AuthenticationRequired
            return staff
        if self.or_client and "Booking-Token" in connection.headers:
            return None
        token, staff = await _by_cookie(connection.app.state, connection)
        if staff is None or token is None:
            return None
        if _is_change(connection):
            shown = await _csrf_shown(connection)
            if self.or_client and shown is None:
                return None
            _check_csrf(connection, token, shown)
        return staff


@dataclass(frozen=True)
class SignedIn:
    """Lets whoever is signed in pass, whatever their roles; raises AuthenticationRequired and CsrfFailed."""

    async def __call__(self, connection: Connection, _handler: BaseRouteHandler) -> None:
        """Find out who calls and note it for the handler."""
        token, staff = await _by_cookie(connection.app.state, connection)
        if staff is None or token is None:
            raise AuthenticationRequired
        if _is_change(connection):
            _check_csrf(connection, token, await _csrf_shown(connection))
        _admit(connection, staff)


async def is_staff(state: State, connection: Connection) -> bool:
    """Tell whether a call has a key or a login of staff; one that opens nothing is of the public like none."""
    key = _bearer(connection)
    if key is not None:
        return await _by_key(state, key) is not None
    _, staff = await _by_cookie(state, connection)
    return staff is not None


def staff_or_none(connection: Connection) -> Staff | None:
    """Return who of the staff calls, None when a client does."""
    return connection.scope["state"].get(_STAFF)


def staff_of(connection: Connection) -> Staff:
    """Return who of the staff calls, where a guard lets nobody else pass."""
    staff = staff_or_none(connection)
    assert staff is not None, "a guard stands before this call"
    return staff


def _admit(connection: Connection, staff: Staff) -> None:
    connection.scope["state"][_STAFF] = staff
    note(BUSINESS_ID, staff.business_id)


def _is_change(connection: Connection) -> bool:
    return isinstance(connection, Request) and connection.method not in READS


def _bearer(connection: Connection) -> str | None:
    scheme, _, text = (connection.headers.get("Authorization") or "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


async def _by_key(state: State, text: str) -> Staff | None:
    async with state.database.transaction() as tx:
        return await authenticate(tx, text)


async def _by_cookie(state: State, connection: Connection) -> tuple[Token | None, Staff | None]:
    token = state.entrance.cookies.token_in(connection)
    if token is None:
        return None, None
    async with state.database.transaction(token.business_id) as tx:
        return token, await logins.authenticate(tx, token, state.entrance.terms)


async def _csrf_shown(connection: Connection) -> str | None:
    """Return the proof that comes with a call: in its header, or in a hidden field of an HTML form."""
    header = connection.headers.get(_CSRF_HEADER)
    media_type = connection.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if header is None and isinstance(connection, Request) and media_type == "application/x-www-form-urlencoded":
        return decode_form(await connection.body()).get(_CSRF_FIELD)
    return header


def _check_csrf(connection: Connection, token: Token, shown: str | None) -> None:
    check_origin(connection)
    if not hmac.compare_digest((shown or "").encode(errors="replace"), token.csrf.encode()):
        raise CsrfFailed
