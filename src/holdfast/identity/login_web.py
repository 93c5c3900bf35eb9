"""Signing in and out, one's own logins and password."""

from uuid import UUID

import msgspec
from litestar import Response, delete, get, post, put
from litestar.params import FromPath

from holdfast.identity import logins, users
from holdfast.identity.calls import Call, entrance_of
from holdfast.identity.cookies import check_origin
from holdfast.identity.errors import UnknownLogin
from holdfast.identity.guards import SignedIn, staff_of
from holdfast.identity.logins import Token
from holdfast.identity.passwords import Chosen, Typed
from holdfast.identity.permissions import MATRIX, Permission, Role
from holdfast.kernel.database import Database
from holdfast.kernel.documents import documented
from holdfast.kernel.http import Instant, Line, decode, json_response
from holdfast.kernel.ids import uuid_or_none


class SignInBody(msgspec.Struct, rename="camel", kw_only=True):
    """Who wants to sign in; without a business, the default one or the only one is meant."""

    email: Line
    password: Typed
    business: Line | None = None


class PasswordBody(msgspec.Struct, rename="camel", kw_only=True):
    """Another password for the user who is signed in."""

    current_password: Typed
    new_password: Chosen


class InvitationBody(msgspec.Struct, rename="camel", kw_only=True):
    """The password that an invited user chooses."""

    invitation: Line
    new_password: Chosen


class LoginView(msgspec.Struct, rename="camel"):
    """Who is signed in, as what, and until when; `csrfToken` goes with every change as X-CSRF-Token."""

    login_id: UUID
    business_id: UUID
    user_id: UUID
    email: str
    name: str
    roles: list[Role]
    permissions: list[Permission]
    resource_ids: list[UUID]
    csrf_token: str
    expires_at: Instant


class DeviceView(msgspec.Struct, rename="camel"):
    """A browser in which the user is signed in; `device` is what it calls itself."""

    login_id: UUID
    device: str | None
    created_at: Instant
    last_used_at: Instant
    expires_at: Instant
    current: bool


class DevicesView(msgspec.Struct):
    """Where the user is signed in, the latest first; there are 50 at most."""

    logins: list[DeviceView]


@post("/api/public/login", status_code=200, opt=documented(SignInBody, answers=LoginView))
async def sign_in(request: Call) -> Response[bytes]:
    """Sign in; the cookie that comes back proves it from then on.

    Whether there is such a user is not told, by words or by time.
    """
    check_origin(request)
    data = decode(SignInBody, await request.body())
    entrance = entrance_of(request)
    business = await request.app.state.tenancy.named(data.business)
    token = await entrance.sign_in(
        business.id,
        data.email,
        data.password,
        client=entrance.cookies.client_of(request),
        device=request.headers.get("User-Agent"),
    )
    return json_response(await _view(request, token), headers=entrance.cookies.giving(request, token))


@post("/api/public/login/password", status_code=204, opt=documented(InvitationBody))
async def accept_invitation(request: Call) -> None:
    """Choose the password to which an invitation entitles, once; all earlier logins of the user end."""
    check_origin(request)
    data = decode(InvitationBody, await request.body())
    await entrance_of(request).accept(data.invitation, data.new_password)


@get("/api/admin/login", guards=[SignedIn()], opt=documented(answers=LoginView, security="StaffLogin"))
async def who_am_i(request: Call) -> Response[bytes]:
    """Return who is signed in and what they may do, with the token that goes with changes."""
    token = entrance_of(request).cookies.token_in(request)
    assert token is not None, "the guard has read it"
    return json_response(await _view(request, token))


@delete("/api/admin/login", status_code=204, guards=[SignedIn()], opt=documented(security="StaffLogin"))
async def sign_out(request: Call) -> Response[None]:
    """End the login of this browser."""
    staff = staff_of(request)
    assert staff.user_id is not None, "users sign in"
    assert staff.login_id is not None, "by a login"
    async with _database(request).transaction(staff.business_id) as tx:
        await logins.end(tx, staff.user_id, staff.login_id, actor=staff.actor)
    return Response(None, status_code=204, headers=entrance_of(request).cookies.taking_back(request))


@put(
    "/api/admin/login/password",
    status_code=204,
    guards=[SignedIn()],
    opt=documented(PasswordBody, security="StaffLogin"),
)
async def change_password(request: Call) -> None:
    """Change one's own password; every other login of the user ends."""
    data = decode(PasswordBody, await request.body())
    entrance = entrance_of(request)
    client = entrance.cookies.client_of(request)
    await entrance.change_password(staff_of(request), data.current_password, data.new_password, client=client)


@get("/api/admin/logins", guards=[SignedIn()], opt=documented(answers=DevicesView, security="StaffLogin"))
async def own_logins(request: Call) -> Response[bytes]:
    """Return where the user is signed in."""
    staff = staff_of(request)
    assert staff.user_id is not None, "users sign in"
    async with _database(request).transaction(staff.business_id) as tx:
        found = await logins.logins_of(tx, staff.user_id, entrance_of(request).terms)
    shown = [
        DeviceView(
            login.id,
            login.device,
            login.created_at,
            login.last_used_at,
            login.expires_at,
            current=login.id == staff.login_id,
        )
        for login in found
    ]
    return json_response(DevicesView(shown))


@delete(
    "/api/admin/logins/{login_id:str}",
    status_code=204,
    guards=[SignedIn()],
    opt=documented(security="StaffLogin"),
)
async def end_login(request: Call, login_id: FromPath[str]) -> None:
    """Sign the user out of one browser."""
    staff = staff_of(request)
    assert staff.user_id is not None, "users sign in"
    wanted = uuid_or_none(login_id)
    if wanted is None:
        raise UnknownLogin
    async with _database(request).transaction(staff.business_id) as tx:
        await logins.end(tx, staff.user_id, wanted, actor=staff.actor)


handlers = [sign_in, accept_invitation, who_am_i, sign_out, change_password, own_logins, end_login]


async def _view(request: Call, token: Token) -> LoginView:
    terms = entrance_of(request).terms
    async with _database(request).transaction(token.business_id) as tx:
        user_id, expires_at = await logins.owner_of(tx, token, terms)
        user = await users.find(tx, user_id)
    may = {permission for role in user.roles for permission in MATRIX[role]}
    return LoginView(
        login_id=token.login_id,
        business_id=token.business_id,
        user_id=user.id,
        email=user.email,
        name=user.name,
        roles=list(user.roles),
        permissions=[permission for permission in Permission if permission in may],
        resource_ids=list(user.resource_ids),
        csrf_token=token.csrf,
        expires_at=expires_at,
    )


def _database(request: Call) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]
