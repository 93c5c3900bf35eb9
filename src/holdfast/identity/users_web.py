"""Users of the business, which are the owner's to make, change and deactivate."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, patch, post
from litestar.params import FromPath

from holdfast.identity import users
from holdfast.identity.calls import Call, entrance_of
from holdfast.identity.errors import UnknownUser
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.passwords import Chosen
from holdfast.identity.permissions import Permission, Role
from holdfast.identity.users import User
from holdfast.kernel.audit import record
from holdfast.kernel.contacts import Email
from holdfast.kernel.database import Database
from holdfast.kernel.documents import documented
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.http import Instant, Line, decode, json_response
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.lists import number_in

_MAX_LIMIT = 200

Roles = Annotated[list[Role], msgspec.Meta(min_length=1, max_length=len(Role))]
Resources = Annotated[list[UUID], msgspec.Meta(max_length=100)]


class Contact(msgspec.Struct, rename="camel", kw_only=True):
    """With which address a user signs in, and how others call them."""

    email: Email
    name: Line


class NewUserBody(Contact, kw_only=True):
    """Somebody who is to sign in; without a password they get an invitation to choose one."""

    roles: Roles
    resource_ids: Resources = []
    password: Chosen | None = None


class UserBody(msgspec.Struct, rename="camel", kw_only=True):
    """What is to change of a user; what is absent stays. `active` false ends all their logins."""

    name: Line | None = None
    roles: Roles | None = None
    resource_ids: Resources | None = None
    active: bool | None = None


class UserView(msgspec.Struct, rename="camel"):
    """A user. `hasPassword` is false until they have chosen one."""

    id: UUID
    email: str
    name: str
    roles: list[Role]
    resource_ids: list[UUID]
    active: bool
    has_password: bool
    created_at: Instant

    @classmethod
    def of(cls, user: User) -> "UserView":
        """Return a user as the API shows them."""
        return cls(
            user.id,
            user.email,
            user.name,
            list(user.roles),
            list(user.resource_ids),
            active=user.deactivated_at is None,
            has_password=user.password_set_at is not None,
            created_at=user.created_at,
        )


class InvitationView(msgspec.Struct, rename="camel"):
    """By which a user chooses a password, once and before its end. Whoever has it can; so it goes to the user alone."""

    invitation: str
    expires_at: Instant


class NewUserView(msgspec.Struct, rename="camel"):
    """A user who was made, with the invitation if they have no password."""

    user: UserView
    invitation: InvitationView | None


class UsersView(msgspec.Struct, rename="camel"):
    """A page of users, oldest first; `nextCursor` leads to the next one."""

    users: list[UserView]
    next_cursor: str | None


@get(
    "/api/admin/users",
    guards=[Needs(Permission.MANAGE_USERS)],
    opt=documented(query=("cursor", "limit"), answers=UsersView, security="StaffKey"),
)
async def list_users(request: Call) -> Response[bytes]:
    """Return the users of the business, the deactivated ones as well."""
    asked = request.query_params
    limit = number_in(asked.get("limit"), "limit", 50, 1, _MAX_LIMIT)
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        page = await users.list_users(tx, cursor=asked.get("cursor") or None, limit=limit)
    return json_response(UsersView([UserView.of(user) for user in page.users], page.next_cursor))


@post(
    "/api/admin/users",
    status_code=201,
    guards=[Needs(Permission.MANAGE_USERS)],
    opt=documented(NewUserBody, answers=NewUserView, security="StaffKey"),
)
async def create_user(request: Call) -> Response[bytes]:
    """Make a user, with a password or with an invitation to choose one."""
    data = decode(NewUserBody, await request.body())
    entrance, staff = entrance_of(request), staff_of(request)
    kept = None if data.password is None else await entrance.passwords.hashed(data.password)
    async with _database(request).transaction(staff.business_id) as tx:
        user = await users.create(
            tx,
            email=data.email,
            name=data.name,
            roles=data.roles,
            resource_ids=data.resource_ids,
            kept=kept,
            actor=staff.actor,
        )
    invitation = None
    if kept is None:
        invitation = InvitationView(*entrance.invitations.invite(staff.business_id, user.id, None))
    return json_response(NewUserView(UserView.of(user), invitation), 201)


@get(
    "/api/admin/users/{user_id:str}",
    guards=[Needs(Permission.MANAGE_USERS)],
    opt=documented(answers=UserView, security="StaffKey"),
)
async def read_user(request: Call, user_id: FromPath[str]) -> Response[bytes]:
    """Return a user of the business."""
    async with _database(request).transaction(staff_of(request).business_id) as tx:
        user = await users.find(tx, _named(user_id))
    return json_response(UserView.of(user))


@patch(
    "/api/admin/users/{user_id:str}",
    guards=[Needs(Permission.MANAGE_USERS)],
    opt=documented(UserBody, answers=UserView, security="StaffKey"),
)
async def change_user(request: Call, user_id: FromPath[str]) -> Response[bytes]:
    """Change name, roles, resources of a user, deactivate or reactivate them; all of it or nothing.

    Roles count from the user's next call on. The last active owner stays one.
    """
    data = decode(UserBody, await request.body())
    staff, wanted = staff_of(request), _named(user_id)
    async with _database(request).transaction(staff.business_id) as tx:
        user = await users.change(
            tx, wanted, name=data.name, roles=data.roles, resource_ids=data.resource_ids, actor=staff.actor
        )
        if data.active is not None:
            turn = users.reactivate if data.active else users.deactivate
            user = await turn(tx, wanted, actor=staff.actor)
    return json_response(UserView.of(user))


@post(
    "/api/admin/users/{user_id:str}/invitation",
    status_code=201,
    guards=[Needs(Permission.MANAGE_USERS)],
    opt=documented(answers=InvitationView, security="StaffKey"),
)
async def invite_user(request: Call, user_id: FromPath[str]) -> Response[bytes]:
    """Return an invitation by which the user chooses a password, a first or another one."""
    staff = staff_of(request)
    async with _database(request).transaction(staff.business_id) as tx:
        user = await users.find(tx, _named(user_id))
        if user.deactivated_at is not None:
            raise ValidationFailed.at("user", "is deactivated")
        await record(tx, "user", user.id, "invite_user", staff.actor)
    invitation = entrance_of(request).invitations.invite(
        staff.business_id, user.id, user.password_set_at, user.reactivated_at
    )
    return json_response(InvitationView(*invitation), 201)


handlers = [list_users, create_user, read_user, change_user, invite_user]


def _named(text: str) -> UUID:
    wanted = uuid_or_none(text)
    if wanted is None:
        raise UnknownUser
    return wanted


def _database(request: Call) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]
