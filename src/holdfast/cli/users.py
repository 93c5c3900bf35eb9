"""`user`: who may sign in to a business, and as what."""

import asyncio
import getpass
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec
import typer

from holdfast import config
from holdfast.cli.options import (
    DataDir,
    Dsn,
    Json,
    OfBusiness,
    business_named,
    say,
    settings_of,
    with_database,
    with_personal_data,
)
from holdfast.identity import users
from holdfast.identity.errors import SetupOver
from holdfast.identity.invitations import Invitations
from holdfast.identity.passwords import Passwords, check
from holdfast.identity.permissions import Role
from holdfast.identity.setup import Setup
from holdfast.identity.users import User
from holdfast.kernel.audit import CONSOLE
from holdfast.kernel.database import Transaction
from holdfast.kernel.errors import ValidationFailed
from holdfast.kernel.ids import uuid_or_none

T = TypeVar("T")

app = typer.Typer(help="Users, who sign in with an e-mail address and a password.", no_args_is_help=True)

OfUser = Annotated[str, typer.Argument(help="E-mail address or id of the user.")]
Roles = Annotated[list[Role], typer.Option("--role", help="What the user is; repeatable, the rights add up.")]

_PAGE = 200


@app.command(name="create")
def create_user(
    email: Annotated[str, typer.Option(help="The address with which the user signs in.")],
    name: Annotated[str, typer.Option(help="How others call the user.")],
    role: Roles,
    invite: Annotated[
        bool, typer.Option("--invite", help="Print an invitation by which the user chooses a password.")
    ] = False,
    business: OfBusiness = None,
    data: DataDir = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Make a user; the password is asked for, or read from the first line of stdin."""
    settings = settings_of(data, dsn)
    _check_contact(email, name)
    kept = None if invite else _read_password()

    async def work(tx: Transaction) -> tuple[UUID, User]:
        owner = await business_named(tx, business or settings.default_business)
        own = await tx.act_for(owner.id)
        return owner.id, await users.create(own, email=email, name=name, roles=role, kept=kept, actor=CONSOLE)

    business_id, made = with_personal_data(settings, work)
    told = _told(made)
    if invite:
        invitations = Invitations(config.master_key(settings))
        told["invitation"], told["invitationExpiresAt"] = invitations.invite(business_id, made.id, None)
    if as_json:
        _print_json(told)
    elif invite:
        print(told["invitation"])  # noqa: T201
        say(f"User {made.id} chooses a password with this, once and until {told['invitationExpiresAt']}.")
    else:
        print(made.id)  # noqa: T201


@app.command(name="list")
def list_users(business: OfBusiness = None, data: DataDir = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """List the users of a business, oldest first."""
    settings = settings_of(data, dsn)

    async def work(tx: Transaction) -> list[User]:
        own = await tx.act_for((await business_named(tx, business or settings.default_business)).id)
        page = await users.list_users(own, cursor=None, limit=_PAGE)
        found = page.users
        while page.next_cursor is not None:
            page = await users.list_users(own, cursor=page.next_cursor, limit=_PAGE)
            found += page.users
        return found

    found = with_personal_data(settings, work)
    if as_json:
        _print_json([_told(user) for user in found])
        return
    for user in found:
        state = "no password" if user.password_set_at is None else "active"
        shown = state if user.deactivated_at is None else "deactivated"
        print(f"{user.id}  {', '.join(user.roles):28}  {shown:11}  {user.email}  {user.name}")  # noqa: T201


@app.command(name="password")
def set_password(
    user: OfUser, business: OfBusiness = None, data: DataDir = None, dsn: Dsn = None, as_json: Json = False
) -> None:
    """Give a user another password, asked for or read from stdin, and end all their logins."""
    kept = _read_password()

    async def work(tx: Transaction, found: User) -> User:
        await users.set_password(tx, found.id, kept, actor=CONSOLE)
        return await users.find(tx, found.id)

    _change(user, business, data, dsn, work, as_json=as_json)


@app.command(name="roles")
def set_roles(
    user: OfUser, role: Roles, business: OfBusiness = None, data: DataDir = None, dsn: Dsn = None, as_json: Json = False
) -> None:
    """Make these the roles of a user, instead of those before; the last owner stays one."""
    _change(
        user,
        business,
        data,
        dsn,
        lambda tx, found: users.change(tx, found.id, roles=role, actor=CONSOLE),
        as_json=as_json,
    )


@app.command(name="deactivate")
def deactivate_user(
    user: OfUser, business: OfBusiness = None, data: DataDir = None, dsn: Dsn = None, as_json: Json = False
) -> None:
    """Let a user sign in no more, and end all their logins; repeatable. The last owner stays."""
    _change(
        user,
        business,
        data,
        dsn,
        lambda tx, found: users.deactivate(tx, found.id, actor=CONSOLE),
        as_json=as_json,
    )


@app.command(name="setup-link")
def setup_link(data: DataDir = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """Print the link by which whoever runs the server makes the first owner, while nobody of staff is there."""
    settings = settings_of(data, dsn)
    setup = Setup(config.master_key(settings), settings.default_business)
    if with_database(settings, setup.vacancy) is None:
        raise SetupOver(_SET_UP)
    link = setup.link(settings.payments.public_url or _USUAL_URL)
    if as_json:
        _print_json({"link": link})
    else:
        print(link)  # noqa: T201
        say("Open it in a browser; put the address of your server in the place of this one if it has another.")


_USUAL_URL = "http://127.0.0.1:8000"
_SET_UP = (
    "there is nothing to set up: somebody of staff is there, or there are several businesses and none is the default"
)


def _change(
    user: str,
    business: str | None,
    data: Path | None,
    dsn: str | None,
    change: Callable[[Transaction, User], Awaitable[User]],
    *,
    as_json: bool,
) -> None:
    settings = settings_of(data, dsn)

    async def work(tx: Transaction) -> User:
        own = await tx.act_for((await business_named(tx, business or settings.default_business)).id)
        user_id = uuid_or_none(user)
        found = await (users.find_by_email(own, user) if user_id is None else users.find(own, user_id))
        return await change(own, found)

    changed = with_personal_data(settings, work)
    if as_json:
        _print_json(_told(changed))
    else:
        print(changed.id)  # noqa: T201


def _read_password() -> str:
    """Return what to keep of a password that is typed, or comes on stdin: never an argument, which others can see."""
    if sys.stdin.isatty():
        password = getpass.getpass("Password: ", sys.stderr)
        if getpass.getpass("Again: ", sys.stderr) != password:
            raise ValidationFailed.at("password", "was typed differently the second time")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    check(password)
    return asyncio.run(_kept(password))


async def _kept(password: str) -> str:
    return await Passwords().hashed(password)


def _check_contact(email: str, name: str) -> None:
    """Raise ValidationFailed for what the API would not take either."""
    # Loaded here: the shapes of bodies bring the web framework with them, which other commands need not.
    from holdfast.identity.users_web import Contact  # noqa: PLC0415
    from holdfast.kernel.http import decode  # noqa: PLC0415

    decode(Contact, msgspec.json.encode({"email": email, "name": name}))


def _told(user: User) -> dict[str, object]:
    return {
        "id": user.id,
        "email": user.email,
        "name": user.name,
        "roles": user.roles,
        "active": user.deactivated_at is None,
        "hasPassword": user.password_set_at is not None,
        "createdAt": user.created_at,
    }


def _print_json(told: object) -> None:
    print(msgspec.json.encode(told).decode())  # noqa: T201
