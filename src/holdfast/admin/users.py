"""Users of the business: invited, given roles and resources, let out and in again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from holdfast.admin.frame import (
    PROBLEMS,
    AdminPage,
    Call,
    Entry,
    Form,
    database_of,
    go,
    page_in,
    read_form,
    render,
    words,
    wrong_fields,
)
from holdfast.admin.linking import check_seen, mark_of, origin_of
from holdfast.catalog.resources import Resource, resources_of
from holdfast.identity import businesses, users
from holdfast.identity.calls import entrance_of
from holdfast.identity.errors import EmailTaken, LastOwner, UnknownUser
from holdfast.identity.guards import Needs, staff_of
from holdfast.identity.permissions import Permission, Role
from holdfast.identity.users import User
from holdfast.identity.users_web import NewUserBody
from holdfast.kernel.audit import record
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import UserError, ValidationFailed
from holdfast.kernel.http import count_refusal, decode
from holdfast.kernel.ids import uuid_or_none
from holdfast.kernel.languages import N_
from holdfast.notifications.on_request import send_invitation
from holdfast.offerings.errors import ChangedMeanwhile

PATH = "/admin/users"
ENTRY = Entry(PATH, N_("Users"), "business", Permission.MANAGE_USERS, 70)
_MANAGE = [Needs(Permission.MANAGE_USERS)]
_LIMIT = 50
ROLES = {
    Role.OWNER: (N_("Owner"), N_("May do everything, and say who else may.")),
    Role.ASSISTANT: (N_("Assistant"), N_("Books, moves and cancels, works through the inbox, writes to clients.")),
    Role.EDITOR: (N_("Editor"), N_("Writes and publishes texts, answers questions; sees nothing of clients.")),
    Role.CLIENT: (N_("Client"), N_("Books for themselves; nothing here is theirs to do.")),
}
_DONE = {
    "changed": N_("The user was changed. Roles count from their next click on."),
    "off": N_("The user can no longer sign in, and is signed out everywhere."),
    "on": N_("The user can sign in again."),
}


@dataclass(frozen=True, slots=True)
class Invited:
    """A link by which a user chooses a password, until its end; and whether it is on its way to them."""

    link: str
    ends_at: datetime
    is_mailed: bool


@get(PATH, guards=_MANAGE, exception_handlers=PROBLEMS)
async def admin_users(request: Call) -> Response[Any]:
    """List the users of the business, the deactivated ones as well."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page = await page_in(tx, request)
        found = await users.list_users(tx, cursor=request.query_params.get("cursor") or None, limit=_LIMIT)
        resources = {each.id: each.name for each in await resources_of(tx)}
    return render(
        page,
        "users.html",
        request=request,
        found=found.users,
        following=found.next_cursor,
        resources=resources,
        roles=ROLES,
    )


