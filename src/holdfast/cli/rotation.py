"""`keys rotate`: new keys for the personal data of businesses."""

import asyncio
import sys
from typing import Annotated

import msgspec
import typer

from holdfast import config
from holdfast.cli.options import DataDir, Dsn, Json, running_dsn, say, settings_of
from holdfast.identity.errors import UnknownBusiness
from holdfast.kernel.privacy import Keyring
from holdfast.kernel.rotation import rotate

app = typer.Typer(help="Keys under which personal data is sealed.", no_args_is_help=True)


@app.command(name="rotate")
def rotate_keys(
    business: Annotated[str | None, typer.Option("--business", help="Slug or id; by default all of them.")] = None,
    data: DataDir = None,
    dsn: Dsn = None,
    as_json: Json = False,
) -> None:
    """Seal all personal data anew under new keys, while servers run; exit 1 if some stays. Run again if interrupted."""
    settings = settings_of(data, dsn)
    uri = running_dsn(settings)
    keyring = Keyring(config.master_key(settings), uri, refresh_seconds=settings.key_refresh_seconds)
    try:
        rotated = asyncio.run(rotate(uri, keyring, business=business, report=say))
    except LookupError:
        raise UnknownBusiness from None
    if as_json:
        print(msgspec.json.encode(rotated).decode())  # noqa: T201
    else:
        for each in rotated:
            print(f"{each.business}: key {each.generation}, {each.values} values sealed anew")  # noqa: T201
            for place in each.broken:
                print(f"{each.business}: {place} does not open, so the older keys stay")  # noqa: T201
    sys.exit(1 if any(each.broken for each in rotated) else 0)
