"""The layer that limits public writes; it stands before every route, and only where a limit is set (H-3)."""

import re
from collections import deque
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec
import psycopg
from litestar import Litestar, Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from holdfast.booking.pages.opening import show_problem
from holdfast.booking.tenancy import Tenancy
from holdfast.identity.errors import UnknownBusiness
from holdfast.identity.guards import READS, is_staff
from holdfast.identity.write_limits import WriteLimits
from holdfast.kernel.addresses import Network, client_of
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.http import MAX_BODY_BYTES, render_error
from holdfast.kernel.ids import uuid_or_none

_PAGE = re.compile(r"/([^/]+)/booking/slot(?:/|$)")
_BOOKING = re.compile(r"/api/(?:booking/(?:reservations|appointments|series)|public/booking/waitlist)/([^/]+)")


class _Named(msgspec.Struct, rename="camel"):
    """What a body may name that belongs to a business; what is no id, or no name, is nobody's and leads nowhere."""

    schedule_id: Any = None
    service_id: Any = None
    reservation_id: Any = None
    booking_id: Any = None
    appointment_id: Any = None
    business_id: Any = None
    business: Any = None

    def id(self, member: str) -> UUID | None:
        """Return the id under a member."""
        value = getattr(self, member)
        return uuid_or_none(value) if isinstance(value, str) else None


_decode = msgspec.json.Decoder(_Named).decode

# What a call acts on, and what it would not even look at: naming that must not lead away from its business.
_ACTED_ON: dict[str, tuple[str, ...]] = {
    "/api/booking/commit": ("reservation_id",),
    "/api/booking/series": ("service_id",),
    "/api/public/booking/intake": ("appointment_id", "reservation_id"),
    "/api/public/booking/waitlist": ("schedule_id", "service_id"),
}
_ACTED_ON |= dict.fromkeys(("/api/public/consents", "/api/public/consents/withdraw"), ("booking_id",))
_PLACES = ("schedule_id", "service_id")
# Told by a few addresses for all tenants, of which none may be kept from telling. Who tells is proven by a secret, a
# signature or the address, and what it costs to refuse one is at most a look at an index.
_UNCOUNTED = "/api/webhooks/"
# What belongs to a business by its name only, or by there being one.
_BY_NAME = "/api/public/"


class PublicWrites:
    """Counts every call that may change something, unless it is proven to be one of staff, before anybody looks at it.

    `trusted` are the proxies whose word about a client's address is taken.
    """

    def __init__(self, following: ASGIApp, app: Litestar, trusted: Sequence[Network]) -> None:
        self._following = following
        self._app = app
        self._trusted = trusted

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a call pass, or refuse it."""
        if scope["type"] != ScopeType.HTTP or scope["method"] in READS or scope["path"].startswith(_UNCOUNTED):
            await self._following(scope, receive, send)
            return
        # The framework, which stands behind, says so only then; a page that refuses is rendered as any other.
        scope["litestar_app"] = self._app
        request: Request[Any, Any, Any] = Request(scope, receive, send)
        told = _Told(receive)
        try:
            if not await is_staff(self._app.state, request):
                await self._count(request, told)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets it as a problem
            is_page = _PAGE.match(scope["path"]) and isinstance(error, UserError | psycopg.OperationalError)
            answer = show_problem(request, error) if is_page else render_error(request, error)  # type: ignore[arg-type]
            await answer.to_asgi_response(None, request)(scope, receive, send)
            return
        await self._following(scope, told.again, send)

    async def _count(self, request: Request[Any, Any, Any], told: "_Told") -> None:
        limits = self._limits()
        peer = request.client.host if request.client else None
        client = client_of(peer, request.headers.getall("X-Forwarded-For", []), self._trusted)
        limits.refuse_known(client)
        await limits.count(client, await self._business_of(request.scope["path"], told))

    async def _business_of(self, path: str, told: "_Told") -> UUID | None:
        """Return the business that a call is for, as far as it says so; whether it is right is for the call itself."""
        tenancy = self._tenancy()
        # As the routes read it: to them slashes more or less are the same path.
        path = "/" + "/".join(part for part in path.split("/") if part)
        if page := _PAGE.match(path):
            return await self._named(page[1])
        if booking := _BOOKING.match(path):
            booking_id = uuid_or_none(booking[1])
            return None if booking_id is None else await tenancy.of(booking_id)
        try:
            named = _decode(await told.body() or b"{}")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None
        places = () if path.startswith(_BY_NAME) else _PLACES
        thing = next(filter(None, map(named.id, _ACTED_ON.get(path, places))), None)
        if thing is not None:
            return await tenancy.of(thing)
        return await self._named(named.business) if path.startswith(_BY_NAME) else named.id("business_id")

    async def _named(self, business: Any) -> UUID | None:
        if not isinstance(business, str | None):
            return None
        try:
            return (await self._tenancy().named(business)).id
        except (UnknownBusiness, ValidationFailed):
            return None

    def _limits(self) -> WriteLimits:
        return self._app.state.write_limits  # type: ignore[no-any-return]

    def _tenancy(self) -> Tenancy:
        return self._app.state.tenancy  # type: ignore[no-any-return]


class _Told:
    """The body of a call, read once here and once more by whoever follows."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: deque[Any] = deque()

    async def body(self) -> bytes:
        """Return the body, or its beginning when it is too long for anybody."""
        body = b""
        more = True
        while more and len(body) <= MAX_BODY_BYTES:
            message: Any = await self._receive()
            self._messages.append(message)
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return body

    async def again(self) -> Any:
        """Return the messages that were read, then those that were not."""
        return self._messages.popleft() if self._messages else await self._receive()