@get(f"{PATH}/new", guards=_MANAGE, exception_handlers=PROBLEMS)
async def admin_user_new(request: Call) -> Response[Any]:
    """Ask who is to be invited."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page, resources = await page_in(tx, request), await resources_of(tx)
    return _new(request, page, resources, {"name": "", "email": "", "roles": [Role.ASSISTANT], "resources": []})


@post(f"{PATH}/new", status_code=200, guards=_MANAGE, exception_handlers=PROBLEMS)
async def admin_user_create(request: Call) -> Response[Any]:
    """Make a user, and show the link by which they choose a password: now, and never again."""
    form, staff = await read_form(request), staff_of(request)
    typed = {"email": form.line("email"), "name": form.line("name"), **_chosen(form)}
    async with database_of(request).transaction(staff.business_id) as tx:
        page, resources = await page_in(tx, request), await resources_of(tx)
    try:
        body = _body(typed)
        async with database_of(request).transaction(staff.business_id) as tx:
            user = await users.create(
                tx,
                email=body.email,
                name=body.name,
                roles=body.roles,
                resource_ids=body.resource_ids,
                actor=staff.actor,
            )
            invited = await _invite(tx, request, user)
    except (EmailTaken, ValidationFailed) as refused:
        return _new(request, page, resources, typed, refused)
    return render(page, "users_invited.html", request=request, user=user, invited=invited)


@get(f"{PATH}/{{user_id:str}}", guards=_MANAGE, exception_handlers=PROBLEMS)
async def admin_user(request: Call, user_id: FromPath[str]) -> Response[Any]:
    """Show a user, and what can be changed of them."""
    async with database_of(request).transaction(staff_of(request).business_id) as tx:
        page, resources = await page_in(tx, request), await resources_of(tx)
        user = await users.find(tx, _named(user_id))
    return _one(request, page, resources, user, _typed(user))


@post(f"{PATH}/{{user_id:str}}", status_code=200, guards=_MANAGE, exception_handlers=PROBLEMS)
async def admin_user_change(request: Call, user_id: FromPath[str]) -> Response[Any]:
    """Give a user another name, other roles or resources; not over what somebody else has changed meanwhile."""
    form, staff = await read_form(request), staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        page, resources = await page_in(tx, request), await resources_of(tx)
        user = await users.find(tx, _named(user_id))
    typed = {"email": user.email, "name": form.line("name"), **_chosen(form)}
    try:
        body = _body(typed)
        async with database_of(request).transaction(staff.business_id) as tx:
            # Under the lock that every change of a user takes first.
            await businesses.lock(tx)
            user = await users.find(tx, user.id)
            check_seen(form.line("seen"), _mark(user))
            changed = await users.change(
                tx, user.id, name=body.name, roles=body.roles, resource_ids=body.resource_ids, actor=staff.actor
            )
    except (ChangedMeanwhile, LastOwner, ValidationFailed) as refused:
        return _one(request, page, resources, user, typed, refused)
    return _on(staff.user_id, changed, "changed")


@post(f"{PATH}/{{user_id:str}}/invitation", status_code=200, guards=_MANAGE, exception_handlers=PROBLEMS)
async def admin_user_invite(request: Call, user_id: FromPath[str]) -> Response[Any]:
    """Show another link by which a user chooses a password, a first or another one."""
    staff = staff_of(request)
    async with database_of(request).transaction(staff.business_id) as tx:
        page = await page_in(tx, request)
        user = await users.find(tx, _named(user_id))
        if user.deactivated_at is not None:
            raise ValidationFailed(_DEACTIVATED)
        await record(tx, "user", user.id, "invite_user", staff.actor)
        invited = await _invite(tx, request, user)
    return render(page, "users_invited.html", request=request, user=user, invited=invited)


_DEACTIVATED = N_("This user is deactivated. Let them in again first.")


@post(f"{PATH}/{{user_id:str}}/active", status_code=200, guards=_MANAGE, exception_handlers=PROBLEMS)
async def admin_user_turn(request: Call, user_id: FromPath[str]) -> Response[Any]:
    """Let a user in no more, or again; the last owner stays."""
    form, staff = await read_form(request), staff_of(request)
    active = form.line("active") == "yes"
    turn = users.reactivate if active else users.deactivate
    async with database_of(request).transaction(staff.business_id) as tx:
        page, resources = await page_in(tx, request), await resources_of(tx)
        before = await users.find(tx, _named(user_id))
    try:
        async with database_of(request).transaction(staff.business_id) as tx:
            user = await turn(tx, before.id, actor=staff.actor)
    except LastOwner as refused:
        return _one(request, page, resources, before, _typed(before), refused)
    return _on(staff.user_id, user, "on" if active else "off")


handlers: list[HTTPRouteHandler] = [
    admin_users,
    admin_user_new,
    admin_user_create,
    admin_user,
    admin_user_change,
    admin_user_invite,
    admin_user_turn,
]


def _body(typed: Mapping[str, Any]) -> NewUserBody:
    """Return what was typed as the API takes it. Raises ValidationFailed, which names the field."""
    body = {
        "email": typed["email"],
        "name": typed["name"],
        "roles": typed["roles"],
        "resourceIds": typed["resources"],
    }
    return decode(NewUserBody, msgspec.json.encode(body))


def _chosen(form: Form) -> dict[str, Any]:
    return {"roles": form.lines("roles"), "resources": form.lines("resources")}


def _typed(user: User) -> dict[str, Any]:
    resources = [str(each) for each in user.resource_ids]
    return {"email": user.email, "name": user.name, "roles": list(user.roles), "resources": resources}


def _mark(user: User) -> str:
    return mark_of(user.name, sorted(user.roles), sorted(map(str, user.resource_ids)))


def _named(text: str) -> UUID:
    wanted = uuid_or_none(text)
    if wanted is None:
        raise UnknownUser
    return wanted


def _on(own_id: UUID | None, user: User, done: str) -> Response[Any]:
    """Lead back to the user, or home whoever has just taken this page from themselves."""
    if user.id == own_id and (user.deactivated_at is not None or Role.OWNER not in user.roles):
        return go("/admin")
    return go(f"{PATH}/{user.id}", done=done)


def _wrong(page: AdminPage, refused: UserError | None) -> dict[str, str]:
    """Return what is wrong with each field of the forms, in words."""
    if isinstance(refused, EmailTaken):
        return {"email": page.text(EmailTaken.message)}
    if not isinstance(refused, ValidationFailed):
        return {}
    said = {
        "email": page.text(N_("This is no e-mail address.")),
        "name": page.text(N_("Enter a name of at most 200 characters.")),
        "roles": page.text(N_("Choose at least one role.")),
    }
    found = {name.partition("[")[0]: told for name, told in wrong_fields(page.language, refused).items()}
    return {name: said.get(name, told) for name, told in found.items()}


def _new(
    request: Call,
    page: AdminPage,
    resources: Sequence[Resource],
    typed: Mapping[str, Any],
    refused: UserError | None = None,
) -> Response[Any]:
    if refused is not None:
        count_refusal(refused.code)
    return render(
        page,
        "users_new.html",
        200 if refused is None else refused.status,
        request=request,
        typed=typed,
        wrong=_wrong(page, refused),
        resources=resources,
        roles=ROLES,
    )


def _one(
    request: Call,
    page: AdminPage,
    resources: Sequence[Resource],
    user: User,
    typed: Mapping[str, Any],
    refused: UserError | None = None,
) -> Response[Any]:
    wrong = _wrong(page, refused)
    if refused is not None:
        count_refusal(refused.code)
    return render(
        page,
        "users_one.html",
        200 if refused is None else refused.status,
        request=request,
        notices=_DONE,
        user=user,
        typed=typed,
        wrong=wrong,
        told=None if refused is None or wrong else words(page.language, refused),
        seen=_mark(user),
        resources=resources,
        roles=ROLES,
    )


async def _invite(tx: Transaction, request: Call, user: User) -> Invited:
    """Make a link by which a user chooses a password, and send it to them where mail is set up."""
    invitations = entrance_of(request).invitations
    assert tx.business_id is not None, "a user is of a business"
    code, ends_at = invitations.invite(tx.business_id, user.id, user.password_set_at, user.reactivated_at)
    link = f"{origin_of(request)}/admin/invitation?code={code}"
    message_id = await send_invitation(tx, user, link, ends_at, None, request.app.state.mail)
    return Invited(link, ends_at, is_mailed=message_id is not None)
