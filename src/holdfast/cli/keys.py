"""`key`: the API keys of a business."""

from typing import Annotated

import msgspec
import typer

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
from holdfast.identity import api_keys
from holdfast.identity.errors import UnknownKey
from holdfast.identity.permissions import Role
from holdfast.kernel.database import Transaction
from holdfast.kernel.ids import uuid_or_none

app = typer.Typer(help="Keys by which staff and their programs call the API.", no_args_is_help=True)


@app.command(name="create")
def create_key(
    role: Annotated[Role, typer.Option(help="What the key may do.")],
    name: Annotated[str, typer.Option(help="Who or what uses it, as others will read it.")],
    business: OfBusiness = None,
    data: DataDir = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Make a key and print it: the only time that it can be seen."""
    settings = settings_of(data, dsn)

    async def work(tx: Transaction) -> tuple[str, api_keys.ApiKey, str]:
        owner = await business_named(tx, business or settings.default_business)
        return owner.slug, *await api_keys.create(await tx.act_for(owner.id), role=role, name=name)

    slug, made, text = with_personal_data(settings, work)
    if as_json:
        print(msgspec.json.encode({"business": slug, **_shown(made), "key": text}).decode())  # noqa: T201
    else:
        print(text)  # noqa: T201
        say(f"Key {made.id} of {slug}, as {made.role}. It is shown this once; revoke it with `key revoke {made.id}`.")


@app.command(name="list")
def list_keys(business: OfBusiness = None, data: DataDir = None, dsn: Dsn = None, as_json: Json = False) -> None:
    """List the keys of a business, without their secrets, oldest first."""
    settings = settings_of(data, dsn)

    async def work(tx: Transaction) -> list[api_keys.ApiKey]:
        owner = await business_named(tx, business or settings.default_business)
        return await api_keys.keys_of(await tx.act_for(owner.id))

    keys = with_database(settings, work)
    if as_json:
        print(msgspec.json.encode([_shown(key) for key in keys]).decode())  # noqa: T201
        return
    for key in keys:
        used = "never used" if key.last_used_at is None else f"last used {key.last_used_at:%Y-%m-%d %H:%M}"
        state = used if key.revoked_at is None else f"revoked {key.revoked_at:%Y-%m-%d %H:%M}"
        print(f"{key.id}  {key.role:9}  {state:26}  {key.name}")  # noqa: T201


@app.command(name="revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="Id of the key, as `key list` shows it.")],
    data: DataDir = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Let a key open nothing any more, from the next call on; repeatable."""
    key_id = uuid_or_none(key)
    if key_id is None:
        raise UnknownKey

    async def work(tx: Transaction) -> api_keys.ApiKey:
        owner = await api_keys.business_of(tx, key_id)
        return await api_keys.revoke(await tx.act_for(owner), key_id)

    revoked = with_personal_data(settings_of(data, dsn), work)
    print(msgspec.json.encode(_shown(revoked)).decode() if as_json else f"revoked {revoked.id}")  # noqa: T201


def _shown(key: api_keys.ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "role": key.role,
        "name": key.name,
        "createdAt": key.created_at,
        "lastUsedAt": key.last_used_at,
        "revokedAt": key.revoked_at,
    }
